//! What a device answers.

use echo_core::{CommandId, DeviceId, Timestamp};
use observability::Diagnosis;
use playbooks::{Plan, RunReport};
use security::Report;
use serde::{Deserialize, Serialize};

use crate::{Command, Work};

/// DSSE payload type of a [`CommandResult`].
pub const RESULT_TYPE: &str = "application/vnd.echo.command-result.v1+json";
/// The longest reason of a refusal, in characters.
const MAX_REASON: usize = 2_000;

/// The answer to one command, signed by the device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandResult {
    /// Which command.
    pub command: CommandId,
    /// Which device.
    pub device: DeviceId,
    /// When the device began.
    pub started: Timestamp,
    /// When it was done.
    pub finished: Timestamp,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The machine was observed.
    Diagnosed {
        /// What was seen.
        diagnosis: Box<Diagnosis>,
    },
    /// The posture was compared.
    Scanned {
        /// With what result.
        report: Box<Report>,
    },
    /// The change was planned; nothing was changed.
    Planned {
        /// What would change.
        plan: Box<Plan>,
    },
    /// The approved plan was applied, or rolled back.
    Applied {
        /// The posture just before.
        before: Box<Report>,
        /// What was done.
        run: Box<RunReport>,
        /// The posture just after.
        after: Box<Report>,
    },
    /// The device would not do it: unsigned, expired, changed, for another device.
    Refused {
        /// Why, in words.
        reason: String,
    },
    /// The device could not do it.
    Failed {
        /// Why, in words.
        reason: String,
    },
}

/// Why a result is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It answers another command, or speaks for another device.
    #[error("the result is for {found}, expected {expected}")]
    Mismatch {
        /// What was expected.
        expected: String,
        /// What it says.
        found: String,
    },
    /// It answers another kind of work.
    #[error(
        "the result does not answer the work that was asked for: send the outcome of that work, or a refusal"
    )]
    WrongKind,
    /// A part is out of bounds or contradicts itself.
    #[error("the {part} is not valid: {reason}")]
    Invalid {
        /// Which part.
        part: &'static str,
        /// Why.
        reason: String,
    },
}

impl CommandResult {
    /// Whether this result answers `command` and is well formed.
    pub fn check(&self, command: &Command) -> Result<(), LinkError> {
        same(&command.id, &self.command)?;
        same(&command.device, &self.device)?;
        if self.finished < self.started {
            return Err(invalid("time", &"it finished before it started"));
        }
        match (&command.work, &self.outcome) {
            (_, Outcome::Refused { reason } | Outcome::Failed { reason }) => {
                if reason.chars().count() > MAX_REASON {
                    return Err(invalid("reason", &"longer than 2000 characters"));
                }
                Ok(())
            }
            (Work::Diagnose, Outcome::Diagnosed { diagnosis }) => {
                diagnosis.validate().map_err(|e| invalid("diagnosis", &e))
            }
            (Work::Scan { .. }, Outcome::Scanned { report }) => {
                report.validate().map_err(|e| invalid("report", &e))
            }
            (Work::Plan { .. }, Outcome::Planned { plan }) => {
                plan.validate().map_err(|e| invalid("plan", &e))
            }
            (Work::Apply { run, plan, .. }, Outcome::Applied { before, run: report, after }) => {
                before.validate().map_err(|e| invalid("report before", &e))?;
                after.validate().map_err(|e| invalid("report after", &e))?;
                report.validate().map_err(|e| invalid("run", &e))?;
                same(run, &report.run)?;
                same(plan, &report.plan)
            }
            _ => Err(LinkError::WrongKind),
        }
    }
}

fn same<T: PartialEq + std::fmt::Display>(expected: &T, found: &T) -> Result<(), LinkError> {
    if expected == found {
        Ok(())
    } else {
        Err(LinkError::Mismatch { expected: expected.to_string(), found: found.to_string() })
    }
}

fn invalid(part: &'static str, reason: &dyn std::fmt::Display) -> LinkError {
    LinkError::Invalid { part, reason: reason.to_string() }
}
