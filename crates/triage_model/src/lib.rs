//! Domain: learned triage. Resolved cases go in, a model comes out that names one of a closed set of labels.
//!
//! A linear classifier over the words of a text and the pairs of words that stand near one another, and small nets over
//! its words as a second opinion. The model says how sure it is, by a confidence that was calibrated on cases it had not
//! seen; it abstains below a threshold; and it names the words that spoke for its answer. A label outside the set cannot
//! come out, for an answer is an index into the set.
//!
//! Data flow: text -> [`words`] -> rows of the [`space`] -> scores ([`svm`], [`second`]) -> confidence ([`calibrate`]) ->
//! prediction.
//! The same rows, options and seed give the same bytes of a model, on any number of cores.
//!
//! What may not come in: files, clocks, threads, CSV; what a case or an agent is. A model is read from and written to
//! whatever `Read` and `Write` the caller holds, and holds digests of words, not the words of anybody's ticket.

pub mod calibrate;
pub mod error;
pub mod evaluate;
mod format;
mod gain;
pub mod labels;
pub mod model;
pub mod net;
pub mod options;
mod random;
mod rounding;
pub mod second;
pub mod space;
pub mod svm;
pub mod train;
mod vocabulary;
pub mod words;

pub use error::ModelError;
pub use evaluate::{CurvePoint, Evaluation, LabelFigures, Outcome};
pub use labels::LabelSet;
pub use model::{Evidence, Model, Prediction};
pub use options::Options;
pub use train::{Progress, Trained};
