//! What comes of a device's work.

use access::Action;
use device_link::{CommandResult, Outcome, RESULT_TYPE};
use echo_core::{CommandId, Id as _, ScanId, Timestamp};
use observability::Diagnosis;
use serde::Serialize;
use store::Scope;
use trust::dsse::Envelope;

use crate::{
    Call, Case, CommandRecord, CommandState, Desk, DeskError, Device, SkillCall, TimelineKind,
    device::LastPosture, work::Work,
};

/// The answer to a result: that it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResultTaken {
    /// Which command is done.
    pub command: CommandId,
}

impl Desk {
    /// Takes a device's signed result. The same result again gets the same answer; another one is refused.
    pub async fn take_result(
        &self,
        call: &Call,
        id: &CommandId,
        envelope: Envelope,
    ) -> Result<ResultTaken, DeskError> {
        call.principal.require(Action::TakeCommand)?;
        let taken = ResultTaken { command: id.clone() };
        let mut work = self.work(&call.principal.name).await?;
        let mut record: CommandRecord = work
            .tx
            .get(&call.scope(), id.as_str())
            .await?
            .filter(|c: &CommandRecord| call.principal.device.as_ref() == Some(&c.device))
            .ok_or_else(|| DeskError::not_found("command", id.as_str()))?;
        if record.result.as_ref() == Some(&envelope) {
            drop(work);
            self.drain().await?;
            return Ok(taken);
        }
        if record.state != CommandState::Queued {
            return Err(DeskError::Conflict(
                "this command is over: its result was taken, or its time".to_owned(),
            ));
        }
        let device: Device = work
            .tx
            .get(&call.scope(), record.device.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("device", record.device.as_str()))?;
        let result: CommandResult = envelope
            .verify(RESULT_TYPE, &[device.public_key], 1)
            .map_err(|e| DeskError::invalid("result", e))?;
        result.check(&record.command()?).map_err(|e| DeskError::invalid("result", e))?;
        record.state = CommandState::Done;
        record.result = Some(envelope.clone());
        work.tx.update(&record).await?;
        work.take(&record, device, result).await?;
        work.finish(call, 200, taken).await
    }
}

impl Work<'_> {
    async fn take(
        &mut self,
        record: &CommandRecord,
        device: Device,
        result: CommandResult,
    ) -> Result<(), DeskError> {
        let mut call: SkillCall = self
            .tx
            .get(&Scope::All, record.call.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("skill call", record.call.as_str()))?;
        let mut case = self.case(&Scope::All, &record.case).await?;
        match result.outcome {
            Outcome::Diagnosed { diagnosis } => self.diagnosed(&mut call, &case, *diagnosis).await,
            Outcome::Scanned { report } => self.scanned(&mut call, &case, device, &report).await,
            Outcome::Planned { plan } => self.propose(&mut call, &mut case, &device.id, *plan).await,
            Outcome::Applied { before, run, after } => {
                let evidence = crate::proof::Measured { before: *before, run: *run, after: *after };
                self.applied(&mut call, &mut case, device, evidence).await
            }
            Outcome::Refused { reason } | Outcome::Failed { reason } => {
                self.abandon_change(&call, &mut case).await?;
                self.fail(&mut call, &case, &reason).await
            }
        }
    }

    async fn diagnosed(
        &mut self,
        call: &mut SkillCall,
        case: &Case,
        diagnosis: Diagnosis,
    ) -> Result<(), DeskError> {
        self.complete(call, case, &diagnosis, None, true).await?;
        let detail = describe(&diagnosis);
        if let Some(device) = &call.device {
            self.recall(&case.customer, format!("device/{device}"), Some(detail.clone())).await?;
        }
        let host = &diagnosis.facts.hostname;
        let title = match diagnosis.notes.len() {
            0 => format!("{host} observed: nothing stands out"),
            1 => format!("{host} observed: one thing stands out"),
            n => format!("{host} observed: {n} things stand out"),
        };
        self.note(case, TimelineKind::Diagnosed, title, detail, Some(call.id.as_str())).await
    }

    async fn scanned(
        &mut self,
        call: &mut SkillCall,
        case: &Case,
        device: Device,
        report: &security::Report,
    ) -> Result<(), DeskError> {
        let scan: ScanId = self.id();
        let fresh = self.take_report(case, &device.id, &scan, report).await?;
        call.scan = Some(scan);
        self.complete(call, case, report, None, true).await?;
        let title = format!(
            "Posture {} of 100: {} checks passed, {} failed, {fresh} new findings",
            report.score, report.passed, report.failed
        );
        self.remember_posture(device, report, self.now).await?;
        self.note(case, TimelineKind::Scanned, title, &report.policy_name, None).await
    }

    /// Keeps a device's last posture.
    pub(crate) async fn remember_posture(
        &mut self,
        mut device: Device,
        report: &security::Report,
        at: Timestamp,
    ) -> Result<(), DeskError> {
        device.posture =
            Some(LastPosture { score: report.score, passed: report.passed, failed: report.failed, at });
        Ok(self.tx.update(&device).await?)
    }
}

/// A diagnosis in a few sentences.
pub(crate) fn describe(diagnosis: &Diagnosis) -> String {
    let facts = &diagnosis.facts;
    let mut text = format!(
        "{} runs {} {} on kernel {}, with {} CPUs.",
        facts.hostname, facts.os_name, facts.os_version, facts.kernel, facts.cpu_count
    );
    for note in &diagnosis.notes {
        text.push(' ');
        text.push_str(note.text.trim_end_matches('.'));
        text.push('.');
    }
    text
}
