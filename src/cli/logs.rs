//! Where the log goes. `ROUNDTABLE_LOG` filters it (`info` when not set), `ROUNDTABLE_LOG_FORMAT=json` makes
//! each entry a line of JSON.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Mutex;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::{Context, Misconfigured};
use crate::store::private_folder;

/// To stderr, in colour on a terminal.
pub(super) fn to_stderr(context: &Context) -> anyhow::Result<()> {
    let colour = io::stderr().is_terminal() && !context.sources.env.contains_key("NO_COLOR");
    start(context, io::stderr, colour)
}

/// To a file that only this user can read: the screen is somebody else's.
pub(super) fn to_file(context: &Context, path: &Path) -> anyhow::Result<()> {
    let open = || {
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path)
    };
    let file = open().with_context(|| format!("can't write the log {}", path.display()))?;
    start(context, Mutex::new(file), false)
}

fn start<W>(context: &Context, writer: W, colour: bool) -> anyhow::Result<()>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let env = |name: &str| context.sources.env.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let filter = EnvFilter::builder().parse(env("ROUNDTABLE_LOG").unwrap_or("info")).map_err(|error| {
        Misconfigured(format!(
            "ROUNDTABLE_LOG is no filter ({error}): write one like `info` or `roundtable=debug`."
        ))
    })?;
    // genai logs the bodies of failed calls, and so what people wrote; what failed is logged by us.
    let filter = filter.add_directive("genai=off".parse().expect("a plain directive"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colour);
    match env("ROUNDTABLE_LOG_FORMAT") {
        None | Some("text") => log.init(),
        Some("json") => log.json().init(),
        Some(other) => {
            let message = format!("ROUNDTABLE_LOG_FORMAT is `{other}`: write `text` or `json`.");
            return Err(Misconfigured(message).into());
        }
    }
    Ok(())
}
