//! Follows a log: the index from leaf to position, and the head that answers rest on.
//!
//! The database keeps the last head of each log, and gives it up only for one that continues it. So a log whose
//! folder was put back from a backup, or that a second writer continued elsewhere, is noticed before anything that
//! rests on it is answered. What a backup of the whole home hides, a witness notices.

use dossier::LogName;
use store::LogHead;

use crate::{Desk, DeskError, document};

/// How many entries of the log are read at once.
const FOLLOW_BATCH: usize = 1_000;

impl Desk {
    /// Brings the index and the kept head up to the log's. Refused when the log does not continue the kept head.
    pub(crate) async fn follow(&self, log: LogName) -> Result<(), DeskError> {
        let head = self.head_of(log)?;
        // Mostly there is nothing to follow, and a look takes no write lock.
        let kept = self.store().read().await?.log_head(log.as_str()).await?;
        if kept.as_ref() == Some(&head) {
            return Ok(());
        }
        if let Some(kept) = &kept {
            self.continues(log, kept, &head)?;
        }
        while self.index_some(log, head.size).await? {}
        let mut tx = self.store().write().await?;
        if !tx.swap_log_head(log.as_str(), kept.as_ref(), &head).await? {
            return Err(DeskError::LedgerBehind(format!(
                "somebody else wrote the {log} ledger at the same time"
            )));
        }
        Ok(tx.commit().await?)
    }

    fn head_of(&self, log: LogName) -> Result<LogHead, DeskError> {
        let ledger = self.log(log);
        let head = ledger::verify_checkpoint(&ledger.checkpoint(), ledger.vkey())
            .map_err(|e| DeskError::Home(format!("the {log} ledger's checkpoint does not verify: {e}")))?;
        Ok(LogHead { size: head.size, root: hex::encode(head.root) })
    }

    /// Whether the log of `head` begins with the log of `kept`.
    fn continues(&self, log: LogName, kept: &LogHead, head: &LogHead) -> Result<(), DeskError> {
        let ledger = self.log(log);
        let dir = ledger.dir().display();
        if head.size < kept.size {
            return Err(DeskError::Home(format!(
                "the {log} ledger was set back: {dir} holds {} entries, but {} were acknowledged; stop the platform \
                 and restore the newest backup of that folder, for going on would sign a second history",
                head.size, kept.size
            )));
        }
        let proof = ledger.consistency(kept.size, head.size).map_err(|e| DeskError::Home(e.to_string()))?;
        let root = |head: &LogHead| {
            let mut root = [0; 32];
            hex::decode_to_slice(&head.root, &mut root)
                .map(|()| root)
                .map_err(|e| DeskError::Internal(format!("the kept head of the {log} ledger: {e}")))
        };
        ledger::verify_consistency(kept.size, &root(kept)?, head.size, &root(head)?, &proof).map_err(|_| {
            DeskError::Home(format!(
                "the {log} ledger in {dir} tells another history than the one whose first {} entries were \
                 acknowledged (root {}): stop the platform and restore the newest backup of that folder",
                kept.size, kept.root
            ))
        })
    }

    /// Puts the next entries below `size` into the index. Whether there were any.
    async fn index_some(&self, log: LogName, size: u64) -> Result<bool, DeskError> {
        let mut tx = self.store().write().await?;
        let from = tx.followed(log.as_str()).await?;
        if from >= size {
            return Ok(false);
        }
        let entries =
            self.log(log).entries(from, FOLLOW_BATCH).map_err(|e| DeskError::Home(e.to_string()))?;
        if entries.is_empty() {
            return Err(DeskError::Internal(format!("the {log} ledger ends before its size")));
        }
        for (index, entry) in (from..).zip(&entries) {
            tx.index_leaf(log.as_str(), &document::leaf(entry), index).await?;
        }
        tx.note_followed(log.as_str(), from + entries.len() as u64).await?;
        tx.commit().await?;
        Ok(true)
    }
}
