//! The connection: log in, keep it alive, resume it, log in again.
//!
//! <https://discord.com/developers/docs/events/gateway>. A connection that ends is resumed, so that Discord
//! sends what was missed; only when it will not, a new session begins and the rest is fetched (`backfill`).

mod pulse;

use std::time::Duration;

use roundtable_contract::{AccountState, Pause, RunError};
use serde_json::{Value, json};
use serenity::model::gateway::GatewayIntents;
use tokio::sync::MutexGuard;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::api::{ApiError, Call};
use crate::error::{degraded, fatal_close, wrong_token};
use crate::listen::Listener;
use crate::socket::{Frame, Gone, Socket};
use crate::wire;
use pulse::{Pulse, jitter};

/// Operations (<https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway>).
mod op {
    pub(super) const DISPATCH: i64 = 0;
    pub(super) const HEARTBEAT: i64 = 1;
    pub(super) const IDENTIFY: i64 = 2;
    pub(super) const RESUME: i64 = 6;
    pub(super) const RECONNECT: i64 = 7;
    pub(super) const INVALID_SESSION: i64 = 9;
    pub(super) const HELLO: i64 = 10;
    pub(super) const ACK: i64 = 11;
}

/// Keeps the session alive when we hang up.
const GOING_ON: u16 = 4000;
/// Failures in a row to resume a session, before a new one is begun.
const RESUMES: u32 = 3;
/// How much longer than to anything else it may take to begin a session: a bot on many servers is heavy.
const HEAVY: u32 = 3;

/// What we ask to hear of.
fn intents() -> GatewayIntents {
    GatewayIntents::GUILDS
        | GatewayIntents::GUILD_MESSAGES
        | GatewayIntents::DIRECT_MESSAGES
        | GatewayIntents::MESSAGE_CONTENT
}

/// Stays connected until it is dropped, or until the account turns out to be of no use.
pub(crate) async fn connect(listener: &Listener<'_>) -> RunError {
    let mut gateway = Gateway {
        listener,
        session: None,
        pause: listener.pauses().growing(),
        heard: false,
        failed_resumes: 0,
    };
    loop {
        let Err(end) = gateway.connection().await;
        listener.lost();
        gateway.count_resumes();
        match end {
            End::Again => listener.report(AccountState::Connecting),
            End::Lost(gone) => {
                if let Some(error) = gone.code.and_then(|code| fatal_close(listener.account(), code)) {
                    return error;
                }
                // not authenticated, wrong number, too late: Discord has forgotten the session
                if matches!(gone.code, Some(4003 | 4007 | 4009)) {
                    gateway.session = None;
                }
                let reason = format!("The connection to Discord is lost and will be opened again: {gone}");
                gateway.degrade(reason, Duration::ZERO).await;
            }
            End::Refused(error) => {
                if let Some(error) = wrong_token(listener.account(), &error) {
                    return error;
                }
                let after = match &error {
                    ApiError::RateLimited { after, .. } => *after,
                    _ => Duration::ZERO,
                };
                gateway.degrade(degraded(&error), after).await;
            }
        }
    }
}

/// What Discord needs to go on where a connection ended.
struct Session {
    id: String,
    /// Where it goes on.
    url: String,
    /// The last dispatch we have.
    seq: i64,
}

/// Why a connection ended.
enum End {
    /// It is opened again at once.
    Again,
    Lost(Gone),
    Refused(ApiError),
}

impl From<Gone> for End {
    fn from(gone: Gone) -> Self {
        Self::Lost(gone)
    }
}

/// Nothing but an end comes out of a connection.
enum Never {}

struct Gateway<'a> {
    listener: &'a Listener<'a>,
    session: Option<Session>,
    pause: Pause,
    /// The session has been heard on this connection.
    heard: bool,
    failed_resumes: u32,
}

impl<'a> Gateway<'a> {
    /// Opens a connection, and listens on it until it ends.
    async fn connection(&mut self) -> Result<Never, End> {
        self.heard = false;
        let patience = self.listener.pauses().patience;
        let turn = self.turn().await;
        let mut socket = self.open().await?;
        let hello = timeout(patience, socket.next()).await;
        let hello = hello.map_err(|_| Gone::because("the gateway says nothing"))??;
        if hello.op != op::HELLO {
            drop(turn);
            return self.other(hello, socket).await;
        }
        let interval = wire::number(&hello.data, "/heartbeat_interval").unwrap_or(41_250).max(1);
        let mut pulse = Pulse::new(Duration::from_millis(interval.unsigned_abs()), patience);
        let (op, data) = self.greeting();
        let sent = socket.send(op, data).await;
        if let Some(mut last) = turn {
            *last = Some(Instant::now());
        }
        sent?;
        let mut late = Instant::now() + HEAVY * patience;
        loop {
            let has_room = self.listener.has_room();
            if !has_room {
                // what is not read is not late
                pulse.starve();
                late = Instant::now() + HEAVY * patience;
            }
            let frame = tokio::select! {
                frame = socket.next(), if has_room => frame?,
                () = self.listener.room(), if !has_room => continue,
                () = sleep_until(pulse.next()) => {
                    if !pulse.may_go_on() {
                        // a silent connection: hang up so that the session stays alive
                        socket.close(GOING_ON).await;
                        return Err(Gone::because("the gateway no longer answers").into());
                    }
                    self.beat(&mut socket).await?;
                    continue;
                }
                () = sleep_until(late), if !self.heard => {
                    socket.close(GOING_ON).await;
                    return Err(Gone::because("the gateway begins no session").into());
                }
            };
            match frame.op {
                op::DISPATCH => {
                    // whatever is sent again proves that the session goes on, and only its end that it is all there
                    if self.session.is_some() && !self.heard {
                        self.goes_on();
                    }
                    self.dispatch(frame);
                }
                op::HEARTBEAT => self.beat(&mut socket).await?,
                op::ACK => {
                    pulse.answer();
                    self.listener.alive();
                }
                _ => return self.other(frame, socket).await,
            }
        }
    }

    /// Payloads after which a connection ends.
    async fn other(&mut self, frame: Frame, socket: Socket) -> Result<Never, End> {
        socket.close(GOING_ON).await;
        match frame.op {
            op::RECONNECT if self.heard => Err(End::Again),
            op::RECONNECT => Err(Gone::because("the gateway wants another connection").into()),
            op::INVALID_SESSION => {
                if frame.data.as_bool() != Some(true) {
                    self.session = None;
                }
                // Discord wants a pause of 1 to 5 s here, and logins are counted
                let least = self.listener.pauses().identify.mul_f64(jitter().max(0.2));
                sleep(self.pause.grow().max(least)).await;
                Err(End::Again)
            }
            op => Err(Gone::because(format!("the gateway speaks out of turn (operation {op})")).into()),
        }
    }

    /// Our turn to log in, until we have: the bot's connections do it one after the other, with a pause. `None`: we go on
    /// with a session.
    async fn turn(&self) -> Option<MutexGuard<'a, Option<Instant>>> {
        if self.session.is_some() {
            return None;
        }
        let turn = self.listener.login().lock().await;
        if let Some(last) = *turn {
            sleep_until(last + self.listener.pauses().identify).await;
        }
        Some(turn)
    }

    /// Connects to where the session goes on, or to where a new one begins.
    async fn open(&mut self) -> Result<Socket, End> {
        let patience = self.listener.pauses().patience;
        if let Some(session) = &self.session {
            return Ok(Socket::open(&session.url, patience).await?);
        }
        let gateway = self.listener.api().call(Call::gateway()).await.map_err(End::Refused)?;
        if wire::number(&gateway, "/session_start_limit/remaining") == Some(0) {
            let ms = wire::number(&gateway, "/session_start_limit/reset_after").unwrap_or(60_000);
            let after = Duration::from_millis(ms.unsigned_abs());
            return Err(End::Refused(ApiError::RateLimited { after, whole_account: true }));
        }
        let url = wire::text(&gateway, "/url");
        let url =
            url.ok_or_else(|| End::Refused(ApiError::Unknown("an answer without an address".into())))?;
        Ok(Socket::open(url, patience).await?)
    }

    /// The first payload: who we are, or what we want to go on with.
    fn greeting(&self) -> (i64, Value) {
        let (token, shard) = (self.listener.token(), self.listener.shard());
        match &self.session {
            Some(session) => {
                (op::RESUME, json!({"token": token, "session_id": session.id, "seq": session.seq}))
            }
            None => (
                op::IDENTIFY,
                json!({
                    "token": token,
                    "intents": intents().bits(),
                    "shard": [shard.number, shard.of],
                    "properties": {"os": std::env::consts::OS, "browser": "roundtable", "device": "roundtable"},
                }),
            ),
        }
    }

    async fn beat(&self, socket: &mut Socket) -> Result<(), Gone> {
        let seq = self.session.as_ref().map_or(Value::Null, |session| session.seq.into());
        socket.send(op::HEARTBEAT, seq).await
    }

    fn dispatch(&mut self, frame: Frame) {
        if frame.event == "READY" {
            self.session = Some(Session {
                id: wire::text(&frame.data, "/session_id").unwrap_or_default().to_owned(),
                url: wire::text(&frame.data, "/resume_gateway_url").unwrap_or_default().to_owned(),
                seq: frame.seq.unwrap_or(0),
            });
        } else if let (Some(session), Some(seq)) = (&mut self.session, frame.seq) {
            if seq > session.seq + 1 {
                self.listener.missed();
            }
            session.seq = session.seq.max(seq);
        }
        match frame.event.as_str() {
            "READY" => {
                self.listener.ready(&frame.data);
                self.goes_on();
                self.listener.found();
            }
            "RESUMED" => self.listener.found(),
            event => self.listener.dispatch(event, frame.data),
        }
    }

    /// A connection has ended: a session that could not be resumed several times is given up.
    fn count_resumes(&mut self) {
        if self.heard || self.session.is_none() {
            return;
        }
        self.failed_resumes += 1;
        if self.failed_resumes >= RESUMES {
            self.session = None;
        }
    }

    /// The session is there.
    fn goes_on(&mut self) {
        self.heard = true;
        self.pause.reset();
        self.failed_resumes = 0;
    }

    /// Says what is wrong and waits, at least for `pause`.
    async fn degrade(&mut self, reason: String, pause: Duration) {
        let pause = self.pause.grow().max(pause);
        tracing::warn!(
            discord.connection = %self.listener.connection(), pause_ms = pause.as_millis() as u64, "{reason}"
        );
        self.listener.report(AccountState::Degraded(reason));
        sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_ask_for_what_we_need() {
        assert_eq!(intents().bits(), 1 | 1 << 9 | 1 << 12 | 1 << 15);
    }
}
