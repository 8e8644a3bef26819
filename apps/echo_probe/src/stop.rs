//! The word to stop, and the wait for work that is under way.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Shared by the threads.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    busy: usize,
}

/// While it lives, something is under way that should come to its end.
#[derive(Debug)]
pub(crate) struct Busy<'a>(&'a Stop);

impl Stop {
    /// Tells everybody to stop.
    pub(crate) fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    /// Whether to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Waits, unless told to stop before; whether to stop.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.state(), time, |s| !s.stopped);
        waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    /// Marks work that should not be cut off.
    pub(crate) fn busy(&self) -> Busy<'_> {
        self.state().busy += 1;
        Busy(self)
    }

    /// Waits until nothing is under way, at most `time`; whether so.
    pub(crate) fn idle(&self, time: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.state(), time, |s| s.busy > 0);
        waited.unwrap_or_else(PoisonError::into_inner).0.busy == 0
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.state().busy -= 1;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_told_to_stop() {
        let stop = Stop::default();
        assert!(!stop.wait(Duration::from_millis(1)));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| stop.wait(Duration::from_mins(1)));
            stop.stop();
            assert!(waiting.join().unwrap());
        });
        assert!(stop.is_stopped());
    }

    #[test]
    fn work_under_way_is_waited_for_up_to_a_bound() {
        let stop = Stop::default();
        let busy = stop.busy();
        assert!(!stop.idle(Duration::from_millis(5)));
        drop(busy);
        assert!(stop.idle(Duration::ZERO));
    }
}
