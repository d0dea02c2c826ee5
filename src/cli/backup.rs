//! `roundtable backup`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{Context, offline, out};
use crate::store::Access;
use crate::store::Backup;

/// Where the copy goes.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// A file that is not there yet.
    file: PathBuf,
}

#[derive(Serialize)]
struct Made {
    file: PathBuf,
    #[serde(flatten)]
    backup: Backup,
}

/// Copies the database, also while a node runs. A copy whose rows break a rule is kept, and is a failure.
pub(super) async fn run(context: &Context, arguments: Arguments) -> anyhow::Result<()> {
    let config = context.load()?;
    let Arguments { file } = arguments;
    let backup = offline::with(&config, Access::Look, async |store| store.backup(&file).await).await?;
    let made = Made { file, backup };
    let name = made.file.display();
    out::data(context.json, &made, |_| String::new())?;
    if !made.backup.broken.is_empty() {
        anyhow::bail!(
            "{name} is a whole copy, but the database itself is not as it should be: {}. Please report this.",
            made.backup.broken.join(", ")
        );
    }
    eprintln!(
        "{name} is a copy of the database ({} KiB), and was checked.",
        made.backup.bytes.div_ceil(1024)
    );
    Ok(())
}
