//! A line between two programs that a test can cut, silence and mend, and whose connections it can lose.

use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// What the line does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// It carries everything.
    Open,
    /// It carries nothing and nobody is told: what is written waits until it is mended.
    Silent,
    /// It carries what the clients send, and none of the answers.
    Deaf,
    /// Every connection is closed, and so is every new one.
    Cut,
}

/// A proxy for one address. Dropping it closes every connection.
pub struct Proxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    /// How often all connections were lost.
    losses: watch::Sender<u64>,
    sent: watch::Sender<u64>,
    _serve: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Carries everything to `target`, `host:port`.
    pub async fn to(target: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no port for the proxy")?;
        let address = listener.local_addr()?;
        let (line, seen) = watch::channel(Line::Open);
        let (losses, sent) = (watch::Sender::new(0), watch::Sender::new(0));
        let serve = serve(listener, target.to_owned(), seen, losses.subscribe(), sent.clone());
        Ok(Self { address, line, losses, sent, _serve: AbortOnDropHandle::new(tokio::spawn(serve)) })
    }

    /// Carries everything to the server of a URL; gives the URL that goes through it too.
    pub async fn before(url: &str) -> anyhow::Result<(Self, String)> {
        let rest = url.split_once("://").context("a URL has a scheme")?.1;
        let host = rest.split('/').next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
        let proxy = Self::to(host).await?;
        let through = url.replacen(host, &proxy.address.to_string(), 1);
        Ok((proxy, through))
    }

    /// Changes what the line does from now on.
    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// Loses every connection of now without a word: it stays, and carries nothing any more. New ones are served.
    pub fn lose(&self) {
        self.losses.send_modify(|losses| *losses += 1);
    }

    /// Bytes that its clients have sent so far.
    pub fn sent(&self) -> u64 {
        *self.sent.borrow()
    }

    /// Waits until they have sent more than that.
    pub async fn sends_more(&self, than: u64) {
        // The sender is ours: it can't be gone.
        let _ = self.sent.subscribe().wait_for(|sent| *sent > than).await;
    }
}

async fn serve(
    listener: TcpListener,
    target: String,
    line: watch::Receiver<Line>,
    losses: watch::Receiver<u64>,
    sent: watch::Sender<u64>,
) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((client, _)) = listener.accept().await else { continue };
        if *line.borrow() == Line::Cut {
            continue;
        }
        let (target, line, sent) = (target.clone(), line.clone(), sent.clone());
        let lost = Lost { before: *losses.borrow(), losses: losses.clone() };
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(target).await else { return };
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::select! {
                () = carry(from_client, to_server, line.clone(), &lost, Some(&sent)) => {}
                () = carry(from_server, to_client, line.clone(), &lost, None) => {}
                () = cut(line.clone()) => {}
            }
        });
    }
}

/// Whether a connection was lost since it was made.
struct Lost {
    before: u64,
    losses: watch::Receiver<u64>,
}

impl Lost {
    fn is(&self) -> bool {
        *self.losses.borrow() > self.before
    }
}

/// Carries one direction until it ends; that of the clients is counted.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut line: watch::Receiver<Line>,
    lost: &Lost,
    sent: Option<&watch::Sender<u64>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if lost.is() {
            continue;
        }
        if let Some(sent) = sent {
            sent.send_modify(|sent| *sent += read as u64);
        }
        let carries = |line: &Line| *line == Line::Open || (*line == Line::Deaf && sent.is_some());
        let carried = line.wait_for(carries).await.is_ok();
        if !carried || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn cut(mut line: watch::Receiver<Line>) {
    if line.wait_for(|line| *line == Line::Cut).await.is_err() {
        // Nobody can change it any more.
        std::future::pending().await
    }
}
