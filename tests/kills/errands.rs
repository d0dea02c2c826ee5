//! What people and operators do while everything is in flight, so that the program passes a boundary which the load
//! alone does not reach; and what they do again when it has died of it.

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use roundtable::store::deliveries::{Listed, State};
use roundtable::store::local::{self, Line};
use roundtable::store::{Read, Sql, StoreError, Tx};
use roundtable_fakes::{Fault, Hold, Scope, Seat};
use tokio::task::JoinHandle;

use super::scene::{PATIENCE, Scene, read};
use crate::support::command::Ran;
use crate::support::requests::{heard, next_text};
use crate::support::world::World;

/// What makes a process panic at a place.
pub const PANIC_AT: &str = "ROUNDTABLE_PANIC_AT";

/// What somebody is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// A group becomes a supergroup.
    Migrates,
    /// The same, and the program hears of it from the refusal of an answer.
    MigratesUnheard,
    /// Somebody chats at the terminal.
    Chats,
    /// A group that an owner let in is let in no longer.
    Revokes,
    /// A message that was refused is sent again.
    Retries,
    /// A message that was refused is given up.
    Discards,
    /// What is old goes.
    Prunes,
    /// A platform takes nothing for a moment.
    Limits,
    /// A tool panics.
    Panics,
}

/// What goes on while the program dies.
#[derive(Default)]
pub struct Doing {
    /// What is entered at a terminal; nothing: whatever is done is no command.
    line: String,
    first: Option<JoinHandle<Ran>>,
    /// An answer to the group that migrates, which waits for that.
    answer: Option<Hold>,
    /// The program's poll for news, which is told nothing.
    unheard: Option<Hold>,
}

/// Somebody who is not of the load.
fn guest(world: &World) -> Seat {
    world.telegram.user("guest")
}

/// Where the guest is a guest.
fn club(world: &World) -> Seat {
    guest(world).in_group("Club")
}

impl Errand {
    /// What must be so before the program starts.
    pub fn set(self, scene: &mut Scene) {
        match self {
            Self::Revokes => {
                let groups = scene.chats().into_iter().filter(|chat| *chat < 0).map(|chat| chat.to_string());
                let groups: Vec<String> = groups.collect();
                let owner = scene.world.telegram.user("owner").id().to_string();
                let lines = format!("groups = {groups:?}\nowners = [{owner:?}]");
                scene.world.configure(|text| text.replacen("groups = [\"*\"]", &lines, 1));
            }
            Self::Panics => {
                scene.world.env.insert(PANIC_AT.to_owned(), "call.tool.before:3".to_owned());
            }
            _ => {}
        }
    }

    /// What must have happened before everything is in flight.
    pub async fn prepare(self, scene: &mut Scene) -> anyhow::Result<Doing> {
        let world = &scene.world;
        let line = match self {
            Self::Migrates | Self::MigratesUnheard => {
                let answer = Some(scene.load.ask_in_small_group(&world.model).await?);
                return Ok(Doing { answer, ..Doing::default() });
            }
            Self::Limits | Self::Panics => String::new(),
            Self::Chats => "chat".to_owned(),
            Self::Revokes => {
                let owner = world.telegram.user("owner").in_group("Club");
                owner.mentions_bot("come in");
                ensure!(next_text(&owner).await.starts_with("Owner brought me in"), "nobody was let in");
                owner.next_message().await?;
                format!("pair revoke telegram:main:{}", owner.place().chat_id())
            }
            Self::Retries | Self::Discards => {
                let verb = if self == Self::Retries { "retry" } else { "discard" };
                format!("deliveries {verb} {}", refused(world).await?)
            }
            Self::Prunes => {
                grow_old(world).await;
                "sessions prune --json --older-than 30m".to_owned()
            }
        };
        Ok(Doing { line, ..Doing::default() })
    }

    /// Does it.
    pub async fn go(self, scene: &mut Scene, doing: &mut Doing) -> anyhow::Result<()> {
        match self {
            Self::Panics => {}
            // Over before a process that died without having stored it is back.
            Self::Limits => {
                let fault = Fault::Limited { scope: Scope::User, retry_after_ms: 50 };
                scene.world.discord().fail_next("create_message", fault);
            }
            Self::Migrates | Self::MigratesUnheard => {
                if self == Self::MigratesUnheard {
                    let poll = scene.world.telegram.hold("getUpdates");
                    // On a busy machine much is to be stored before the next poll.
                    let arrived = async { while poll.arrived().await.is_err() {} };
                    tokio::time::timeout(PATIENCE, scene.ask_until(arrived)).await?;
                    doing.unheard = Some(poll);
                }
                scene.load.small_group_grows();
                doing.answer = None;
            }
            _ => doing.first = Some(tokio::spawn(enter(&scene.world, &doing.line))),
        }
        Ok(())
    }

    /// Does again what was not answered, on a program that has everything behind it, and looks at what has come of it.
    /// `died_at`: where it has died.
    pub async fn again(self, world: &World, doing: Doing, died_at: &str) -> anyhow::Result<()> {
        let Doing { line, first: Some(first), .. } = doing else { return Ok(()) };
        let first = first.await?;
        let done = died_at.contains(".after:");
        match self {
            Self::Chats => has_chatted(world, &line, first).await,
            Self::Prunes => are_gone(world, &line, u32::from(died_at.contains("prune.before"))).await,
            Self::Retries if done => {
                answered(world, "refused").await?;
                refuses(&enter(world, &line).await, "is sent, so there is nothing to do")
            }
            Self::Retries => {
                does(&enter(world, &line).await)?;
                answered(world, "refused").await
            }
            Self::Discards if done => {
                refuses(&enter(world, &line).await, "is cancelled, so there is nothing to do")
            }
            Self::Revokes if done => refuses(&enter(world, &line).await, "was not let in by an owner"),
            _ => does(&enter(world, &line).await),
        }?;
        if self == Self::Revokes {
            club(world).mentions_bot("is anybody there?");
            world.settled().await;
        }
        Ok(())
    }
}

/// Enters a command; to one that listens, a question.
fn enter(world: &World, line: &str) -> impl Future<Output = Ran> + Send + use<> {
    world.begins(line, "what is this?\n")
}

fn does(ran: &Ran) -> anyhow::Result<()> {
    ensure!(ran.code == Some(0), "it was not done: {ran:#?}");
    Ok(())
}

fn refuses(ran: &Ran, why: &str) -> anyhow::Result<()> {
    ensure!(ran.code == Some(1) && ran.stderr.contains(why), "it was not refused: {ran:#?}");
    Ok(())
}

/// The guest is answered.
async fn answered(world: &World, question: &str) -> anyhow::Result<()> {
    let answer = next_text(&guest(world)).await;
    ensure!(answer == format!("echo: {question}"), "{answer:?} is no answer to {question:?}");
    Ok(())
}

/// Has the platform refuse an answer to the guest; gives its number.
async fn refused(world: &World) -> anyhow::Result<i64> {
    let description = "Bad Request: chat not found".to_owned();
    let fault = Fault::Error { code: 400, description };
    world.telegram.fail_next_in(&guest(world).place(), "sendMessage", fault);
    guest(world).says("refused");
    world.model.wait_for_request("the question", |request| request.asks("refused")).await?;
    let failed = |all: &[_]| all.iter().any(|one: &Listed| one.state == State::Failed);
    let listed = world.stored().await.until("a refusal", failed).await;
    Ok(listed.first().context("it is listed")?.id)
}

/// A guest of a week and a day ago.
async fn grow_old(world: &World) {
    let guest = guest(world);
    guest.says("/whoami");
    next_text(&guest).await;
    guest.says("remember PLUM");
    next_text(&guest).await;
    let stored = world.stored().await;
    stored.until("everything is sent", |all| all.iter().all(|one| one.state == State::Sent)).await;
    for age in [
        "UPDATE sessions SET updated_at = updated_at - 691200000",
        "UPDATE events SET created_at = created_at - 691200000",
        "UPDATE messages SET created_at = created_at - 691200000",
        "UPDATE deliveries SET created_at = created_at - 691200000",
    ] {
        stored.changes(age).await;
    }
}

/// What was old is gone, `left` sessions of it only now.
async fn are_gone(world: &World, line: &str, left: u32) -> anyhow::Result<()> {
    let pruned = enter(world, line).await.json();
    ensure!(pruned["total"]["sessions"] == left, "{left} sessions were left to prune: {pruned}");
    let stored = world.stored().await;
    stored.find("the end of what is old", async || (stored.read(Old).await == 0).then_some(())).await;
    guest(world).says("do you know me?");
    answered(world, "do you know me?").await?;
    let asked = world.model.requests();
    let asked = asked.iter().rev().find(|request| request.asks("do you know me?")).context("it was asked")?;
    ensure!(heard(asked) == "do you know me?", "the guest is remembered: {}", heard(asked));
    Ok(())
}

/// How much is there that is older than a week, or was taken out of use.
struct Old;

#[async_trait]
impl Read for Old {
    type Output = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let text = "SELECT (SELECT COUNT(*) FROM sessions WHERE updated_at < $1 OR erase_at IS NOT NULL)
            + (SELECT COUNT(*) FROM events WHERE created_at < $1)
            + (SELECT COUNT(*) FROM messages WHERE created_at < $1 AND session_id IS NOT NULL)
            + (SELECT COUNT(*) FROM deliveries WHERE created_at < $1) AS old";
        let week_ago = tx.now() - 604_800_000;
        tx.one(Sql { lite: text, pg: text }, &[week_ago.into()]).await?.get("old")
    }
}

/// Whoever was told that nobody knows whether the question has arrived has asked again; there is one answer.
async fn has_chatted(world: &World, line: &str, first: Ran) -> anyhow::Result<()> {
    let seen = match first.code {
        Some(0) => first,
        _ => {
            refuses(&first, "not known whether your last message arrived")?;
            enter(world, line).await
        }
    };
    does(&seen)?;
    let answer = "echo: what is this?";
    ensure!(seen.stdout.matches(answer).count() == 1, "one answer is seen: {seen:#?}");
    let lines = read(&world.url, Lobby).await?;
    let answers = lines.iter().filter(|line| !line.own);
    ensure!(answers.map(|line| line.text.as_str()).eq([answer]), "there is one answer: {lines:#?}");
    Ok(())
}

/// What was said at the terminal.
struct Lobby;

#[async_trait]
impl Read for Lobby {
    type Output = Vec<Line>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Line>, StoreError> {
        local::lines(tx, &roundtable::local::account(), "lobby", 0, 100).await
    }
}
