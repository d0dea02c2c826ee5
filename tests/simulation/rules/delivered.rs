//! What has become of what was to be shown: people see it where the program says so, or it is left as of unknown outcome
//! because nobody could tell.

use async_trait::async_trait;
use roundtable::store::{Read, Row, StoreError, Tx};
use roundtable_contract::Part;

use super::super::platform::Platform;
use super::{NONE, sql};

/// What is said to be shown, and where.
const SHOWN: &str = "SELECT c.channel || ':' || c.account || ':' || c.chat
         || CASE WHEN c.thread = '' THEN '' ELSE ':' || c.thread END AS place, d.id, d.message_id, d.body
     FROM deliveries d JOIN conversations c ON c.id = d.conversation_id
     WHERE d.state = 'sent' AND (d.kind <> 'thread' OR d.message_id IS NOT NULL)";

/// The threads that are or were to be opened, by their chats.
const THREADS: &str = "SELECT c.channel || ':' || c.account || ':' || c.chat AS home, d.body
     FROM deliveries d JOIN conversations c ON c.id = d.conversation_id WHERE d.kind = 'thread'";

/// What nobody looks for any more.
const LEFT: &str = "SELECT id, created_at FROM deliveries
     WHERE state = 'unknown' AND due_at = 9223372036854775807";

/// The rule of the audit that does not hold for what is left.
const OVER: &str = "deliveries that are not over";

/// Looks for what is said to be shown, and for what is left as of unknown outcome.
pub(super) struct Said;

/// What became of deliveries.
pub(super) struct Outcomes {
    shown: Vec<(String, i64, i64, String)>,
    left: Vec<String>,
    /// Where a thread was asked for, and by which name.
    threads: Vec<(String, String)>,
}

#[async_trait]
impl Read for Said {
    type Output = Outcomes;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Outcomes, StoreError> {
        let shown = |row: &Row| {
            let part: Part = row.json("body")?;
            Ok((row.get("place")?, row.get("id")?, row.get("message_id")?, part.text))
        };
        let shown = tx.all(sql(SHOWN), &NONE).await?.iter().map(shown).collect::<Result<_, StoreError>>()?;
        let nonce = |row: &Row| {
            let (at, id): (i64, i64) = (row.get("created_at")?, row.get("id")?);
            Ok(format!("{at:x}-{id:x}"))
        };
        let left = tx.all(sql(LEFT), &NONE).await?.iter().map(nonce).collect::<Result<_, StoreError>>()?;
        let thread = |row: &Row| {
            let part: Part = row.json("body")?;
            Ok((row.get("home")?, part.body))
        };
        let threads =
            tx.all(sql(THREADS), &NONE).await?.iter().map(thread).collect::<Result<_, StoreError>>()?;
        Ok(Outcomes { shown, left, threads })
    }
}

impl Outcomes {
    /// Adds what is wrong about them to what the audit has found, and takes away what is right all the same.
    pub(super) fn judge(&self, platform: &Platform, broken: &mut Vec<String>) {
        broken.retain(|line| *line != format!("{} {OVER}", self.left.len()));
        for nonce in self.left.iter().filter(|nonce| !platform.gave_up(nonce)) {
            broken.push(format!("the delivery with the nonce {nonce} was given up without a reason"));
        }
        for (place, id, number, text) in &self.shown {
            if !platform.shows_as(place, *number, text) {
                broken.push(format!("delivery {id} is not what {place} sees as {number}"));
            }
        }
        let mut asked = self.threads.clone();
        for thread in platform.threads() {
            let named = (thread.home.to_string(), thread.name);
            match asked.iter().position(|asked| *asked == named) {
                Some(at) => drop(asked.swap_remove(at)),
                None => broken.push(format!("{} was opened once more than it was asked for", thread.place)),
            }
        }
    }
}
