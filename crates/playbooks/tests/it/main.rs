//! Playbooks through their public face: plan, apply, undo, and what must be refused.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod content;
mod device;
mod random;
mod refusals;
mod steps;
