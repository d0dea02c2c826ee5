//! `cargo xtask prove`: tests whose counts are small by default, with the counts behind the promises.

use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::postgres;
use crate::runner::cargo;

/// One promise that is proved by number.
struct Prover {
    /// Its name on the command line.
    name: &'static str,
    /// What is counted.
    counts: &'static str,
    /// The variable from which the test takes its count.
    variable: &'static str,
    /// The full count.
    count: u64,
    /// Where the test is: arguments of `cargo test`, the last one its filter.
    test: &'static [&'static str],
}

const PROVERS: [Prover; 10] = [
    Prover {
        name: "simulate",
        counts: "seeds of simulated worlds",
        variable: "ROUNDTABLE_PROVE_SIMULATE",
        count: 100_000,
        test: &["--package", "roundtable", "--test", "integration", "simulation::no_seed"],
    },
    Prover {
        name: "faults",
        counts: "seeds at most for each planted fault to be found",
        variable: "ROUNDTABLE_PROVE_FAULTS",
        count: 2_000,
        test: &[
            "--package",
            "roundtable",
            "--features",
            "planted-faults",
            "--test",
            "integration",
            "simulation::faults",
        ],
    },
    Prover {
        name: "kills",
        counts: "kills of the program at random moments on each database",
        variable: "ROUNDTABLE_PROVE_KILLS",
        count: 1_000,
        test: &["--package", "roundtable", "--test", "integration", "kills::"],
    },
    Prover {
        name: "split",
        counts: "documents cut into messages and sent",
        variable: "ROUNDTABLE_PROVE_DOCS",
        count: 20_000,
        test: &["--package", "roundtable", "--test", "integration", "documents::"],
    },
    Prover {
        name: "trees",
        counts: "trees of agents with random finishing times",
        variable: "ROUNDTABLE_PROVE_TREES",
        count: 1_000,
        test: &["--package", "roundtable", "--test", "integration", "team::trees::"],
    },
    Prover {
        name: "places",
        counts: "interleavings of work in several conversations, a fifth of them over sockets too",
        variable: "ROUNDTABLE_PROVE_PLACES",
        count: 2_000,
        test: &["--package", "roundtable", "--test", "integration", "team::places::"],
    },
    Prover {
        name: "failover",
        counts: "kills of the node that has the accounts, with the default times",
        variable: "ROUNDTABLE_PROVE_FAILOVER",
        count: 20,
        test: &["--package", "roundtable", "--test", "integration", "nodes::killed::"],
    },
    Prover {
        name: "rolling",
        counts: "messages a second while three nodes are restarted one after the other",
        variable: "ROUNDTABLE_PROVE_ROLLING",
        count: 100,
        test: &["--package", "roundtable", "--test", "integration", "nodes::rolling::"],
    },
    Prover {
        name: "asleep",
        counts: "seconds for which a process is stopped under load, on each database",
        variable: "ROUNDTABLE_PROVE_ASLEEP",
        count: 30,
        test: &["--package", "roundtable", "--test", "integration", "outages::asleep::"],
    },
    Prover {
        name: "soak",
        counts: "minutes of mixed load and faults",
        variable: "ROUNDTABLE_PROVE_SOAK",
        count: 30,
        test: &["--package", "roundtable", "--test", "integration", "soak::"],
    },
];

/// Runs the named provers, or all of them.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let (provers, count) = parse(args)?;
    let mut lines = Vec::new();
    let mut proved = true;
    for prover in provers {
        let count = count.unwrap_or(prover.count);
        let passed = prove(prover, count)?;
        proved &= passed.is_some();
        lines.push(match passed {
            Some(tests) => format!("  {}: {count} {}, {tests} tests passed", prover.name, prover.counts),
            None => format!("  {}: {count} {}, FAILED", prover.name, prover.counts),
        });
    }
    println!("\nxtask prove:\n{}", lines.join("\n"));
    Ok(if proved { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse(args: &[String]) -> Result<(Vec<&'static Prover>, Option<u64>)> {
    let mut named = Vec::new();
    let mut count = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--count" || arg == "--seeds" {
            let number = args.next().with_context(|| format!("{arg} needs a number"))?;
            count = Some(number.parse().with_context(|| format!("`{number}` is no number"))?);
            continue;
        }
        match PROVERS.iter().find(|prover| prover.name == arg) {
            Some(prover) => named.push(prover),
            None => bail!("there is no prover `{arg}`; there are: {}", PROVERS.map(|p| p.name).join(", ")),
        }
    }
    if named.is_empty() {
        named.extend(&PROVERS);
    }
    Ok((named, count))
}

/// Runs one prover with its output shown; how many tests passed, or `None` when one failed. What is proved is the
/// program as it is released. A prover that finds no test proves nothing, which is an error.
fn prove(prover: &Prover, count: u64) -> Result<Option<u64>> {
    let mut command = cargo(&["test", "--release", "--locked"]);
    command.args(prover.test).args(["--", "--nocapture", "--test-threads", "1"]);
    command.env(prover.variable, count.to_string()).stdout(Stdio::piped());
    if let Some(found) = postgres::provide() {
        command.env("ROUNDTABLE_TEST_PG_BIN", found.bin);
    }
    let mut child = command.spawn().context("cargo can't be run")?;
    let output = child.stdout.take().context("the tests have no output")?;
    let mut passed = 0;
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        passed += passed_in(&line);
    }
    if !child.wait()?.success() {
        return Ok(None);
    }
    ensure!(passed > 0, "no test matches `{}`: nothing was proved", prover.test.join(" "));
    Ok(Some(passed))
}

/// Reads `test result: ok. 3 passed; …`.
fn passed_in(line: &str) -> u64 {
    let counts = line.strip_prefix("test result: ok. ").and_then(|rest| rest.split_once(" passed"));
    counts.and_then(|(passed, _)| passed.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<(Vec<&'static str>, Option<u64>)> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let (provers, count) = parse(&args)?;
        Ok((provers.iter().map(|prover| prover.name).collect(), count))
    }

    #[test]
    fn everything_is_proved_unless_something_is_named() -> Result<()> {
        assert_eq!(parsed(&[])?, (PROVERS.map(|prover| prover.name).to_vec(), None));
        assert_eq!(parsed(&["split", "--count", "7"])?, (vec!["split"], Some(7)));
        assert_eq!(parsed(&["simulate", "--seeds", "9"])?, (vec!["simulate"], Some(9)));
        assert!(parsed(&["splits"]).is_err() && parsed(&["--count"]).is_err());
        assert!(parsed(&["--count", "many"]).is_err());
        Ok(())
    }

    #[test]
    fn only_tests_that_passed_are_counted() {
        assert_eq!(
            passed_in("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out"),
            12
        );
        assert_eq!(passed_in("test result: FAILED. 12 passed; 1 failed"), 0);
        assert_eq!(passed_in("running 3 tests"), 0);
    }
}
