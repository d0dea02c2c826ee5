//! A world to test in: a Telegram server, a model server, perhaps a Discord server, and a node of the program
//! between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use roundtable::app::App;
use roundtable::config::{self, Sources};
use roundtable::store::deliveries::{self, Listed};
use roundtable::store::{Access, Read, Store, StoreError, Tx};
use roundtable::time::SystemClock;
use roundtable_fakes::{DiscordFake, ModelFake, TelegramFake};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::look::{self, Rows};

/// Short times, so that nothing in a test waits for a lease or a time-out of real life.
const NODE: &str = r#"
[node]
lease = "600ms"
renew = "150ms"
poll = "100ms"
drain = "5s"
[http]
listen = "127.0.0.1:0"
"#;

/// What says where a node keeps its files, over what its configuration says.
pub const DATA_DIR: &str = "ROUNDTABLE_NODE__DATA_DIR";

/// No waiting for the real platform's limits: lines for [`Setting::telegram`].
pub const QUICK: &str = "limits = { chat_per_second = 0, group_per_minute = 0, total_per_second = 0 }\n\
                         poll_timeout = \"5s\"\nsend_timeout = \"700ms\"\n\
                         connection = { retry = \"20ms\", conflict = \"50ms\" }";

/// No waiting for what Discord would limit: lines for [`Setting::discord`].
pub const QUICK_DISCORD: &str = "limits = { chat_per_second = 0, total_per_second = 0 }\nsend_timeout = \"700ms\"\n\
     connection = { retry = \"20ms\", login = \"20ms\" }";

/// How a world begins.
pub struct Setting {
    database: Option<String>,
    discord: Option<String>,
    telegram: String,
    more: String,
}

impl Setting {
    /// The database to use instead of a fresh SQLite file.
    pub fn on(mut self, url: impl Into<String>) -> Self {
        self.database = Some(url.into());
        self
    }

    /// Lines of the `[channels.telegram.main]` table, instead of `dm = "open"` and every group.
    pub fn telegram(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.telegram);
        self
    }

    /// A Discord server too, with lines of the `[channels.discord.main]` table.
    pub fn discord(mut self, lines: &str) -> Self {
        self.discord = Some(lines.to_owned());
        self
    }

    /// More of the configuration file.
    pub fn config(mut self, text: &str) -> Self {
        self.more.push_str(text);
        self
    }

    /// Starts the fakes and, in this process, the node.
    pub async fn start(self) -> World {
        let mut world = self.without_node().await;
        world.start_node().await;
        world
    }

    /// Starts the fakes only.
    pub async fn without_node(self) -> World {
        let telegram = TelegramFake::start().await.expect("the Telegram fake starts");
        let model = ModelFake::start().await.expect("the model fake starts");
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("roundtable.toml");
        let data = dir.path().join("data");
        let url = self.database.unwrap_or_else(|| format!("sqlite:{}", data.join("roundtable.db").display()));
        let node = NODE.replacen("[node]", &format!("[node]\ndata_dir = {:?}", data.display()), 1);
        let discord = match &self.discord {
            Some(_) => Some(DiscordFake::start().await.expect("the Discord fake starts")),
            None => None,
        };
        let mut more = self.more;
        if let (Some(fake), Some(lines)) = (&discord, self.discord) {
            let api_url = fake.api_url();
            more = format!("[channels.discord.main]\napi_url = {api_url:?}\n{lines}\n{more}");
        }
        let text = format!(
            "{node}\n[store]\nurl = {url:?}\n\
             [models.main]\nprovider = \"openai\"\nmodel = \"fake\"\napi_key = \"env:MODEL_KEY\"\n\
             base_url = {:?}\nretries = 0\n\
             [channels.telegram.main]\ntoken = \"env:TELEGRAM_BOT_TOKEN\"\napi_url = {:?}\n{}\n{}",
            model.url(),
            telegram.url(),
            self.telegram,
            more,
        );
        std::fs::write(&file, text).expect("the configuration can be written");
        let mut env = BTreeMap::from([
            ("TELEGRAM_BOT_TOKEN".to_owned(), telegram.token()),
            ("MODEL_KEY".to_owned(), "sk-test".to_owned()),
        ]);
        env.extend(discord.as_ref().map(|fake| ("DISCORD_TOKEN".to_owned(), fake.token())));
        World { telegram, discord, model, env, file, url, dir, node: None }
    }
}

/// The fakes, and the node between them.
pub struct World {
    /// The Telegram server.
    pub telegram: TelegramFake,
    discord: Option<DiscordFake>,
    /// The model server.
    pub model: ModelFake,
    /// The environment of the node.
    pub env: BTreeMap<String, String>,
    /// Its configuration file.
    pub file: PathBuf,
    /// Its database.
    pub url: String,
    dir: TempDir,
    node: Option<Node>,
}

/// A node has a runtime of its own, so that all its tasks can die at once.
struct Node {
    stop: CancellationToken,
    work: JoinHandle<anyhow::Result<()>>,
    owner_code: Option<String>,
    runtime: Option<Runtime>,
}

impl Drop for Node {
    fn drop(&mut self) {
        // The only way that is allowed within another runtime; tasks end at their next await.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl World {
    /// A world with private chats open to everyone and every group allowed.
    pub fn setting() -> Setting {
        let telegram = format!("dm = \"open\"\ngroups = [\"*\"]\n{QUICK}");
        Setting { database: None, discord: None, telegram, more: String::new() }
    }

    /// The usual world.
    pub async fn start() -> Self {
        Self::setting().start().await
    }

    /// A world with a Discord server too, its private chats open to everyone and every guild allowed.
    pub async fn with_discord() -> Self {
        Self::setting().discord(&format!("dm = \"open\"\n{QUICK_DISCORD}")).start().await
    }

    /// The Discord server, of a world that has one.
    pub fn discord(&self) -> &DiscordFake {
        self.discord.as_ref().expect("the setting asked for Discord")
    }

    /// The same, to take it off the network.
    pub fn discord_mut(&mut self) -> &mut DiscordFake {
        self.discord.as_mut().expect("the setting asked for Discord")
    }

    /// Where the world keeps its files.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Where the node that is started next keeps its files.
    pub fn data_dir(&self) -> PathBuf {
        self.env.get(DATA_DIR).map_or_else(|| self.folder().join("data"), PathBuf::from)
    }

    /// Gives the node that is started next files of its own.
    pub fn use_data_dir(&mut self, name: &str) {
        let folder = self.folder().join(name);
        self.env.insert(DATA_DIR.to_owned(), folder.display().to_string());
    }

    /// Starts a node in this process.
    pub async fn start_node(&mut self) {
        let sources = Sources {
            file: Some(self.file.clone()),
            cwd: self.dir.path().to_owned(),
            user_dir: None,
            env: self.env.clone(),
        };
        let config = config::load(&sources).unwrap_or_else(|report| panic!("{report}")).config;
        // With one worker nothing runs any more while a killed node is taken down: with two, one could see the
        // connections that the other has closed, and store what it makes of that.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime can be made");
        let start = move || (runtime.block_on(App::start(Arc::new(config))), runtime);
        let (app, runtime) = tokio::task::spawn_blocking(start).await.expect("the start does not panic");
        let app = app.expect("the node starts");
        let stop = CancellationToken::new();
        let owner_code = app.owner_code().map(str::to_owned);
        let work = runtime.spawn(app.run(stop.clone()));
        self.node = Some(Node { stop, work, owner_code, runtime: Some(runtime) });
    }

    /// Ends the node without a word, at whatever it is doing, and waits until nothing of it is left.
    pub async fn kill_node(&mut self) {
        let Some(mut node) = self.node.take() else { return };
        let runtime = node.runtime.take().expect("a node has its runtime until it ends");
        let gone = tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(10)));
        gone.await.expect("a runtime ends");
    }

    /// Waits until the database says so.
    pub async fn until(&self, what: &str, holds: impl FnMut(&Rows) -> bool) -> Rows {
        look::until(&look::open(&self.url).await, what, holds).await
    }

    /// What the database says now.
    pub async fn rows(&self) -> Rows {
        look::rows(&look::open(&self.url).await).await
    }

    /// The code that the node showed at its start.
    pub fn owner_code(&self) -> Option<&str> {
        self.node.as_ref()?.owner_code.as_deref()
    }

    /// Tells the node to stop, as a signal does; [`World::stop_node`] waits for its end.
    pub fn begin_stop(&self) {
        if let Some(node) = &self.node {
            node.stop.cancel();
        }
    }

    /// Stops the node as a signal does and waits until it has drained.
    pub async fn stop_node(&mut self) {
        let Some(mut node) = self.node.take() else { return };
        node.stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(10), &mut node.work).await;
        ended
            .expect("the node drains in time")
            .expect("the node does not panic")
            .expect("the node ends well");
    }

    /// Changes the configuration file, for what is known only when the fakes run; before the node starts.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(&self.file).expect("the configuration can be read");
        std::fs::write(&self.file, change(text)).expect("the configuration can be written");
    }

    /// Waits until the node has stored everything that people did so far.
    pub async fn settled(&self) {
        let taken = self.telegram.wait_until("every update is taken", |world| world.pending_updates() == 0);
        taken.await.expect("the node takes every update");
    }

    /// What `deliveries list` shows: everything that is not sent and not cancelled, newest first.
    pub async fn deliveries(&self) -> Vec<Listed> {
        let opened = Store::open(&self.url, 1, Access::Look, Arc::new(SystemClock::new())).await;
        let (store, writer) = opened.expect("the database can be looked at");
        let writer = tokio::spawn(writer);
        let listed = store.read(Open).await.expect("deliveries can be listed");
        drop(store);
        writer.await.expect("the writer ends with its store");
        listed
    }

    /// Ends the world: nothing the bot said may be unread, and nothing it did may be against the rules.
    pub async fn end(mut self) {
        self.stop_node().await;
        self.telegram.finish().expect("Telegram saw nothing wrong");
        if let Some(discord) = &self.discord {
            discord.assert_no_pings().expect("nobody is called");
            discord.finish().expect("Discord saw nothing wrong");
        }
        self.model.finish().expect("the model saw nothing wrong");
    }
}

struct Open;

#[async_trait::async_trait]
impl Read for Open {
    type Output = Vec<Listed>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Listed>, StoreError> {
        deliveries::list(tx, false, 100).await
    }
}
