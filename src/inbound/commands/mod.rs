//! Carrying out a command, as part of the transaction that accepts it. One file for each group of commands.

mod focus;
mod pair;
mod show;
mod spawn;
mod steer;
mod stop;

use roundtable_contract::{ChatKind, Message};

use super::held::Held;
use super::look_up::Known;
use super::{Edges, targets};
use crate::engine::{Effects, Whose};
use crate::phrases;
use crate::routing::{self, Command, Standing, Target};
use crate::store::conversations::Place;
use crate::store::{StoreError, Tx};

/// Who asks for something, and where.
pub(super) struct Asked<'a> {
    edges: &'a Edges,
    message: &'a Message,
    place: &'a Place,
    known: &'a Known,
    held: &'a Held,
    standing: Standing,
}

/// What a command did.
#[derive(Default)]
pub(super) struct Done {
    /// What to say.
    pub(super) text: Option<String>,
    /// Who has to be told.
    pub(super) after: Effects,
}

impl Done {
    fn said(text: String) -> Self {
        Self { text: Some(text), after: Effects::default() }
    }
}

/// Carries out a command of an admitted sender (a pairing code: of anybody).
pub(super) async fn carry_out(
    tx: &mut Tx<'_>,
    asked: &Asked<'_>,
    command: &Command,
) -> Result<Done, StoreError> {
    let mut done = match command {
        Command::Help | Command::Start => Done::said(phrases::help(&asked.edges.rules.agents)),
        Command::Whoami => Done::said(asked.whoami()),
        Command::Pair { code } => {
            Done { text: pair::pair(tx, asked.message, code).await?, ..Done::default() }
        }
        Command::Stop(which) => stop::stop(tx, asked, which).await?,
        Command::Kill { label } => stop::kill(tx, asked, label).await?,
        Command::New { keep } => stop::renew(tx, asked, *keep).await?,
        Command::Forget => stop::forget(tx, asked).await?,
        Command::Steer { label, text } => steer::steer(tx, asked, label, text).await?,
        Command::Spawn { agent, label, task } => {
            spawn::spawn(tx, asked, agent, label.as_deref(), task).await?
        }
        Command::Focus { label, everyone } => focus::set(tx, asked, label, *everyone).await?,
        Command::Unfocus { everyone } => focus::clear(tx, asked, *everyone).await?,
        Command::Agents => show::agents(tx, asked).await?,
        Command::Status => show::status(tx, asked).await?,
        Command::History { label, count } => show::history(tx, asked, label, *count).await?,
        // Routing makes a message of it.
        Command::Ask { .. } => Done::default(),
    };
    if let (Some(label), Some(text)) = (command.label(), &mut done.text)
        && routing::calls_several(label, &asked.known.facts())
    {
        *text = format!("{text} {}", phrases::several_called(label));
    }
    Ok(done)
}

impl<'a> Asked<'a> {
    /// A sender's request.
    pub(super) fn new(
        edges: &'a Edges,
        message: &'a Message,
        place: &'a Place,
        known: &'a Known,
        held: &'a Held,
    ) -> Self {
        let policy = edges.policy(&message.conversation.account);
        let standing = Standing::of(policy, &known.facts(), message);
        Self { edges, message, place, known, held, standing }
    }

    fn whoami(&self) -> String {
        phrases::whoami(&self.message.sender, self.standing, &self.message.conversation)
    }

    /// In a group only owners decide for everyone.
    fn decides_for_everyone(&self) -> bool {
        self.message.chat_kind == ChatKind::Direct || self.standing == Standing::Owner
    }

    /// Whose work the sender may touch: in a group others' work is for owners.
    fn whose(&self) -> Whose<'a> {
        let sender = self.message.sender.id.as_str();
        if self.decides_for_everyone() { Whose::EverybodysBy(sender) } else { Whose::Sender(sender) }
    }

    /// Whom a label calls here, or the sentence that says that it calls nobody.
    fn called(&self, label: &str) -> Result<Target, String> {
        let (rules, facts) = (&self.edges.rules, self.known.facts());
        routing::find(label, rules, &facts)
            .ok_or_else(|| phrases::nobody_called(label, routing::suggest(label, rules, &facts)))
    }

    /// The session of a target, if there is one.
    async fn found(&self, tx: &mut Tx<'_>, target: &Target) -> Result<Option<i64>, StoreError> {
        targets::find(tx, self.place, target).await
    }

    /// The session of a target, made if it is missing.
    async fn found_or_made(&self, tx: &mut Tx<'_>, target: &Target) -> Result<i64, StoreError> {
        targets::find_or_create(tx, self.edges, self.message, self.place, target).await
    }
}
