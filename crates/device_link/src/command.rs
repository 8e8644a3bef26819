//! Work for a device.

use echo_core::{CallId, CaseId, ChangeSetId, CommandId, DeviceId, Digest, RunId, Timestamp};
use serde::{Deserialize, Serialize};
use trust::dsse::Envelope;

/// DSSE payload type of a [`Command`].
pub const COMMAND_TYPE: &str = "application/vnd.echo.command.v1+json";

/// One piece of work, signed by the operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// Its id; a device carries out an id once.
    pub id: CommandId,
    /// For which device; another one refuses it.
    pub device: DeviceId,
    /// In which case.
    pub case: CaseId,
    /// Which skill call it serves.
    pub call: CallId,
    /// When it was signed.
    pub issued: Timestamp,
    /// After this time a device that has not begun refuses it.
    pub expires: Timestamp,
    /// What to do.
    pub work: Work,
}

/// What a device is asked to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Work {
    /// Observe the machine.
    Diagnose,
    /// Compare the machine with a posture policy.
    Scan {
        /// The policy, signed by the playbook author.
        policy: SignedContent,
    },
    /// Say what the playbooks would change, and change nothing.
    Plan {
        /// The playbooks in order, signed by the playbook author.
        playbooks: Vec<SignedContent>,
    },
    /// Scan, apply exactly the approved plan, verify (or roll back), scan again.
    Apply {
        /// The run's id, so that a repeated command gives the same report.
        run: RunId,
        /// The change set that was approved.
        change_set: ChangeSetId,
        /// Digest of the plan that was approved; any other plan is refused.
        plan: Digest,
        /// The playbooks in order, signed by the playbook author.
        playbooks: Vec<SignedContent>,
        /// The policy that judges before and after.
        policy: SignedContent,
    },
}

/// A content file with its detached signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedContent {
    /// The file's name, as it was signed: `ssh-hardening.yaml`.
    pub name: String,
    /// The file's text.
    pub text: String,
    /// The detached signature.
    pub signature: Envelope,
}
