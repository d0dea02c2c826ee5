//! Running cargo.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

/// What cargo says to the programs it runs about themselves. Build scripts that look at these (ring's does)
/// would be run again, and all that needs them be built again, on every change between this and plain cargo.
const ABOUT_US: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"];

/// A call of the cargo that runs this program, in the workspace's root.
pub fn cargo(args: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(args).current_dir(root());
    for (name, _) in std::env::vars_os() {
        if ABOUT_US.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// The workspace's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// Runs a command with its output shown; whether it succeeded. An error is one that could not be started.
pub fn passes(command: &mut Command) -> Result<bool> {
    let status = command.status().with_context(|| format!("{command:?} can't be run"))?;
    Ok(status.success())
}

/// The first line that a command prints, if it can be run and succeeds.
pub fn first_line(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.lines().next().unwrap_or_default().to_owned())
}
