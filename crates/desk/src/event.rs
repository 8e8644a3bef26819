//! What is told to those who watch.

use access::{Action, Principal};
use echo_core::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{Desk, DeskError, call::scope_of};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What it is about: `case`, `device`, `invoice`, `mesh`, `agent_key`, `triage`.
    pub topic: String,
    /// Which one.
    pub id: String,
    /// What happened, in words.
    pub what: String,
    /// When.
    pub at: Timestamp,
}

impl Desk {
    /// The events after `seq` that the caller may see, oldest first, at most 500.
    pub async fn events_after(
        &self,
        principal: &Principal,
        seq: i64,
    ) -> Result<Vec<(i64, Event)>, DeskError> {
        principal.require(Action::ReadEvents)?;
        let mut tx = self.store().read().await?;
        let events = tx.events_after(&scope_of(principal), seq).await?;
        events.into_iter().map(|e| Ok((e.seq, serde_json::from_str(&e.body)?))).collect()
    }

    /// The place of the newest event.
    pub async fn last_event(&self) -> Result<i64, DeskError> {
        Ok(self.store().read().await?.last_event().await?)
    }

    /// Changes whenever something was committed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes_sender().subscribe()
    }

    /// Wakes everybody who waits for a change.
    pub(crate) fn changed(&self) {
        self.changes_sender().send_modify(|n| *n = n.wrapping_add(1));
    }
}
