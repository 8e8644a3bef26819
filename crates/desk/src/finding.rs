//! Posture results that need attention.

use std::collections::BTreeMap;

use access::{Action, Principal};
use dossier::Kind;
use echo_core::{CaseId, CustomerId, DeviceId, FindingId, Id as _, Page, PageRequest, ScanId, Timestamp};
use security::{CheckResult, Report};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope};

use crate::{
    Case, Desk, DeskError, Event,
    call::scope_of,
    work::{Owner, Work},
};

/// Whether a finding still needs attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingState {
    /// It does.
    Open,
    /// A later scan no longer shows it.
    Fixed,
}

impl FindingState {
    /// As text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Fixed => "fixed",
        }
    }
}

/// One posture result that needs attention.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Its id.
    pub id: FindingId,
    /// Whose.
    pub customer: CustomerId,
    /// On which device.
    pub device: DeviceId,
    /// In which case it was found.
    pub case: CaseId,
    /// By which scan.
    pub scan: ScanId,
    /// Against which policy.
    pub policy: String,
    /// The check with its result.
    pub result: CheckResult,
    /// Whether it still needs attention.
    pub state: FindingState,
    /// When it was found.
    pub found: Timestamp,
    /// When a scan no longer showed it.
    pub fixed: Option<Timestamp>,
}

impl Record for Finding {
    const KIND: &'static str = "finding";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }

    fn parent(&self) -> Option<&str> {
        Some(self.case.as_str())
    }

    fn state(&self) -> &str {
        self.state.as_str()
    }

    /// A check fails once on a device in a case, however often it is scanned.
    fn unique(&self) -> Option<String> {
        (self.state == FindingState::Open)
            .then(|| format!("{}/{}/{}/{}", self.case, self.device, self.policy, self.result.check))
    }
}

impl Desk {
    /// The findings that the caller may see, newest first; `state` narrows to one state.
    pub async fn findings(
        &self,
        principal: &Principal,
        state: Option<FindingState>,
        page: &PageRequest,
    ) -> Result<Page<Finding>, DeskError> {
        principal.require(Action::ReadFinding)?;
        let filter = Filter { parent: None, state: state.map(FindingState::as_str) };
        Ok(self.store().read().await?.list(&scope_of(principal), &filter, page).await?)
    }
}

impl Work<'_> {
    /// Brings the case's findings up to a scan: new failures are signed and logged, what no longer fails is fixed.
    /// Answers how many are new.
    pub(crate) async fn take_report(
        &mut self,
        case: &Case,
        device: &DeviceId,
        scan: &ScanId,
        report: &Report,
    ) -> Result<usize, DeskError> {
        let scope = Scope::Customer(case.customer.clone());
        let known = self.tx.all::<Finding>(&scope, &Filter::under(case.id.as_str())).await?;
        let mut open: BTreeMap<u32, Finding> = known
            .into_iter()
            .filter(|f| f.state == FindingState::Open && f.policy == report.policy && f.device == *device)
            .map(|f| (f.result.check, f))
            .collect();
        let mut fresh = 0;
        for result in report.failures() {
            if open.remove(&result.check).is_some() {
                continue;
            }
            let finding = Finding {
                id: self.id(),
                customer: case.customer.clone(),
                device: device.clone(),
                case: case.id.clone(),
                scan: scan.clone(),
                policy: report.policy.clone(),
                result: result.clone(),
                state: FindingState::Open,
                found: self.now,
                fixed: None,
            };
            self.tx.insert(&finding).await?;
            self.record(Kind::Finding, finding.id.as_str(), Owner::case(case), &finding).await?;
            fresh += 1;
        }
        if fresh > 0 {
            let what = format!("a scan found {fresh} more to look at");
            let event = Event { topic: "finding".to_owned(), id: scan.to_string(), what, at: self.now };
            self.tell(Some(&case.customer), &event).await?;
        }
        for (check, mut finding) in open {
            if report.outcome_of(check) == Some(security::Outcome::Passed) {
                finding.state = FindingState::Fixed;
                finding.fixed = Some(self.now);
                self.tx.update(&finding).await?;
            }
        }
        Ok(fresh)
    }
}

/// A finding's severity in the agents' words.
pub(crate) fn urgency(severity: security::Severity) -> agents::Severity {
    match severity {
        security::Severity::Low => agents::Severity::Low,
        security::Severity::Medium => agents::Severity::Medium,
        security::Severity::High => agents::Severity::High,
        security::Severity::Critical => agents::Severity::Critical,
    }
}
