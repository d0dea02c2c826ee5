//! A world with people and teams at work, the processes between them, and the judge of what becomes of it.

use std::cell::Cell;
use std::collections::{BTreeSet, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use roundtable::config::Node;
use roundtable::store::{Access, Audit, Read, Sql, Store, StoreError, Tx};
use roundtable::time::SystemClock;
use roundtable_fakes::{ModelFake, TelegramFake, discord};
use serde_json::Value;

use super::load::Load;
use super::random::Random;
use super::report::{Outcome, Recovery};
use super::sight::{self, Line, Platform, Spot};
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

/// How long ago it was that the program was last on Discord before a world began.
const AWAY: Duration = Duration::from_secs(60);

/// With fewer answers than this to come on Telegram, more is asked where much is to be in flight.
const FEW: usize = 6;

/// What is done on Telegram about sends of unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They are looked for.
    Probe,
    /// Messages are sent in two steps.
    Edit,
    /// They are sent once more, and may be seen twice.
    Send,
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
    /// What was seen twice on Telegram, as it may be in [`Mode::Send`].
    repeated: HashSet<String>,
}

impl Scene {
    /// A world before its first process, all of its people who chat on Telegram; in that of a `late` team a child's time
    /// runs out.
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
        Self::begin(database, mode, late, |world| load(&world.telegram, &world.model)).await
    }

    /// The same, half of the people who chat on each platform.
    pub async fn set_on_both(database: Database, mode: Mode, late: bool) -> anyhow::Result<Self> {
        let load = |world: &World| Load::on_both(&world.telegram, world.discord(), &world.model);
        let scene = Self::begin(database.fresh().await, mode, late, load).await?;
        // A first private message that came while the program was away is one that nobody finds.
        for channel in scene.load.private_channels() {
            scene.world.had_read_discord(&channel.to_string(), AWAY).await?;
        }
        Ok(scene)
    }

    async fn begin(
        database: Fresh,
        mode: Mode,
        late: bool,
        load: impl FnOnce(&World) -> Load,
    ) -> anyhow::Result<Self> {
        let word = match mode {
            Mode::Probe => "probe",
            Mode::Edit => "edit",
            Mode::Send => "send",
        };
        let account = format!("{ACCOUNT}exactly_once = \"{word}\"\n");
        let setting = World::setting().on(&database.url).telegram(&account).discord(DISCORD);
        let world = setting.without_node().await;
        // A lease that no pause of a busy machine outlasts, so that only the kills take it away.
        world.configure(|text| text.replacen("lease = \"600ms\"", "lease = \"2s\"", 1));
        world.was_on_discord(AWAY).await?;
        world.telegram.set_privacy(false);
        let load = load(&world);
        let team = Team::new(&world, late);
        Ok(Self { world, load, team, _database: database, mode, repeated: HashSet::new() })
    }

    /// Processes that are started from now on trust no nonce on Discord, as if all were old: they look into its history.
    pub fn trust_no_nonce(&self) {
        let table = "[channels.discord.main]\n";
        self.world.configure(|text| text.replacen(table, &format!("{table}nonce_window = \"0s\"\n"), 1));
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
            let few = self.watch(Platform::Telegram, |lines, _| {
                (self.left(Platform::Telegram, lines) < FEW).then_some(())
            });
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

    /// Waits until what nobody has read on a platform, and the number of calls that it has had, are as `look` says.
    async fn watch<R>(&self, platform: Platform, mut look: impl FnMut(&[Line], usize) -> Option<R>) -> R {
        match platform {
            Platform::Telegram => {
                let look =
                    |world: &roundtable_fakes::World| look(&sight::on_telegram(world), world.calls().count());
                self.world.telegram.watch(look).await
            }
            Platform::Discord => {
                let look = |world: &discord::World| look(&sight::on_discord(world), world.calls().count());
                self.world.discord().watch(look).await
            }
        }
    }

    /// What nobody has read on a platform.
    async fn unread(&self, platform: Platform) -> Vec<Line> {
        self.watch(platform, |lines, _| Some(lines.to_vec())).await
    }

    /// How much is not there yet of what each platform is to show.
    pub async fn unanswered(&self) -> [usize; 2] {
        let left = async |platform| self.left(platform, &self.unread(platform).await);
        [left(Platform::Telegram).await, left(Platform::Discord).await]
    }

    /// How much of it is not among these lines.
    fn left(&self, platform: Platform, lines: &[Line]) -> usize {
        self.load.missing(platform, lines).len() + self.team.missing(platform, lines).len()
    }

    /// What is not there yet, for people.
    async fn missing(&self) -> String {
        let mut all = Vec::new();
        for platform in Platform::ALL {
            let lines = self.unread(platform).await;
            all.extend(self.load.missing(platform, &lines).into_iter().map(str::to_owned));
            all.extend(self.team.missing(platform, &lines));
        }
        all.join("\n")
    }

    /// All that people see, and what the last processes said.
    pub fn evidence(&self) -> String {
        let (telegram, discord) = (self.world.telegram.transcript(), self.world.discord().transcript());
        format!("{telegram}\n{discord}\n{}", last_words(&self.world))
    }

    /// Waits until everything is answered; gives the times since then to the first answer after it on each platform
    /// (`left` were left to give then) and to the last.
    pub async fn recovered(&self, since: Instant, left: [usize; 2]) -> anyhow::Result<[Recovery; 2]> {
        let at_most = async |platform, most: usize| {
            self.watch(platform, |lines, _| (self.left(platform, lines) <= most).then(|| since.elapsed()))
                .await
        };
        let recovery = async |platform| {
            let first = at_most(platform, left[platform as usize].saturating_sub(1)).await;
            Recovery { first, last: at_most(platform, 0).await }
        };
        let both = async { tokio::join!(recovery(Platform::Telegram), recovery(Platform::Discord)).into() };
        match tokio::time::timeout(PATIENCE, both).await {
            Ok(recoveries) => Ok(recoveries),
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
        let doubtful = read(&self.world.url, Doubtful).await?;
        let known = self.repeated.iter().filter(|text| !doubtful.contains(*text));
        outcome.broken.extend(known.map(|text| format!("sent again, though not unknown: {text}")));
        if outcome.is_clean() {
            self.world.end().await;
        } else {
            outcome.evidence = self.evidence();
        }
        Ok(outcome)
    }

    /// Judges what people see of what was asked since the last look, all of which is answered.
    pub async fn look(&mut self, outcome: &mut Outcome) -> anyhow::Result<()> {
        for platform in Platform::ALL {
            let all = self.unread(platform).await;
            let mut lines = all.clone();
            let sent_again = self.mode == Mode::Send && platform == Platform::Telegram;
            if sent_again {
                outcome.repeated += self.forgive(&mut lines);
            }
            let stubs = self.mode == Mode::Edit;
            let (team, load): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| self.team.is_ours(line));
            outcome.add(platform, self.team.check(&self.world, platform, &team, stubs).await);
            outcome.add(platform, self.load.check(platform, &load, stubs));
            if outcome.is_clean() {
                for line in &all {
                    self.has_read(line).await?;
                }
            }
        }
        self.team.checked();
        self.load.checked();
        Ok(())
    }

    /// Takes out what is there for the second time, and no more often; gives how much that is.
    fn forgive(&mut self, lines: &mut Vec<Line>) -> usize {
        let (before, mut seen) = (lines.len(), HashSet::new());
        lines.retain(|line| {
            seen.insert((line.spot, line.text.clone())) || !self.repeated.insert(line.text.clone())
        });
        before - lines.len()
    }

    /// What has been checked is read.
    async fn has_read(&self, line: &Line) -> anyhow::Result<()> {
        let what = "what was checked";
        match line.spot {
            Spot::Discord(channel) => {
                let place = self.world.discord().place(channel);
                place.expect_message(what, |now| now.id == line.id).await?;
            }
            Spot::Telegram(..) => {
                let place = self.load.place(line.spot).or_else(|| self.team.place(&self.world, line));
                let place = place.with_context(|| format!("nobody sits where this was said: {line}"))?;
                place.expect_message(what, |now| now.id.unsigned_abs() == line.id).await?;
            }
        }
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

    /// Lets a random number of calls of both platforms and a few random milliseconds pass; less if nothing is left to do.
    pub async fn moment(&self, random: &mut Random) {
        let more = usize::try_from(random.below(150)).unwrap_or(0);
        let now = async |platform| {
            self.watch(platform, |lines, calls| Some((calls, self.left(platform, lines)))).await
        };
        let seen = [now(Platform::Telegram).await, now(Platform::Discord).await].map(Cell::new);
        let sum = || seen.iter().map(Cell::get).fold((0, 0), |(a, b), (calls, left)| (a + calls, b + left));
        let target = sum().0 + more;
        let over = async |platform, here: &Cell<_>| {
            let over = |lines: &[Line], calls| {
                here.set((calls, self.left(platform, lines)));
                let (calls, left) = sum();
                (calls >= target || left == 0).then_some(())
            };
            self.watch(platform, over).await;
        };
        tokio::select! {
            () = over(Platform::Telegram, &seen[0]) => {}
            () = over(Platform::Discord, &seen[1]) => {}
        }
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

/// The texts that were sent with an unknown outcome.
struct Doubtful;

#[async_trait]
impl Read for Doubtful {
    type Output = HashSet<String>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        const BODIES: &str = "SELECT body FROM deliveries WHERE unknowns > 0";
        let rows = tx.all(Sql { lite: BODIES, pg: BODIES }, &[]).await?;
        let bodies = rows.iter().map(|row| row.get::<String>("body")).collect::<Result<Vec<_>, _>>()?;
        // A thread's is its name.
        let bodies = bodies.iter().filter_map(|body| serde_json::from_str::<Value>(body).ok());
        Ok(bodies.filter_map(|body| Some(body["text"].as_str()?.replace('\u{200b}', ""))).collect())
    }
}
