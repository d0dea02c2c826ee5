//! The director of a world: what happens next is luck, and so is what goes wrong.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use roundtable::agents::QueueMode;
use roundtable::store::{Disk, Host, Store};
use roundtable::time::Clock as _;
use roundtable_contract::Conversation;

use super::node::{Node, Setup};
use super::people;
use super::rules::{self, Watch};
use super::world::{Counts, Log, World};

/// The shortest and the longest time for which there is no node at all, in milliseconds.
const OUTAGE: (u64, u64) = (10 * 60_000, 2 * 3_600_000);

/// Simulated time after which a world in which nothing goes wrong any more must be at rest.
const REST: Duration = Duration::from_secs(2 * 3600);

/// What became of a world.
pub struct Played {
    /// What happened.
    pub story: Vec<String>,
    /// The rules that were broken.
    pub broken: Vec<String>,
    /// The end of the story.
    pub last_words: String,
    /// How much happened.
    pub counts: Counts,
}

/// Plays the world of a seed on a database, from its beginning to its rest.
pub fn play(seed: u64, host: &Host) -> Played {
    host.clear().expect("the database can be cleared");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        // The director looks after every step of every task: it can end a node between any two awaits.
        .event_interval(1)
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        let world = World::new(seed);
        let log = world.clone();
        let logged = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::WARN)
            .without_time()
            .with_ansi(false)
            .with_target(false)
            .with_writer(move || Log(log.clone()))
            .finish();
        let _logged = tracing::subscriber::set_default(logged);
        Director::new(world.clone(), host.clone()).run().await;
        Played {
            story: world.story(),
            broken: world.broken(),
            last_words: world.last_words(),
            counts: world.counts(),
        }
    })
}

struct Director {
    world: Arc<World>,
    host: Host,
    setup: Setup,
    places: Vec<Conversation>,
    nodes: Vec<Node>,
    started: u64,
    /// The director's own look at the database.
    store: Store,
    watch: Arc<Watch>,
}

impl Director {
    fn new(world: Arc<World>, host: Host) -> Self {
        let mut places = people::places();
        while places.len() > 1 + usize::try_from(world.below(3)).expect("it is small") {
            let gone = world.below(places.len() as u64);
            places.remove(usize::try_from(gone).expect("it is below a size"));
        }
        let mut accounts: Vec<_> = places.iter().map(|place| place.account.clone()).collect();
        accounts.dedup();
        let setup = Setup {
            accounts,
            shared: world.chance(40),
            queue: if world.chance(70) { QueueMode::Steer } else { QueueMode::Followup },
            max_turns: *world.one_of(&[0, 0, 2]),
            slots: *world.one_of(&[16, 16, 2]),
            inbox_cap: *world.one_of(&[200, 200, 3]),
            repeats: world.chance(50),
        };
        let (store, _) = host.store(world.clock.clone(), true, Disk::sound());
        let watch = Arc::new(Watch::new(&world, store.clone(), &setup));
        Self { world, host, setup, places, nodes: Vec::new(), started: 0, store, watch }
    }

    async fn run(mut self) {
        let steps = 10 + self.world.below(40);
        for _ in 0..steps {
            self.fill_up();
            self.step().await;
            self.world.count(|counts| counts.steps += 1);
            self.watch.look().await;
            if !self.world.is_sound() {
                return;
            }
        }
        self.rest().await;
    }

    /// Starts the nodes that are missing.
    fn fill_up(&mut self) {
        if self.nodes.is_empty() {
            self.watch.somebody();
        }
        let wanted = if self.setup.shared { 2 } else { 1 };
        while self.nodes.len() < wanted {
            self.started += 1;
            let name = format!("node-{}", self.started);
            self.world.note(format_args!("{name} starts"));
            self.nodes.push(Node::start(&self.world, &self.host, &self.watch, &self.setup, name));
        }
    }

    async fn step(&mut self) {
        match self.world.below(100) {
            0..45 => self.somebody_writes().await,
            45..60 => self.world.lag(500).await,
            60..75 => self.world.lag(10_000).await,
            75..84 => self.crash().await,
            84..85 => self.outage().await,
            85..87 => self.drain().await,
            87..93 => self.stall(),
            93..96 => {
                let by = self.world.millis(40_000);
                self.fault(format_args!("the machine stands still for {by:?}"));
                tokio::time::advance(by).await;
            }
            _ => {
                let by = self.world.millis(40_000);
                self.fault(format_args!("the clock is put forward by {by:?}"));
                self.world.clock.step(i64::try_from(by.as_millis()).expect("it is small"));
            }
        }
    }

    async fn somebody_writes(&self) {
        let mut places = self.places.clone();
        places.extend(self.world.platform.threads().into_iter().map(|thread| thread.place));
        for _ in 0..=self.world.below(2) {
            people::write(&self.world, self.world.one_of(&places));
            self.world.lag(30).await;
        }
    }

    fn fault(&self, what: impl std::fmt::Display) {
        self.world.count(|counts| counts.faults += 1);
        self.world.note(what);
    }

    fn any_node(&mut self) -> Node {
        let at = self.world.below(self.nodes.len() as u64);
        self.nodes.remove(usize::try_from(at).expect("it is below a size"))
    }

    async fn crash(&mut self) {
        if self.world.chance(50) {
            people::write(&self.world, self.world.one_of(&self.places));
        }
        if self.world.chance(50) {
            self.world.lag(1000).await;
        }
        polls(self.world.below(150)).await;
        let node = self.any_node();
        self.world.count(|counts| counts.crashes += 1);
        self.world.note(format_args!("{} dies", node.name));
        node.kill();
        self.left_alone().await;
        if self.world.chance(50) {
            self.world.lag(20_000).await;
        }
        if self.nodes.is_empty() && self.world.chance(20) {
            let back = i64::try_from(self.world.below(120_000)).expect("it is small");
            self.fault(format_args!("the clock is put back by {back} ms while no node lives"));
            self.world.clock.step(-back);
        }
    }

    /// All nodes die as something is being sent, and it is long before there is another.
    async fn outage(&mut self) {
        people::write(&self.world, self.world.one_of(&self.places));
        tokio::select! {
            biased;
            () = self.world.platform.called.notified() => {}
            () = self.world.lag(10_000) => {}
        }
        polls(self.world.below(100)).await;
        for node in std::mem::take(&mut self.nodes) {
            self.world.count(|counts| counts.crashes += 1);
            node.kill();
        }
        self.left_alone().await;
        let away = self.world.millis(OUTAGE.1 - OUTAGE.0) + Duration::from_millis(OUTAGE.0);
        self.fault(format_args!("no node lives for {away:?}"));
        tokio::time::sleep(away / 2).await;
        if self.world.chance(50) {
            people::write(&self.world, self.world.one_of(&self.places));
        }
        tokio::time::sleep(away / 2).await;
    }

    async fn drain(&mut self) {
        let node = self.any_node();
        self.fault(format_args!("{} is told to stop", node.name));
        node.drain().await;
        self.world.note("and has stopped");
        self.left_alone().await;
    }

    async fn left_alone(&self) {
        if self.nodes.is_empty() {
            self.watch.nobody().await;
        }
    }

    fn stall(&mut self) {
        let at = usize::try_from(self.world.below(self.nodes.len() as u64)).expect("it is below a size");
        let by = self.world.below(40_000);
        self.fault(format_args!("the disk of {} hangs for {by} ms", self.nodes[at].name));
        self.nodes[at].stall(self.world.clock.now() + i64::try_from(by).expect("it is small"));
    }

    /// Nothing goes wrong any more: everything comes to its end.
    async fn rest(mut self) {
        self.world.calm_down();
        self.world.note("nothing goes wrong any more");
        self.fill_up();
        let begun = tokio::time::Instant::now();
        for round in 5.. {
            // Looking takes longer than waiting.
            tokio::time::sleep(Duration::from_secs(round.min(20))).await;
            self.watch.look().await;
            let left = self.watch.audit().await;
            if left.is_empty() || !self.world.is_sound() {
                return;
            }
            if begun.elapsed() > REST {
                self.world.note(format_args!("it is {}", self.world.clock.now()));
                rules::left_over(&self.store).await.iter().for_each(|line| self.world.note(line));
                left.iter().for_each(|rule| self.world.breaks(rule));
                return;
            }
        }
    }
}

/// Lets the tasks of the world take so many steps.
async fn polls(mut left: u64) {
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
