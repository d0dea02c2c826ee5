//! A fault that is planted on purpose, see [`roundtable_contract::planted`]: the end of a run and the word of it to its
//! requester are two transactions.

use std::sync::Arc;

use async_trait::async_trait;
use roundtable_contract::planted::{Fault, is_planted};

use super::effects::Effects;
use super::{Engine, lock, outcomes};
use crate::store::runs::{self, Run};
use crate::store::{StoreError, Transaction, Tx, sessions};

/// Leaves a requester untold for now, if that fault is planted.
pub(super) fn tells_late(run: &Run, after: &mut Effects) -> bool {
    let late = is_planted(Fault::LateAnnouncement);
    if late {
        after.untold.push(run.id);
    }
    late
}

impl Engine {
    /// Tells the requesters of runs that have ended.
    pub(super) fn tell_late(self: &Arc<Self>, runs: &[i64]) {
        for run_id in runs {
            let (engine, run_id) = (self.clone(), *run_id);
            lock(&self.tasks).spawn(async move {
                // Whoever dies before has told nobody: that is the fault.
                if engine.store.commit(Tell { run_id }).await.is_ok() {
                    engine.wake();
                }
            });
        }
    }
}

struct Tell {
    run_id: i64,
}

#[async_trait]
impl Transaction for Tell {
    type Output = ();
    const NAME: &'static str = "tell";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let run = runs::get(tx, self.run_id).await?;
        let (child, requester) =
            (sessions::get(tx, run.session_id).await?, sessions::get(tx, run.requester_id).await?);
        outcomes::tell(tx, &run, &child, &requester, false).await
    }
}
