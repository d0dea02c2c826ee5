//! The same over real sockets: two platforms, five conversations, and the program between them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use roundtable::store::Store;
use roundtable_fakes::{ModelRequest, PATIENCE, Reply, Rng, Role};
use serde_json::json;
use tokio::runtime::Builder;

use crate::support::quiet::{Look, Quiet};
use crate::support::requests::{agent_of, next_text};
use crate::support::seat::Seat;
use crate::support::world::World;
use crate::support::{discord::shown, look};
use crate::team::sim::{Seed, seeds};

/// Interleavings that one world sees before the next one begins: what the fakes remember grows.
const A_WORLD: usize = 25;

/// A place where somebody asks: by name, and how to write there.
struct Corner {
    name: String,
    seat: Seat,
    /// What is still to be said here, the last first.
    lines: Vec<String>,
    /// Whose greeting must have been heard before the run that was asked for here ends.
    stranger: usize,
}

/// All that bots have written in a place, as people see it. It counts as read.
async fn read(seat: &Seat, bot: u64) -> Vec<String> {
    match seat {
        Seat::Telegram(seat) => {
            let said = seat.place().messages();
            let count = said.into_iter().filter(|said| !said.read && !said.is_service()).count();
            let mut texts = Vec::new();
            for _ in 0..count {
                texts.push(next_text(seat).await);
            }
            texts
        }
        Seat::Discord(seat) => {
            let said = seat.messages().into_iter().filter(|said| said.from == bot && !said.is_service());
            seat.reads_everything();
            said.map(|said| shown(&said.text)).collect()
        }
    }
}

/// A private chat, a topic and a group on Telegram; a channel and a thread on Discord.
fn corners(world: &World, seed: u64, rng: &mut Rng) -> Vec<Corner> {
    let (telegram, discord) = (&world.telegram, world.discord());
    let ann = format!("ann{seed}");
    let seats = [
        Seat::Telegram(telegram.user(&ann)),
        Seat::Telegram(telegram.user(&ann).in_topic(&format!("forum{seed}"), "plans")),
        Seat::Telegram(telegram.user(&ann).in_group(&format!("group{seed}"))),
        Seat::Discord(discord.user(&ann).in_channel(&format!("channel{seed}"))),
        Seat::Discord(discord.user(&ann).in_thread("parent", &format!("thread{seed}"))),
    ];
    let count = seats.len() as u64;
    let corner = |(at, seat)| {
        let name = format!("«{seed}.{at}»");
        let lines = vec![format!("hello in {name}"), format!("job in {name}")];
        let others = 1 + rng.below(count - 1);
        let stranger = usize::try_from((at as u64 + others) % count).expect("it is small");
        Corner { name, seat, lines, stranger }
    };
    seats.into_iter().enumerate().map(corner).collect()
}

/// The name of the place that a request is about: that of the oldest message.
fn place(request: &ModelRequest) -> String {
    let first = request.messages.iter().find(|message| message.role == Role::User).expect("somebody asks");
    let start = first.text.find('«').expect("every text names its place");
    let end = first.text[start..].find('»').expect("a name has an end") + '»'.len_utf8();
    first.text[start..start + end].to_owned()
}

fn is_worker(request: &ModelRequest) -> bool {
    agent_of(request) == "coder"
}

/// Gives the job away and, in every other place, waits for it. Final answers name the place and their number.
fn brain(request: &ModelRequest) -> Reply {
    let (here, number) = (place(request), request.number);
    let said = request.messages.iter().filter(|message| message.role == Role::Assistant).count();
    if is_worker(request) {
        Reply::text(format!("result {number} for {here}"))
    } else if said == 0 {
        let spawn = ("sessions_spawn", json!({"task": format!("do the job in {here}"), "agentId": "coder"}));
        let waits = here.bytes().map(usize::from).sum::<usize>().is_multiple_of(2);
        Reply::calls([spawn].into_iter().chain(waits.then(|| ("sessions_yield", json!({})))))
    } else {
        Reply::text(format!("answer {number} for {here}"))
    }
}

/// What is asked and answered while the seeds are played, over all of them.
#[derive(Default)]
struct Totals {
    interleavings: usize,
    messages: usize,
}

struct Director<'a> {
    world: &'a World,
    store: Store,
    heard: i64,
}

impl Director<'_> {
    /// Waits until everybody who is at work waits for a model, and if `delivered` until all is delivered.
    async fn quiet(&self, delivered: bool) -> Vec<Arc<ModelRequest>> {
        let end = Instant::now() + PATIENCE;
        loop {
            let before = self.world.model.waiting_count();
            let now = self.store.read(Look).await.expect("the database can be read");
            let Quiet { running, queued, heard, open, .. } = now;
            let at_rest = heard == self.heard && queued == 0 && running == before;
            if at_rest && (open == 0 || !delivered) && self.world.model.waiting_count() == before {
                return self.world.model.waiting();
            }
            let Quiet { all, .. } = now;
            assert!(
                Instant::now() < end,
                "not quiet: {before} wait, {} were written, {heard} heard: {all}",
                self.heard
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn says(&mut self, corner: &mut Corner) {
        corner.seat.asks(&corner.lines.pop().expect("there is something to say"));
        self.heard += 1;
    }

    /// Plays one interleaving; gives how many messages were seen.
    async fn play(&mut self, seed: u64) -> usize {
        let _named = Seed(seed);
        let mut rng = Rng::seeded(seed);
        let mut corners = corners(self.world, seed, &mut rng);
        let mut asked = Vec::new();
        loop {
            let mut waiting = self.quiet(rng.below(2) == 0).await;
            let told = |corner: &Corner| corners[corner.stranger].lines.is_empty();
            let may_end = |request: &Arc<ModelRequest>| {
                !is_worker(request) || corners.iter().any(|one| one.name == place(request) && told(one))
            };
            waiting.retain(may_end);
            // By who asks, and not by when the request came, which is the operating system's to decide.
            waiting.sort_by_key(|request| (place(request), is_worker(request)));
            let mut talkers: Vec<_> = corners.iter_mut().filter(|corner| !corner.lines.is_empty()).collect();
            if talkers.is_empty() && waiting.is_empty() {
                break;
            }
            if !talkers.is_empty() && (waiting.is_empty() || rng.below(2) == 0) {
                let at = below(&mut rng, talkers.len());
                self.says(talkers[at]);
                continue;
            }
            for _ in 0..1 + below(&mut rng, 3).min(waiting.len() - 1) {
                let request = waiting.remove(below(&mut rng, waiting.len()));
                assert!(self.world.model.answer(&request), "nobody goes away");
                asked.push(request);
            }
        }
        self.quiet(true).await;
        self.check(&corners, &asked).await
    }

    /// Everything that was to be seen is seen once, where it belongs.
    async fn check(&self, corners: &[Corner], asked: &[Arc<ModelRequest>]) -> usize {
        let mut seen = 0;
        for corner in corners {
            let said = read(&corner.seat, self.world.discord().bot_id()).await;
            let here = asked.iter().filter(|request| place(request) == corner.name);
            let (workers, managers): (Vec<_>, Vec<_>) = here.partition(|request| is_worker(request));
            assert_eq!(workers.len(), 1, "one run for {}", corner.name);
            let result = format!("result {} for {}", workers[0].number, corner.name);
            let ends = |text: &&String| text.contains(&result) || text.starts_with("coder finished");
            assert_eq!(said.iter().filter(ends).count(), 1, "the run's end in {}: {said:#?}", corner.name);
            let mut expected: Vec<_> = managers
                .iter()
                .filter(|request| request.messages.iter().any(|message| message.role == Role::Assistant))
                .map(|request| format!("answer {} for {}", request.number, corner.name))
                .collect();
            let mut answers: Vec<_> = said.iter().filter(|text| !ends(text)).cloned().collect();
            expected.sort();
            answers.sort();
            assert_eq!(answers, expected, "{}", corner.name);
            seen += said.len();
        }
        seen
    }
}

fn below(rng: &mut Rng, size: usize) -> usize {
    usize::try_from(rng.below(size as u64)).expect("it is small")
}

async fn in_one_world(seeds: &[u64], totals: &mut Totals) {
    let world = World::with_discord().await;
    world.telegram.set_privacy(false);
    world.discord().connected().await.unwrap();
    world.model.on(|request| Some(brain(request)));
    world.model.hold_all();
    let mut director = Director { world: &world, store: look::open(&world.url).await, heard: 0 };
    for seed in seeds {
        totals.messages += director.play(*seed).await;
        totals.interleavings += 1;
    }
    drop(director);
    world.end().await;
}

/// A fifth of what is played in process: 20 unless a number is given.
#[test]
fn nothing_lands_elsewhere() {
    let seeds = seeds("ROUNDTABLE_PROVE_PLACES", 100);
    let seeds = &seeds[..seeds.len().div_ceil(5)];
    let begun = Instant::now();
    let mut totals = Totals::default();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for some in seeds.chunks(A_WORLD) {
        runtime.block_on(in_one_world(some, &mut totals));
    }
    println!(
        "{} interleavings over sockets, {} messages seen where they belong, 0 elsewhere, in {:.1?}",
        totals.interleavings,
        totals.messages,
        begun.elapsed()
    );
}
