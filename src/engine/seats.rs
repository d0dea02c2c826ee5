//! Who is at the table of a turn: the query behind the roster.

use super::roster::{Relation, Seat};
use crate::agents::Agents;
use crate::store::runs::RunStatus;
use crate::store::session_lists::{self, Filter, Summary};
use crate::store::turns::Turn;
use crate::store::{StoreError, Tx};

/// Sessions that are looked at; the roster shows no more.
const SEATS: i64 = 33;

/// The sessions of a turn's tree, seen from its own; empty when it is alone.
pub async fn around(tx: &mut Tx<'_>, turn: &Turn, agents: &Agents) -> Result<Vec<Seat>, StoreError> {
    let filter = Filter { tree_id: Some(turn.tree_id), ..Filter::default() };
    let rows = session_lists::list(tx, &filter, SEATS).await?;
    if rows.len() < 2 {
        return Ok(Vec::new());
    }
    let lines = session_lists::last_answers(tx, turn.tree_id, SEATS).await?;
    let own = rows.iter().find(|row| row.id == turn.session_id).map(|row| (row.id, row.parent_id));
    let seat = |row: &Summary| Seat {
        label: row.label.clone(),
        agent_id: row.agent.clone(),
        agent_name: agents.get(&row.agent).map_or_else(|| row.agent.clone(), |agent| agent.name.clone()),
        session_key: row.key.clone(),
        status: row.status,
        run: row.run_status.as_deref().and_then(|word| RunStatus::read(word).ok()).map(RunStatus::as_str),
        task: row.task.clone(),
        last_line: lines.iter().find(|(id, _)| *id == row.id).map(|(_, answer)| answer.text.clone()),
        relation: own.map_or(Relation::Other, |own| relation(own, row)),
    };
    Ok(rows.iter().map(seat).collect())
}

fn relation((id, parent): (i64, Option<i64>), other: &Summary) -> Relation {
    if other.id == id {
        Relation::Own
    } else if parent == Some(other.id) {
        Relation::Parent
    } else if other.parent_id == Some(id) {
        Relation::Child
    } else if other.parent_id.is_some() && other.parent_id == parent {
        Relation::Sibling
    } else {
        Relation::Other
    }
}
