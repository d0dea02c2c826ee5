//! The gateway's sockets.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{
        ConnectInfo, Query, State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};

use super::{session::Out, settings::Hello, world::World};
use crate::{fake::Fake, server::Line};

/// How late a heartbeat may be, beside half an interval: some clients look at the clock twice a second only.
const SLACK: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(super) struct Wishes {
    v: Option<u8>,
    encoding: Option<String>,
    compress: Option<String>,
}

/// Takes a socket.
pub(super) async fn open(
    State(fake): State<Arc<Fake<World>>>,
    ConnectInfo(line): ConnectInfo<Line>,
    Query(wishes): Query<Wishes>,
    uri: Uri,
    upgrade: WebSocketUpgrade,
) -> Response {
    fake.change(|world| world.sockets += 1);
    if !fake.look(|world| world.settings.gateway) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if wishes.compress.is_some() || wishes.encoding.as_ref().is_some_and(|encoding| encoding != "json") {
        fake.change(|world| world.violation("this gateway speaks plain JSON only"));
    }
    if fake.look(|world| world.settings.hello == Hello::Never) {
        line.closed().await;
    }
    let refused = (wishes.v != Some(10)).then_some(4012);
    upgrade.on_upgrade(async move |socket| {
        let id = fake.change(|world| {
            let id = world.connect(uri.path());
            if let Some(code) = refused {
                world.close(id, code);
            }
            id
        });
        let mut end = Hangup { fake: Arc::clone(&fake), id, code: None };
        end.code = converse(&fake, id, socket, &line).await;
    })
}

/// Forgets the connection, also when its server is stopped in the middle.
struct Hangup {
    fake: Arc<Fake<World>>,
    id: u64,
    code: Option<u16>,
}

impl Drop for Hangup {
    fn drop(&mut self) {
        self.fake.change(|world| world.disconnect(self.id, self.code));
    }
}

/// Writes and hears until one side ends it; gives the client's close code.
async fn converse(fake: &Fake<World>, id: u64, mut socket: WebSocket, line: &Line) -> Option<u16> {
    let patience = fake.look(|world| world.settings.heartbeat).mul_f64(1.5) + SLACK;
    let mut late = Instant::now() + patience;
    loop {
        tokio::select! {
            out = fake.claim(|world| world.next_out(id)) => match out {
                Out::Text(text) | Out::Event { text, .. } => socket.send(Message::Text(text.into())).await.ok()?,
                Out::Close(code) => return close(fake, id, &mut socket, code).await,
                Out::Cut => {
                    line.cut();
                    return None;
                }
                Out::Freeze => {
                    line.closed().await;
                    return None;
                }
            },
            heard = socket.recv() => match heard?.ok()? {
                Message::Text(text) => {
                    if fake.change(|world| world.hear(id, &text)) {
                        late = Instant::now() + patience;
                    }
                }
                Message::Binary(_) => fake.change(|world| world.close(id, 4002)),
                Message::Close(frame) => return frame.map(|frame| frame.code),
                Message::Ping(_) | Message::Pong(_) => {}
            },
            () = sleep_until(late) => return close(fake, id, &mut socket, 4000).await,
        }
    }
}

/// Sends the close frame and waits for the client's. The session is without a connection from now on.
async fn close(fake: &Fake<World>, id: u64, socket: &mut WebSocket, code: u16) -> Option<u16> {
    let frame = CloseFrame { code, reason: "".into() };
    socket.send(Message::Close(Some(frame))).await.ok()?;
    fake.change(|world| world.disconnect(id, None));
    while let Some(Ok(_)) = socket.recv().await {}
    None
}
