//! An HTTP server whose connections can be cut: one by a handler (an answer that never arrives), all by the server's end.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use anyhow::Context as _;
use axum::{
    Router,
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A running server; dropping it stops it and cuts every connection.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    connections: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Binds `address` (port 0 picks one) and serves `router`; its handlers may take `ConnectInfo<Line>`.
    pub async fn start(address: SocketAddr, router: Router) -> anyhow::Result<Self> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
        let address = listener.local_addr()?;
        let connections = CancellationToken::new();
        let listener = CutListener { listener, connections: connections.clone() };
        let task = tokio::spawn(async move {
            let service = router.into_make_service_with_connect_info::<Line>();
            if let Err(error) = axum::serve(listener, service).await {
                eprintln!("the fake's server ended: {error}");
            }
        });
        Ok(Self { address, connections, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it; the port is free afterwards.
    pub async fn stop(mut self) {
        self.connections.cancel();
        self.task.abort();
        // The error says "aborted", which is what was asked for.
        let _aborted = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.connections.cancel();
        self.task.abort();
    }
}

/// The connection that a request came in on.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    cut: CancellationToken,
    /// Nothing more is written.
    ended: CancellationToken,
}

impl Line {
    /// Closes it. What a handler answers afterwards is not written.
    pub fn cut(&self) {
        self.cut.cancel();
    }

    /// Closes the way out of the server; it goes on reading.
    pub fn end_writing(&self) {
        self.ended.cancel();
    }

    /// Waits until it is cut.
    pub async fn closed(&self) {
        self.cut.cancelled().await;
    }
}

impl Connected<IncomingStream<'_, CutListener>> for Line {
    fn connect_info(stream: IncomingStream<'_, CutListener>) -> Self {
        stream.remote_addr().clone()
    }
}

struct CutListener {
    listener: TcpListener,
    connections: CancellationToken,
}

impl Listener for CutListener {
    type Io = CutStream;
    type Addr = Line;

    async fn accept(&mut self) -> (CutStream, Line) {
        let (stream, _peer) = Listener::accept(&mut self.listener).await;
        // Without it, delayed acknowledgements would show up as latency of the program under test.
        let _best_effort = stream.set_nodelay(true);
        let line = Line { cut: self.connections.child_token(), ended: CancellationToken::new() };
        let waits = |token: &CancellationToken| Box::pin(token.clone().cancelled_owned());
        (CutStream { stream, cut: waits(&line.cut), ended: waits(&line.ended) }, line)
    }

    fn local_addr(&self) -> io::Result<Line> {
        Ok(Line { cut: self.connections.clone(), ended: CancellationToken::new() })
    }
}

struct CutStream {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl CutStream {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::ConnectionReset, "cut by the fake")),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for CutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        if self.ended.as_mut().poll(cx).is_ready() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CutStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
