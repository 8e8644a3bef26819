//! Domain: service agents, and the intake forms that bring them work.
//!
//! Manifests say what an agent may do and what it costs. Every skill call comes in through [`gate`], which asks
//! for authorisation, entitlement and the breaker, in that order. The engines behind [`engine::Engine`] are
//! deterministic: triage weighs words, advisory quotes evidence, remediation picks playbooks. Each says why, and
//! abstains where it is not sure; local models will join through the same trait.
//!
//! What may not come in: I/O, the clock, randomness, HTTP, SQL, prices, signatures. Nothing here changes a
//! device: a proposal names who must approve it, and others carry it out.

pub mod advisory;
pub mod breaker;
pub mod drafting;
pub mod engine;
pub mod gate;
pub mod intake;
pub mod manifest;
mod named;
mod phrases;
pub mod remediation;
pub mod schema;
pub mod skill;
mod text;
pub mod trace;
pub mod triage;

pub use advisory::{Advice, Advisor, Citation, Evidence, EvidenceKind, Prepared, Question, Retrieved};
pub use breaker::Breaker;
pub use engine::{Engine, EngineError};
pub use gate::{Admitted, Ask, Gate, Refusal};
pub use intake::{FieldFault, Filled, Form, FormError};
pub use manifest::{AgentManifest, Approval, Capability, Data, EngineKind, SkillSpec, builtin};
pub use named::UnknownName;
pub use remediation::{Cover, FindingBrief, PlaybookBrief, Proposal, RemediationInput, Remediator, Risk};
pub use skill::Skill;
pub use trace::{Seen, Trace};
pub use triage::{Because, Category, Lexicon, Route, Severity, Triage, TriageFacts, TriageInput, Triager};
