//! `sessions_send`: speaking to another session.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::{Called, Caller, Effect, Failure, WaitFor};
use super::{Target, find};
use crate::models::ToolSpec;
use crate::store::exchanges::{self, Exchange, NewExchange};
use crate::store::inbox::{self, Author, Body, ItemKind, NewItem};
use crate::store::sessions::{self, Session};
use crate::store::waits::{self, Wait, WaitKind};
use crate::store::{StoreError, Tx, trees};
use crate::tools::{Policy, Refusal, arguments};

/// The arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Args {
    /// The session's key. Give exactly one of sessionKey, label and agentId.
    pub session_key: Option<String>,
    /// The session's label, for example that of a child or of a sibling.
    pub label: Option<String>,
    /// An agent: its own session in this conversation, made if there is none yet.
    pub agent_id: Option<String>,
    /// Everything needed to answer, in one message. The other does not see your conversation.
    #[schemars(length(min = 1))]
    pub message: String,
    /// Wait up to so many seconds for the reply. 0 goes on at once.
    #[serde(default = "patience")]
    #[schemars(range(min = 0, max = 600))]
    pub timeout_seconds: i64,
    /// With timeoutSeconds 0: the reply wakes you, and you can go on talking. Without it the reply is only
    /// shown in the conversation.
    #[serde(default)]
    pub reply_back: bool,
}

fn patience() -> i64 {
    30
}

impl Args {
    /// To whom.
    ///
    /// # Errors
    ///
    /// Not exactly one was named.
    pub fn target(&self) -> Result<Target<'_>, Refusal> {
        super::one([
            ("sessionKey", self.session_key.as_deref().map(Target::Key)),
            ("label", self.label.as_deref().map(Target::Label)),
            ("agentId", self.agent_id.as_deref().map(Target::Agent)),
        ])
    }

    /// When the waiting for the reply is over; `None`: nobody waits.
    fn due_at(&self, now: i64) -> Option<i64> {
        (self.timeout_seconds > 0).then(|| now + self.timeout_seconds * 1000)
    }
}

/// As models are told of it.
pub fn spec() -> ToolSpec {
    ToolSpec {
        name: "sessions_send".into(),
        description: "Sends a message to another session, which works on it, and waits for the reply. The \
                      status is ok (with `reply`), no_reply, timeout (it goes on; a late reply reaches you as \
                      a message), interrupted (a person wrote to you first), or accepted when you did not \
                      wait. Use it for a question or a follow-up to a teammate that exists; for new work use \
                      sessions_spawn."
            .into(),
        schema: arguments::schema::<Args>().into(),
    }
}

/// Sends a message, and waits for the reply if that is asked for.
pub async fn run(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    args: &Args,
    effects: &mut Vec<Effect>,
) -> Result<Called, Failure> {
    let target = find::session(tx, caller, args.target()?).await?;
    if target.id == caller.session.id {
        return Err(Refusal::new("self_send", "That is your own session. Think it over and go on.").into());
    }
    if target.archived {
        return Err(find::archived(&target).into());
    }
    find::refuse_full(tx, caller, &target).await?;
    match owed(tx, caller, &target).await? {
        Some(exchange) => go_on(tx, caller, &target, &exchange, args, effects).await,
        None => begin(tx, caller, &target, args, 1, effects).await,
    }
}

/// The open exchange, locked, in which what the caller says may be an answer to the other's message. What it has not
/// read it does not answer; only a question of somebody below may have reached it with the end of `sessions_yield`.
async fn owed(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    target: &Session,
) -> Result<Option<Exchange>, StoreError> {
    let found = exchanges::owed(tx, caller.session.id, target.id, caller.turn.exchange_id).await?;
    let Some(found) = found else { return Ok(None) };
    // A stop of the other, where it is of another tree, may just have ended it.
    let exchange = exchanges::take(tx, found.id).await?;
    let read = !inbox::has_unread(tx, caller.session.id, exchange.id).await?
        || trees::ancestors(tx, target.id).await?.contains(&caller.session.id);
    Ok((read && !exchange.ended).then_some(exchange))
}

/// This is the next word of the exchange that is open between the two; but a question in the turn whose last words are
/// owed to a partner that does not wait for them is none, and leaves them owed.
async fn go_on(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    target: &Session,
    exchange: &Exchange,
    args: &Args,
    effects: &mut Vec<Effect>,
) -> Result<Called, Failure> {
    if let Some(wait) = waits::of_exchange(tx, exchange.id).await?.filter(|wait| wait.session_id == target.id)
    {
        let me = caller.session;
        let reply = json!({"status": "ok", "reply": args.message, "sessionKey": me.key, "label": me.name()});
        if waits::resolve(tx, wait.id, &reply.to_string()).await? {
            exchanges::end(tx, exchange.id, "answered").await?;
            inbox::consume_exchange(tx, caller.session.id, exchange.id, caller.turn.id).await?;
            effects.push(Effect::Work);
            let note = "It was waiting for this answer and goes on now.";
            return Ok(Called::Done(accepted(target, note)));
        }
    }
    if exchange.turns > exchange.max_turns {
        let message =
            format!("You and {} have talked enough ({} messages): decide.", target.name(), exchange.turns);
        return Err(Refusal::new("exchange_limit", message).into());
    }
    if args.timeout_seconds > 0 {
        if caller.turn.exchange_id == Some(exchange.id) {
            // It counts on, so that the two do not ask each other back for ever.
            return begin(tx, caller, target, args, exchange.turns + 1, effects).await;
        }
        refuse_circle(tx, caller, target).await?;
    }
    inbox::consume_exchange(tx, caller.session.id, exchange.id, caller.turn.id).await?;
    exchanges::spoken(tx, exchange.id, target.id, args.due_at(tx.now())).await?;
    let policy = if caller.session.id == exchange.sender_id {
        let handed_on = caller.handed_on();
        exchanges::restrict(tx, exchange.id, &handed_on.to_json()).await?;
        handed_on
    } else {
        Policy::in_exchange(exchange, target.id)
    };
    let Exchange { id: exchange_id, conversation_id, .. } = *exchange;
    let word = Word { exchange_id, conversation_id, text: &args.message, policy: &policy };
    push(tx, caller, target, &word).await?;
    ask_up(tx, caller, target, &args.message).await?;
    effects.push(Effect::Work);
    Ok(wait_or_not(tx, target, exchange.id, args))
}

/// This is the first word of an exchange, and one of so many `turns` of a talk.
async fn begin(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    target: &Session,
    args: &Args,
    turns: i64,
    effects: &mut Vec<Effect>,
) -> Result<Called, Failure> {
    if args.timeout_seconds > 0 {
        refuse_circle(tx, caller, target).await?;
    }
    let conversation_id = caller.turn.conversation_id;
    let policy = caller.handed_on();
    let new = NewExchange {
        tree_id: caller.session.tree_id,
        sender_id: caller.session.id,
        target_id: target.id,
        conversation_id,
        reply_back: args.reply_back && args.timeout_seconds == 0,
        turns,
        max_turns: caller.agent.max_reply_turns,
        policy: &policy.to_json(),
        due_at: args.due_at(tx.now()),
    };
    let exchange_id = exchanges::open(tx, &new).await?;
    let word = Word { exchange_id, conversation_id, text: &args.message, policy: &policy };
    push(tx, caller, target, &word).await?;
    ask_up(tx, caller, target, &args.message).await?;
    effects.push(Effect::Work);
    Ok(wait_or_not(tx, target, exchange_id, args))
}

fn wait_or_not(tx: &Tx<'_>, target: &Session, exchange_id: i64, args: &Args) -> Called {
    if args.timeout_seconds == 0 {
        return Called::Done(accepted(
            target,
            "It works on it; its answer will be shown in the conversation.",
        ));
    }
    Called::Waits(WaitFor {
        kind: WaitKind::Reply,
        exchange_id: Some(exchange_id),
        target_id: Some(target.id),
        coverage: None,
        due_at: args.due_at(tx.now()),
    })
}

fn accepted(target: &Session, note: &str) -> Value {
    json!({"status": "accepted", "sessionKey": target.key, "label": target.name(), "note": note})
}

/// One message of an exchange.
struct Word<'a> {
    exchange_id: i64,
    conversation_id: i64,
    text: &'a str,
    policy: &'a Policy,
}

async fn push(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    target: &Session,
    word: &Word<'_>,
) -> Result<(), StoreError> {
    let policy = word.policy.to_carry();
    let body = Body { text: word.text.to_owned(), ..Body::default() };
    let item = NewItem {
        exchange_id: Some(word.exchange_id),
        policy: policy.as_deref(),
        ..NewItem::new(ItemKind::Agent, Author::session(caller.session), target, word.conversation_id, &body)
    };
    inbox::push(tx, &item).await.map(drop)
}

/// A question of somebody below ends the wait of the one above for its children: nobody else could answer it.
async fn ask_up(
    tx: &mut Tx<'_>,
    caller: &Caller<'_>,
    target: &Session,
    message: &str,
) -> Result<(), StoreError> {
    if !trees::ancestors(tx, caller.session.id).await?.contains(&target.id) {
        return Ok(());
    }
    for wait in waits::open_of_session(tx, target.id).await? {
        if wait.kind == WaitKind::Runs {
            let question =
                json!({"from": caller.session.name(), "sessionKey": caller.session.key, "message": message});
            waits::resolve(tx, wait.id, &json!({"question": question}).to_string()).await?;
        }
    }
    Ok(())
}

/// Refuses to wait for somebody who waits, directly or through others, for the caller.
async fn refuse_circle(tx: &mut Tx<'_>, caller: &Caller<'_>, target: &Session) -> Result<(), Failure> {
    let mut ways = vec![vec![target.id]];
    let mut seen = vec![target.id];
    while let Some(way) = ways.pop() {
        let last = way[way.len() - 1];
        for next in waits::reply_targets(tx, last).await? {
            if next == caller.session.id {
                return Err(circle(tx, caller, &way).await?.into());
            }
            if !seen.contains(&next) {
                seen.push(next);
                ways.push([way.as_slice(), &[next]].concat());
            }
        }
    }
    Ok(())
}

async fn circle(tx: &mut Tx<'_>, caller: &Caller<'_>, way: &[i64]) -> Result<Refusal, StoreError> {
    let mut names = vec![caller.session.name().to_owned()];
    for id in way {
        names.push(sessions::get(tx, *id).await?.name().to_owned());
    }
    names.push(caller.session.name().to_owned());
    let message = format!(
        "Waiting would never end: {}. Send with timeoutSeconds 0, or end your turn so that the others can go on.",
        names.join(" waits for ")
    );
    Ok(Refusal::new("would_deadlock", message).offering(names))
}

/// What the caller gets when its waiting is over.
pub async fn waited(tx: &mut Tx<'_>, wait: &Wait) -> Result<Value, StoreError> {
    let target = match wait.target_id {
        Some(id) => sessions::in_use(tx, id).await?,
        None => None,
    };
    let (key, name) = target.as_ref().map_or(("", ""), |target| (target.key.as_str(), target.name()));
    Ok(match wait.outcome.as_deref() {
        // It was forgotten or pruned.
        Some(waits::DUE | waits::INTERRUPTED) if target.is_none() => {
            json!({"status": "error", "code": "gone", "message": "It is no longer there and will not answer."})
        }
        Some(waits::DUE) => json!({
            "status": "timeout", "sessionKey": key, "label": name,
            "note": "It goes on; its late reply will reach you as a message.",
        }),
        Some(waits::INTERRUPTED) => json!({
            "status": "interrupted", "sessionKey": key, "label": name,
            "note": "A person has written to you. The reply will reach you as a message.",
        }),
        Some(outcome) => {
            serde_json::from_str(outcome).unwrap_or_else(|_| json!({"status": "error", "message": outcome}))
        }
        None => json!({"status": "error", "code": "interrupted", "message": "The waiting ended."}),
    })
}
