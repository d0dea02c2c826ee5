//! New versions of messages: who has read the old one, and what becomes of the new one.

use super::accept::{Accept, Accepted, body};
use crate::store::conversations::Place;
use crate::store::inbox::{self, Author, Body, ItemKind, NewItem};
use crate::store::{StoreError, Tx, events, sessions};

impl Accept {
    /// A new version of a message: one that nobody has read yet is replaced; otherwise its readers learn of
    /// it without being woken, or at the next step of the turn at work.
    pub(super) async fn edit(&self, tx: &mut Tx<'_>, place: &Place) -> Result<Accepted, StoreError> {
        let message = &self.message;
        let readers = inbox::of_message(tx, place.id, message.id).await?;
        let rule = if readers.is_empty() { "edit of a message that nobody read" } else { "edit" };
        events::take(tx, &message.conversation.account, message.key.as_str(), place.id, rule).await?;
        for reader in &readers {
            sessions::hold(tx, reader.session_id).await?;
        }
        // A turn may have taken the old version until its session was locked.
        for reader in inbox::of_message(tx, place.id, message.id).await? {
            let body = Body { edited: reader.read, ..body(message) };
            if !reader.consumed {
                inbox::rewrite(tx, reader.id, &body).await?;
                continue;
            }
            let session = sessions::lock(tx, reader.session_id).await?;
            let author = Author::person(&message.sender);
            let item = NewItem {
                wake: false,
                message_id: Some(message.id),
                ..NewItem::new(ItemKind::User, author, &session, place.id, &body)
            };
            inbox::push(tx, &item).await?;
        }
        Ok(Accepted::default())
    }
}
