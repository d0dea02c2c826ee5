//! The same on Discord, where what is seen is written as markup.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use roundtable_contract::{Channel, Conversation, Outgoing};
use roundtable_fakes::DiscordFake;
use roundtable_fakes::discord::Seat;

use super::{CHATS, Totals, compare_words, documents, speaker};
use crate::support::discord;

/// Discord's limit on one message, in UTF-16 units, which are never fewer than its characters.
const LONGEST: usize = 2000;

#[tokio::test(flavor = "multi_thread")]
async fn random_documents_arrive_whole_on_discord() {
    let fake = DiscordFake::start().await.unwrap();
    let channel: Arc<dyn Channel> = Arc::new(discord::channel(&fake, Duration::from_secs(60)));
    let readers: Arc<[_]> = (0..CHATS).map(|chat| fake.user(&format!("reader {chat}"))).collect();
    documents(move |chat, number, markdown| {
        let (channel, readers) = (Arc::clone(&channel), Arc::clone(&readers));
        async move { post(channel.as_ref(), &readers[chat], number, &markdown).await }
    })
    .await;
    fake.assert_no_pings().unwrap();
    fake.finish().unwrap();
}

async fn post(channel: &dyn Channel, reader: &Seat, number: u64, markdown: &str) -> anyhow::Result<Totals> {
    let place = reader.place();
    let to: Conversation = format!("discord:main:{}", place.channel_id()).parse()?;
    let outgoing = Outgoing { text: markdown.to_owned(), speaker: speaker(number), reply_to: None };
    let parts = channel.render(&outgoing);
    let mut totals = Totals {
        documents: 1,
        characters: markdown.chars().count(),
        cut: u64::from(parts.len() > 1),
        parts: parts.len(),
        ..Totals::default()
    };
    let mut all = String::new();
    for (index, part) in parts.iter().enumerate() {
        let receipt = channel.send(&to, part, &format!("{number}-{index}")).await;
        let receipt = receipt.with_context(|| format!("part {index}"))?;
        let message = place.next_message().await?;
        ensure!(message.id.cast_signed() == receipt.id.0, "part {index} is not next in the chat");
        ensure!(message.text.encode_utf16().count() <= LONGEST, "part {index} is too long");
        let shown = discord::shown(&message.text);
        let (shown, text) = (letters(&shown), letters(&part.text));
        ensure!(shown == text, "part {index}: {shown:?} is shown instead of {text:?}");
        all.push_str(&part.text);
    }
    totals.words = compare_words(number, markdown, &all)?;
    Ok(totals)
}

/// Without what is seen as nothing.
fn letters(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '\u{200b}').collect()
}
