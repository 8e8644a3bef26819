//! Domain: how a machine is configured, compared with a policy.
//!
//! A [`Policy`] is a Wazuh SCA file; [`evaluate`] asks its questions of a [`System`] and answers with a
//! [`Report`]. A system is the running machine, a tree mounted somewhere, or a few files in memory; every read,
//! walk, command and match is bounded, and a reason never shows a secret.
//!
//! What may not come in: HTTP, SQL, async, keys and signatures, any change to the machine that is looked at, any
//! knowledge of cases, playbooks or bills. The one thing that starts a program is [`LiveSystem`].

mod disk;
mod evaluate;
mod live;
mod memory;
mod mounted;
mod pattern;
mod policy;
mod report;
mod rule;
mod seen;
mod sshd;
mod stat;
mod sysctl;
mod system;
mod target;
mod walk;
mod words;

pub use evaluate::evaluate;
pub use live::{COMMAND_PATIENCE, LiveSystem};
pub use memory::MemorySystem;
pub use mounted::MountedSystem;
pub use policy::{
    Check, Condition, MAX_CHECKS, MAX_POLICY, MAX_RULE, MAX_RULES, Policy, PolicyError, Requirements,
};
pub use report::{
    CheckResult, MAX_NAME, MAX_PROSE, MAX_REASON, MAX_TITLE, Outcome, Report, ReportError, Severity,
};
pub use system::{
    CommandOutput, Entry, FileKind, MAX_ENTRIES, MAX_FILE, MAX_OUTPUT, Metadata, System, SystemError,
};
