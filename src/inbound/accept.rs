//! Accepting (T1): a platform event becomes an inbox item, with the decision who reads it, in one commit;
//! an idle session's turn is claimed in the same one (T2).

use std::sync::Arc;

use async_trait::async_trait;
use roundtable_contract::{Message, MessageKind, Outgoing};

use super::age::{Age, age};
use super::commands::{self, Asked, Done};
use super::held::Held;
use super::look_up::{Known, look_up};
use super::{Edges, merge, targets};
use crate::engine::{Effects, claim_next, interrupt};
use crate::phrases;
use crate::routing::{self, Admission, Command, Decision, Notice, Outcome, Target, Trace};
use crate::store::conversations::{self, About, Place};
use crate::store::deliveries::{self, NewAnswer};
use crate::store::inbox::{self, Author, Body, ItemKind, NewItem, Quoted};
use crate::store::sessions::{self, Session};
use crate::store::turns::{Claimant, Turn};
use crate::store::{StoreError, Transaction, Tx, events, focuses, hints, messages, people};

/// Messages that another bot may send us in a minute.
const BOT_MESSAGES: u32 = 20;

/// T1 for one message.
pub struct Accept {
    /// What decides.
    pub edges: Arc<Edges>,
    /// The message.
    pub message: Message,
    /// Who drives a turn that starts at once; `None`: this node has no free slot.
    pub by: Option<Claimant>,
}

/// What an accepted message leaves to do.
#[derive(Default)]
pub struct Accepted {
    /// A turn that was claimed.
    pub turn: Option<Turn>,
    /// Who else has to be told.
    pub after: Effects,
}

#[async_trait]
impl Transaction for Accept {
    type Output = Accepted;
    const NAME: &'static str = "accept";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Accepted, StoreError> {
        let message = &self.message;
        let space = self.edges.space(&message.conversation);
        let about = About {
            kind: message.chat_kind,
            title: message.title.as_deref(),
            guild: message.guild.as_deref(),
            parent: message.parent.as_ref(),
            space: &space,
        };
        let place = conversations::find_or_create(tx, &message.conversation, &about).await?;
        messages::received(tx, place.space_id, message.id, place.id).await?;
        if message.kind == MessageKind::Edit {
            return self.edit(tx, &place).await;
        }
        let known = look_up(tx, &place, message).await?;
        let mut decision = self.edges.decide(message, &known);
        let piece = self.piece(tx, &place, &known, &mut decision).await?;
        let held = Held { piece, age: age(message, tx.now()) };
        if held.age == Age::Past && decision.outcome != Outcome::Ignore {
            decision.outcome = Outcome::Ambient;
            decision.aside = None;
            decision.rule = "in a group, and too long ago".into();
        }
        events::take(tx, &message.conversation.account, message.key.as_str(), place.id, &decision.rule)
            .await?;
        self.carry_out(tx, &place, &decision, &known, &held).await
    }
}

impl Accept {
    /// The name of the message that this one is a piece of. Only the first piece names whom it is for: the
    /// others follow it, whatever they say.
    async fn piece(
        &self,
        tx: &mut Tx<'_>,
        place: &Place,
        known: &Known,
        decision: &mut Decision,
    ) -> Result<Option<String>, StoreError> {
        match decision.outcome {
            Outcome::Ambient | Outcome::Deliver(_) => {}
            Outcome::Command(Command::Spawn { .. } | Command::Steer { .. }) => {
                return Ok(merge::begins(&self.message));
            }
            _ => return Ok(None),
        }
        if !known.stored.merging {
            return Ok(merge::begins(&self.message));
        }
        let mut open = inbox::open_merges(tx, place.id, self.message.sender.id.as_str()).await?;
        open.retain(|(_, name)| merge::continues(&self.message, name));
        let Some((_, name)) = open.first().cloned() else { return Ok(merge::begins(&self.message)) };
        decision.outcome = Outcome::Deliver(open.into_iter().map(|(id, _)| Target::Session(id)).collect());
        decision.rule = "a piece of an earlier message".into();
        Ok(Some(name))
    }

    async fn carry_out(
        &self,
        tx: &mut Tx<'_>,
        place: &Place,
        decision: &Decision,
        known: &Known,
        held: &Held,
    ) -> Result<Accepted, StoreError> {
        let sender = &self.message.sender;
        let mut accepted = Accepted::default();
        if matches!(decision.admission, Admission::AllowGroup) {
            people::allow_chat(tx, &place.address.account, &place.address.chat, &sender.id).await?;
            let text = phrases::group_allowed(&sender.name, &place.address);
            self.say(tx, place, "allowed", text, &mut accepted).await?;
        }
        if decision.admission.is_admitted() {
            self.end_lost_focus(tx, place, known, &mut accepted).await?;
        }
        if let Some(aside) = &decision.aside {
            self.say(tx, place, "aside", aside.to_string(), &mut accepted).await?;
        }
        match &decision.outcome {
            Outcome::Ignore | Outcome::Ambient => {}
            Outcome::Say(notice) => self.notice(tx, place, notice, &mut accepted).await?,
            Outcome::Command(command) => {
                let asked = Asked::new(&self.edges, &self.message, place, known, held);
                let Done { text, after } = commands::carry_out(tx, &asked, command).await?;
                accepted.after.join(after);
                if let Some(text) = text {
                    self.say(tx, place, "command", text, &mut accepted).await?;
                }
            }
            Outcome::Deliver(_) if self.is_busy_bot(tx, place).await? => {
                if hints::say(tx, place.id, "busy bot").await? {
                    let text = phrases::bot_paused(&sender.name, BOT_MESSAGES);
                    self.say(tx, place, "bot", text, &mut accepted).await?;
                }
            }
            Outcome::Deliver(targets) => {
                for session in self.sessions(tx, place, targets).await? {
                    self.deliver(tx, place, &session, held, &mut accepted).await?;
                }
            }
        }
        Ok(accepted)
    }

    async fn notice(
        &self,
        tx: &mut Tx<'_>,
        place: &Place,
        notice: &Notice,
        accepted: &mut Accepted,
    ) -> Result<(), StoreError> {
        let hint = match notice {
            Notice::Unpaired { .. } => Some("unpaired"),
            Notice::NearMiss { .. } => Some("near miss"),
            Notice::UnknownCommand { .. }
            | Notice::Usage { .. }
            | Notice::NobodyToAsk { .. }
            | Notice::SeveralCalled { .. } => None,
        };
        let news = match hint {
            Some(hint) => hints::say(tx, place.id, hint).await?,
            None => true,
        };
        if news { self.say(tx, place, "notice", notice.to_string(), accepted).await } else { Ok(()) }
    }

    /// A focus on what is archived is none: it is taken away, once and not silently.
    async fn end_lost_focus(
        &self,
        tx: &mut Tx<'_>,
        place: &Place,
        known: &Known,
        accepted: &mut Accepted,
    ) -> Result<(), StoreError> {
        for (name, own) in &known.lost_focus {
            focuses::clear(tx, place.id, own.then_some(&self.message.sender.id)).await?;
            let what = if *own { "focus" } else { "common focus" };
            self.say(tx, place, what, phrases::focus_lost(name), accepted).await?;
        }
        Ok(())
    }

    /// The sessions of the targets, made where they are missing and locked, each once.
    async fn sessions(
        &self,
        tx: &mut Tx<'_>,
        place: &Place,
        targets: &[Target],
    ) -> Result<Vec<Session>, StoreError> {
        let mut ids = Vec::new();
        for target in targets {
            let id = targets::find_or_create(tx, &self.edges, &self.message, place, target).await?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        sessions::lock_all(tx, &ids).await
    }

    /// Two bots that answer each other would never end: one is heard so many times a minute and no more.
    async fn is_busy_bot(&self, tx: &mut Tx<'_>, place: &Place) -> Result<bool, StoreError> {
        let sender = &self.message.sender;
        if !sender.is_bot {
            return Ok(false);
        }
        let since = tx.now() - 60_000;
        let heard = inbox::count_of_sender(tx, place.id, sender.id.as_str(), since).await?;
        Ok(heard >= i64::from(BOT_MESSAGES))
    }

    async fn deliver(
        &self,
        tx: &mut Tx<'_>,
        place: &Place,
        session: &Session,
        held: &Held,
        accepted: &mut Accepted,
    ) -> Result<(), StoreError> {
        if session.archived {
            let text = phrases::archived(session.name());
            return self.say(tx, place, &format!("archived {}", session.id), text, accepted).await;
        }
        let cap = self.edges.team.agents.get(&session.agent).map_or(i64::MAX, |agent| agent.inbox_cap);
        // Without a turn too: a session that waits for a slot fills up like one at work.
        if session.pending >= cap {
            let text = phrases::inbox_full(session.name(), usize::try_from(session.pending).unwrap_or(0));
            return self.say(tx, place, &format!("full {}", session.id), text, accepted).await;
        }
        self.push(tx, place, session, held).await?;
        if session.open_turn.is_some() {
            interrupt(tx, session.id, place.id, &mut accepted.after).await?;
        }
        let turn = match &self.by {
            Some(by) if accepted.turn.is_none() => {
                claim_next(tx, session, &self.edges.team.agents, by).await?
            }
            _ => None,
        };
        match turn {
            Some(turn) => accepted.turn = Some(turn),
            None => accepted.after.work = true,
        }
        Ok(())
    }

    async fn push(
        &self,
        tx: &mut Tx<'_>,
        place: &Place,
        session: &Session,
        held: &Held,
    ) -> Result<(), StoreError> {
        let message = &self.message;
        let not_before = held.until(tx.now());
        if session.pending > 0 {
            inbox::hold_said(tx, session.id, place.id, held.piece(), not_before).await?;
        }
        let author = Author::person(&message.sender);
        let body = body(message);
        let item = NewItem {
            message_id: Some(message.id),
            merge_key: held.piece(),
            not_before,
            ..NewItem::new(ItemKind::User, author, session, place.id, &body)
        };
        inbox::push(tx, &item).await?;
        Ok(())
    }

    async fn say(
        &self,
        tx: &mut Tx<'_>,
        place: &Place,
        what: &str,
        text: String,
        accepted: &mut Accepted,
    ) -> Result<(), StoreError> {
        let parts = self.edges.team.outlet.render(place, &Outgoing::of_program(text));
        let name = format!("{what}:{}", self.message.key);
        let notice = NewAnswer {
            conversation_id: place.id,
            author: None,
            kind: "notice",
            name: &name,
            parts: &parts,
            send_within: None,
        };
        deliveries::insert(tx, &notice).await?;
        accepted.after.said.push(place.id);
        Ok(())
    }
}

/// What a message says to its readers.
pub(super) fn body(message: &Message) -> Body {
    let quote = message
        .reply_to
        .as_ref()
        .and_then(|quote| Some(Quoted { author: quote.author.clone(), text: quote.text.clone()? }));
    Body {
        text: routing::told(message).into_owned(),
        // An answer to the agent's own words needs no quote of them: they are in its transcript.
        quote: quote.filter(|_| message.reply_to.as_ref().is_some_and(|quote| !quote.ours)),
        attachments: message.attachments.clone(),
        forwarded: message.forwarded,
        edited: false,
    }
}

impl Edges {
    /// The pure decision about a message, with what was looked up.
    fn decide(&self, message: &Message, known: &Known) -> Decision {
        let policy = self.policy(&message.conversation.account);
        routing::decide(&self.rules, policy, &known.facts(), message, Trace::Off)
    }
}
