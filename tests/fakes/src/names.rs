//! Names of people as platforms show them.

/// `ann` as `Ann`.
pub(crate) fn first_name(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
