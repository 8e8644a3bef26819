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
        let head = self.log(log).head();
        let head = LogHead { size: head.size, root: hex::encode(head.root) };
        // Mostly there is nothing to follow, and a look takes no write lock.
        let kept = self.store().read().await?.log_head(log.as_str()).await?;
        if kept.as_ref() == Some(&head) {
            return Ok(());
        }
        if let Some(kept) = &kept {
            self.continues(log, kept, &head)?;
        }
        while !self.index_some(log, kept.as_ref(), &head).await? {}
        Ok(())
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
        let root = ledger.root_at(kept.size).map_err(|e| DeskError::Home(e.to_string()))?;
        if hex::encode(root) == kept.root {
            return Ok(());
        }
        Err(DeskError::Home(format!(
            "the {log} ledger in {dir} tells another history than the one whose first {} entries were acknowledged \
             (root {}): stop the platform and restore the newest backup of that folder",
            kept.size, kept.root
        )))
    }

    /// Puts the next entries below the size of `head` into the index, and with the last of them `head` in place of
    /// `kept`. Whether that was the last.
    async fn index_some(
        &self,
        log: LogName,
        kept: Option<&LogHead>,
        head: &LogHead,
    ) -> Result<bool, DeskError> {
        let mut tx = self.store().write().await?;
        let from = tx.followed(log.as_str()).await?;
        let mut to = from;
        if from < head.size {
            let most = usize::try_from(head.size - from).unwrap_or(FOLLOW_BATCH).min(FOLLOW_BATCH);
            let entries = self.log(log).entries(from, most).map_err(|e| DeskError::Home(e.to_string()))?;
            if entries.is_empty() {
                return Err(DeskError::Internal(format!("the {log} ledger ends before its size")));
            }
            for (index, entry) in (from..).zip(&entries) {
                tx.index_leaf(log.as_str(), &document::leaf(entry), index).await?;
            }
            to += entries.len() as u64;
            tx.note_followed(log.as_str(), to).await?;
        }
        let last = to >= head.size;
        if last && !tx.swap_log_head(log.as_str(), kept, head).await? {
            return Err(DeskError::LedgerBehind(format!(
                "somebody else wrote the {log} ledger at the same time"
            )));
        }
        tx.commit().await?;
        Ok(last)
    }
}
