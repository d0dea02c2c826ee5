//! Which tools a turn may use. An agent's own lists say what it may call; what it was asked by restricts that
//! further, so that no weak agent can borrow a strong one. `deny` wins.

use serde::{Deserialize, Serialize};

use crate::agents::{Agent, Agents};
use crate::store::exchanges::Exchange;
use crate::store::turns::Turn;
use crate::store::{StoreError, Tx, inbox, runs};

/// The restrictions on a turn beside its agent's own lists: one for each agent on the way from the person who asked.
/// Stored with runs, exchanges and inbox items as JSON; the default restricts nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Policy(Vec<Grant>);

/// What one agent hands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Grant {
    /// Tools and groups.
    tools: Vec<String>,
    /// Tools and groups that are never handed on.
    deny: Vec<String>,
}

impl Policy {
    /// Reads a stored policy. One that can't be read allows nothing.
    pub fn stored(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_else(|error| {
            tracing::error!(%error, "a stored policy can't be read; it is taken to allow no tool");
            Self(vec![Grant { tools: Vec::new(), deny: Vec::new() }])
        })
    }

    /// What restricts a turn: what its session's run was given, and what the item carries that started it.
    pub async fn of_turn(tx: &mut Tx<'_>, turn: &Turn) -> Result<Self, StoreError> {
        let carried = inbox::policy(tx, turn.trigger_id).await?;
        Ok(Self::of_session(tx, turn.session_id).await?.with_carried(carried.as_deref()))
    }

    /// What restricts all turns of a session: what its run was given.
    pub async fn of_session(tx: &mut Tx<'_>, session_id: i64) -> Result<Self, StoreError> {
        let run = runs::of_session(tx, session_id).await?;
        Ok(run.map_or_else(Self::default, |run| Self::stored(&run.policy)))
    }

    /// This and what an inbox item carries.
    #[must_use]
    pub fn with_carried(&self, carried: Option<&str>) -> Self {
        let mut grants = self.0.clone();
        for grant in carried.map_or_else(Self::default, Self::stored).0 {
            if !grants.contains(&grant) {
                grants.push(grant);
            }
        }
        Self(grants)
    }

    /// What the answer to something carries that was asked for with this policy: what restricted the turn that asked,
    /// so that no turn regains through answers what another lacked.
    #[must_use]
    pub fn of_asker(mut self) -> Self {
        self.0.pop();
        self
    }

    /// What a message within an exchange carries, when it is not the opener's own new word.
    pub fn in_exchange(exchange: &Exchange, to: i64) -> Self {
        let handed_on = Self::stored(&exchange.policy);
        if to == exchange.sender_id { handed_on.of_asker() } else { handed_on }
    }

    /// Whether both restrict the same.
    pub fn same(&self, other: &Self) -> bool {
        self.0.iter().all(|grant| other.0.contains(grant))
            && other.0.iter().all(|grant| self.0.contains(grant))
    }

    /// As it is stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data is always JSON")
    }

    /// As an inbox item carries it.
    pub fn to_carry(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.to_json())
    }

    /// Whether a tool of a group may be called by an agent under this policy.
    pub fn allows(&self, agent: &Agent, name: &str, group: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|word| word == name || word == group);
        named(&agent.tools)
            && !named(&agent.deny)
            && self.0.iter().all(|grant| named(&grant.tools) && !named(&grant.deny))
    }

    /// What an agent under this policy hands on to those it asks.
    pub fn handed_on(&self, agent: &Agent, agents: &Agents) -> Self {
        let mut tools = agent.grants.clone();
        if tools.iter().any(|word| word == Agent::AUTO) {
            let asked = agent.subagents.allow.iter().filter_map(|id| agents.get(id));
            tools.extend(asked.flat_map(|other| other.tools.iter().cloned()));
            tools.extend(agent.tools.iter().cloned());
        }
        let mut grants = self.0.clone();
        grants.push(Grant { tools, deny: agent.deny.clone() });
        Self(grants)
    }
}
