//! From an error to a sentence and an exit code.

use std::io;

use super::config_check::EX_CONFIG;
use crate::config::Report;
use crate::store::StoreError;

/// The configuration is right in itself and not enough for what was asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(pub String);

/// Tells the error on stderr and returns the exit code for it.
pub(super) fn report(error: &anyhow::Error) -> u8 {
    if is_broken_pipe(error) {
        // Whoever read our output has read enough.
        return 0;
    }
    eprintln!("{}", sentence(error));
    if error.is::<Report>() || error.is::<Misconfigured>() { EX_CONFIG } else { 1 }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn sentence(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        if let Some(StoreError::Refused(sentence)) = cause.downcast_ref() {
            // It says by itself what to do.
            return sentence.clone();
        }
        let cause = cause.to_string();
        // Some errors tell their cause themselves.
        if !text.ends_with(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_sentence_names_every_cause_once() {
        let inner = StoreError::Commit("database: the disk is full".into());
        let error = Err::<(), _>(inner).context("sessions can't be read").unwrap_err();
        insta::assert_snapshot!(
            sentence(&error),
            @"sessions can't be read: database: the disk is full"
        );
    }

    #[test]
    fn a_refusal_of_the_store_stands_alone() {
        let inner = StoreError::Refused("Another roundtable is running.".into());
        let error = Err::<(), _>(inner).context("the node can't start").unwrap_err();
        assert_eq!(sentence(&error), "Another roundtable is running.");
    }

    #[test]
    fn exit_codes_say_whose_fault_it_is() {
        assert_eq!(report(&Misconfigured("no platform".into()).into()), 78);
        assert_eq!(report(&anyhow::anyhow!("no luck")), 1);
        assert_eq!(report(&io::Error::from(io::ErrorKind::BrokenPipe).into()), 0);
    }
}
