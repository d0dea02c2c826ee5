//! Developer commands: `cargo xtask test`, `cargo xtask prove`, `cargo xtask bench`. CONTRIBUTING.md says
//! when to use which.

mod find_postgres;
mod postgres;
mod prove;
mod runner;
mod test;

use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "\
Usage: cargo xtask <command>

  test [args]                    All tests, on SQLite and PostgreSQL (installed where that is possible).
                                 Arguments go to the test runner: cargo nextest, else cargo test.
  prove [name ...] [--count N]   The full counts behind the promises; all of them, or those named.
  bench [args]                   Builds with optimisation and measures.

Exit codes: 0 passed, 1 failed, 2 usage, 3 passed except that there was no PostgreSQL to test on.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.split_first() {
        Some((command, rest)) if command == "test" => test::run(rest),
        Some((command, rest)) if command == "prove" => prove::run(rest),
        Some((command, rest)) if command == "bench" => bench(rest),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}

fn bench(args: &[String]) -> Result<ExitCode> {
    let mut cargo =
        runner::cargo(&["bench", "--locked", "--package", "roundtable", "--bench", "program", "--"]);
    Ok(if runner::passes(cargo.args(args))? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
