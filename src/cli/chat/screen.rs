//! The way to the screen. Printing may block, on a slow reader or on a line editor that is busy, so it has a
//! thread of its own; what it has not taken yet waits here.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// What is on its way to the printing thread. Full: they wait in `Screen`, and with them the conversation.
const QUEUE: usize = 16;

/// How long the end of the chat waits for what is still to be printed.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Prints one text, which ends its line.
pub(super) type Print = Box<dyn FnMut(String) -> io::Result<()> + Send>;

/// Prints to stdout.
pub(super) fn stdout() -> Print {
    Box::new(|text| {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    })
}

/// What will be seen, in order.
pub(super) struct Screen {
    queue: mpsc::Sender<Item>,
    waiting: VecDeque<Item>,
    ended: oneshot::Receiver<()>,
}

enum Item {
    Text(String),
    /// Everything before it is printed.
    Mark(oneshot::Sender<()>),
}

impl Screen {
    /// Starts the printing thread; it ends with the screen, or when nobody reads any more.
    pub fn start(mut print: Print) -> Self {
        let (queue, mut items) = mpsc::channel(QUEUE);
        let (end, ended) = oneshot::channel();
        std::thread::spawn(move || {
            while let Some(item) = items.blocking_recv() {
                match item {
                    Item::Text(text) => {
                        if print(text).is_err() {
                            break;
                        }
                    }
                    // Whoever waited for it may be gone.
                    Item::Mark(reached) => drop(reached.send(())),
                }
            }
            drop(end);
        });
        Self { queue, waiting: VecDeque::new(), ended }
    }

    /// Shows a text on lines of its own.
    pub fn show(&mut self, text: &str) {
        self.waiting.push_back(Item::Text(format!("{text}\n")));
    }

    /// Tells when everything shown so far is printed.
    pub fn mark(&mut self, reached: oneshot::Sender<()>) {
        self.waiting.push_back(Item::Mark(reached));
    }

    /// Everything is on its way.
    pub fn is_clear(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Moves one on when there is room; `false`: nobody reads any more. May be dropped.
    pub async fn advance(&mut self) -> bool {
        let Ok(room) = self.queue.reserve().await else { return false };
        if let Some(item) = self.waiting.pop_front() {
            room.send(item);
        }
        true
    }

    /// Waits until everything is seen, but not for ever.
    pub async fn finish(mut self) {
        let all = async {
            while !self.is_clear() && self.advance().await {}
            drop(self.queue);
            // It is dropped when the thread ends, so this is never `Ok`.
            let _ = self.ended.await;
        };
        // Who doesn't read for this long has gone, or looks at a line editor that nobody ends.
        let _ = tokio::time::timeout(LAST_WORDS, all).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as std_mpsc;

    use super::*;

    #[tokio::test]
    async fn everything_is_printed_in_order_before_the_end() {
        let (sender, printed) = std_mpsc::channel();
        let mut screen = Screen::start(Box::new(move |text| sender.send(text).map_err(io::Error::other)));
        for number in 0..QUEUE * 3 {
            screen.show(&number.to_string());
        }
        screen.finish().await;
        let expected: Vec<String> = (0..QUEUE * 3).map(|number| format!("{number}\n")).collect();
        assert_eq!(printed.try_iter().collect::<Vec<_>>(), expected);
    }

    #[tokio::test]
    async fn a_reader_that_went_away_is_noticed() {
        let mut screen = Screen::start(Box::new(|_| Err(io::ErrorKind::BrokenPipe.into())));
        screen.show("a");
        while screen.advance().await {
            screen.show("b");
            tokio::task::yield_now().await;
        }
        screen.finish().await;
    }
}
