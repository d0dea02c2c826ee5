//! The connections that a bot on many servers is split into: which servers are whose, and under which names each keeps
//! how far it has read (<https://discord.com/developers/docs/events/gateway#sharding>). Pure.

/// One of the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// Which one, from 0.
    pub(crate) number: u32,
    /// How many there are.
    pub(crate) of: u32,
}

impl Shard {
    /// Whether it hears of a server. What is private comes to the first one.
    pub(crate) fn hears(self, guild: Option<u64>) -> bool {
        guild.map_or(0, |guild| (guild >> 22) % u64::from(self.of)) == u64::from(self.number)
    }

    /// The name under which it is kept when this connection was last online.
    pub(crate) fn online(self) -> String {
        match self.number {
            0 => ONLINE.to_owned(),
            number => format!("{ONLINE}/{number}"),
        }
    }
}

/// The name under which the first connection, and so a bot that is not split, keeps when it was last online.
pub(crate) const ONLINE: &str = "@online";

/// The name under which it is kept how far a channel was read: `<server>/<channel>`, and `<channel>` in private.
pub(crate) fn scope(guild: Option<u64>, channel: u64) -> String {
    match guild {
        Some(guild) => format!("{guild}/{channel}"),
        None => channel.to_string(),
    }
}

/// Reads what [`scope`] wrote: the server and the channel.
pub(crate) fn place(scope: &str) -> Option<(Option<u64>, u64)> {
    match scope.split_once('/') {
        Some((guild, channel)) => Some((Some(guild.parse().ok()?), channel.parse().ok()?)),
        None => Some((None, scope.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_server_is_of_one_connection_and_what_is_private_of_the_first() {
        let all = [0, 1, 2].map(|number| Shard { number, of: 3 });
        let hears = |guild| all.map(|shard| shard.hears(guild));
        // the time in a snowflake decides, without the bits below it
        assert_eq!(hears(Some(7 << 22 | 5)), [false, true, false]);
        assert_eq!(hears(Some(9 << 22)), [true, false, false]);
        assert_eq!(hears(None), [true, false, false]);
        assert!(Shard { number: 0, of: 1 }.hears(Some(7 << 22)));
    }

    #[test]
    fn names_of_positions_are_read_as_they_are_written() {
        for (scope, place) in [((Some(1), 20), "1/20"), ((None, 20), "20")] {
            assert_eq!(super::scope(scope.0, scope.1), place);
            assert_eq!(super::place(place), Some(scope));
        }
        assert_eq!([0, 1].map(|number| Shard { number, of: 2 }.online()), ["@online", "@online/1"]);
        assert_eq!([place("@online"), place("@online/1"), place("1/2/3")], [None; 3]);
    }
}
