//! Random documents, as models write them and worse, on their way through the channels: cut into
//! messages, sent over real sockets to a server with the platform's rules, and read back as people see them.
//!
//! `ROUNDTABLE_PROVE_DOCS` sets how many, `ROUNDTABLE_PROVE_SEED` which; a failure names both.

mod discord;
mod markdown;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, anyhow, ensure};
use futures::future::try_join_all;
use roundtable_contract::{AccountId, Channel, Conversation, Outgoing, Part, Speaker};
use roundtable_fakes::{Message, Seat, TelegramFake};
use roundtable_telegram::ExactlyOnce;
use serde_json::Value;

use crate::support::telegram;

/// How many chats are written to at once.
const CHATS: usize = 8;
/// Telegram's limits on one message: UTF-16 units, which are never fewer than its characters, and entities.
const LONGEST: usize = 4096;
const MOST_ENTITIES: usize = 100;
/// Who says every third document.
const PERSONA: &str = "Researcher";

/// What was sent.
#[derive(Debug, Default)]
struct Totals {
    documents: u64,
    characters: usize,
    words: usize,
    cut: u64,
    parts: usize,
    entities: usize,
}

impl Totals {
    fn add(mut self, other: &Self) -> Self {
        self.documents += other.documents;
        self.characters += other.characters;
        self.words += other.words;
        self.cut += other.cut;
        self.parts += other.parts;
        self.entities += other.entities;
        self
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    let read = |text: String| text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number"));
    std::env::var(variable).map_or(otherwise, read)
}

/// Has random documents posted, several at a time; `post` gets the number of a chat and of the document.
async fn documents<F>(post: impl Fn(usize, u64, String) -> F + Clone + Send + 'static)
where
    F: Future<Output = anyhow::Result<Totals>> + Send,
{
    let (count, seed) = (number("ROUNDTABLE_PROVE_DOCS", 1_000), number("ROUNDTABLE_PROVE_SEED", 1));
    let next = Arc::new(AtomicU64::new(0));
    let readers = (0..CHATS).map(|chat| {
        let (post, next) = (post.clone(), Arc::clone(&next));
        tokio::spawn(async move {
            let mut totals = Totals::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(totals);
                }
                let markdown = markdown::document(seed, number);
                let sent = post(chat, number, markdown.clone()).await;
                let sent = sent.map_err(|error| {
                    anyhow!("document {number} of seed {seed}: {error:#}\nIt is {markdown:?}")
                })?;
                totals = totals.add(&sent);
            }
        })
    });
    let totals =
        try_join_all(readers).await.unwrap().into_iter().collect::<anyhow::Result<Vec<_>>>().unwrap();
    let totals = totals.iter().fold(Totals::default(), Totals::add);
    println!("seed {seed}: {totals:?}");
    assert_eq!(totals.documents, count);
    assert!(count < 100 || totals.cut * 20 > count, "too few documents needed cutting");
}

/// Whoever says the document of that number.
fn speaker(number: u64) -> Speaker {
    if number.is_multiple_of(3) { Speaker::Persona(PERSONA.into()) } else { Speaker::Program }
}

/// Compares what was written with what stands there; gives the number of words.
fn compare_words(number: u64, markdown: &str, shown: &str) -> anyhow::Result<usize> {
    let shown = match speaker(number) {
        Speaker::Persona(name) if !shown.is_empty() => {
            shown.strip_prefix(&name).context("nobody is named")?
        }
        _ => shown,
    };
    let (written, read) = (markdown::visible(markdown), markdown::visible(shown));
    if let Some(at) = (0..written.len().max(read.len())).find(|at| written.get(*at) != read.get(*at)) {
        anyhow::bail!("{:?} was written and {:?} is read as number {at}", written.get(at), read.get(at));
    }
    Ok(written.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn random_documents_arrive_whole() {
    let fake = TelegramFake::start().await.unwrap();
    let channel: Arc<dyn Channel> = Arc::new(telegram::channel(&fake, ExactlyOnce::Probe));
    let readers: Arc<[_]> = (0..CHATS).map(|chat| fake.user(&format!("reader {chat}"))).collect();
    documents(move |chat, number, markdown| {
        let (channel, readers) = (Arc::clone(&channel), Arc::clone(&readers));
        async move { post(channel.as_ref(), &readers[chat], number, &markdown).await }
    })
    .await;
    fake.finish().unwrap();
}

/// Sends a document to the private chat of `reader` and compares what stands there with what was to.
async fn post(channel: &dyn Channel, reader: &Seat, number: u64, markdown: &str) -> anyhow::Result<Totals> {
    let place = reader.place();
    let to = Conversation::chat(AccountId::new("telegram", "main"), place.chat_id().to_string());
    let outgoing = Outgoing { text: markdown.to_owned(), speaker: speaker(number), reply_to: None };
    let parts = channel.render(&outgoing);
    let mut totals = Totals {
        documents: 1,
        characters: markdown.chars().count(),
        cut: u64::from(parts.len() > 1),
        parts: parts.len(),
        ..Totals::default()
    };
    let (mut shown, mut last) = (String::new(), 0);
    for (index, part) in parts.iter().enumerate() {
        let receipt = channel.send(&to, part, &format!("{number}-{index}")).await;
        let receipt = receipt.with_context(|| format!("part {index}"))?;
        let message = place.next_message().await?;
        ensure!(message.id == receipt.id.0 && message.id > last, "part {index} is not next in the chat");
        totals.entities += compare(part, &message).with_context(|| format!("part {index}"))?;
        last = message.id;
        shown.push_str(&message.text);
    }
    totals.words = compare_words(number, markdown, &shown)?;
    Ok(totals)
}

/// Checks one message; gives the number of its entities.
fn compare(part: &Part, message: &Message) -> anyhow::Result<usize> {
    ensure!(message.text == part.text, "{:?} is shown instead of {:?}", message.text, part.text);
    ensure!(part.text.encode_utf16().count() <= LONGEST, "too long");
    ensure!(part.text.chars().any(|c| !c.is_whitespace()), "blank");
    let body: Value = serde_json::from_str(&part.body)?;
    let entities = body["entities"].as_array().map_or(&[] as &[Value], Vec::as_slice);
    ensure!(entities.len() <= MOST_ENTITIES, "{} entities", entities.len());
    for entity in entities {
        ensure!(message.entities.contains(entity), "the server dropped or moved {entity}");
    }
    let ping = message.entities.iter().find(|entity| entity["type"] == "mention");
    ensure!(ping.is_none(), "{} of {:?} would notify somebody", ping.unwrap_or(&Value::Null), part.text);
    Ok(entities.len())
}
