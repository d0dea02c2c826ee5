//! Measures the whole program: the release binary, over real sockets, against the fakes of the tests.
//!
//! `cargo xtask bench` runs it, `cargo xtask bench sqlite` or `postgres` for one database. Models answer at once and
//! nothing is paced, so that what is measured is the program, with full durability on. The disk's own speed stands
//! beside. With `--divisor=50` everything is done a fiftieth as often: only to see that the bench itself works.

mod figures;
mod machine;
mod messages;
mod node;
mod team;

use std::fs;
use std::path::Path;

use anyhow::Result;
use figures::Figures;

#[path = "../../tests/support/postgres.rs"]
mod postgres;

#[tokio::main]
async fn main() -> Result<()> {
    let dir = tempfile::tempdir()?;
    println!("disk: {:.0} fsyncs a second", machine::fsyncs(dir.path())?);
    println!("loopback: {:.0} µs for a round trip", machine::loopback()?.as_secs_f64() * 1e6);
    // Cargo itself passes `--bench`.
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |name| only.as_deref().is_none_or(|only| only == name);
    let mut ours = Vec::new();
    if wanted("sqlite") {
        ours.push(measure("SQLite", dir.path(), async || None).await?);
    }
    match postgres::postgres() {
        _ if !wanted("postgres") => {}
        Some(server) => {
            let fresh = async || Some(server.fresh_durable_database().await);
            ours.push(measure("PostgreSQL", dir.path(), fresh).await?);
        }
        None => println!("PostgreSQL: not found, not measured"),
    }
    figures::print_beside_peers(ours);
    Ok(())
}

/// Measures on one kind of database, each part on a fresh one; without a server's, `fresh` gives none.
async fn measure(name: &str, dir: &Path, fresh: impl AsyncFn() -> Option<String>) -> Result<Figures> {
    println!("\n{name}");
    let mut figures = Figures { name: name.to_owned(), ..Figures::default() };
    let place = async |part: &str| {
        let folder = dir.join(format!("{name}-{part}"));
        fs::create_dir_all(&folder)?;
        let file = || format!("sqlite:{}", folder.join("roundtable.db").display());
        let url = fresh().await.unwrap_or_else(file);
        anyhow::Ok((folder, url))
    };
    let (folder, url) = place("messages").await?;
    messages::measure(&folder, &url, &mut figures).await?;
    let (folder, url) = place("results").await?;
    figures.announced = Some(team::results(&folder, &url).await?);
    let (folder, url) = place("crowd").await?;
    team::crowd(&folder, &url).await?;
    Ok(figures)
}

/// How often something is done in this run.
fn scaled(full: usize) -> usize {
    let divisor = std::env::args().find_map(|argument| argument.strip_prefix("--divisor=")?.parse().ok());
    (full / divisor.unwrap_or(1).max(1)).max(1)
}
