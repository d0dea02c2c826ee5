//! `/focus` and `/unfocus`: whom messages go to until further notice.

use super::{Asked, Done};
use crate::phrases;
use crate::store::{StoreError, Tx, focuses, sessions};

pub(super) async fn set(
    tx: &mut Tx<'_>,
    asked: &Asked<'_>,
    label: &str,
    everyone: bool,
) -> Result<Done, StoreError> {
    if everyone && !asked.decides_for_everyone() {
        return Ok(Done::said(phrases::focus_is_for_owners()));
    }
    let target = match asked.called(label) {
        Ok(target) => target,
        Err(nobody) => return Ok(Done::said(nobody)),
    };
    let session = asked.found_or_made(tx, &target).await?;
    // Who goes out of use takes the focuses on it along, and must not overlook this one.
    let session = sessions::lock(tx, session).await?;
    if session.archived {
        return Ok(Done::said(phrases::archived(session.name())));
    }
    let user = (!everyone).then_some(&asked.message.sender.id);
    focuses::set(tx, asked.place.id, user, session.id).await?;
    Ok(Done::said(phrases::focused(session.name(), everyone)))
}

pub(super) async fn clear(tx: &mut Tx<'_>, asked: &Asked<'_>, everyone: bool) -> Result<Done, StoreError> {
    if everyone && !asked.decides_for_everyone() {
        return Ok(Done::said(phrases::focus_is_for_owners()));
    }
    let user = (!everyone).then_some(&asked.message.sender.id);
    let had_one = focuses::clear(tx, asked.place.id, user).await?;
    Ok(Done::said(phrases::unfocused(had_one, everyone)))
}
