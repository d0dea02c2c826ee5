//! What all parts of a simulated world share: its luck, its clock, its platforms, and the story of what happened.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use roundtable::time::Clock;
use roundtable_fakes::Rng;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::platform::Platform;

/// When every world begins: milliseconds since 1970.
const BEGIN: i64 = 1_700_000_000_000;

/// Lines of the story that are shown when a rule is broken.
const SHOWN: usize = 250;

/// A world.
pub struct World {
    luck: Mutex<Rng>,
    /// How many times as often as usual the platforms fail.
    roughness: u64,
    story: Mutex<Story>,
    /// Nothing goes wrong any more.
    calm: AtomicBool,
    /// The clock that all nodes follow.
    pub clock: Arc<Hands>,
    /// Where people write and read.
    pub platform: Platform,
}

/// What happened, and what should not have.
#[derive(Debug, Default)]
struct Story {
    lines: Vec<String>,
    broken: Vec<String>,
    counts: Counts,
}

/// How much happened.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Worlds.
    pub seeds: u64,
    /// Simulated milliseconds.
    pub virtual_ms: i64,
    /// Things that the director did.
    pub steps: u64,
    /// Nodes that were killed.
    pub crashes: u64,
    /// Nodes that were drained, commits that hung, reads that failed, pauses, and steps of the clock.
    pub faults: u64,
    /// Messages of people.
    pub heard: u64,
    /// Messages that became visible.
    pub shown: u64,
    /// Threads that were opened.
    pub threads: u64,
    /// Times that all rules were looked at.
    pub checks: u64,
}

impl Counts {
    /// Adds what happened in another world.
    pub fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.virtual_ms += other.virtual_ms;
        self.steps += other.steps;
        self.crashes += other.crashes;
        self.faults += other.faults;
        self.heard += other.heard;
        self.shown += other.shown;
        self.threads += other.threads;
        self.checks += other.checks;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.virtual_ms / 3_600_000;
        write!(
            f,
            "{} seeds, {hours} h of simulated time, {} steps, {} crashes, {} other faults, {} messages of people, \
             {} messages shown, {} threads opened, rules looked at {} times",
            self.seeds,
            self.steps,
            self.crashes,
            self.faults,
            self.heard,
            self.shown,
            self.threads,
            self.checks
        )
    }
}

impl World {
    /// The world of a seed. Called inside its runtime, whose time is paused.
    pub fn new(seed: u64) -> Arc<Self> {
        let mut luck = Rng::seeded(seed);
        let roughness = [1, 1, 4][usize::try_from(luck.below(3)).expect("it is small")];
        Arc::new(Self {
            luck: Mutex::new(luck),
            roughness,
            story: Mutex::default(),
            calm: AtomicBool::new(false),
            clock: Arc::new(Hands {
                start: Instant::now(),
                offset: AtomicI64::new(BEGIN),
                stepped: Notify::new(),
            }),
            platform: Platform::default(),
        })
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        lock(&self.luck).below(bound)
    }

    /// One of them.
    pub fn one_of<'a, T>(&self, these: &'a [T]) -> &'a T {
        &these[usize::try_from(self.below(these.len() as u64)).expect("it is below a size")]
    }

    /// True in so many of a hundred cases.
    pub fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// True in so many of a thousand cases, and never once the world is calm.
    pub fn mishap(&self, per_mille: u64) -> bool {
        !self.is_calm() && self.below(1000) < per_mille
    }

    /// A number of a thousand that decides how a request to a platform or the disk goes: the small ones mean ill.
    pub fn fate(&self) -> u64 {
        if self.is_calm() { 999 } else { self.below(1000 / self.roughness) }
    }

    /// So many milliseconds, below a bound.
    pub fn millis(&self, bound: u64) -> Duration {
        Duration::from_millis(self.below(bound))
    }

    /// Lets some time pass, so that what is overdue has happened.
    pub async fn lag(&self, bound: u64) {
        tokio::time::sleep(self.millis(bound).max(Duration::from_millis(1))).await;
    }

    /// From now on nothing goes wrong.
    pub fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    /// Whether nothing goes wrong any more.
    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Adds a line to the story.
    pub fn note(&self, line: impl fmt::Display) {
        let mut text = String::new();
        let passed = self.clock.start.elapsed().as_millis();
        write!(text, "{:>5}.{:03} {line}", passed / 1000, passed % 1000).expect("a text takes all");
        lock(&self.story).lines.push(text);
    }

    /// A rule is broken.
    pub fn breaks(&self, rule: impl fmt::Display) {
        self.note(format_args!("BROKEN: {rule}"));
        lock(&self.story).broken.push(rule.to_string());
    }

    /// Whether no rule is broken.
    pub fn is_sound(&self) -> bool {
        lock(&self.story).broken.is_empty()
    }

    /// The rules that are broken.
    pub fn broken(&self) -> Vec<String> {
        lock(&self.story).broken.clone()
    }

    /// The whole story.
    pub fn story(&self) -> Vec<String> {
        lock(&self.story).lines.clone()
    }

    /// The end of the story.
    pub fn last_words(&self) -> String {
        let story = lock(&self.story);
        story.lines[story.lines.len().saturating_sub(SHOWN)..].join("\n")
    }

    /// Counts what happens.
    pub fn count(&self, add: impl FnOnce(&mut Counts)) {
        add(&mut lock(&self.story).counts);
    }

    /// How much has happened.
    pub fn counts(&self) -> Counts {
        let passed = i64::try_from(self.clock.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        Counts { seeds: 1, virtual_ms: passed, ..lock(&self.story).counts }
    }
}

/// A clock that goes with the simulated time and can be put forward.
pub struct Hands {
    start: Instant,
    offset: AtomicI64,
    stepped: Notify,
}

impl Hands {
    /// Puts the clock forward, or back while no node lives. To the nodes that is as if their timers were late.
    pub fn step(&self, millis: i64) {
        self.offset.fetch_add(millis, Ordering::Relaxed);
        self.stepped.notify_waiters();
    }

    /// Lets so much time pass outside the nodes, which takes no longer than until the clock steps.
    pub async fn passes(&self, time: Duration) {
        tokio::select! {
            biased;
            () = self.stepped.notified() => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}

impl Clock for Hands {
    fn now(&self) -> i64 {
        let passed = i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.offset.load(Ordering::Relaxed) + passed
    }

    fn anchor(&self, _now: i64) {}
}

/// A clock that is late.
pub struct Late {
    /// The clock that it follows.
    pub hands: Arc<Hands>,
    /// By so many milliseconds.
    pub by: i64,
}

impl Clock for Late {
    fn now(&self) -> i64 {
        self.hands.now() - self.by
    }

    fn anchor(&self, _now: i64) {}
}

/// Nobody panics while they hold one of these locks.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics with it")
}

/// Takes what the program logs into the story.
pub struct Log(pub Arc<World>);

impl std::io::Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        self.0.note(text);
        let planned = ["database: no answer", "database: refused"].iter().any(|fault| text.contains(fault));
        if (text.contains("database: ") && !planned) || text.contains("panicked") {
            self.0.breaks(text);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
