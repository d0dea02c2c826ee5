//! What the engine's transactions need of the program beside the database.

use std::sync::Arc;

use roundtable_contract::Speaker;

use super::Outlet;
use crate::agents::Agents;
use crate::store::conversations::Place;
use crate::store::sessions::{Kind, Session};
use crate::tools::Tools;

/// The team, what it can call, and the way out. Cheap to clone.
#[derive(Clone)]
pub struct Team {
    /// The configured agents.
    pub agents: Arc<Agents>,
    /// What they can call.
    pub tools: Tools,
    /// The way out.
    pub outlet: Arc<dyn Outlet>,
}

impl Team {
    /// The name under which a session speaks: its label, or its agent's name when the label says no more.
    pub fn persona(&self, label: Option<&str>, agent: &str) -> String {
        match (label, self.agents.get(agent)) {
            (Some(label), Some(agent)) if *label != agent.id => label.to_owned(),
            (_, Some(agent)) => agent.name.clone(),
            (label, None) => label.unwrap_or(agent).to_owned(),
        }
    }

    /// As whom a session speaks in a conversation: as the bot, if the conversation is its agent's and it was not
    /// spawned; else under its own name.
    pub fn speaker(&self, place: &Place, session: &Session) -> Speaker {
        let bound = || self.outlet.bound_agent(place).as_deref() == Some(session.agent.as_str());
        let name = self.persona(session.label.as_deref(), &session.agent);
        if session.kind != Kind::Subagent && bound() { Speaker::Bound(name) } else { Speaker::Persona(name) }
    }
}
