//! What can be asked of a case's agents, and what each skill is given.

use access::{Action, Principal};
use agents::{FindingBrief, Skill, schema};
use device_link::Work as DeviceWork;
use echo_core::{CaseId, DeviceId, Id as _};
use serde_json::json;
use store::{Filter, Scope};

use crate::{
    AskSkill, Call, Case, CaseState, Desk, DeskError, Device, Finding, FindingState, SkillCall, work::Work,
};

impl Desk {
    /// Calls a skill for a case. What the platform can answer itself is answered at once; what needs the device
    /// is queued, and the call is `running` until the device has answered.
    pub async fn ask(&self, call: &Call, case: &CaseId, mut ask: AskSkill) -> Result<SkillCall, DeskError> {
        call.principal.require(Action::AskSkill)?;
        let mut work = self.work(&call.principal.name).await?;
        let mut case = work.case(&call.scope(), case).await?;
        if matches!(case.state, CaseState::Closed | CaseState::Applying | CaseState::Standing) {
            let state = case.state.as_str();
            return Err(DeskError::Conflict(format!(
                "case {} is {state}: nothing can be asked of it now",
                case.number
            )));
        }
        fits(case.id.as_str(), &mut ask)?;
        let made = match ask.skill {
            Skill::TriageClassify => {
                let device = work.device_of(&case).await?;
                work.triage(&call.principal, &mut case, device.as_ref()).await?
            }
            Skill::AdvisoryAnswer => {
                let question = ask.question.unwrap_or_default();
                return self.advise(call, work, case, &question).await;
            }
            Skill::DiagnosticsProbe => {
                work.queue_skill(&call.principal, &case, ask.skill, DeviceWork::Diagnose).await?
            }
            Skill::ScannerPosture => {
                let policy = self.content().signed_policy()?;
                work.queue_skill(&call.principal, &case, ask.skill, DeviceWork::Scan { policy }).await?
            }
            Skill::RemediationPlan => work.plan(&call.principal, &case).await?,
            Skill::RemediationApply => {
                return Err(DeskError::invalid("skill", "a change is applied by approving its change set"));
            }
            Skill::ModelChat | Skill::ModelEmbed => {
                return Err(DeskError::invalid("skill", "a model is asked at /openai/v1, and needs no case"));
            }
        };
        work.finish(call, 201, made).await
    }
}

/// Whether what is asked fits the skill's schema.
fn fits(case: &str, ask: &mut AskSkill) -> Result<(), DeskError> {
    if !ask.skill.needs_case() {
        return Ok(());
    }
    if ask.skill == Skill::AdvisoryAnswer {
        // What is missing is told like what is empty: by its name.
        ask.question.get_or_insert_default();
    }
    let mut given = json!({ "case": case });
    if let Some(question) = &ask.question {
        given["question"] = json!(question);
    }
    schema::check(ask.skill, &given).map_err(|fault| DeskError::invalid(&fault.place, fault.reason))
}

impl Work<'_> {
    /// The machine a case is about, if it is about one.
    pub(crate) async fn device_of(&mut self, case: &Case) -> Result<Option<Device>, DeskError> {
        let Some(id) = &case.device else { return Ok(None) };
        Ok(self.tx.get(&Scope::Customer(case.customer.clone()), id.as_str()).await?)
    }

    /// The device that a skill needs; a retired one would never answer.
    pub(crate) async fn needed_device(&mut self, case: &Case) -> Result<DeviceId, DeskError> {
        let device = self.device_of(case).await?.ok_or_else(|| {
            DeskError::Conflict(format!(
                "case {} names no device: enrol it and open a case that names it",
                case.number
            ))
        })?;
        device.in_care()?;
        Ok(device.id)
    }

    async fn queue_skill(
        &mut self,
        principal: &Principal,
        case: &Case,
        skill: Skill,
        work: DeviceWork,
    ) -> Result<SkillCall, DeskError> {
        let device = self.needed_device(case).await?;
        let mut call = self.admit(principal, case, skill, &work).await?;
        call.command = Some(self.queue_command(&call, &device, work).await?);
        self.tx.update(&call).await?;
        Ok(call)
    }

    /// Picks playbooks for the open findings, and lets the device say what they would change.
    async fn plan(&mut self, principal: &Principal, case: &Case) -> Result<SkillCall, DeskError> {
        let device = self.needed_device(case).await?;
        let findings = self
            .tx
            .all::<Finding>(&Scope::Customer(case.customer.clone()), &Filter::under(case.id.as_str()))
            .await?;
        let briefs: Vec<_> = findings
            .iter()
            .filter(|f| f.state == FindingState::Open)
            .map(|f| FindingBrief {
                id: f.id.clone(),
                check: f.result.check,
                severity: crate::finding::urgency(f.result.severity),
                title: f.result.title.clone(),
            })
            .collect();
        if briefs.is_empty() {
            return Err(DeskError::Conflict(
                "the case has no open findings: call scanner.posture first, or close the case".to_owned(),
            ));
        }
        let input = agents::RemediationInput { findings: briefs, playbooks: self.desk.content().briefs() };
        let mut call = self.admit(principal, case, Skill::RemediationPlan, &input).await?;
        let proposal = match agents::Engine::run(&agents::Remediator, &input) {
            Ok(proposal) => proposal,
            Err(error) => {
                self.fail(&mut call, case, &error.to_string()).await?;
                return Ok(call);
            }
        };
        if proposal.playbooks.is_empty() {
            self.fail(&mut call, case, &format!("no playbook fixes these findings: {}", proposal.because))
                .await?;
            return Ok(call);
        }
        let playbooks = self.desk.content().signed_playbooks(&proposal.playbooks)?;
        call.output = Some(serde_json::to_value(&proposal)?);
        call.command = Some(self.queue_command(&call, &device, DeviceWork::Plan { playbooks }).await?);
        self.tx.update(&call).await?;
        Ok(call)
    }
}
