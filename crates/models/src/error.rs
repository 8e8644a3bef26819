//! What can go wrong with a model.

use std::path::PathBuf;

/// Why a model does not answer.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// No model of that kind or name is here.
    #[error("no {what} is here: `echo_cli model list` shows what is, `echo_cli model add FILE` adds one")]
    Missing {
        /// Which kind or name.
        what: String,
    },
    /// This program was built without the engine that runs models.
    #[error(
        "this program was built without the engine for local models: build it with `--features local_models`, or \
         set an endpoint in echo.toml"
    )]
    NoEngine,
    /// A file is not a model that can be run.
    #[error("{path}: {reason}")]
    Unfit {
        /// Which file.
        path: PathBuf,
        /// Why, and what would be taken.
        reason: String,
    },
    /// The question is not one that can be asked.
    #[error("{what}: {reason}")]
    Invalid {
        /// Which part of it.
        what: &'static str,
        /// Why, and what would be taken.
        reason: String,
    },
    /// More wait than the queue holds.
    #[error("{waiting} questions wait for the model already: try again in a few seconds")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// The engine or the endpoint failed.
    #[error("{model} failed: {reason}")]
    Failed {
        /// Which model.
        model: String,
        /// Why.
        reason: String,
    },
}
