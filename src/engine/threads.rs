//! Threads for runs: asked for with the run, opened by the outbox like a delivery, and then the child begins.

use async_trait::async_trait;
use roundtable_contract::{Outgoing, Speaker};

use super::effects::Effects;
use super::outcomes::{self, Show};
use super::stop::{Whose, halt};
use super::team::Team;
use crate::phrases;
use crate::store::conversations::About;
use crate::store::deliveries::{self, Author, NewAnswer};
use crate::store::runs::{self, Opening, Outcome, RunStatus};
use crate::store::turns::Turn;
use crate::store::{StoreError, Transaction, Tx, conversations, focuses, inbox, sessions, trees};

/// A thread that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The run it is for.
    pub run_id: i64,
    /// The child that will speak in it.
    pub session_id: i64,
    /// What it is called.
    pub name: &'a str,
}

/// Asks for a thread beside the conversation of a turn.
pub async fn ask(
    tx: &mut Tx<'_>,
    team: &Team,
    turn: &Turn,
    wanted: &Wanted<'_>,
    after: &mut Effects,
) -> Result<(), StoreError> {
    let here = conversations::get(tx, turn.conversation_id).await?;
    let home = team.outlet.thread_home(&here);
    let place = if home == here.address {
        here
    } else {
        let space = team.outlet.space(&home);
        let about =
            About { kind: here.kind, title: None, guild: here.guild.as_deref(), parent: None, space: &space };
        conversations::find_or_create(tx, &home, &about).await?
    };
    let run = runs::get(tx, wanted.run_id).await?;
    let speaker =
        Speaker::Persona(team.persona(Some(wanted.name), &sessions::get(tx, wanted.session_id).await?.agent));
    let outgoing = Outgoing { text: phrases::thread_opening(&run.task), speaker, reply_to: None };
    let parts: Vec<_> = team.outlet.opening(&place, wanted.name, &outgoing).into_iter().collect();
    let author = Author {
        tree_id: turn.tree_id,
        session_id: wanted.session_id,
        turn_id: None,
        run_id: Some(wanted.run_id),
    };
    let new = NewAnswer {
        conversation_id: place.id,
        author: Some(author),
        kind: deliveries::THREAD,
        name: &format!("run:{}:thread", wanted.run_id),
        parts: &parts,
        send_within: None,
    };
    deliveries::insert(tx, &new).await?;
    after.said.push(place.id);
    Ok(())
}

/// A thread that was asked for is there, or never will be.
pub struct Opened {
    /// What is known.
    pub opening: Opening,
    /// The team.
    pub team: Team,
}

#[async_trait]
impl Transaction for Opened {
    type Output = Effects;
    const NAME: &'static str = "opened";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Effects, StoreError> {
        let mut after = Effects::default();
        let Opening { run, conversation_id, error } = &self.opening;
        trees::lock(tx, run.tree_id).await?;
        match conversation_id {
            Some(conversation_id) => {
                if runs::opened(tx, run.id).await? {
                    sessions::place(tx, run.session_id, *conversation_id).await?;
                    inbox::release_task(tx, run.id, *conversation_id).await?;
                    // Whoever writes in the thread speaks to the child it was opened for.
                    focuses::set(tx, *conversation_id, None, run.session_id).await?;
                    after.work = true;
                }
            }
            None => {
                let reason = phrases::no_thread(error.as_deref().unwrap_or("the platform did not say why"));
                let outcome =
                    Outcome { status: RunStatus::Failed, text: String::new(), reason: Some(reason) };
                if runs::get(tx, run.id).await?.ended_at.is_none() {
                    // First, because it takes back what stands in the child's name and is not sent yet.
                    halt(tx, &self.team, run.session_id, Whose::Everybodys, &mut after).await?;
                    outcomes::end_run(tx, &self.team, run, outcome, Show::AsAsked, &mut after).await?;
                }
            }
        }
        Ok(after)
    }
}
