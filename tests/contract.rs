//! The channel contract, told once: every adapter passes the same cases, seen from the outside.
//!
//! A platform joins by implementing [`Subject`] and naming the groups of cases that apply to it; what it
//! cannot do (`None` in the contract, or a platform that cannot be staged so) it leaves out by name.

/// Makes the cases of the named groups tests of the subject that the expression starts, one each.
macro_rules! suite {
    ($subject:expr; $($group:ident)+) => { $(suite!(@$group $subject);)+ };
    // what every channel can
    (@rendering $subject:expr) => { suite! { @cases $subject, rendering:
        an_answer_is_rendered_the_same_every_time
        a_blank_text_has_no_parts
        parts_survive_being_stored
        what_is_rendered_is_what_people_see
        a_persona_is_named_and_the_program_is_not
        a_long_text_comes_in_order_and_whole
    } };
    (@sending $subject:expr) => { suite! { @cases $subject, sending:
        what_is_constant_stays_the_same
        a_message_is_seen_once_under_the_number_it_got
        numbers_rise_within_an_id_space
        a_foreign_part_is_rejected_with_a_sentence
        an_unreachable_platform_has_not_been_sent_to
        typing_leaves_nothing_behind
        listening_begins_ready_and_stops_at_once
    } };
    // where some addresses do not exist
    (@nowhere $subject:expr) => { suite! { @cases $subject, sending:
        a_place_that_does_not_exist_is_rejected_with_a_sentence
    } };
    // where messages can be changed
    (@editing $subject:expr) => { suite! { @cases $subject, editing:
        the_same_edit_twice_is_one_edit
        an_edit_of_no_message_is_rejected_with_a_sentence
        an_edit_whose_answer_is_lost_may_be_repeated
    } };
    // where a send may be looked for
    (@finding $subject:expr) => { suite! { @cases $subject, finding:
        a_message_that_is_there_is_found_under_its_number
        what_is_said_of_a_message_never_sent_is_true
        looking_changes_no_other_message
    } };
    // where answers and requests can get lost
    (@losing $subject:expr) => { suite! { @cases $subject, losing:
        a_send_without_an_answer_is_of_unknown_outcome
    } };
    (@losing_and_finding $subject:expr) => { suite! { @cases $subject, losing:
        a_lost_answer_is_found
        a_lost_request_is_absent
    } };
    // where people's messages come through `run`
    (@listening $subject:expr) => { suite! { @cases $subject, listening:
        every_message_comes_once_and_in_order
        what_was_accepted_does_not_come_again
        what_was_refused_is_offered_again
        what_was_refused_is_not_confirmed
        a_stop_does_not_wait_for_the_edge
        an_outage_is_reported_and_passes
        an_account_of_no_use_ends_with_a_reason
    } };
    (@cases $subject:expr, $module:ident: $($case:ident)+) => { $(
        #[tokio::test(flavor = "multi_thread")]
        async fn $case() {
            let mut subject = $subject.await;
            crate::contract::$module::$case(&mut subject).await;
            crate::contract::subject::Subject::end(subject).await;
        }
    )+ };
}

mod discord;
pub mod edge;
mod editing;
mod finding;
mod listening;
mod local;
mod losing;
mod rendering;
mod sending;
mod subject;
mod telegram;
