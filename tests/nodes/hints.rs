//! What nodes tell one another, and what becomes of it when nobody hears it.

use anyhow::ensure;
use async_trait::async_trait;
use roundtable::store::{Read, Sql, StoreError, Tx};

use super::fleet::Fleet;
use crate::kills::report::{Outcome, conclude};
use crate::kills::scene::{Mode, read};
use crate::support::databases::{Database, change};
use crate::support::requests::next_text;

/// No node looks for anything within any patience.
const BLIND: [(&str, &str); 3] = [("LEASE", "4h"), ("RENEW", "1h"), ("POLL", "1h")];

/// In the place of PostgreSQL's own function: keeps what nodes tell one another, and tells nobody.
const DEAF: [&str; 3] = [
    "CREATE SCHEMA deaf",
    "CREATE TABLE deaf.news (news TEXT NOT NULL)",
    "CREATE FUNCTION deaf.pg_notify(text, text) RETURNS void LANGUAGE sql
     AS 'INSERT INTO deaf.news VALUES ($2)'",
];

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_never_look_hear_of_everything_from_one_another() {
    let Some(fleet) = Fleet::set(false).await.unwrap() else { return };
    conclude(vec![blind(fleet).await]);
}

async fn blind(mut fleet: Fleet) -> anyhow::Result<Outcome> {
    let times = BLIND.map(|(key, time)| (format!("ROUNDTABLE_NODE__{key}"), time.to_owned()));
    fleet.scene.world.env.extend(times);
    start_two(&mut fleet).await?;
    answer_on_the_other(&fleet).await?;
    stop_on_the_other(&fleet).await?;
    leave_to_the_other(&mut fleet).await?;
    fleet.judge(Outcome::new("nobody looks", Database::Postgres, Mode::Probe)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_hear_nothing_find_everything_by_looking() {
    let Some(fleet) = Fleet::set(false).await.unwrap() else { return };
    conclude(vec![deaf(fleet).await]);
}

async fn deaf(mut fleet: Fleet) -> anyhow::Result<Outcome> {
    let name = fleet.scene.world.url.rsplit('/').next().unwrap_or_default().to_owned();
    for statement in DEAF {
        change(&name, statement).await?;
    }
    change(&name, &format!("ALTER DATABASE {name} SET search_path = public, deaf, pg_catalog")).await?;
    start_two(&mut fleet).await?;
    answer_on_the_other(&fleet).await?;
    leave_to_the_other(&mut fleet).await?;
    let told = read(&fleet.scene.world.url, Unheard).await?;
    for news in ["Work", "Said", "Free"] {
        ensure!(told.contains(news), "{news} was to be lost, and was not told: {told}");
    }
    fleet.judge(Outcome::new("nobody hears", Database::Postgres, Mode::Probe)).await
}

/// Two nodes that listen, each with room for one turn. The first has the accounts.
async fn start_two(fleet: &mut Fleet) -> anyhow::Result<()> {
    fleet.scene.world.env.insert("ROUNDTABLE_NODE__MAX_TURNS".to_owned(), "1".to_owned());
    fleet.start("one").await?;
    fleet.start("two").await?;
    let stored = fleet.scene.world.stored().await;
    let both = async || (stored.read(Listening).await == 2).then_some(());
    stored.find("both to listen", both).await;
    Ok(())
}

/// The node that has the accounts has no room: the other one is told to answer, and this one to say it.
async fn answer_on_the_other(fleet: &Fleet) -> anyhow::Result<()> {
    let [ann, bob] = ["ann", "bob"].map(|name| fleet.scene.world.telegram.user(name));
    let thought = fleet.scene.world.model.hold("a hard question");
    ann.says("a hard question");
    thought.arrived().await?;
    bob.says("is anybody there?");
    ensure!(next_text(&bob).await == "echo: is anybody there?");
    thought.release();
    ensure!(next_text(&ann).await == "echo: a hard question");
    Ok(())
}

/// What the other one works at is stopped here: it is told to leave it.
async fn stop_on_the_other(fleet: &Fleet) -> anyhow::Result<()> {
    let [ann, bob] = ["ann", "bob"].map(|name| fleet.scene.world.telegram.user(name));
    let model = &fleet.scene.world.model;
    let [hard, harder] = ["a hard question", "a harder one"].map(|question| model.hold(question));
    ann.says("a hard question");
    hard.arrived().await?;
    bob.says("a harder one");
    harder.arrived().await?;
    bob.says("/stop");
    ensure!(next_text(&bob).await.starts_with("Stopped: "));
    model.wait_for_abandoned("the harder one", |request| request.asks("a harder one")).await?;
    hard.release();
    ensure!(next_text(&ann).await == "echo: a hard question");
    Ok(())
}

/// The node that has the accounts ends, and the other one has them.
async fn leave_to_the_other(fleet: &mut Fleet) -> anyhow::Result<()> {
    fleet.nodes.take("one")?.stop().await?;
    fleet.owned_by_another("one").await?;
    let ann = fleet.scene.world.telegram.user("ann");
    ann.says("and now?");
    ensure!(next_text(&ann).await == "echo: and now?");
    Ok(())
}

/// How many nodes listen.
struct Listening;

#[async_trait]
impl Read for Listening {
    type Output = i64;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        const LISTENING: &str = "SELECT COUNT(*) AS nodes FROM pg_stat_activity
            WHERE datname = current_database() AND query LIKE 'LISTEN%' AND state = 'idle'";
        tx.one(Sql { lite: LISTENING, pg: LISTENING }, &[]).await?.get("nodes")
    }
}

/// All that was told and not heard.
struct Unheard;

#[async_trait]
impl Read for Unheard {
    type Output = String;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<String, StoreError> {
        const UNHEARD: &str = "SELECT COALESCE(STRING_AGG(news, ' '), '') AS news FROM deaf.news";
        tx.one(Sql { lite: UNHEARD, pg: UNHEARD }, &[]).await?.get("news")
    }
}
