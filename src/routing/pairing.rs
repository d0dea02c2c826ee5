//! The form of pairing codes. When one is made, how often it may be tried and when it is void is the
//! core's business.

/// 32 symbols without the look-alikes I, L, O and U (Crockford's base 32).
const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Symbols of a code: 12 of 5 bits each are 60 bits.
const LENGTH: usize = 12;

/// Symbols between two hyphens.
const GROUP: usize = 4;

/// Makes a code, `XXXX-XXXX-XXXX`, out of random bytes: 60 of their 64 bits count.
pub fn make_code(random: [u8; 8]) -> String {
    let bits = u64::from_be_bytes(random);
    let symbols = (0..LENGTH).map(|at| char::from(SYMBOLS[(bits >> (5 * at) & 31) as usize]));
    grouped(symbols)
}

/// Brings a code as somebody typed it into the form of [`make_code`]: upper case, look-alikes read as what
/// they look like, hyphens and spaces set anew. Two texts are the same code if this makes them equal.
pub fn normalise_code(typed: &str) -> String {
    grouped(typed.chars().filter(char::is_ascii_alphanumeric).map(|char| match char.to_ascii_uppercase() {
        'I' | 'L' => '1',
        'O' => '0',
        other => other,
    }))
}

/// Recognises a text that is a code and nothing else, written with its hyphens (without them, many a word
/// of twelve letters would be one). Returns it normalised.
pub fn bare_code(text: &str) -> Option<String> {
    let groups: Vec<_> = text.trim().split('-').collect();
    let whole = |group: &&str| group.len() == GROUP && group.chars().all(|char| char.is_ascii_alphanumeric());
    let code = normalise_code(text);
    (groups.len() == LENGTH / GROUP
        && groups.iter().all(whole)
        && code.bytes().all(|byte| byte == b'-' || SYMBOLS.contains(&byte)))
    .then_some(code)
}

fn grouped(symbols: impl Iterator<Item = char>) -> String {
    let mut code = String::new();
    for (at, symbol) in symbols.enumerate() {
        if at > 0 && at % GROUP == 0 {
            code.push('-');
        }
        code.push(symbol);
    }
    code
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_bit_that_counts_changes_the_code() {
        let codes: std::collections::BTreeSet<_> =
            (0..60).map(|bit| make_code((1u64 << bit).to_be_bytes())).collect();
        assert_eq!(codes.len(), 60);
        assert_eq!(make_code([0; 8]), "0000-0000-0000");
        assert_eq!(make_code([0xff; 8]), "ZZZZ-ZZZZ-ZZZZ");
    }

    #[test]
    fn codes_are_read_as_people_type_them() {
        for typed in ["7K3M-01Q0-ZZ9A", "7k3m-o1qo-zz9a", "7K3M 0IQ0 ZZ9A", " 7k3mOLq0zz9a\n"] {
            assert_eq!(normalise_code(typed), "7K3M-01Q0-ZZ9A", "{typed}");
        }
    }

    #[test]
    fn only_a_whole_code_is_a_bare_code() {
        assert_eq!(bare_code(" 7k3m-o1qo-zz9a\n").as_deref(), Some("7K3M-01Q0-ZZ9A"));
        let others =
            ["presentation", "7K3M01Q0ZZ9A", "7K3M-01Q0", "my code: 7K3M-01Q0-ZZ9A", "UUUU-UUUU-UUUU"];
        for text in others.into_iter().chain(["", "---", "7K3M-01Q0-ZZ9A-", "7K3M-01Q0-ZZ9é"]) {
            assert_eq!(bare_code(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_made_code_is_recognised_and_normal(random: [u8; 8]) {
            let code = make_code(random);
            prop_assert_eq!(normalise_code(&code), code.as_str());
            prop_assert_eq!(bare_code(&code.to_lowercase()), Some(code));
        }
    }
}
