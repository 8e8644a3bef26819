//! Playbooks: typed, reversible fixes.
//!
//! A template of steps becomes a plan (a dry run, shown as a unified diff); the plan, approved by its digest,
//! becomes a run (journal, change, verify, roll back); a run can be undone. Steps are typed, never shell: what a
//! step may do is what [`step::Step`] can say.
//!
//! What may not come in: signatures and trust (the caller checks a template before it gets here), HTTP, SQL, async,
//! knowledge of cases or customers, and any change to a file that was not journalled first.
//!
//! The planning half is a pure function of the templates and what the target holds; only `target`, `system` and
//! `runner` touch the machine.

pub mod accept;
mod action;
mod diff;
mod dry;
mod edit;
mod journal;
mod lines;
pub mod mode;
mod node;
mod overlay;
pub mod plan;
pub mod report;
mod restore;
pub mod runner;
pub mod step;
mod system;
pub mod target;
pub mod template;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod live_tests;

pub use accept::Accept;
pub use mode::FileMode;
pub use plan::{Change, ChangeKind, Plan, PlanError, PlaybookRef, Skipped, plan};
pub use report::{ReportError, RunOutcome, RunReport, StepOutcome, StepReport};
pub use runner::{RunError, Runner};
pub use step::Step;
pub use target::Target;
pub use template::{PlaybookSummary, Risk, Template, TemplateError};
