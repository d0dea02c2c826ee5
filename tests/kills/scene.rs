//! A world with people and teams at work, the processes between them, and the judge of what becomes of it.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use roundtable::config::Node;
use roundtable::store::{Access, Audit, Read, Store};
use roundtable::time::SystemClock;
use roundtable_fakes::{ModelFake, TelegramFake};

use super::load::{Load, unanswered};
use super::random::Random;
use super::report::Outcome;
use super::team::{Runs, Team};
use crate::support::databases::{Database, Fresh};
use crate::support::process::{Process, last_words};
use crate::support::world::World;

/// How long a program may take to answer everything after it was started again; far more than it takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long a sent message may take to be found again, and the database to know of it.
const REST: Duration = Duration::from_secs(10);

/// The account, but for its mode. The time-out is what the program grants a call that may still land: the
/// fake needs more than usual of it on a machine that has other things to do.
const ACCOUNT: &str = "dm = \"open\"\ngroups = [\"*\"]\npoll_timeout = \"5s\"\nsend_timeout = \"3s\"\n\
    limits = { chat_per_second = 0, group_per_minute = 0, total_per_second = 0 }\n";

/// The account on Discord, with the same time-out.
const DISCORD: &str =
    "dm = \"open\"\nsend_timeout = \"3s\"\nlimits = { chat_per_second = 0, total_per_second = 0 }\n";

/// With fewer answers than this to come, more is asked where much is to be in flight.
const FEW: usize = 12;

/// What is done about sends of unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They are looked for.
    Probe,
    /// Messages are sent in two steps.
    Edit,
}

/// A world, its people, and the database that outlives every process.
pub struct Scene {
    /// The world.
    pub world: World,
    /// The people who speak with one agent each.
    pub load: Load,
    team: Team,
    /// Gone with the scene.
    _database: Fresh,
    mode: Mode,
}

impl Scene {
    /// A world before its first process; in that of a `late` team a child's time runs out.
    pub async fn set(database: Database, mode: Mode, late: bool) -> anyhow::Result<Self> {
        Self::set_with(database.fresh().await, mode, late, Load::new).await
    }

    /// The same on a database that is there, with other people.
    pub async fn set_with(
        database: Fresh,
        mode: Mode,
        late: bool,
        load: impl FnOnce(&TelegramFake, &ModelFake) -> Load,
    ) -> anyhow::Result<Self> {
        let word = if mode == Mode::Edit { "edit" } else { "probe" };
        let account = format!("{ACCOUNT}exactly_once = \"{word}\"\n");
        let setting = World::setting().on(&database.url).telegram(&account).discord(DISCORD);
        let world = setting.without_node().await;
        // A lease that no pause of a busy machine outlasts, so that only the kills take it away.
        world.configure(|text| text.replacen("lease = \"600ms\"", "lease = \"2s\"", 1));
        world.was_on_discord(Duration::from_secs(60)).await?;
        let load = load(&world.telegram, &world.model);
        let team = Team::new(&world, late);
        Ok(Self { world, load, team, _database: database, mode })
    }

    /// Leases and polls of processes that are started from now on take as long as in real life.
    pub fn use_default_times(&mut self) {
        let node = Node::default();
        let times =
            [("LEASE", node.lease), ("RENEW", node.renew), ("POLL", node.poll), ("DRAIN", node.drain)];
        let times =
            times.map(|(key, time)| (format!("ROUNDTABLE_NODE__{key}"), format!("{}ms", time.as_millis())));
        self.world.env.extend(times);
    }

    /// Starts a process, which dies at a crash point if it is given one.
    pub fn start(&self, crash_at: Option<&str>) -> anyhow::Result<Process> {
        Process::start(&self.world, crash_at)
    }

    /// One more thing in every conversation for which `asks` says so.
    pub fn ask(&mut self, mut asks: impl FnMut() -> bool) {
        self.load.ask(&mut asks);
        self.team.ask(&mut asks);
    }

    /// One more thing in every conversation.
    pub fn ask_all(&mut self) {
        self.ask(|| true);
    }

    /// One more job for every team, and nothing of the others.
    pub fn ask_teams(&mut self) {
        self.team.ask(|| true);
    }

    /// Asks again and again, so that much is in flight all the time, until something has happened. The teams have
    /// enough to do.
    pub async fn ask_until<T>(&mut self, event: impl Future<Output = T>) -> T {
        let mut event = pin!(event);
        loop {
            let few = self.world.telegram.watch(|world| (self.left(world) < FEW).then_some(()));
            tokio::select! {
                happened = &mut event => return happened,
                () = few => {}
            }
            self.load.ask(|| true);
        }
    }

    /// The chats on Telegram in which somebody asks.
    pub fn chats(&self) -> BTreeSet<i64> {
        self.load.chats().chain(self.team.chats()).collect()
    }

    /// How much is not there yet of what Telegram is to show.
    pub async fn unanswered(&self) -> usize {
        self.world.telegram.watch(|world| Some(self.left(world))).await
    }

    /// The same, of the world as it is.
    pub fn left(&self, world: &roundtable_fakes::World) -> usize {
        unanswered(world, self.load.open()).len() + self.team.missing_on_telegram(world).len()
    }

    /// What is not there yet, for people.
    async fn missing(&self) -> String {
        let telegram = self.world.telegram.watch(|world| {
            let open = unanswered(world, self.load.open()).into_iter().map(str::to_owned);
            Some(open.chain(self.team.missing_on_telegram(world)).collect::<Vec<_>>())
        });
        let mut all = telegram.await;
        all.extend(self.world.discord().watch(|world| Some(self.team.missing_on_discord(world))).await);
        all.join("\n")
    }

    /// All that people see, and what the last processes said.
    pub fn evidence(&self) -> String {
        let (telegram, discord) = (self.world.telegram.transcript(), self.world.discord().transcript());
        format!("{telegram}\n{discord}\n{}", last_words(&self.world))
    }

    /// Waits until everything is answered; gives the times since then to the first answer after it (`left` were
    /// left to give then) and to the last.
    pub async fn recovered(&self, since: Instant, left: usize) -> anyhow::Result<(Duration, Duration)> {
        let at_most = |left: usize| {
            self.world.telegram.watch(move |world| (self.left(world) <= left).then(Instant::now))
        };
        let discord = self
            .world
            .discord()
            .watch(|world| self.team.missing_on_discord(world).is_empty().then(Instant::now));
        let times = async {
            let first = at_most(left.saturating_sub(1)).await;
            let (telegram, discord) = tokio::join!(at_most(0), discord);
            (first, telegram.max(discord))
        };
        match tokio::time::timeout(PATIENCE, times).await {
            Ok((first, last)) => Ok((first - since, last - since)),
            Err(_) => {
                bail!("not seen within {PATIENCE:?}:\n{}\n{}", self.missing().await, self.evidence())
            }
        }
    }

    /// Waits until nothing is on its way, stops the program, and judges what people see and what the
    /// database holds.
    pub async fn judge(
        mut self,
        processes: impl IntoIterator<Item = Process>,
        mut outcome: Outcome,
    ) -> anyhow::Result<Outcome> {
        self.at_rest().await?;
        for process in processes {
            process.stop().await?;
        }
        self.look(&mut outcome).await?;
        outcome.broken.extend(self.at_rest().await?);
        outcome.broken.extend(self.team.wrong_runs(&read(&self.world.url, Runs).await?));
        if outcome.is_clean() {
            self.world.end().await;
        } else {
            outcome.evidence = self.evidence();
        }
        Ok(outcome)
    }

    /// Judges what people see of what was asked since the last look, all of which is answered.
    pub async fn look(&mut self, outcome: &mut Outcome) -> anyhow::Result<()> {
        let stubs = self.mode == Mode::Edit;
        outcome.add(self.team.check(&self.world, stubs).await?);
        outcome.add(self.load.check(&self.world.telegram, stubs).await?);
        Ok(())
    }

    /// Waits until the database breaks no rule, as it may while something is on its way; gives those that
    /// it still breaks after a long time. Another process's database tells nobody of its changes, so it is
    /// asked again and again.
    pub async fn at_rest(&self) -> anyhow::Result<Vec<String>> {
        let begun = Instant::now();
        loop {
            let broken = read(&self.world.url, Audit).await?;
            if broken.is_empty() || begun.elapsed() > REST {
                return Ok(broken);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Lets a random number of calls and a few random milliseconds pass; less if nothing is left to do.
    pub async fn moment(&self, random: &mut Random) {
        let more = usize::try_from(random.below(150)).unwrap_or(0);
        let target = self.world.telegram.watch(|world| Some(world.calls().count() + more)).await;
        let over = |world: &roundtable_fakes::World| {
            let over = world.calls().count() >= target || self.left(world) == 0;
            over.then_some(())
        };
        self.world.telegram.watch(over).await;
        // The fault itself, not a wait for anything.
        tokio::time::sleep(Duration::from_micros(random.below(30_000))).await;
    }
}

/// Reads from a database, beside the program.
pub async fn read<R: Read>(url: &str, what: R) -> anyhow::Result<R::Output> {
    let clock = Arc::new(SystemClock::new());
    let (store, writer) = Store::open(url, 1, Access::Look, clock).await?;
    let (found, ()) = tokio::join!(async move { store.read(what).await }, writer);
    Ok(found?)
}
