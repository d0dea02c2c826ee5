//! `/agents`, `/status` and `/history`: what there is to see.

use super::{Asked, Done};
use crate::control;
use crate::phrases;
use crate::store::entries::{self, Page};
use crate::store::{StoreError, Tx, sessions};

pub(super) async fn agents(tx: &mut Tx<'_>, asked: &Asked<'_>) -> Result<Done, StoreError> {
    let table = control::table(tx, asked.place.id).await?;
    Ok(Done::said(phrases::agents(&asked.edges.rules.agents, &table)))
}

pub(super) async fn status(tx: &mut Tx<'_>, asked: &Asked<'_>) -> Result<Done, StoreError> {
    let table = control::table(tx, asked.place.id).await?;
    Ok(Done::said(phrases::status(&table)))
}

pub(super) async fn history(
    tx: &mut Tx<'_>,
    asked: &Asked<'_>,
    label: &str,
    count: i64,
) -> Result<Done, StoreError> {
    let target = match asked.called(label) {
        Ok(target) => target,
        Err(nobody) => return Ok(Done::said(nobody)),
    };
    let Some(session_id) = asked.found(tx, &target).await? else {
        return Ok(Done::said(phrases::nothing_said(label)));
    };
    let name = sessions::get(tx, session_id).await?.name().to_owned();
    let page = Page { session_id, before: None, offset: 0, limit: count, tools: false };
    Ok(Done::said(phrases::history(&name, &entries::page(tx, &page).await?)))
}
