//! `cargo xtask test`: the README's test command.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::postgres::{self, Postgres};
use crate::runner::{cargo, first_line, passes};

/// Passed, except that there was no PostgreSQL to test on.
const WITHOUT_POSTGRES: u8 = 3;

/// Runs all tests. With arguments, which are the runner's, the documentation's examples are left out.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let postgres = postgres::provide();
    let nextest = first_line(&mut cargo(&["nextest", "--version"])).is_some();
    let runner: &[&str] = if nextest { &["nextest", "run"] } else { &["test"] };
    let mut tests = cargo(runner);
    tests.args(["--workspace", "--locked"]).args(args);
    let mut failed = Vec::new();
    if !passes(with(&postgres, &mut tests))? {
        failed.push("tests");
    }
    // Without nextest they were run with the others.
    let mut examples = cargo(&["test", "--workspace", "--locked", "--doc", "--quiet"]);
    if nextest && args.is_empty() && !passes(with(&postgres, &mut examples))? {
        failed.push("examples in the documentation");
    }
    println!("\n{}", summary(postgres.as_ref(), &failed));
    Ok(match (failed.is_empty(), postgres) {
        (false, _) => ExitCode::FAILURE,
        (true, Some(_)) => ExitCode::SUCCESS,
        (true, None) => ExitCode::from(WITHOUT_POSTGRES),
    })
}

/// Tells the tests which PostgreSQL to use.
fn with<'a>(postgres: &Option<Postgres>, command: &'a mut Command) -> &'a mut Command {
    match postgres {
        Some(found) => command.env("ROUNDTABLE_TEST_PG_BIN", &found.bin),
        None => command.env("ROUNDTABLE_TEST_PG", "none"),
    }
}

fn summary(postgres: Option<&Postgres>, failed: &[&str]) -> String {
    let outcome = match failed {
        [] => "passed".to_owned(),
        _ => format!("FAILED: {}", failed.join(", ")),
    };
    let databases = match postgres {
        Some(Postgres { version, .. }) => format!("ran on SQLite (built in) and on {version}"),
        None => {
            "ran on SQLite only. The PostgreSQL tests were NOT RUN: install it (`initdb` and `postgres` on \
                 the PATH, or the package `postgresql`) and run this again"
                .to_owned()
        }
    };
    format!("xtask test: {outcome}; {databases}.")
}
