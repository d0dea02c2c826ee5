//! Composition root: builds everything, returns one future, joins everything on shutdown.

mod accounts;
mod core;
mod files;
mod team;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use roundtable_contract::{AccountId, Connection};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Secret};
use crate::control::admin;
use crate::engine::{Engine, Outlet, Settings, Team};
use crate::http::{self, Api};
use crate::inbound::{Account, Edges, Front, States};
use crate::local::Local;
use crate::metrics::Metrics;
use crate::outbox::{Outbox, Way};
use crate::store::{Access, News, Store};
use crate::time::SystemClock;
use crate::tools::{Secrets, Tools};

pub use accounts::policies;
pub use core::Core;
use core::GOODBYE;
pub use files::{NodeFile, Running, token_path};
pub use team::rules;

/// A node, ready to run.
pub struct App {
    core: Core,
    free: Arc<Notify>,
    api: Arc<Api>,
    listener: TcpListener,
    node_file: NodeFile,
    owner_code: Option<String>,
    drain: Duration,
    writer: JoinHandle<()>,
}

impl App {
    /// Opens the database, builds everything, and binds the HTTP address. Nothing is connected yet.
    pub async fn start(config: Arc<Config>) -> anyhow::Result<Self> {
        let clock = Arc::new(SystemClock::new());
        let store_config = &config.store;
        let (store, writer) =
            Store::open(store_config.url.expose(), store_config.max_connections, Access::Node, clock).await?;
        let store = store.with_former_ids(config.former_ids());
        // Its end is awaited in `run`, when everything that could write is gone.
        let writer = tokio::spawn(writer);
        let listener = TcpListener::bind(config.http.listen)
            .await
            .with_context(|| format!("can't listen on {} (http.listen)", config.http.listen))?;
        let token = files::token(&config)?;
        let node_file = NodeFile::write(&config.node.data_dir, listener.local_addr()?)?;

        let local = Arc::new(Local::new(store.clone()));
        let channels = accounts::channels(&config, &local)?;
        let rules = Arc::new(team::rules(&config));
        let agents = Arc::new(team::agents(&config)?);
        let work = Arc::new(Notify::new());
        let metrics = Arc::new(Metrics::default());
        let outbox =
            Outbox::new(store.clone(), rules.clone(), channels.clone(), work.clone(), metrics.clone());
        let outlet: Arc<dyn Outlet> = Arc::new(Way(outbox.clone()));
        let settings = settings(&config);
        let hidden = config.secrets().into_iter().chain([token.clone()]).map(SecretString::from);
        let tools = Tools::built_in().hiding(Secrets::new(hidden));
        let team = Team { agents, tools, outlet: outlet.clone() };
        let engine = Engine::new(store.clone(), team.clone(), settings.clone(), work);
        let edges = Arc::new(Edges {
            rules,
            policies: accounts::policies(&config),
            team,
            channels: channels.iter().map(|channel| (channel.account().clone(), channel.clone())).collect(),
        });
        let states = Arc::new(States::default());
        let owner_code = owner_code(&store, &config).await?;
        let front = Front::new(store.clone(), engine.clone(), edges.clone(), states.clone(), metrics.clone());
        let front = Arc::new(front.inviting(owner_code.clone()));
        let free = Arc::new(Notify::new());
        let connections = channels
            .iter()
            .flat_map(|channel| (0..channel.shards()).map(move |shard| (channel.clone(), shard)));
        let accounts = connections
            .map(|(channel, shard)| Account {
                connection: Connection::new(channel.account().clone(), shard),
                channel,
                front: front.clone(),
                outbox: outbox.clone(),
                store: store.clone(),
                node: settings.node.clone(),
                lease: settings.lease,
                renew: settings.renew,
                poll: settings.poll,
                free: free.clone(),
            })
            .collect();
        let drain = config.node.drain;
        let node = settings.node;
        let api = Arc::new(Api { store, front, edges, local, outlet, states, metrics, node, token, config });
        let core = Core { engine, outbox, accounts };
        Ok(Self { core, free, api, listener, node_file, owner_code, drain, writer })
    }

    /// Where the HTTP API listens.
    pub fn address(&self) -> SocketAddr {
        self.node_file.address()
    }

    /// What callers of the HTTP API must present.
    pub fn token(&self) -> &Secret {
        &self.api.token
    }

    /// The code that makes its sender an owner, while there is none.
    pub fn owner_code(&self) -> Option<&str> {
        self.owner_code.as_deref()
    }

    /// The accounts that will be connected.
    pub fn accounts(&self) -> Vec<AccountId> {
        let connections = self.core.accounts.iter().map(|account| &account.connection);
        connections.filter(|first| first.shard == 0).map(|first| first.account.clone()).collect()
    }

    /// Works until `stop` fires, then drains: no new turns, running steps end or stay to be taken up again,
    /// deliveries go out, within the configured time.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { core, free, api, listener, node_file, owner_code: _, drain, writer } = self;
        let closed = CancellationToken::new();
        let store = api.store.clone();
        let others = store.listen(|news| hear(news, &core.engine, &core.outbox, &free));
        let serve = http::serve(listener, api, closed.clone());
        let work = async {
            core.run(&stop, drain).await;
            closed.cancel();
        };
        let work = async {
            tokio::select! {
                () = work => {}
                () = others => {}
            }
        };
        tokio::join!(serve, work);
        drop((core, node_file, store));
        // Everything that holds the store is gone: the writer ends when it has written all.
        if tokio::time::timeout(GOODBYE, writer).await.is_err() {
            tracing::warn!("the database was not closed in time; nothing that was confirmed is lost");
        }
        Ok(())
    }
}

/// Does what another node's news is about. What it tells is told to nobody else.
fn hear(news: News, engine: &Engine, outbox: &Arc<Outbox>, free: &Notify) {
    match news {
        News::Work => engine.wake(),
        News::Free => {
            free.notify_waiters();
            engine.wake();
        }
        News::Said(account, conversation_id) => outbox.told(&account, conversation_id),
        News::Cancelled(turn) => engine.cancelled(&[turn]),
    }
}

fn settings(config: &Config) -> Settings {
    let node = &config.node;
    let name = node.name.clone().or_else(host_name).unwrap_or_else(|| "node".into());
    Settings {
        // Every start is another node: what an earlier process of this name held is not ours.
        node: format!("{name}-{}", uuid::Uuid::now_v7().simple()),
        lease: node.lease,
        renew: node.renew,
        poll: node.poll,
        max_turns: usize::try_from(node.max_turns).unwrap_or(usize::MAX),
    }
}

/// The name of the machine, where it has one that can be read.
fn host_name() -> Option<String> {
    #[cfg(unix)]
    let name = nix::unistd::gethostname().ok()?.into_string().ok();
    #[cfg(not(unix))]
    let name = None;
    name.filter(|name: &String| !name.trim().is_empty())
}

/// Makes a code when there is an account that could need one and nobody owns the bot.
async fn owner_code(store: &Store, config: &Config) -> anyhow::Result<Option<String>> {
    let channels = &config.channels;
    let discord = channels.discord.values().any(|account| account.enabled && account.owners.is_empty());
    let telegram = channels.telegram.values().any(|account| account.enabled && account.owners.is_empty());
    if !discord && !telegram {
        return Ok(None);
    }
    admin::new_owner_code(store).await.context("the owner's code can't be stored")
}

/// Whether the configuration connects any platform beside the local channel.
pub fn has_platform(config: &Config) -> bool {
    config.channels.discord.values().any(|account| account.enabled)
        || config.channels.telegram.values().any(|account| account.enabled)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::config::Node;

    #[test]
    fn a_node_is_called_as_configured_else_as_its_machine() {
        let called = |name: Option<&str>| {
            let node = Node { name: name.map(Into::into), ..Node::default() };
            settings(&Config { node, ..Config::default() }).node
        };
        assert!(called(Some("east")).starts_with("east-"));
        let output = Command::new("uname").arg("-n").output().expect("`uname` is everywhere");
        let machine = String::from_utf8(output.stdout).expect("a machine's name is a text");
        assert!(called(None).starts_with(&format!("{}-", machine.trim())), "{}", called(None));
    }
}
