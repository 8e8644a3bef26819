//! When the witnesses are asked, and how the ledgers are committed to one another.

use std::time::Duration;

use desk::{Desk, DeskError};
use echo_core::Reach;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::witnesses;

/// How often the witnesses are asked about heads that changed.
const ASK: Duration = Duration::from_mins(1);

/// Asks until the platform stops. A failure is told and tried again at the next turn. One round follows the
/// other, so a slow witness delays the next round and nothing else.
pub async fn run(desk: Desk, reach: Reach, mut stopping: watch::Receiver<bool>) {
    let mut ask = interval(ASK);
    ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ask.tick() => {}
            () = desk.witnesses_wanted() => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        tell(witnesses::ask_all(&desk, reach).await);
    }
}

/// Enters each ledger's head into the other, when there is something new to commit to: at the stop, and by the schedule.
pub async fn commit(desk: &Desk) -> Result<(), DeskError> {
    for made in desk.commit_heads().await? {
        tracing::info!(log = %made.log, size = made.size, "a ledger's head was entered into the other ledger");
    }
    Ok(())
}

fn tell(done: Result<(), DeskError>) {
    if let Err(error) = done {
        tracing::warn!("{error}");
    }
}
