//! The agents and what their skills cost.

use access::{Action, Principal};
use agents::AgentManifest;
use revenue::Plan;

use crate::{Desk, DeskError};

impl Desk {
    /// The agents that serve here.
    pub fn agents(&self, principal: &Principal) -> Result<Vec<AgentManifest>, DeskError> {
        principal.require(Action::ReadAgents)?;
        Ok(agents::builtin())
    }

    /// The plans that can be bought.
    pub fn plans(&self, principal: &Principal) -> Result<Vec<Plan>, DeskError> {
        principal.require(Action::ReadAgents)?;
        Ok(self.content().catalogue.plans.clone())
    }

    /// The intake forms that open a case.
    pub fn intakes(&self, principal: &Principal) -> Result<Vec<agents::Form>, DeskError> {
        principal.require(Action::ReadAgents)?;
        Ok(self.content().forms_at(self.now()).cloned().collect())
    }
}
