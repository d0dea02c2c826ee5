//! What the deaths have cost, as a table.

use std::fmt;
use std::time::Duration;

use super::load::Verdict;
use super::scene::Mode;
use crate::support::databases::Database;

/// What became of one world.
#[derive(Debug)]
pub struct Outcome {
    what: String,
    database: Database,
    mode: Mode,
    /// Processes that were killed.
    pub kills: u32,
    /// What people see wrong.
    verdict: Verdict,
    /// What is wrong in the database.
    pub broken: Vec<String>,
    first: Duration,
    last: Duration,
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
            verdict: Verdict::default(),
            broken: Vec::new(),
            first: Duration::ZERO,
            last: Duration::ZERO,
            evidence: String::new(),
        }
    }

    /// How long a recovery took, to its first and its last answer; the longest counts.
    pub fn took(&mut self, first: Duration, last: Duration) {
        self.first = self.first.max(first);
        self.last = self.last.max(last);
    }

    /// Adds what was seen.
    pub fn add(&mut self, verdict: Verdict) {
        self.verdict.lost.extend(verdict.lost);
        self.verdict.doubled.extend(verdict.doubled);
        self.verdict.misplaced.extend(verdict.misplaced);
    }

    /// Nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.verdict.is_clean() && self.broken.is_empty()
    }

    fn problems(&self) -> String {
        let Verdict { lost, doubled, misplaced } = &self.verdict;
        let lists =
            [("lost", lost), ("doubled", doubled), ("misplaced", misplaced), ("database", &self.broken)];
        let lines = lists
            .iter()
            .flat_map(|(what, list)| list.iter().take(8).map(move |item| format!("  {what}: {item}")));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Verdict { lost, doubled, misplaced } = &self.verdict;
        write!(
            f,
            "{:<34} {:<9} {:<6} {:>5} {:>5} {:>8} {:>10} {:>9} {:>8} {:>8}",
            self.what,
            format!("{:?}", self.database),
            format!("{:?}", self.mode),
            self.kills,
            lost.len(),
            doubled.len(),
            misplaced.len(),
            self.broken.len(),
            format!("{} ms", self.first.as_millis()),
            format!("{} ms", self.last.as_millis()),
        )?;
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { write!(f, "\n{problems}") }
    }
}

/// Prints the table and fails if anything is wrong anywhere.
pub fn conclude(outcomes: Vec<anyhow::Result<Outcome>>) {
    println!(
        "\n{:<34} {:<9} {:<6} {:>5} {:>5} {:>8} {:>10} {:>9} {:>8} {:>8}",
        "killed", "database", "mode", "kills", "lost", "doubled", "misplaced", "database", "first", "last"
    );
    let mut failures = Vec::new();
    let (mut kills, mut longest) = (0, Duration::ZERO);
    for outcome in outcomes {
        match outcome {
            Ok(outcome) => {
                println!("{outcome}");
                kills += outcome.kills;
                longest = longest.max(outcome.last);
                if !outcome.is_clean() {
                    failures.push(format!("{outcome}\n{}", outcome.evidence));
                }
            }
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    println!("{kills} kills; the longest recovery took {} ms\n", longest.as_millis());
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n\n"));
}
