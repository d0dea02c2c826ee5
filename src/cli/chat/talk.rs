//! The conversation itself: what is typed goes to the node, what the node has comes to the screen.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::lines::{self, Style, Typed};
use super::screen::Screen;
use crate::cli::api::{CallError, Node};
use crate::cli::signals::Signals;
use crate::config::Config;
use crate::http::{Chats, Page, Said, Saying};

/// How long the node is asked to wait for the next line, in seconds.
const WAIT: u64 = 25;

/// How long a closed pipe waits for an answer while nothing comes.
const SILENCE: Duration = Duration::from_secs(60);

/// How often a node that is gone is looked for.
const LOOK: Duration = Duration::from_millis(500);

/// Lines that may wait for a node that is gone. Full: reading waits.
const OUTGOING: usize = 256;

/// Lines that are shown of a conversation that is opened.
const HISTORY: usize = 10;

/// Who talks, and to whom.
pub(super) struct Who {
    /// The name to show.
    pub name: String,
    /// The agent that is spoken to where nobody else is addressed.
    pub agent: Option<String>,
}

/// A conversation with the node.
pub(super) struct Talk {
    node: Node,
    config: Arc<Config>,
    who: Who,
    interactive: bool,
    style: Style,
    screen: Screen,
    chat: String,
    /// The last line seen.
    after: i64,
    /// The node is gone and looked for.
    lost: bool,
    /// Lines that wait for it.
    outgoing: VecDeque<String>,
    /// Numbers of lines that were typed here, and need not be shown again.
    mine: HashSet<i64>,
    /// The input has ended; what is still to be answered is waited for.
    closing: bool,
    /// Seconds to wait for the next line.
    wait: u64,
    /// When something last happened.
    heard: Instant,
    /// What went wrong with a line of a pipe, for the exit code.
    failure: Option<String>,
}

/// What the node has to say.
enum News {
    Page(Page),
    Lost(String),
    Found(Box<Node>),
    Refused(String),
}

impl Talk {
    pub fn new(
        node: Node,
        config: Arc<Config>,
        who: Who,
        interactive: bool,
        style: Style,
        screen: Screen,
    ) -> Self {
        Self {
            node,
            config,
            who,
            interactive,
            style,
            screen,
            chat: String::new(),
            after: 0,
            lost: false,
            outgoing: VecDeque::new(),
            mine: HashSet::new(),
            closing: false,
            wait: WAIT,
            heard: Instant::now(),
            failure: None,
        }
    }

    /// Opens the first conversation; `begun` is told when the screen shows where it stands.
    pub async fn begin(&mut self, chat: String, begun: oneshot::Sender<()>) -> anyhow::Result<()> {
        if self.interactive {
            self.screen.show(GREETING);
        }
        self.open(chat).await?;
        self.screen.mark(begun);
        Ok(())
    }

    /// Talks until the input ends (in a pipe: until it is answered), a signal comes, or nobody reads.
    pub async fn run(
        mut self,
        mut typed: mpsc::Receiver<String>,
        signals: &mut Signals,
    ) -> anyhow::Result<()> {
        let mut broken_off = false;
        loop {
            tokio::select! {
                line = typed.recv(), if !self.closing && self.outgoing.len() < OUTGOING => match line {
                    Some(line) => self.take(&line).await?,
                    None if self.interactive => break,
                    None => self.close(),
                },
                news = self.listen(), if self.screen.is_clear() => {
                    if self.hear(news).await? {
                        break;
                    }
                }
                read = self.screen.advance(), if !self.screen.is_clear() => if !read { break },
                () = tokio::time::sleep_until(self.heard + SILENCE), if self.closing => {
                    self.failure = Some("No answer came for 60 s.".into());
                    break;
                }
                () = signals.next() => {
                    broken_off = self.interactive;
                    break;
                }
            }
        }
        self.screen.finish().await;
        if broken_off {
            restore_terminal();
        }
        self.failure.map_or(Ok(()), |failure| Err(anyhow::Error::msg(failure)))
    }

    /// The node's next news. Borrows nothing, and may be dropped: nothing is taken from the node by asking.
    fn listen(&self) -> BoxFuture<'static, News> {
        let (node, config) = (self.node.clone(), self.config.clone());
        let path = format!("local/{}/messages", self.chat);
        let query = [("after", self.after.to_string()), ("wait", self.wait.to_string())];
        let (lost, wait) = (self.lost, Duration::from_secs(self.wait));
        Box::pin(async move {
            if lost {
                loop {
                    tokio::time::sleep(LOOK).await;
                    if let Ok(Some(node)) = Node::find(&config).await {
                        return News::Found(Box::new(node));
                    }
                }
            }
            match node.wait(&path, &query, wait).await {
                Ok(page) => News::Page(page),
                Err(CallError::Gone { reason, .. }) => News::Lost(reason),
                Err(CallError::Refused(why)) => News::Refused(why),
            }
        })
    }

    /// Takes news in; `true`: a pipe's last line is answered.
    async fn hear(&mut self, news: News) -> anyhow::Result<bool> {
        match news {
            News::Page(page) => return Ok(self.page(&page)),
            News::Lost(reason) => self.lose(&reason),
            News::Found(node) => {
                self.node = *node;
                self.lost = false;
                self.tell("The node is back.");
                while !self.lost
                    && let Some(text) = self.outgoing.pop_front()
                {
                    self.say(text).await;
                }
            }
            News::Refused(why) => anyhow::bail!(why),
        }
        Ok(false)
    }

    fn page(&mut self, page: &Page) -> bool {
        for line in page.lines.iter().filter(|line| !self.mine.contains(&line.id)) {
            self.screen.show(&lines::shown(line, self.style));
        }
        self.after = page.next;
        if !page.lines.is_empty() {
            self.heard = Instant::now();
        }
        if self.closing {
            self.wait = u64::from(page.lines.is_empty());
        }
        self.closing && page.lines.is_empty() && !page.busy && self.outgoing.is_empty()
    }

    /// The pipe has ended: from here on the node is asked whether it is done.
    fn close(&mut self) {
        self.closing = true;
        self.wait = 0;
        self.heard = Instant::now();
    }

    async fn take(&mut self, line: &str) -> anyhow::Result<()> {
        match lines::read(line, self.who.agent.as_deref()) {
            Typed::Text(text) => self.say(text).await,
            Typed::Open(chat) => self.open(chat).await?,
            Typed::Chats => self.list().await,
            Typed::Wrong(why) => self.fail(why),
        }
        Ok(())
    }

    async fn say(&mut self, text: String) {
        if self.lost {
            self.outgoing.push_back(text);
            return;
        }
        self.heard = Instant::now();
        let saying = Saying { sender: self.who.name.clone(), text };
        match self.node.post(&format!("local/{}/messages", self.chat), &saying).await {
            Ok(Said { id }) => {
                self.mine.insert(id);
            }
            Err(CallError::Refused(why)) => self.fail(why),
            Err(CallError::Gone { reason, unsure: false }) => {
                self.outgoing.push_front(saying.text);
                self.lose(&reason);
            }
            Err(CallError::Gone { reason, unsure: true }) => {
                self.lose(&reason);
                self.fail("It is not known whether your last message arrived.".into());
            }
        }
    }

    /// Switches to a conversation and, on a terminal, shows where it stands.
    async fn open(&mut self, chat: String) -> anyhow::Result<()> {
        let query = [("last", HISTORY.to_string())];
        match self.node.get::<Page>(&format!("local/{chat}/messages"), &query).await {
            Ok(page) => {
                if self.interactive {
                    self.screen.show(&format!("— {chat} —"));
                    for line in &page.lines {
                        self.screen.show(&lines::shown(line, self.style));
                    }
                }
                (self.chat, self.after) = (chat, page.next);
            }
            Err(error) if self.chat.is_empty() => return Err(error.into()),
            Err(error) => self.fail(format!("{chat} was not opened: {error}")),
        }
        Ok(())
    }

    async fn list(&mut self) {
        match self.node.get::<Chats>("local", &[]).await {
            Ok(Chats { chats }) if chats.is_empty() => self.tell("There are no chats yet."),
            Ok(Chats { chats }) => {
                let mark = |name: &str| if name == self.chat { " (open)" } else { "" };
                let names: Vec<String> =
                    chats.iter().map(|chat| format!("{}{}", chat.name, mark(&chat.name))).collect();
                self.tell(&names.join("\n"));
            }
            Err(error) => self.fail(error.to_string()),
        }
    }

    fn lose(&mut self, reason: &str) {
        self.lost = true;
        self.tell(&format!("The node is gone ({reason}); what you write is sent when it is back."));
    }

    /// Says something of our own: on a terminal between the lines, in a pipe beside them.
    fn tell(&mut self, text: &str) {
        if self.interactive { self.screen.show(text) } else { eprintln!("{text}") }
    }

    fn fail(&mut self, text: String) {
        if self.interactive { self.screen.show(&text) } else { self.failure = Some(text) }
    }
}

const GREETING: &str = "Write, and the team answers. /help says what it can do; /open NAME goes to another \
                        conversation, /chats lists them, /quit ends.";

/// The line editor can't be told to end, so the terminal is as it left it: without echo.
fn restore_terminal() {
    // Without `stty` nothing is lost but the comfort; `reset` still helps.
    let _ = std::process::Command::new("stty").arg("sane").status();
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::config::Secret;

    #[tokio::test]
    async fn what_waits_for_the_node_waits_on_when_it_is_lost_again() {
        // Set already by another test: the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let node = Node::new(&format!("http://{nobody}"), Secret::default()).unwrap();
        let who = Who { name: "ann".into(), agent: None };
        let style = Style { json: false, bold: false };
        let screen = Screen::start(Box::new(|_| Ok(())));
        let config = Arc::new(Config::default());
        let mut talk = Talk::new(node.clone(), config, who, true, style, screen);
        talk.lose("it was stopped");
        let lines = ["one", "two", "three"];
        for line in lines {
            talk.say(line.into()).await;
        }
        // It is found, and gone before anything was said to it.
        talk.hear(News::Found(Box::new(node))).await.unwrap();
        assert!(talk.lost);
        assert_eq!(talk.outgoing, lines);
    }
}
