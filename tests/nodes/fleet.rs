//! Processes that share a database, and who of them has the accounts.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use roundtable::store::{Read, Sql, StoreError, Tx};
use roundtable_fakes::{ModelFake, TelegramFake};

use crate::kills::load::Load;
use crate::kills::report::Outcome;
use crate::kills::scene::{Mode, Scene, read};
use crate::support::databases::Database;
use crate::support::process::{Process, last_words};
use crate::support::ready;
use crate::support::world::World;

/// The names of three.
pub const NAMES: [&str; 3] = ["one", "two", "three"];

/// How long it may take until an account has another owner; far more than it takes.
const TAKEN_OVER: Duration = Duration::from_secs(60);

/// The accounts, as their leases are called.
pub const TELEGRAM: &str = "account:telegram:main";
pub const DISCORD: &str = "account:discord:main";

/// A scene on one PostgreSQL, and the nodes in it.
pub struct Fleet {
    /// The people and what they see.
    pub scene: Scene,
    /// Those that run.
    pub nodes: Nodes,
}

/// Processes by their names.
#[derive(Default)]
pub struct Nodes(BTreeMap<&'static str, Process>);

impl Fleet {
    /// A scene without processes; `None`: there is no PostgreSQL here. `default_times`: leases live as long as in real
    /// life, not that of the tests.
    pub async fn set(default_times: bool) -> anyhow::Result<Option<Self>> {
        Self::set_with(default_times, Load::new).await
    }

    /// The same with other people.
    pub async fn set_with(
        default_times: bool,
        load: impl FnOnce(&TelegramFake, &ModelFake) -> Load,
    ) -> anyhow::Result<Option<Self>> {
        if !Database::all().contains(&Database::Postgres) {
            return Ok(None);
        }
        let mut fleet = Self::set_on(Database::Postgres, load).await?;
        if default_times {
            fleet.scene.use_default_times();
        }
        Ok(Some(fleet))
    }

    /// A scene without processes; on SQLite there may be one.
    pub async fn set_on(
        database: Database,
        load: impl FnOnce(&TelegramFake, &ModelFake) -> Load,
    ) -> anyhow::Result<Self> {
        let scene = Scene::set_with(database.fresh().await, Mode::Probe, false, load).await?;
        Ok(Self { scene, nodes: Nodes::default() })
    }

    /// Leases and drains of nodes that are started from now on outlast every patience: what one of them has, others get
    /// only if it hands it over.
    pub fn end_no_lease(&mut self) {
        let times = ["LEASE", "DRAIN"].map(|key| (format!("ROUNDTABLE_NODE__{key}"), "1h".to_owned()));
        self.scene.world.env.extend(times);
    }

    /// Starts the node of this name and waits until it is there.
    pub async fn start(&mut self, name: &'static str) -> anyhow::Result<()> {
        self.nodes.start(&self.scene.world, name, []).await
    }

    /// Starts three.
    pub async fn start_all(&mut self) -> anyhow::Result<()> {
        for name in NAMES {
            self.start(name).await?;
        }
        Ok(())
    }

    /// Who has the account on Telegram; all of them have a node that does.
    pub async fn owner(&self) -> anyhow::Result<&'static str> {
        let owner = owner(&self.scene.world, TELEGRAM).await?;
        owner.context("nobody has the account")
    }

    /// Waits until another node than this one has the account on Telegram.
    pub async fn owned_by_another(&self, than: &str) -> anyhow::Result<()> {
        owned_by_another(&self.scene.world, TELEGRAM, than).await
    }

    /// Waits until all is answered that is asked; judged by [`Scene::look`].
    pub async fn answered(&self) -> anyhow::Result<()> {
        let left = self.scene.unanswered().await;
        self.scene.recovered(Instant::now(), left).await.map(drop)
    }

    /// Ends everything and judges it.
    pub async fn judge(self, outcome: Outcome) -> anyhow::Result<Outcome> {
        self.scene.judge(self.nodes.0.into_values(), outcome).await
    }
}

impl Nodes {
    /// Starts the node of this name, with more in its environment, and waits until it is there.
    pub async fn start(
        &mut self,
        world: &World,
        name: &'static str,
        more: impl IntoIterator<Item = (&'static str, String)>,
    ) -> anyhow::Result<()> {
        let process = Process::start_node(world, name, more)?;
        ready::until_of(process.data_dir(), &format!("{name} to be ready"), |ready| ready.ready).await;
        self.0.insert(name, process);
        Ok(())
    }

    /// A node that runs.
    pub fn get(&self, name: &str) -> anyhow::Result<&Process> {
        self.0.get(name).with_context(|| format!("{name} does not run"))
    }

    /// A node that runs, to be ended.
    pub fn take(&mut self, name: &str) -> anyhow::Result<Process> {
        self.0.remove(name).with_context(|| format!("{name} does not run"))
    }
}

/// Who has an account now.
pub async fn owner(world: &World, account: &'static str) -> anyhow::Result<Option<&'static str>> {
    let holder = read(&world.url, Holder(account)).await?;
    let is = |name: &&str| holder.as_deref().is_some_and(|holder| holder.starts_with(&format!("{name}-")));
    Ok(NAMES.into_iter().find(is))
}

/// Waits until another node than this one has an account.
pub async fn owned_by_another(world: &World, account: &'static str, than: &str) -> anyhow::Result<()> {
    owned_by(world, account, |owner| owner != than).await
}

/// Waits until a node has an account that is one of those.
pub async fn owned_by(
    world: &World,
    account: &'static str,
    one_of: impl Fn(&str) -> bool,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        match owner(world, account).await? {
            Some(owner) if one_of(owner) => return Ok(()),
            owner if begun.elapsed() > TAKEN_OVER => bail!("{account} is {owner:?}'s\n{}", last_words(world)),
            // Another process's database tells nobody of its changes.
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Who holds a lease that is not over.
struct Holder(&'static str);

#[async_trait]
impl Read for Holder {
    type Output = Option<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        const HOLDER: &str = "SELECT node FROM leases WHERE name = $1 AND until >= $2";
        let params = [self.0.into(), tx.now().into()];
        let row = tx.optional(Sql { lite: HOLDER, pg: HOLDER }, &params).await?;
        row.map(|row| row.get("node")).transpose()
    }
}
