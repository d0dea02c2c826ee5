//! Agents that were renamed. What is stored keeps the id that its agent had then: nothing is rewritten, so nodes that know
//! the new id and nodes that do not yet can share a database. Whoever reads gets today's id.

use std::collections::BTreeMap;

/// Former ids of agents, each with today's.
#[derive(Debug, Default)]
pub(super) struct Renames(pub(super) BTreeMap<String, String>);

impl Renames {
    /// The id that an agent has today, from one that was stored.
    pub(super) fn today<'a>(&'a self, id: &'a str) -> &'a str {
        self.0.get(id).map_or(id, String::as_str)
    }

    /// All ids that an agent may be stored under, today's first.
    pub(super) fn all<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a str> {
        let today = self.today(id);
        let former = self.0.iter().filter(move |(_, other)| other.as_str() == today);
        std::iter::once(today).chain(former.map(|(former, _)| former.as_str()))
    }
}
