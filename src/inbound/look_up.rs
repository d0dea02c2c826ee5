//! What is looked up before a message is decided about.

use roundtable_contract::Message;

use crate::routing::{self, Facts, Focus, LiveLabel};
use crate::store::conversations::Place;
use crate::store::{StoreError, Tx, chats, people, sessions, trees};

/// What is stored about a sender, a place and those who can be spoken to there.
#[derive(Debug, Default)]
pub struct Known {
    /// About the sender and the place.
    pub(super) stored: people::Facts,
    labels: Vec<LiveLabel>,
    focus: Option<Focus>,
    our_thread: bool,
    /// What the sender and everyone had a focus on and is archived now: names, and whether it was the sender's own.
    pub(super) lost_focus: Vec<(String, bool)>,
}

impl Known {
    /// The same as routing takes it.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            owner: self.stored.owner,
            known: self.stored.paired,
            group_allowed: self.stored.chat_allowed,
            owners_exist: self.stored.owners_exist,
            code_open: self.stored.code_open,
            hinted: self.stored.hinted,
            reply_session: self.stored.reply_session,
            our_thread: self.our_thread,
            focus: self.focus,
            live_labels: &self.labels,
        }
    }
}

/// Looks up what a decision about a message needs: one statement for a message that names nobody.
///
/// # Errors
///
/// Those of the database.
pub async fn look_up(tx: &mut Tx<'_>, place: &Place, message: &Message) -> Result<Known, StoreError> {
    let answered = message.reply_to.as_ref().filter(|quote| quote.ours).and_then(|quote| quote.id);
    let mut stored = people::facts(tx, place, &message.sender.id, answered).await?;
    if let (Some(answered), None) = (answered, stored.reply_session) {
        // A message of ours that can be answered and has no number yet is the one on its way.
        stored.reply_session = chats::session_in_flight(tx, place.id, answered).await?;
    }
    let mut known = Known { stored, our_thread: place.run_id.is_some(), ..Known::default() };
    if routing::may_call(message) {
        known.labels = labels(tx, place).await?;
    }
    for (session, own) in [(known.stored.own_focus, true), (known.stored.common_focus, false)] {
        let Some(session) = session.filter(|_| known.focus.is_none()) else { continue };
        let Some(found) = sessions::in_use(tx, session).await? else { continue };
        if found.archived {
            known.lost_focus.push((found.name().to_owned(), own));
        } else {
            known.focus = Some(Focus { session, own });
        }
    }
    Ok(known)
}

async fn labels(tx: &mut Tx<'_>, place: &Place) -> Result<Vec<LiveLabel>, StoreError> {
    let found = trees::labels_of_conversation(tx, place.id).await?;
    let live = found.into_iter().map(|found| LiveLabel {
        label: found.label,
        tree: found.tree_id,
        session: found.id,
    });
    Ok(live.collect())
}
