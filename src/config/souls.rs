//! The default souls, embedded in the binary.

/// The text of the embedded soul with this path, if there is one.
pub(super) fn embedded(path: &str) -> Option<&'static str> {
    SOULS.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}

/// The embedded souls by the path that an agent's `soul` names them with.
pub(super) const SOULS: [(&str, &str); 3] = [
    ("agents/manager.md", include_str!("../../config/agents/manager.md")),
    ("agents/researcher.md", include_str!("../../config/agents/researcher.md")),
    ("agents/coder.md", include_str!("../../config/agents/coder.md")),
];
