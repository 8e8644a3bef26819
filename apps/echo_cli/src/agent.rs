//! `agent`: the service units and their skills.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{Failure, answer, api::Api, out::Out};

/// What to do with agents.
#[derive(Debug, Subcommand)]
pub enum Agent {
    /// List the agents with their skills
    List,
}

impl Agent {
    /// Does it.
    pub fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        let Self::List = self;
        let agents = api.list("/v1/agents")?;
        if out.is_json() {
            return out.json(&agents);
        }
        out.list(
            &skills(&agents),
            &[
                ("agent", "/agent"),
                ("skill", "/name"),
                ("approval by", "/approval"),
                ("does", "/description"),
            ],
        )
    }
}

/// One row a skill.
fn skills(agents: &[Value]) -> Vec<Value> {
    let mut rows = Vec::new();
    for agent in agents {
        for skill in answer::list(agent, "/skills").unwrap_or_default() {
            rows.push(json!({
                "agent": answer::shown(agent, "/name"),
                "name": answer::shown(skill, "/name"),
                "approval": answer::shown(skill, "/approval"),
                "description": answer::shown(skill, "/description"),
            }));
        }
    }
    rows
}
