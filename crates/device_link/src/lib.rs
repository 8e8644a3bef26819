//! Domain: what a device and the platform say to one another.
//!
//! Enrolment, commands, results and pulse batches, as plain types with their bounds. The platform signs every
//! command with the operator's key, the device signs every result with its own; neither acts on an unsigned
//! word. A command carries the signed playbooks and the policy that it needs, so a device can check them against
//! the trust registry it pinned at enrolment and needs to fetch nothing else.
//!
//! Data flow: `Command` (signed by the operator) -> device -> `CommandResult` (signed by the device) -> platform.
//!
//! What may not come in: HTTP, files, clocks, how a command is queued or carried out.

mod command;
mod enrol;
mod pulses;
mod result;

pub use command::{COMMAND_TYPE, Command, SignedContent, Work};
pub use enrol::{
    ASSERTION_TYPE, Assertion, ENROLMENT_TYPE, EnrolRequest, Enrolled, EnrolmentClaim, EnrolmentToken,
    EnrolmentTokenError,
};
pub use pulses::{MAX_PULSES_PER_BATCH, PulseBatch};
pub use result::{CommandResult, LinkError, Outcome, RESULT_TYPE};

/// The most bytes a signed command may have.
pub const MAX_COMMAND_BYTES: usize = 4 * 1024 * 1024;
/// The most bytes a signed result may have: two posture reports, a plan with its diff, all in base64.
pub const MAX_RESULT_BYTES: usize = 8 * 1024 * 1024;
