//! What has become of what people wrote: one turn has read it, or they were told why none does.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use roundtable::store::{Read, Row, StoreError, Tx};
use roundtable_contract::Part;

use super::super::people::Meant;
use super::super::platform::Heard;
use super::{NONE, sql};

/// Looks for what was accepted, and what came of it.
pub(super) struct Came;

/// What came of what people wrote.
pub(super) struct Accepted {
    events: BTreeSet<String>,
    /// The turns that have read a word, by its number, each as often as it did.
    readers: BTreeMap<u64, Vec<i64>>,
    /// What the program said about an event.
    told: BTreeMap<String, Vec<String>>,
}

#[async_trait]
impl Read for Came {
    type Output = Accepted;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Accepted, StoreError> {
        let events = tx.all(sql("SELECT key FROM events"), &NONE).await?;
        let events = events.iter().map(|row| row.get("key")).collect::<Result<_, _>>()?;
        let (mut readers, mut told) = (BTreeMap::<u64, Vec<i64>>::new(), BTreeMap::<String, Vec<_>>::new());
        let text = "SELECT body, turn_id FROM inbox WHERE kind = 'user' AND wake = 1 AND turn_id IS NOT NULL";
        for row in tx.all(sql(text), &NONE).await? {
            let number = number(&row.get::<String>("body")?);
            readers.entry(number).or_default().push(row.get("turn_id")?);
        }
        let text = "SELECT answer, body FROM deliveries WHERE session_id IS NULL AND part = 0 ORDER BY id";
        for row in tx.all(sql(text), &NONE).await? {
            if let Some((key, words)) = said(&row)? {
                told.entry(key).or_default().push(words);
            }
        }
        Ok(Accepted { events, readers, told })
    }
}

/// The number in a text that a person wrote: no two have the same.
fn number(text: &str) -> u64 {
    let mut digits = text.split(|letter: char| !letter.is_ascii_digit());
    digits.find_map(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The event that the program's own words are about, unless an agent reads it all the same.
fn said(row: &Row) -> Result<Option<(String, String)>, StoreError> {
    let answer: String = row.get("answer")?;
    let Some((what, key)) = answer.split_once(':') else { return Ok(None) };
    let part: Part = row.json("body")?;
    Ok((!["aside", "focus", "common focus"].contains(&what)).then(|| (key.to_owned(), part.text)))
}

impl Accepted {
    /// What is wrong about a message.
    pub(super) fn wrong(&self, heard: &Heard) -> Option<String> {
        let key = heard.message.key.as_str();
        if !self.events.contains(key) {
            return Some("was not accepted".into());
        }
        let read = self.readers.get(&number(&heard.message.text)).map_or(0, Vec::len);
        let told = self.told.get(key).map_or(&[][..], Vec::as_slice);
        let right = match &heard.meant {
            Meant::Word => read + told.len() == 1,
            Meant::Order { taken } => {
                let [told] = told else { return Some(format!("was answered {} times", told.len())) };
                read == usize::from(taken.iter().any(|taken| told.starts_with(taken)))
            }
        };
        (!right).then(|| format!("was read {read} times, and its sender was told {told:?}"))
    }
}
