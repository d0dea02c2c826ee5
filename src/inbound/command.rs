//! Carrying out a command, as part of the transaction that accepts it.

use roundtable_contract::{ChatKind, Message};

use super::Edges;
use crate::control::{self, Stopped};
use crate::phrases;
use crate::routing::{Command, Standing, Stop};
use crate::store::conversations::Place;
use crate::store::{StoreError, Tx, people, sessions};

/// Tries that a sender has with codes in an hour.
const TRIES: i64 = 5;

/// What a command did.
pub(super) struct Done {
    /// What to say.
    pub(super) text: Option<String>,
    /// Turns that were cancelled.
    pub(super) cancelled: Vec<i64>,
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
    let mut cancelled = Vec::new();
    let text = match command {
        Command::Help | Command::Start => Some(phrases::help(&edges.rules.agents)),
        Command::Whoami => Some(phrases::whoami(&message.sender, standing, &message.conversation)),
        Command::Stop(which) => {
            let stopped = stop(tx, edges, place, which).await?;
            cancelled.extend(stopped.iter().map(|stopped| stopped.turn_id));
            Some(match (which, stopped.is_empty()) {
                (_, false) => phrases::stopped(&names(&stopped)),
                (Stop::Label(label), true) if edges.rules.agent(label).is_none() => {
                    phrases::nobody_called(label)
                }
                (_, true) => phrases::nothing_to_stop(),
            })
        }
        Command::New { keep } => {
            let mut stopped = Vec::new();
            for session in sessions::of_conversation(tx, place.id).await? {
                stopped.extend(control::renew(tx, session, *keep).await?);
            }
            cancelled.extend(stopped.iter().map(|stopped| stopped.turn_id));
            Some(phrases::new_conversation(&names(&stopped)))
        }
        Command::Pair { code } => pair(tx, message, code).await?,
    };
    Ok(Done { text, cancelled })
}

fn names(stopped: &[Stopped]) -> Vec<&str> {
    stopped.iter().map(|stopped| stopped.agent.as_str()).collect()
}

async fn stop(
    tx: &mut Tx<'_>,
    edges: &Edges,
    place: &Place,
    which: &Stop,
) -> Result<Vec<Stopped>, StoreError> {
    let sessions = match which {
        Stop::Here | Stop::All => sessions::of_conversation(tx, place.id).await?,
        Stop::Label(label) => match edges.rules.agent(label) {
            Some(agent) => sessions::find(tx, place.id, &agent.id).await?.into_iter().collect(),
            None => Vec::new(),
        },
    };
    let mut stopped = Vec::new();
    for session in sessions {
        stopped.extend(control::stop(tx, session).await?);
    }
    Ok(stopped)
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
