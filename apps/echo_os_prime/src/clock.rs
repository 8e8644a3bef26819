//! Shows the desk a clock that nobody can set, so that it notices when somebody sets the other one.

use std::time::Duration;

use desk::Desk;
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

/// How often both are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Looks until the platform stops.
pub async fn watch(desk: Desk, stopping: watch::Receiver<bool>) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stopping.borrow() {
        look.tick().await;
        if let Err(error) = desk.look_at_clock(since_boot()).await {
            tracing::warn!("{error}");
        }
    }
}

/// How long the machine has been up, asleep or not (`CLOCK_BOOTTIME`).
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_that_nobody_can_set_goes_on() {
        let first = since_boot();
        std::thread::sleep(Duration::from_millis(5));
        assert!(since_boot() > first);
    }
}
