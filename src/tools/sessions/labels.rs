//! What a new child is called.

use crate::agents::Agents;
use crate::store::trees;
use crate::store::{Tx, trees::Labelled};
use crate::tools::Refusal;

use super::caller::Failure;

/// Finds a label for a new child of an agent and makes it free: one held by a session at work is refused or, where
/// none was asked for, numbered; that of a finished one passes on. The caller holds the tree's lock.
pub async fn take(
    tx: &mut Tx<'_>,
    tree_id: i64,
    agents: &Agents,
    agent: &str,
    asked: Option<&str>,
) -> Result<String, Failure> {
    let known = trees::labels(tx, tree_id).await?;
    let label = match asked {
        Some(label) => {
            if agents.iter().any(|other| other.id != agent && other.id.eq_ignore_ascii_case(label)) {
                let message = format!("`{label}` is the name of another agent: choose another label.");
                return Err(Refusal::new("label_reserved", message).into());
            }
            label.to_owned()
        }
        None => free(agent, &known),
    };
    match known.into_iter().find(|other| other.label.eq_ignore_ascii_case(&label)) {
        Some(holder) if holder.at_work => {
            let message = format!(
                "`{label}` is at work already. Choose another label, or send to it with sessionKey `{}`.",
                holder.key
            );
            Err(Refusal::new("label_taken", message).offering(vec![holder.key]).into())
        }
        Some(holder) => {
            trees::drop_label(tx, holder.id).await?;
            Ok(label)
        }
        None => Ok(label),
    }
}

/// The agent's id, numbered while it is held by somebody at work.
fn free(agent: &str, known: &[Labelled]) -> String {
    let taken =
        |label: &str| known.iter().any(|other| other.at_work && other.label.eq_ignore_ascii_case(label));
    let numbered = |n: u32| if n == 1 { agent.to_owned() } else { format!("{agent}-{n}") };
    (1..).map(numbered).find(|label| !taken(label)).unwrap_or_else(|| agent.to_owned())
}
