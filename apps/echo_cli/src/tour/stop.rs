//! The wish to stop: SIGINT, SIGTERM or SIGHUP, as a flag that is looked at.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
};

use crate::Failure;

/// Whether somebody asked to stop.
#[derive(Debug, Clone)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Raised by the signals that end a program.
    pub fn on_signals() -> Result<Self, Failure> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            flag::register(signal, Arc::clone(&asked))
                .map_err(|error| Failure::failed(format!("cannot wait for signal {signal}: {error}")))?;
        }
        Ok(Self(asked))
    }

    /// A failure once somebody asked to stop.
    pub fn check(&self) -> Result<(), Failure> {
        if self.0.load(Ordering::SeqCst) {
            return Err(Failure::failed("stopped by a signal").hint("take the tour again"));
        }
        Ok(())
    }
}
