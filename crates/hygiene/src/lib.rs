//! Ground: what must be taken out of a text before a model, a trace or the memory sees it.
//!
//! Three dangers, three tools. [`redact`] takes out secrets and personal data. [`instructions`] finds passages that speak
//! to a model instead of a reader, and [`sift`] leaves them out. [`fence`] marks what remains as data, so that a prompt
//! made from a signed [`Template`] keeps its shape; [`Template::drift`] says when it does not.
//!
//! None of this is what keeps a model from acting: a model of this house has no hands. It keeps what a model says, and
//! what a trace shows, from being somebody else's words or somebody's secret.
//!
//! What may not come in: I/O, the clock, models, customers, prompts themselves.

mod blob;
mod checksum;
mod fence;
mod fold;
mod instructions;
mod kind;
mod languages;
mod personal;
mod phrases;
mod redact;
mod rule;
mod secret;
mod sift;
mod template;

pub use fence::fence;
pub use instructions::{MAX_SUSPICIONS, Suspicion, SuspicionKind, instructions};
pub use kind::Kind;
pub use redact::{Found, MAX_TEXT, Redacted, redact};
pub use sift::{Sifted, sift};
pub use template::{Drift, MAX_TEMPLATE, Template, TemplateError};

/// Which version of the rules this is: what was cleaned by another one is to be cleaned again.
pub const RULES: u32 = 1;
