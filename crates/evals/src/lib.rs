//! Domain: how good the agents are, in figures that a change may not make worse.
//!
//! A suite takes questions whose answers are known, puts them to the same code that serves customers, and gives
//! [`Figure`]s. A [`Report`] holds the figures with what they were made from; [`Floors`] are the least figures that are
//! let through, kept in the repository beside the questions.
//!
//! Data flow: questions + answers known -> suite -> figures -> report -> floors -> passed or not.
//!
//! What may not come in: files, the command line, signatures, any rule of an agent: a suite asks, it does not answer.

pub mod advice;
mod figure;
mod floors;
pub mod injection;
mod lines;
mod report;
pub mod retrieval;
pub mod speed;
pub mod triage;

pub use figure::{Better, Figure};
pub use floors::{Floors, FloorsError, Short};
pub use lines::{LineError, parse};
pub use report::{Input, MAX_MISSES, Report, Suite, SuiteName};
