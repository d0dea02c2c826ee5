//! Accepting (T1): a platform event becomes an inbox item, with the decision who reads it, in one commit;
//! an idle session's turn is claimed in the same one (T2).

use std::sync::Arc;

use async_trait::async_trait;
use roundtable_contract::{ChatKind, Message, MessageKind, Outgoing};

use super::command::{self, Done};
use super::{Edges, merge};
use crate::engine::{Effects, claim_next, interrupt};
use crate::phrases;
use crate::routing::{self, Admission, Decision, Facts, Notice, Outcome, Standing, Target, Trace};
use crate::store::conversations::{self, About, Place};
use crate::store::deliveries::{self, NewAnswer};
use crate::store::inbox::{self, Body, ItemKind, NewItem, Quoted};
use crate::store::sessions::{self, Kind, NewSession, Session};
use crate::store::turns::{Claimant, Turn};
use crate::store::{StoreError, Transaction, Tx, events, hints, messages, people};

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
        let known = self.look_up(tx, &place).await?;
        let mut decision = self.edges.decide(message, &known);
        let piece = self.piece(tx, &place, &known, &mut decision).await?;
        events::take(tx, &message.conversation.account, message.key.as_str(), place.id, &decision.rule)
            .await?;
        self.carry_out(tx, &place, &decision, &known, piece.as_deref()).await
    }
}

impl Accept {
    async fn look_up(&self, tx: &mut Tx<'_>, place: &Place) -> Result<people::Facts, StoreError> {
        let message = &self.message;
        let answered = message.reply_to.as_ref().filter(|quote| quote.ours).and_then(|quote| quote.id);
        let mut known = people::facts(tx, place, &message.sender.id, answered).await?;
        if answered.is_some() && known.reply_session.is_none() {
            // A message of ours that can be answered and has no number yet is the one on its way.
            known.reply_session = deliveries::session_in_flight(tx, place.id).await?;
        }
        Ok(known)
    }

    /// The name of the message that this one is a piece of. Only the first piece names whom it is for: the
    /// others follow it, whatever they say.
    async fn piece(
        &self,
        tx: &mut Tx<'_>,
        place: &Place,
        known: &people::Facts,
        decision: &mut Decision,
    ) -> Result<Option<String>, StoreError> {
        if !matches!(decision.outcome, Outcome::Ambient | Outcome::Deliver(_)) {
            return Ok(None);
        }
        if !known.merging {
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
        known: &people::Facts,
        piece: Option<&str>,
    ) -> Result<Accepted, StoreError> {
        let sender = &self.message.sender;
        let mut accepted = Accepted::default();
        if matches!(decision.admission, Admission::AllowGroup) {
            people::allow_chat(tx, &place.address.account, &place.address.chat, &sender.id).await?;
            let text = phrases::group_allowed(&sender.name, &place.address);
            self.say(tx, place, "allowed", text, &mut accepted).await?;
        }
        match &decision.outcome {
            Outcome::Ignore | Outcome::Ambient => {}
            Outcome::Say(notice) => {
                let hint = match notice {
                    Notice::Unpaired { .. } => Some("unpaired"),
                    Notice::NearMiss { .. } => Some("near miss"),
                    Notice::UnknownCommand { .. } | Notice::Usage { .. } => None,
                };
                if match hint {
                    Some(hint) => hints::say(tx, place.id, hint).await?,
                    None => true,
                } {
                    self.say(tx, place, "notice", notice.to_string(), &mut accepted).await?;
                }
            }
            Outcome::Command(command) => {
                let standing = self.edges.standing(&self.message, known);
                let Done { text, after } =
                    command::carry_out(tx, &self.edges, &self.message, place, standing, command).await?;
                accepted.after = after;
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
                for target in targets {
                    self.deliver(tx, place, target, piece, &mut accepted).await?;
                }
            }
        }
        Ok(accepted)
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
        target: &Target,
        piece: Option<&str>,
        accepted: &mut Accepted,
    ) -> Result<(), StoreError> {
        let session = self.session(tx, place, target).await?;
        if session.archived {
            let text = phrases::target_stopped(&session.agent);
            return self.say(tx, place, "archived", text, accepted).await;
        }
        let cap = self.edges.team.agents.get(&session.agent).map_or(i64::MAX, |agent| agent.inbox_cap);
        // Without a turn too: a session that waits for a slot fills up like one at work.
        if session.pending >= cap {
            let text = phrases::inbox_full(&session.agent, usize::try_from(session.pending).unwrap_or(0));
            return self.say(tx, place, "full", text, accepted).await;
        }
        self.push(tx, place, &session, piece).await?;
        if session.open_turn.is_some() {
            interrupt(tx, session.id, &mut accepted.after).await?;
        }
        let turn = match &self.by {
            Some(by) if accepted.turn.is_none() => {
                claim_next(tx, &session, &self.edges.team.agents, by).await?
            }
            _ => None,
        };
        match turn {
            Some(turn) => accepted.turn = Some(turn),
            None => accepted.after.work = true,
        }
        Ok(())
    }

    async fn session(&self, tx: &mut Tx<'_>, place: &Place, target: &Target) -> Result<Session, StoreError> {
        let id = match target {
            Target::Session(id) => *id,
            Target::Agent { agent } => match sessions::find(tx, place.id, agent).await? {
                Some(id) => id,
                None => self.create(tx, place, agent).await?,
            },
        };
        sessions::lock(tx, id).await
    }

    /// Makes an agent's session for the conversation. All of a conversation's are one tree: the session of the
    /// agent that it belongs to is the root, the others are its children.
    async fn create(&self, tx: &mut Tx<'_>, place: &Place, agent: &str) -> Result<i64, StoreError> {
        let seen = routing::Place::of(&self.message);
        let owner = self.edges.rules.resolve(&seen).agents.first().map_or(agent, String::as_str);
        let root = match sessions::root_of_conversation(tx, place.id).await? {
            Some(root) => root,
            None => grow(tx, place, &seen, owner, None).await?,
        };
        let root = sessions::get(tx, root).await?;
        if root.agent == agent { Ok(root.id) } else { grow(tx, place, &seen, agent, Some(&root)).await }
    }

    async fn push(
        &self,
        tx: &mut Tx<'_>,
        place: &Place,
        session: &Session,
        piece: Option<&str>,
    ) -> Result<(), StoreError> {
        let message = &self.message;
        let not_before = piece.map_or(0, |_| tx.now() + merge::PAUSE);
        if let Some(key) = piece {
            inbox::hold_merge(tx, session.id, key, not_before).await?;
        }
        let item = NewItem {
            session_id: session.id,
            tree_id: session.tree_id,
            kind: ItemKind::User,
            wake: true,
            conversation_id: place.id,
            exchange_id: None,
            run_id: None,
            sender: message.sender.id.as_str(),
            sender_name: &message.sender.name,
            message_id: Some(message.id),
            body: &body(message),
            merge_key: piece,
            not_before,
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

async fn grow(
    tx: &mut Tx<'_>,
    place: &Place,
    seen: &routing::Place<'_>,
    agent: &str,
    parent: Option<&Session>,
) -> Result<i64, StoreError> {
    let kind = match place.kind {
        ChatKind::Direct => Kind::Direct,
        ChatKind::Group => Kind::Group,
    };
    let new = NewSession {
        key: &routing::session_key(agent, seen),
        kind,
        agent,
        label: None,
        conversation_id: Some(place.id),
        parent,
        task: None,
        fork: None,
        model: None,
    };
    sessions::create(tx, &new).await
}

/// What a message says to its readers.
pub(super) fn body(message: &Message) -> Body {
    let quote = message
        .reply_to
        .as_ref()
        .and_then(|quote| Some(Quoted { author: quote.author.clone(), text: quote.text.clone()? }));
    Body {
        text: message.text.clone(),
        // An answer to the agent's own words needs no quote of them: they are in its transcript.
        quote: quote.filter(|_| message.reply_to.as_ref().is_some_and(|quote| !quote.ours)),
        attachments: message.attachments.clone(),
        forwarded: message.forwarded,
        edited: false,
    }
}

impl Edges {
    /// The pure decision about a message, with what was looked up.
    pub fn decide(&self, message: &Message, known: &people::Facts) -> Decision {
        let policy = self.policy(&message.conversation.account);
        routing::decide(&self.rules, policy, &facts(known), message, Trace::Off)
    }

    /// What a sender is to the bot.
    fn standing(&self, message: &Message, known: &people::Facts) -> Standing {
        Standing::of(self.policy(&message.conversation.account), &facts(known), message)
    }
}

/// What is stored about a sender and a place, as routing takes it.
pub fn facts(known: &people::Facts) -> Facts<'static> {
    Facts {
        owner: known.owner,
        known: known.paired,
        group_allowed: known.chat_allowed,
        owners_exist: known.owners_exist,
        code_open: known.code_open,
        hinted: known.hinted,
        reply_session: known.reply_session,
        ..Facts::default()
    }
}
