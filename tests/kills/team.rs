//! A team at work, on Telegram and Discord: children that are spawned, waited for, asked and given threads, and what
//! must be seen of them.

mod script;

use std::collections::HashSet;

use async_trait::async_trait;
use roundtable::store::{Read, Sql, StoreError, Tx};
use roundtable_fakes::Place;

use super::load::Verdict;
use super::sight::{self, Line, Platform, Spot};
use crate::support::seat::Seat;
use crate::support::world::World;
use script::{CHILD, Job, Manner, QUEST};

/// The forum in which threads are opened.
const FORUM: &str = "Team forum";

/// A conversation with a team.
struct Table {
    seat: Seat,
    spot: Spot,
}

/// The people who have teams, and what they have asked.
pub struct Team {
    tables: Vec<Table>,
    asked: Vec<Job>,
    /// Jobs before this one were checked and read.
    checked: usize,
}

impl Team {
    /// Seats the people and tells the model how to play their teams: each manner once on Telegram and once on
    /// Discord, that with a time limit only if it is to be `late`.
    pub fn new(world: &World, late: bool) -> Self {
        world.model.on(script::act);
        let manners = Manner::ALL.len() - usize::from(!late);
        let tables = (0..2 * Manner::ALL.len()).filter(|number| number / 2 < manners).map(|number| {
            let seat = seat(world, number);
            let spot = Spot::of(&seat);
            Table { seat, spot }
        });
        Self { tables: tables.collect(), asked: Vec::new(), checked: 0 }
    }

    /// One more job in every conversation for which `asks` says so.
    pub fn ask(&mut self, mut asks: impl FnMut() -> bool) {
        for (table, Table { seat, .. }) in self.tables.iter().enumerate() {
            if asks() {
                let job = Job::new(table, self.asked.len());
                seat.asks(&job.name);
                self.asked.push(job);
            }
        }
    }

    /// The chats on Telegram in which jobs are given.
    pub fn chats(&self) -> impl Iterator<Item = i64> {
        self.tables.iter().filter_map(|table| match table.spot {
            Spot::Telegram(chat, _) => Some(chat),
            Spot::Discord(_) => None,
        })
    }

    fn open(&self) -> &[Job] {
        &self.asked[self.checked..]
    }

    /// What is still to be seen on a platform.
    pub fn missing(&self, platform: Platform, lines: &[Line]) -> Vec<String> {
        let marks = self.jobs_on(platform).flat_map(|job| job.marks(self.tables[job.table].spot));
        marks.filter(|mark| mark.count(lines) == 0).map(|mark| mark.to_string()).collect()
    }

    fn jobs_on(&self, platform: Platform) -> impl Iterator<Item = &Job> {
        self.open().iter().filter(move |job| self.tables[job.table].spot.platform() == platform)
    }

    /// Judges what was said on a platform in the conversations of the team since the last check.
    pub async fn check(&self, world: &World, platform: Platform, lines: &[Line], stubs: bool) -> Verdict {
        let mut verdict = self.judge(platform, lines, stubs);
        if platform == Platform::Telegram {
            let topics = world.telegram.watch(|world| Some(sight::topics_opened_twice(world))).await;
            verdict.doubled.extend(topics.into_iter().map(|name| format!("the topic {name}")));
        }
        verdict
    }

    /// Everything that was asked is checked.
    pub fn checked(&mut self) {
        self.checked = self.asked.len();
    }

    /// What is said at the tables, in the forum and in the threads of children is the team's.
    pub fn is_ours(&self, line: &Line) -> bool {
        let of_child = || line.room.as_ref().is_some_and(|room| room.starts_with(CHILD.0));
        let forum =
            |spot| matches!((spot, line.spot), (Spot::Telegram(a, Some(_)), Spot::Telegram(b, _)) if a == b);
        of_child() || self.tables.iter().any(|table| table.spot == line.spot || forum(table.spot))
    }

    fn judge(&self, platform: Platform, lines: &[Line], stubs: bool) -> Verdict {
        let mut verdict = Verdict::default();
        let mut seen = HashSet::new();
        for line in lines {
            if line.is_stub() {
                let whole = |other: &&Line| other.is_beside(line) && !other.is_stub();
                if !stubs || !lines.iter().filter(whole).any(|other| other.text.starts_with(line.beginning()))
                {
                    verdict.misplaced.push(format!("a stub of nothing: {line}"));
                }
            } else if !seen.insert((line.spot, &line.text)) {
                verdict.doubled.push(line.to_string());
            } else if let Err(why) = self.belongs(line) {
                verdict.misplaced.push(format!("{why}: {line}"));
            }
        }
        for mark in self.jobs_on(platform).flat_map(|job| job.marks(self.tables[job.table].spot)) {
            match mark.count(lines) {
                0 => verdict.lost.push(mark.to_string()),
                1 => {}
                _ => verdict.doubled.push(mark.to_string()),
            }
        }
        verdict
    }

    /// Whether a line speaks of open jobs of its own conversation only, and in a thread only of its child.
    fn belongs(&self, line: &Line) -> Result<(), &'static str> {
        let of = |name: &str| self.open().iter().find(|job| job.name == name || job.has_child(name));
        let names: Vec<&str> =
            script::names(&line.text, QUEST).chain(script::names(&line.text, CHILD)).collect();
        if names.is_empty() {
            return Err("of no job");
        }
        for name in names {
            let Some(job) = of(name) else { return Err("of a job that is over") };
            let right = match &line.room {
                Some(room) => room == name && line.spot.is_beside(self.tables[job.table].spot),
                None => self.tables[job.table].spot == line.spot,
            };
            if !right {
                return Err("of another conversation");
            }
        }
        Ok(())
    }

    /// The place on Telegram in which this was said to the team.
    pub fn place(&self, world: &World, line: &Line) -> Option<Place> {
        if let Some(room) = &line.room {
            return Some(world.telegram.user("owner").in_topic(FORUM, room).place());
        }
        self.tables.iter().find(|table| table.spot == line.spot).and_then(|table| match &table.seat {
            Seat::Telegram(seat) => Some(seat.place()),
            Seat::Discord(_) => None,
        })
    }

    /// What is wrong with the runs of a database at rest: each child has had one, and it has ended well.
    pub fn wrong_runs(&self, runs: &[(String, String)]) -> Vec<String> {
        let mut wrong = Vec::new();
        for (job, child) in self.asked.iter().flat_map(|job| job.children().map(move |child| (job, child))) {
            let task = script::task(&child);
            let ends: Vec<&str> =
                runs.iter().filter(|(of, _)| *of == task).map(|(_, status)| status.as_str()).collect();
            if ends != ["done"] && !(job.manner() == Manner::Late && ends == ["timed_out"]) {
                wrong.push(format!("the runs of {child}: {ends:?}"));
            }
        }
        wrong
    }
}

/// The person of this number: in each manner one on Telegram and one on Discord.
fn seat(world: &World, number: usize) -> Seat {
    let name = format!("lead{number:02}");
    if number % 2 == 1 {
        // On servers that are of different connections, where the account has two.
        let server = u64::from(number % 4 == 3);
        let person = world.discord().user(&name).in_guild_of_shard(&format!("server {server}"), [server, 2]);
        return Seat::Discord(person.in_channel(&format!("table-{number:02}")));
    }
    let person = world.telegram.user(&name);
    Seat::Telegram(match Manner::of(number) {
        Manner::Waits | Manner::Late => person,
        Manner::Ends | Manner::Talks => person.in_group(&format!("Team {number:02}")),
        Manner::Threads => {
            let seat = person.in_topic(FORUM, "Plans");
            seat.place().promote_bot();
            seat
        }
    })
}

/// The task of every run and how it ended.
pub struct Runs;

#[async_trait]
impl Read for Runs {
    type Output = Vec<(String, String)>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Output, StoreError> {
        const RUNS: &str = "SELECT task, status FROM runs ORDER BY id";
        let rows = tx.all(Sql { lite: RUNS, pg: RUNS }, &[]).await?;
        rows.iter().map(|row| Ok((row.get("task")?, row.get("status")?))).collect()
    }
}
