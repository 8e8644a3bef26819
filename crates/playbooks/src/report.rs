//! What a run did: the answer that a device sends back.

use echo_core::{Digest, RunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    plan::{MAX_PLAYBOOKS, MAX_REASON},
    template::{MAX_STEPS, is_kebab},
};

/// 200 characters of at most four bytes, with room for the sign of what was cut.
const MAX_WHAT: usize = 1_000;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Every change was made and verified.
    Applied,
    /// Something failed; everything is as it was before.
    RolledBack,
    /// It had been applied, and was then taken back.
    Undone,
    /// Everything was already as the playbooks want it.
    NothingToDo,
}

/// How one step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// It changed something.
    Changed,
    /// All was well already.
    Already,
    /// It did not apply; the detail says why.
    Skipped,
    /// It failed; the detail says why.
    Failed,
    /// Its changes were taken back.
    Restored,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepReport {
    /// Of which playbook.
    pub playbook: String,
    /// Which step of it, from 1.
    pub step: u32,
    /// The step in a few words.
    pub what: String,
    /// How it ended.
    pub outcome: StepOutcome,
    /// Why, or what to know about it; may be empty.
    pub detail: String,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunReport {
    /// Which run.
    pub run: RunId,
    /// The digest of the plan it carried out.
    pub plan: Digest,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Every step of every playbook, in order.
    pub steps: Vec<StepReport>,
    /// When it started; after an undo, when the undo did.
    pub started: Timestamp,
    /// When it ended: the start and the time it took. A run rolled back after a crash ends when it started.
    pub finished: Timestamp,
}

/// Why a report is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the run's report is not acceptable: {0}")]
pub struct ReportError(String);

impl RunReport {
    /// Checks the bounds of a report that came from elsewhere.
    pub fn validate(&self) -> Result<(), ReportError> {
        let most = MAX_PLAYBOOKS * MAX_STEPS;
        if self.steps.len() > most {
            return Err(ReportError(format!("{} steps, more than {most}", self.steps.len())));
        }
        if self.finished < self.started {
            return Err(ReportError("it ends before it starts".to_owned()));
        }
        for step in &self.steps {
            let steps = 1..=u32::try_from(MAX_STEPS).unwrap_or(u32::MAX);
            if !is_kebab(&step.playbook)
                || !steps.contains(&step.step)
                || step.what.len() > MAX_WHAT
                || step.detail.len() > MAX_REASON
            {
                return Err(ReportError(format!(
                    "a step is out of bounds: names are kebab-case, numbers 1 to {MAX_STEPS}, texts at most \
                     {MAX_WHAT} and {MAX_REASON} bytes"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use echo_core::{Id as _, clock::from_millis};

    use super::*;

    fn report() -> RunReport {
        RunReport {
            run: format!("{}_{}", RunId::PREFIX, "0".repeat(32)).parse().unwrap(),
            plan: Digest::of(b""),
            outcome: RunOutcome::Applied,
            steps: vec![StepReport {
                playbook: "a".to_owned(),
                step: 1,
                what: "w".to_owned(),
                outcome: StepOutcome::Changed,
                detail: String::new(),
            }],
            started: from_millis(1),
            finished: from_millis(2),
        }
    }

    #[test]
    fn a_report_out_of_bounds_is_refused() {
        assert_eq!(report().validate(), Ok(()));
        let mut late = report();
        late.finished = from_millis(0);
        assert!(late.validate().is_err());
        let mut long = report();
        long.steps[0].detail = "x".repeat(MAX_REASON + 1);
        assert!(long.validate().is_err());
        let mut many = report();
        many.steps = vec![many.steps[0].clone(); MAX_PLAYBOOKS * MAX_STEPS + 1];
        assert!(many.validate().is_err());
    }

    #[test]
    fn outcomes_have_the_wire_names() {
        let json = serde_json::to_string(&report()).unwrap();
        assert!(json.contains("\"outcome\":\"applied\""), "{json}");
        assert_eq!(serde_json::from_str::<RunReport>(&json).unwrap(), report());
    }
}
