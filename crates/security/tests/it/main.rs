//! The scanner as others see it: the shipped policy, arbitrary policies, trees of files.

#![allow(clippy::unwrap_used)]

mod arbitrary;
mod baseline;
mod tree;

use security::Policy;

/// The policy that Echo ships.
fn shipped() -> Policy {
    Policy::parse(include_str!("../../../../policies/echo_linux_baseline.yml")).unwrap()
}
