//! The embedded channel, on a database of its own.
//!
//! It has neither edits nor typing, any name is a place, a send is a commit, and what people say comes
//! in through the front door of the program: those groups of cases are not for it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use roundtable::local::{Local, account};
use roundtable::store::{Access, Store};
use roundtable::time::SystemClock;
use roundtable_contract::{Channel, Conversation, MessageId};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::subject::{Seen, Subject, nonce, part};

suite!(Terminal::start(); rendering sending finding);

/// The channel with its database.
struct Terminal {
    folder: TempDir,
    store: Option<(Arc<Local>, JoinHandle<()>)>,
}

impl Terminal {
    async fn start() -> Self {
        let mut terminal = Self { folder: tempfile::tempdir().unwrap(), store: None };
        terminal.restore().await;
        terminal
    }

    fn local(&self) -> &Arc<Local> {
        &self.store.as_ref().expect("it is open between restores").0
    }
}

#[async_trait(?Send)]
impl Subject for Terminal {
    fn channel(&self) -> Arc<dyn Channel> {
        self.local().clone()
    }

    fn capabilities(&self) -> [bool; 3] {
        [false, false, true]
    }

    fn places(&self) -> Vec<Conversation> {
        ["lobby", "kitchen"].map(|chat| Conversation::chat(account(), chat)).into()
    }

    async fn says(&self, at: &Conversation, text: &str) -> MessageId {
        self.local().said(at.chat.as_str(), "ann", text).await.unwrap()
    }

    async fn visible(&self, at: &Conversation) -> Vec<Seen> {
        let lines = self.local().lines(at.chat.as_str(), 0, Duration::ZERO).await.unwrap();
        let ours = lines.into_iter().filter(|line| !line.own);
        ours.map(|line| Seen { id: MessageId(line.id), name: Some(line.sender), text: line.text }).collect()
    }

    fn longest(&self) -> Option<usize> {
        None
    }

    /// The database's writer ends, as it does when the process shuts down.
    async fn cut_off(&mut self) {
        let writer = &mut self.store.as_mut().expect("it is open").1;
        writer.abort();
        assert!(writer.await.is_err_and(|error| error.is_cancelled()));
    }

    async fn restore(&mut self) {
        // The old store holds the file's lock.
        self.store = None;
        let url = format!("sqlite:{}", self.folder.path().join("local.db").display());
        let (store, writer) = Store::open(&url, 1, Access::Node, Arc::new(SystemClock::new())).await.unwrap();
        self.store = Some((Arc::new(Local::new(store)), tokio::spawn(writer)));
    }

    async fn end(self) {}
}

/// A send is a commit under the delivery's key, so it is done once however often it is tried.
#[tokio::test]
async fn a_send_is_done_once_however_often_it_is_tried() {
    let terminal = Terminal::start().await;
    let (channel, at) = (terminal.channel(), &terminal.places()[0]);
    let (hello, key) = (part(channel.as_ref(), "hello"), nonce());
    let first = channel.send(at, &hello, &key).await.unwrap();
    let other = channel.send(at, &hello, &nonce()).await.unwrap();
    assert_eq!(channel.send(at, &hello, &key).await, Ok(first.clone()));
    let ids: Vec<_> = terminal.visible(at).await.iter().map(|seen| seen.id).collect();
    assert_eq!(ids, [first.id, other.id]);
}
