//! What the deaths have cost, as a table.

use std::fmt;
use std::time::Duration;

use super::load::Verdict;
use super::scene::Mode;
use super::sight::Platform;
use crate::support::databases::Database;

/// How long it took people on one platform to see the first answer after a fault, and the last.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recovery {
    pub first: Duration,
    pub last: Duration,
}

/// What became of one world.
#[derive(Debug)]
pub struct Outcome {
    what: String,
    database: Database,
    mode: Mode,
    /// Processes that were killed.
    pub kills: u32,
    /// What people see wrong, on each platform.
    verdicts: [Verdict; 2],
    /// Messages on Telegram that are seen twice, as its mode allows.
    pub repeated: usize,
    /// What is wrong in the database.
    pub broken: Vec<String>,
    /// The longest recovery on each platform.
    recoveries: [Recovery; 2],
    /// All chats, and what the program said, when something is wrong.
    pub evidence: String,
}

impl Outcome {
    /// Nothing has happened yet.
    pub fn new(what: &str, database: Database, mode: Mode) -> Self {
        Self {
            what: what.to_owned(),
            database,
            mode,
            kills: 0,
            verdicts: Default::default(),
            repeated: 0,
            broken: Vec::new(),
            recoveries: Default::default(),
            evidence: String::new(),
        }
    }

    /// How long a recovery took on each platform; the longest counts.
    pub fn took(&mut self, recoveries: [Recovery; 2]) {
        for (longest, Recovery { first, last }) in self.recoveries.iter_mut().zip(recoveries) {
            longest.first = longest.first.max(first);
            longest.last = longest.last.max(last);
        }
    }

    /// Adds what was seen on a platform.
    pub fn add(&mut self, platform: Platform, verdict: Verdict) {
        let all = &mut self.verdicts[platform as usize];
        all.lost.extend(verdict.lost);
        all.doubled.extend(verdict.doubled);
        all.misplaced.extend(verdict.misplaced);
    }

    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.verdicts.iter().all(Verdict::is_clean) && self.broken.is_empty()
    }

    fn problems(&self) -> String {
        let seen = self.verdicts.iter().flat_map(|Verdict { lost, doubled, misplaced }| {
            [("lost", lost), ("doubled", doubled), ("misplaced", misplaced)]
        });
        let lines = seen
            .chain([("database", &self.broken)])
            .flat_map(|(what, list)| list.iter().take(8).map(move |item| format!("\n  {what}: {item}")));
        lines.collect()
    }
}

/// A row for each platform, and what is wrong.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repeated = self.repeated.to_string();
        let seen = self.verdicts.iter().zip(self.recoveries);
        for (platform, (verdict, Recovery { first, last })) in Platform::ALL.into_iter().zip(seen) {
            let Verdict { lost, doubled, misplaced } = verdict;
            let (mode, repeated) = match platform {
                Platform::Telegram => (format!("{:?}", self.mode), repeated.as_str()),
                Platform::Discord => ("-".to_owned(), "-"),
            };
            let numbers = [
                &self.kills.to_string(),
                &lost.len().to_string(),
                &doubled.len().to_string(),
                &misplaced.len().to_string(),
                repeated,
                &self.broken.len().to_string(),
                &format!("{} ms", first.as_millis()),
                &format!("{} ms", last.as_millis()),
            ];
            let words =
                [&self.what, &format!("{:?}", self.database), &format!("{platform:?}"), mode.as_str()];
            let row = row(words, numbers);
            let end = if platform == Platform::Telegram { "\n" } else { "" };
            write!(f, "{row}{end}")?;
        }
        f.write_str(&self.problems())
    }
}

/// A row of the table.
fn row([what, database, platform, mode]: [&str; 4], numbers: [&str; 8]) -> String {
    let [kills, lost, doubled, misplaced, repeated, broken, first, last] = numbers;
    format!(
        "{what:<34} {database:<9} {platform:<9} {mode:<6} {kills:>5} {lost:>5} {doubled:>8} {misplaced:>10} \
         {repeated:>9} {broken:>9} {first:>8} {last:>8}"
    )
}

/// Prints the table and fails if anything is wrong anywhere.
pub fn conclude(outcomes: Vec<anyhow::Result<Outcome>>) {
    let head = row(
        ["killed", "database", "platform", "mode"],
        ["kills", "lost", "doubled", "misplaced", "repeated", "broken", "first", "last"],
    );
    println!("\n{head}");
    let mut failures = Vec::new();
    let (mut kills, mut longest) = (0, [Duration::ZERO; 2]);
    for outcome in outcomes {
        match outcome {
            Ok(outcome) => {
                println!("{outcome}");
                kills += outcome.kills;
                longest =
                    [0, 1].map(|platform: usize| longest[platform].max(outcome.recoveries[platform].last));
                if !outcome.is_clean() {
                    failures.push(format!("{outcome}\n{}", outcome.evidence));
                }
            }
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    let [telegram, discord] = longest.map(|longest| longest.as_millis());
    println!("{kills} kills; the longest recovery took {telegram} ms on Telegram, {discord} ms on Discord\n");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n\n"));
}
