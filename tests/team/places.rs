//! Placement: what was asked in a conversation is answered there, whatever happens in the others meanwhile.

mod sockets;

use roundtable::models::{Answer, ModelMessage, Request};
use roundtable_contract::{ChatKind, Conversation};
use roundtable_fakes::Rng;
use serde_json::json;

use super::sim::{Seed, Sim, account, calls, discord, in_worlds, says, seeds, told};

/// The conversations of one round, each with its kind: a private chat, a topic of one and a forum's topic on Telegram;
/// a channel and a thread, which is a chat of its own, on Discord.
fn conversations(seed: u64) -> Vec<(Conversation, ChatKind)> {
    let telegram = |id: String| Conversation::chat(account(), id);
    let discord = |id: String| Conversation::chat(discord(), id);
    vec![
        (telegram(format!("{seed}1")), ChatKind::Direct),
        (telegram(format!("{seed}1")).with_thread("5"), ChatKind::Direct),
        (telegram(format!("-{seed}1")).with_thread("6"), ChatKind::Group),
        (discord(format!("{seed}2")), ChatKind::Group),
        (discord(format!("{seed}3")), ChatKind::Group),
    ]
}

/// The place in a text like `job in «1.2»`.
fn place(text: &str) -> &str {
    let start = text.find('«').expect("every text names its place");
    &text[start..start + text[start..].find('»').expect("it has an end") + '»'.len_utf8()]
}

/// Gives a job away and, in every other place, waits for it; answers what has nothing to do with it at once.
fn brain(request: &Request) -> Answer {
    let asked = told(request).find(|text| text.contains("job in «")).unwrap_or_default();
    let here = place(told(request).next().expect("somebody has written")).to_owned();
    let last = match request.messages.last() {
        Some(ModelMessage::User(text) | ModelMessage::Tool { content: text, .. }) => text.as_str(),
        _ => "",
    };
    if request.cache_key.starts_with("agent:worker") {
        return says(format!("result for {here}"));
    }
    let said =
        request.messages.iter().filter(|message| matches!(message, ModelMessage::Assistant(_))).count();
    match said {
        0 => {
            let spawn = ("sessions_spawn", json!({"task": asked, "agentId": "worker"}));
            let waits = here.len().is_multiple_of(2);
            calls([spawn].into_iter().chain(waits.then(|| ("sessions_yield", json!({})))))
        }
        1 if last.contains("runId") && !last.contains("outcomes") => says(format!("begun for {here}")),
        _ => says(format!("answer for {here}")),
    }
}

async fn play(sim: &Sim, seed: u64) {
    let _named = Seed(seed);
    let mut rng = Rng::seeded(seed);
    let places = conversations(seed);
    let name = |place: &Conversation| {
        format!("{}:{}", place.chat, place.thread.as_ref().map_or("", |thread| thread.as_str()))
    };
    for (place, kind) in &places {
        sim.says(place, *kind, &format!("job in «{}»", name(place))).await;
    }
    // Whoever works in one place has not ended when somebody writes in the others.
    let mut left: Vec<_> = places.iter().collect();
    while sim.quiet().await > 0 {
        let workers_too = left.is_empty();
        if !left.is_empty() && rng.below(2) == 0 {
            let (place, kind) =
                left.remove(usize::try_from(rng.below(left.len() as u64)).expect("it is small"));
            sim.says(place, *kind, &format!("hello in «{}»", name(place))).await;
            continue;
        }
        if !sim.step(&mut rng, |request| workers_too || !request.cache_key.starts_with("agent:worker")) {
            // Only workers are left.
            let (place, kind) = left.remove(0);
            sim.says(place, *kind, &format!("hello in «{}»", name(place))).await;
        }
    }
    let chats: Vec<_> = places.iter().map(|(place, _)| name(place)).collect();
    let mut results = 0;
    for (chat, text) in sim.said().await {
        let chat = if chat.contains(':') { chat } else { format!("{chat}:") };
        // A line says only that somebody has finished.
        if text.contains('«') {
            assert_eq!(place(&text), format!("«{chat}»"), "{text}");
        }
        if chats.contains(&chat) {
            results += usize::from(text.starts_with("result") || text.starts_with("worker finished"));
        }
    }
    assert_eq!(results, places.len(), "every result is seen");
}

#[test]
fn nothing_lands_elsewhere() {
    in_worlds(&seeds("ROUNDTABLE_PROVE_PLACES", 100), async |seeds| {
        let sim = Sim::new(brain).await;
        for seed in seeds {
            play(&sim, *seed).await;
        }
        assert!(sim.audit().await.is_empty(), "{:#?}", sim.audit().await);
    });
}
