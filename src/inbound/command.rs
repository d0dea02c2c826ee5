//! Carrying out a command, as part of the transaction that accepts it.

use roundtable_contract::{ChatKind, Message};

use super::Edges;
use crate::control;
use crate::engine::{self, Effects, Whose};
use crate::phrases;
use crate::routing::{Command, Standing, Stop};
use crate::store::conversations::Place;
use crate::store::{StoreError, Tx, people, sessions};

/// Tries that a sender has with codes in an hour.
const TRIES: i64 = 5;

/// What a command did.
#[derive(Default)]
pub(super) struct Done {
    /// What to say.
    pub(super) text: Option<String>,
    /// Who has to be told.
    pub(super) after: Effects,
}

/// Carries out a command of an admitted sender (a pairing code: of anybody).
pub(super) async fn carry_out(
    tx: &mut Tx<'_>,
    edges: &Edges,
    message: &Message,
    place: &Place,
    standing: Standing,
    command: &Command,
) -> Result<Done, StoreError> {
    let said = |text| Done { text, ..Done::default() };
    Ok(match command {
        Command::Help | Command::Start => said(Some(phrases::help(&edges.rules.agents))),
        Command::Whoami => said(Some(phrases::whoami(&message.sender, standing, &message.conversation))),
        Command::Pair { code } => said(pair(tx, message, code).await?),
        Command::Stop(which) => stop(tx, edges, place, which, whose(message, standing)).await?,
        Command::New { keep } => renew(tx, edges, place, *keep, whose(message, standing)).await?,
    })
}

/// Stopping others' work is for owners.
fn whose(message: &Message, standing: Standing) -> Whose<'_> {
    match (message.chat_kind, standing) {
        (ChatKind::Direct, _) | (_, Standing::Owner) => Whose::Everybodys,
        (ChatKind::Group, _) => Whose::Sender(message.sender.id.as_str()),
    }
}

async fn stop(
    tx: &mut Tx<'_>,
    edges: &Edges,
    place: &Place,
    which: &Stop,
    whose: Whose<'_>,
) -> Result<Done, StoreError> {
    let sessions = match which {
        Stop::Here | Stop::All => sessions::of_conversation(tx, place.id).await?,
        Stop::Label(label) => match edges.rules.agent(label) {
            Some(agent) => sessions::find(tx, place.id, &agent.id).await?.into_iter().collect(),
            None => return Ok(Done { text: Some(phrases::nobody_called(label)), ..Done::default() }),
        },
    };
    let (mut stops, mut after) = (Vec::new(), Effects::default());
    for session in sessions {
        stops.push(engine::stop(tx, &edges.team, session, whose, "stopped by a person", &mut after).await?);
    }
    let names = stopped(&stops);
    let text = if !names.is_empty() {
        phrases::stopped(&names)
    } else if stops.contains(&engine::Stop::NotTheirs) {
        phrases::not_yours_to_stop()
    } else {
        phrases::nothing_to_stop()
    };
    Ok(Done { text: Some(text), after })
}

async fn renew(
    tx: &mut Tx<'_>,
    edges: &Edges,
    place: &Place,
    keep: bool,
    whose: Whose<'_>,
) -> Result<Done, StoreError> {
    let (mut stops, mut after) = (Vec::new(), Effects::default());
    for session in sessions::of_conversation(tx, place.id).await? {
        stops.push(control::renew(tx, &edges.team, session, keep, whose, &mut after).await?);
    }
    let names = stopped(&stops);
    let text = if stops.contains(&engine::Stop::NotTheirs) {
        phrases::not_yours_to_stop()
    } else {
        phrases::new_conversation(&names)
    };
    Ok(Done { text: Some(text), after })
}

/// Whose work was stopped, each once.
fn stopped(stops: &[engine::Stop]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for stop in stops {
        if let engine::Stop::Stopped(stopped) = stop {
            names.extend(
                stopped.iter().map(String::as_str).filter(|name| !names.contains(name)).collect::<Vec<_>>(),
            );
        }
    }
    names
}

async fn pair(tx: &mut Tx<'_>, message: &Message, code: &str) -> Result<Option<String>, StoreError> {
    if message.chat_kind == ChatKind::Group {
        // Only the right code is worth voiding, and only it gets an answer: a guess in a group tells nothing.
        let shown = people::use_code(tx, code).await?;
        return Ok(shown.then(phrases::code_voided));
    }
    let sender = &message.sender;
    let tried = people::count_try(tx, &message.conversation.account.channel, &sender.id).await?;
    if tried >= TRIES {
        return Ok(Some(phrases::wrong_code(0)));
    }
    if !people::use_code(tx, code).await? {
        return Ok(Some(phrases::wrong_code(u32::try_from(TRIES - tried - 1).unwrap_or(0))));
    }
    people::make_owner(tx, &message.conversation.account.channel, &sender.id, &sender.name).await?;
    Ok(Some(phrases::owner_paired(&sender.name)))
}
