//! The calls of skills as a list, and calling one off.

use access::{Action, Principal};
use agents::Skill;
use echo_core::{CallId, CaseId, Id as _, Page, PageRequest};
use store::{Filter, Scope};

use crate::{Call, CommandRecord, CommandState, Desk, DeskError, SkillCall, SkillCallState, call::scope_of};

/// How the error of a call begins that somebody called off.
const CALLED_OFF: &str = "called off by ";

impl SkillCall {
    /// Whether somebody called it off.
    pub fn called_off(&self) -> bool {
        self.error.as_deref().is_some_and(|error| error.starts_with(CALLED_OFF))
    }
}

impl Desk {
    /// The calls that the caller may see, newest first, and how many there are; `case` and `state` narrow them.
    pub async fn skill_calls(
        &self,
        principal: &Principal,
        case: Option<&CaseId>,
        state: Option<SkillCallState>,
        page: &PageRequest,
    ) -> Result<(Page<SkillCall>, u64), DeskError> {
        principal.require(Action::ReadCase)?;
        let filter =
            Filter { parent: case.map(echo_core::Id::as_str), state: state.map(SkillCallState::as_str) };
        let mut tx = self.store().read().await?;
        let scope = scope_of(principal);
        let count = tx.count::<SkillCall>(&scope, &filter).await?;
        Ok((tx.list(&scope, &filter, page).await?, count))
    }

    /// Calls a running call off; nothing is charged for it. A device that has begun goes on to the end, and its answer is
    /// not taken any more. What changes a device, and what a model is answering, cannot be called off here.
    ///
    /// # Errors
    /// [`DeskError::Conflict`] when it is over, or is of a kind that cannot be called off.
    pub async fn call_off(&self, call: &Call, id: &CallId) -> Result<SkillCall, DeskError> {
        call.principal.require(Action::AskSkill)?;
        let mut work = self.work(&call.principal.name).await?;
        let found: SkillCall = work
            .tx
            .get(&call.scope(), id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("skill call", id.as_str()))?;
        let harmless =
            matches!(found.skill, Skill::DiagnosticsProbe | Skill::ScannerPosture | Skill::RemediationPlan);
        if found.state != SkillCallState::Running || !harmless {
            let running = found.state == SkillCallState::Running;
            let why = if running { "it may be changing something" } else { "it is over" };
            return Err(DeskError::Conflict(format!(
                "the call of {} cannot be called off: {why}",
                found.skill
            )));
        }
        if let Some(command) = &found.command
            && let Some(mut command) = work.tx.get::<CommandRecord>(&Scope::All, command.as_str()).await?
        {
            if command.state != CommandState::Queued {
                return Err(DeskError::Conflict("the device has answered: it is over".to_owned()));
            }
            command.state = CommandState::Expired;
            work.tx.update(&command).await?;
        }
        let reason = format!("{CALLED_OFF}{}", call.principal.name);
        work.fail_call(id, &reason).await?;
        let ended: Option<SkillCall> = work.tx.get(&call.scope(), id.as_str()).await?;
        let ended = ended.ok_or_else(|| DeskError::not_found("skill call", id.as_str()))?;
        work.finish(call, 200, ended).await
    }
}
