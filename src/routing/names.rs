//! What may be a label, and what somebody probably meant.

/// Words that address everybody or nobody in particular on some platform; never labels, in any case.
pub const RESERVED: [&str; 7] = ["all", "here", "everyone", "channel", "admin", "bot", "team"];

/// The longest label, in characters.
pub const MAX: usize = 32;

/// Whether `name` has the form of a label: `[A-Za-z0-9][A-Za-z0-9_-]{0,31}`.
pub fn is_valid(name: &str) -> bool {
    name.len() <= MAX
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(is_label_char)
}

/// Whether `name` is one of [`RESERVED`].
pub fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name))
}

/// Whether a label may contain `char`.
pub(super) fn is_label_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '-')
}

/// The known name closest to a mistyped one, if it is close enough to be worth a question: distance 1 for
/// up to five letters, 2 above, where swapping two neighbours is one step. The first of equals wins.
pub fn closest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = if typed.chars().count() <= 5 { 1 } else { 2 };
    let typed = typed.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&typed, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_a_form() {
        for good in ["a", "7", "coder-2", "Research_Lead", &"x".repeat(32)] {
            assert!(is_valid(good), "{good} was refused");
        }
        for bad in ["", "-a", "_a", "a b", "a.b", "é", &"x".repeat(33)] {
            assert!(!is_valid(bad), "{bad} was taken");
        }
        assert!(is_reserved("Everyone") && !is_reserved("everyone2"));
    }

    #[test]
    fn near_misses_are_found_and_far_ones_are_not() {
        let known = ["coder", "researcher", "qa"];
        let table = [
            ("codr", Some("coder")),
            ("cdoer", Some("coder")),
            ("CODER2", Some("coder")),
            ("cook", None),
            ("resercher", Some("researcher")),
            ("resercer", Some("researcher")),
            ("reserce", None),
            ("q", Some("qa")),
            ("ops", None),
        ];
        for (typed, meant) in table {
            assert_eq!(closest(typed, known), meant, "{typed}");
        }
    }
}
