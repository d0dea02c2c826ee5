//! The gateway's side of a conversation: what a client says and what a session keeps.

use std::{collections::VecDeque, time::Instant};

use serde_json::{Value, json};

use super::{settings::Greeting, shard::Shard, world::World};

/// What a connection is to write, or to do.
#[derive(Debug)]
pub(crate) enum Out {
    /// A payload outside the numbered events.
    Text(String),
    /// A numbered event; `asks` names a person's message by channel and id.
    Event { text: String, asks: Option<(u64, u64)> },
    /// Close with this code.
    Close(u16),
    /// End without a close frame.
    Cut,
    /// Stay open and do nothing any more.
    Freeze,
}

/// One socket.
#[derive(Debug)]
pub(crate) struct Connection {
    pub path: String,
    pub outbox: VecDeque<Out>,
    pub session: Option<String>,
    /// When payloads came, in milliseconds of the virtual clock.
    received: VecDeque<u64>,
}

/// What a client can come back to.
#[derive(Debug)]
pub(crate) struct Session {
    pub bot: u64,
    intents: u64,
    pub shard: Shard,
    pub seq: u64,
    events: VecDeque<(u64, String)>,
    pub connection: Option<u64>,
    pub lost_at: Option<u64>,
}

impl Session {
    /// A new one, with nothing to replay.
    pub fn new(bot: u64, intents: u64, shard: Shard, connection: u64) -> Self {
        let (events, connection) = (VecDeque::new(), Some(connection));
        Self { bot, intents, shard, seq: 0, events, connection, lost_at: None }
    }

    /// It has asked for one of these intents.
    pub fn wants(&self, intents: u64) -> bool {
        self.intents & intents != 0
    }

    /// Numbers an event and keeps the last `keep`.
    pub fn record(&mut self, name: &str, data: &Value, keep: usize) -> String {
        self.seq += 1;
        let text = json!({"op": 0, "s": self.seq, "t": name, "d": data}).to_string();
        self.events.push_back((self.seq, text.clone()));
        while self.events.len() > keep {
            self.events.pop_front();
        }
        text
    }

    /// Uses up a number for nothing.
    pub fn leave_out(&mut self) {
        self.seq += 1;
    }

    fn oldest(&self) -> u64 {
        self.events.front().map_or(self.seq + 1, |(seq, _)| *seq)
    }
}

/// Payloads a minute and bytes of each.
const PAYLOADS: usize = 120;
const LARGEST: usize = 4096;

impl World {
    /// A socket has opened; gives its number.
    pub(super) fn connect(&mut self, path: &str) -> u64 {
        let id = self.fresh();
        let outbox = match self.settings.hello {
            super::Hello::Sent => {
                let interval = u64::try_from(self.settings.heartbeat.as_millis()).unwrap_or(u64::MAX);
                Some(json!({"op": 10, "s": null, "t": null, "d": {"heartbeat_interval": interval}}))
            }
            super::Hello::Withheld | super::Hello::Never => None,
            super::Hello::Reconnect => Some(json!({"op": 7, "s": null, "t": null, "d": null})),
        };
        let outbox = outbox.into_iter().map(|payload| Out::Text(payload.to_string())).collect();
        let connection =
            Connection { path: path.to_owned(), outbox, session: None, received: VecDeque::new() };
        self.connections.insert(id, connection);
        id
    }

    /// A socket is gone. Closing with 1000 or 1001 ends the session.
    pub(super) fn disconnect(&mut self, connection: u64, code: Option<u16>) {
        let now = self.now_ms();
        let id = self.connections.remove(&connection).and_then(|connection| connection.session);
        let Some(id) = id else { return };
        let Some(session) = self.sessions.get_mut(&id).filter(|s| s.connection == Some(connection)) else {
            return;
        };
        (session.connection, session.lost_at) = (None, Some(now));
        if matches!(code, Some(1000 | 1001)) {
            self.sessions.remove(&id);
        }
    }

    /// The next thing for a connection to do.
    pub(super) fn next_out(&mut self, connection: u64) -> Option<Out> {
        let out = self.connections.get_mut(&connection)?.outbox.pop_front()?;
        if let Out::Event { asks: Some((channel, id)), .. } = &out {
            self.unanswered.entry(*channel).or_default().push_back((*id, Instant::now()));
        }
        Some(out)
    }

    /// A client has said something. True for a heartbeat.
    pub(super) fn hear(&mut self, connection: u64, text: &str) -> bool {
        match self.understand(connection, text) {
            Ok(beat) => beat,
            Err(code) => {
                self.close(connection, code);
                false
            }
        }
    }

    fn understand(&mut self, connection: u64, text: &str) -> Result<bool, u16> {
        let now = self.now_ms();
        let Some(socket) = self.connections.get_mut(&connection) else { return Ok(false) };
        socket.received.push_back(now);
        while socket.received.front().is_some_and(|at| at + 60_000 <= now) {
            socket.received.pop_front();
        }
        if socket.received.len() > PAYLOADS {
            self.violation("more than 120 payloads in a minute");
            return Err(4008);
        }
        let ready = socket.session.is_some();
        let payload = serde_json::from_str::<Value>(text).ok().filter(|_| text.len() <= LARGEST);
        let Some(payload) = payload else {
            self.violation(format!("the gateway cannot read a payload of {} bytes", text.len()));
            return Err(4002);
        };
        match payload["op"].as_u64() {
            Some(1) => self.beat(connection, &payload["d"]),
            Some(2 | 6) if self.settings.greeting == Greeting::Ignored => Ok(false),
            Some(2 | 6) if self.settings.greeting == Greeting::Cut => {
                self.connections.entry(connection).and_modify(|socket| socket.outbox.push_back(Out::Cut));
                Ok(false)
            }
            Some(2) => self.identify(connection, &payload["d"]).map(|()| false),
            Some(6) => self.resume(connection, &payload["d"]).map(|()| false),
            Some(3 | 4 | 8) if ready => Ok(false),
            Some(3 | 4 | 8) => {
                self.violation("a payload before READY");
                Err(4003)
            }
            op => {
                self.violation(format!("unknown opcode {op:?}"));
                Err(4001)
            }
        }
    }

    fn beat(&mut self, connection: u64, last: &Value) -> Result<bool, u16> {
        let session = self.connections.get(&connection).and_then(|known| known.session.as_ref());
        let seq = session.and_then(|id| self.sessions.get(id)).map_or(0, |session| session.seq);
        if !(last.is_null() || last.as_u64().is_some_and(|last| last <= seq)) {
            self.violation(format!("a heartbeat says {last}, the last event was {seq}"));
        }
        if self.settings.acks {
            self.say(connection, json!({"op": 11, "s": null, "t": null, "d": null}));
        }
        Ok(true)
    }

    fn resume(&mut self, connection: u64, data: &Value) -> Result<(), u16> {
        if self.connections[&connection].session.is_some() {
            self.violation("a RESUME on a connection that has a session");
            return Err(4005);
        }
        self.resumes.push(self.connections[&connection].path.clone());
        let bot = self.bot_of(&data["token"]).ok_or(4004_u16)?;
        self.let_in(bot)?;
        if let Greeting::NoResume(code) = self.settings.greeting {
            return Err(code);
        }
        let (id, now) = (data["session_id"].as_str().unwrap_or_default().to_owned(), self.now_ms());
        let life = u64::try_from(self.settings.session_life.as_millis()).unwrap_or(u64::MAX);
        let seen = data["seq"].as_u64();
        let session = self.sessions.get(&id).filter(|session| session.bot == bot);
        if let (Some(session), Some(seen)) = (session, seen)
            && seen > session.seq
        {
            self.violation(format!("RESUME after event {seen}, the last was {}", session.seq));
            return Err(4007);
        }
        let alive = session.is_some_and(|session| {
            session.lost_at.is_none_or(|at| now < at.saturating_add(life))
                && seen.is_some_and(|seen| seen + 1 >= session.oldest())
        });
        if !alive {
            self.sessions.remove(&id);
            self.say(connection, json!({"op": 9, "s": null, "t": null, "d": false}));
            return Ok(());
        }
        self.replay(connection, &id, seen.unwrap_or_default());
        Ok(())
    }

    fn replay(&mut self, connection: u64, id: &str, seen: u64) {
        let from = seen.saturating_sub(self.settings.repeat_on_resume);
        let Some(session) = self.sessions.get_mut(id) else { return };
        let before = session.connection.replace(connection);
        session.lost_at = None;
        let missed = session.events.iter().filter(|(seq, _)| *seq > from);
        let missed: Vec<Out> =
            missed.map(|(_, text)| Out::Event { text: text.clone(), asks: None }).collect();
        if let Some(socket) = self.connections.get_mut(&connection) {
            socket.session = Some(id.to_owned());
            socket.outbox.extend(missed);
        }
        if let Some(before) = before {
            self.close(before, 4000);
        }
        self.push(id, "RESUMED", &json!({"_trace": []}), None);
    }

    /// Closes a connection from this side; codes that end a session end it.
    pub(super) fn close(&mut self, connection: u64, code: u16) {
        if let Some(socket) = self.connections.get_mut(&connection) {
            socket.outbox.push_back(Out::Close(code));
            if matches!(code, 1000 | 1001 | 4003 | 4004 | 4007 | 4009..=4014)
                && let Some(session) = socket.session.take()
            {
                self.sessions.remove(&session);
            }
        }
    }

    pub(super) fn say(&mut self, connection: u64, payload: Value) {
        if let Some(socket) = self.connections.get_mut(&connection) {
            socket.outbox.push_back(Out::Text(payload.to_string()));
        }
    }

    /// The same payload to every connection.
    pub(super) fn say_all(&mut self, payload: &Value) {
        for socket in self.connections.values_mut() {
            socket.outbox.push_back(Out::Text(payload.to_string()));
        }
    }
}
