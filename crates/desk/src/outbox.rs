//! Enters into the ledgers what was committed, exactly once each.
//!
//! The outbox is the truth about what is owed, the index about what is in. A crash between the log's commit and
//! ours leaves the entry in both the log and the outbox: following the log first fills the index, so the entry
//! is found there and not entered again.

use dossier::LogName;
use store::{OutboxEntry, Scope};

use crate::{Desk, DeskError, DocumentRecord, desk::blocking};

impl Desk {
    /// Enters everything owed. When this returns, what the caller committed before is in its ledger.
    ///
    /// It runs in a task of its own: a caller that goes away in the middle must not leave an append that is under
    /// way but not yet seen, which the next drain would enter a second time.
    pub async fn drain(&self) -> Result<(), DeskError> {
        let desk = self.clone();
        let drained = tokio::spawn(async move { desk.drain_all().await });
        drained.await.map_err(|e| DeskError::Internal(e.to_string()))?
    }

    async fn drain_all(&self) -> Result<(), DeskError> {
        let mut entered = self.draining().lock().await;
        loop {
            let owed = self.store().read().await?.owed().await?;
            if owed.is_empty() {
                entered.once = true;
                return Ok(());
            }
            // A batch that fails half-way has written some of its files: the next one has to look.
            let fresh = std::mem::take(&mut entered.once);
            for log in LogName::ALL {
                let batch: Vec<_> = owed.iter().filter(|o| o.log == log.as_str()).collect();
                if !batch.is_empty() {
                    self.enter(log, &batch, fresh).await?;
                }
            }
            entered.once = fresh;
        }
    }

    async fn enter(&self, log: LogName, batch: &[&OutboxEntry], fresh: bool) -> Result<(), DeskError> {
        self.follow(log).await?;
        let mut tx = self.store().read().await?;
        let mut missing = Vec::new();
        for owed in batch {
            if tx.leaf_index(log.as_str(), &owed.leaf).await?.is_none() {
                missing.push(owed.entry.clone().into_bytes());
            }
        }
        drop(tx);
        if !missing.is_empty() {
            self.log(log).append(missing).await.map_err(|e| DeskError::LedgerBehind(e.to_string()))?;
            self.follow(log).await?;
        }
        self.publish_all(log, batch, fresh).await?;
        let mut tx = self.store().write().await?;
        for owed in batch {
            tx.settled(owed.seq).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Writes the files that a person or a tool may want to read; writing them again changes nothing. `fresh` says
    /// that no run before this one can have written them.
    async fn publish_all(&self, log: LogName, batch: &[&OutboxEntry], fresh: bool) -> Result<(), DeskError> {
        let mut tx = self.store().read().await?;
        let mut records = Vec::with_capacity(batch.len());
        for owed in batch {
            let entry = ledger::Entry::from_bytes(owed.entry.as_bytes())
                .map_err(|e| DeskError::Internal(format!("outbox: {e}")))?;
            let index = tx.leaf_index(log.as_str(), &owed.leaf).await?.ok_or_else(|| {
                DeskError::LedgerBehind(format!(
                    "the {log} ledger does not hold {} after it was entered",
                    entry.id
                ))
            })?;
            let key = format!("{}/{}", entry.kind, entry.id);
            if let Some(record) = tx.get::<DocumentRecord>(&Scope::All, &key).await? {
                records.push((record, index, entry.at));
            }
        }
        drop(tx);
        let desk = self.clone();
        blocking(move || {
            records.iter().try_for_each(|(record, index, at)| desk.publish(record, *index, *at, fresh))
        })
        .await
    }
}
