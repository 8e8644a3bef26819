//! `treasury/`: cosigned heads, and commitments: each ledger's head entered into the other ledger and kept as a file.
//!
//! A ledger is committed to only when it holds something else than commitments since its last one, so an idle platform
//! enters nothing.

use access::Action;
use dossier::{Commitment, Kind, LogName};
use durable::Mode;
use echo_core::{CustomerId, Digest, Page, PageRequest, Timestamp};
use ledger::{Checkpoint, Entry};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope, Tx};
use witness::Policy;

use crate::{Call, Desk, DeskError, DocumentRecord, witness_policy::put, work::Owner};

/// What stands first in an export.
pub const EXPORT_HEADER: &str = "echo treasury v1";
/// The most bytes of an export; older checkpoints are left out beyond it.
pub const MAX_EXPORT_BYTES: usize = 16 * 1024 * 1024;
/// How many entries of a ledger are read at once.
const BATCH: usize = 1_000;

/// The newest head of a ledger that its witnesses cosigned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Cosigned {
    id: String,
    /// The newest head that any witness cosigned: more cosignatures are put onto it.
    size: u64,
    root: Digest,
    note: String,
    /// The newest note with the quorum's cosignatures.
    complete: Option<String>,
}

impl Record for Cosigned {
    const KIND: &'static str = "cosigned head";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

impl Cosigned {
    async fn of(tx: &mut Tx, log: LogName) -> Result<Option<Self>, DeskError> {
        Ok(tx.get(&Scope::All, log.as_str()).await?)
    }

    /// Takes `note`, the signed `head` with cosignatures. Whether `policy` accepts what that makes.
    pub(crate) async fn take(
        tx: &mut Tx,
        log: LogName,
        head: &Checkpoint,
        note: &str,
        policy: &Policy,
        now: u64,
    ) -> Result<bool, DeskError> {
        let known = Self::of(tx, log).await?;
        if known.as_ref().is_some_and(|known| known.size > head.size) {
            return Ok(false);
        }
        let complete = known.as_ref().and_then(|known| known.complete.clone());
        let note = match known {
            Some(known) if known.size == head.size && known.root.0 == head.root => {
                let keys: Vec<_> = policy.witnesses().iter().map(|w| w.key.clone()).collect();
                let lines = ledger::note::split(note).map(|(_, lines)| lines.join("\n") + "\n");
                let lines = lines.unwrap_or_default();
                witness::merge(&known.note, &lines, &keys, now).map_or(known.note, |(merged, _)| merged)
            }
            _ => note.to_owned(),
        };
        let good = policy.evaluate(&note).is_ok();
        let record = Self {
            id: log.as_str().to_owned(),
            size: head.size,
            root: Digest(head.root),
            complete: good.then(|| note.clone()).or(complete),
            note,
        };
        put(tx, &record).await?;
        Ok(good)
    }
}

/// One commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitmentRecord {
    /// Sorts by the order in which they were made: `000000000000000012-genesis-17`.
    pub id: String,
    /// The ledger whose head was entered into the other.
    pub log: LogName,
    /// Entries of the ledger then.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// When it was entered.
    pub at: Timestamp,
    /// The checkpoint, with the cosignatures that it had then.
    pub checkpoint: String,
}

impl Record for CommitmentRecord {
    const KIND: &'static str = "commitment";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }

    fn parent(&self) -> Option<&str> {
        Some(self.log.as_str())
    }
}

impl Desk {
    /// The newest head of a ledger with its quorum's cosignatures, as a signed note.
    pub async fn cosigned_checkpoint(&self, log: LogName) -> Result<String, DeskError> {
        let mut tx = self.store().read().await?;
        let found = self.complete(&mut tx, log).await?;
        found.ok_or_else(|| DeskError::not_found("cosigned checkpoint of the ledger", log.as_str()))
    }

    /// The newest note that the policy of now accepts: it may be another one than when the note was taken.
    async fn complete(&self, tx: &mut Tx, log: LogName) -> Result<Option<String>, DeskError> {
        let policy = self.policy_of(tx, log).await?;
        let known = Cosigned::of(tx, log).await?;
        let notes = known.into_iter().flat_map(|known| [Some(known.note), known.complete]);
        Ok(notes.flatten().find(|note| policy.evaluate(note).is_ok()))
    }

    /// Writes out what the database says, after an edit or a run that was cut off: the policies and the cosigned heads.
    /// Nobody reads these files back, so one that cannot be written is no reason to stop; the next time writes it.
    pub(crate) async fn write_treasury(&self) {
        if let Err(error) = self.write_policies().await {
            tracing::warn!(%error, "the policies in treasury/ are not up to date");
        }
        for log in LogName::ALL {
            self.write_cosigned(log).await;
        }
    }

    /// Writes the newest cosigned head of a ledger out, or removes the file when there is none.
    pub(crate) async fn write_cosigned(&self, log: LogName) {
        if let Err(error) = self.try_write_cosigned(log).await {
            tracing::warn!(%error, "treasury/{log}.cosigned is not up to date");
        }
    }

    async fn try_write_cosigned(&self, log: LogName) -> Result<(), DeskError> {
        // One at a time, or an older note could be written last.
        let mut tx = self.store().write().await?;
        let path = self.home().join(format!("treasury/{log}.cosigned"));
        match self.complete(&mut tx, log).await? {
            Some(note) => durable::write(&path, note.as_bytes(), Mode::Public)?,
            None => match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(DeskError::Home(format!("cannot remove {}: {error}", path.display())));
                }
                _ => {}
            },
        }
        Ok(())
    }

    /// Enters the head of each ledger into the other, when there is something new to commit to.
    pub async fn commit_heads(&self) -> Result<Vec<CommitmentRecord>, DeskError> {
        let mut work = self.work("Echo").await?;
        let mut made = Vec::new();
        for log in LogName::ALL {
            let (head, plain) = self.log(log).signed_head();
            if !self.has_news(&mut work.tx, log, &head).await? {
                continue;
            }
            let cosigned = Cosigned::of(&mut work.tx, log).await?;
            let checkpoint = cosigned
                .filter(|c| c.size == head.size && c.root.0 == head.root)
                .map_or(plain, |cosigned| cosigned.note);
            let commitment =
                Commitment { origin: head.origin, size: head.size, root: Digest(head.root), checkpoint };
            let id = format!("{log}-{}", commitment.size);
            work.record(Kind::commitment_of(log), &id, Owner::default(), &commitment).await?;
            let record = CommitmentRecord {
                // Counted, for a clock may go back.
                id: format!("{:018}-{id}", work.tx.next("commitment").await?),
                log,
                size: commitment.size,
                root: commitment.root,
                at: work.now,
                checkpoint: commitment.checkpoint,
            };
            work.tx.insert(&record).await?;
            made.push(record);
        }
        if made.is_empty() {
            return Ok(made);
        }
        work.commit().await?;
        Ok(made)
    }

    /// The same, because somebody asked for it.
    pub async fn commit_heads_now(&self, call: &Call) -> Result<Vec<CommitmentRecord>, DeskError> {
        call.principal.require(Action::ManageTrust)?;
        let made = self.commit_heads().await?;
        self.work(&call.principal.name).await?.finish(call, 200, made).await
    }

    /// Whether a ledger holds something else than commitments since the last one to it.
    async fn has_news(&self, tx: &mut Tx, log: LogName, head: &Checkpoint) -> Result<bool, DeskError> {
        let newest = PageRequest { cursor: None, limit: Some(1) };
        let last = tx.list::<CommitmentRecord>(&Scope::All, &Filter::under(log.as_str()), &newest).await?;
        let mut at = last.items.first().map_or(0, |last| last.size);
        while at < head.size {
            let entries = self.log(log).entries(at, BATCH).map_err(|e| DeskError::Home(e.to_string()))?;
            let kinds = Kind::ALL.into_iter().filter(|kind| kind.is_commitment()).map(Kind::as_str);
            let kinds: Vec<&str> = kinds.collect();
            let news =
                |bytes: &Vec<u8>| Entry::from_bytes(bytes).map_or(true, |e| !kinds.contains(&&*e.kind));
            if entries.is_empty() || entries.iter().any(news) {
                return Ok(true);
            }
            at += entries.len() as u64;
        }
        Ok(false)
    }

    /// The commitments, newest first.
    pub async fn commitments(
        &self,
        principal: &access::Principal,
        page: &PageRequest,
    ) -> Result<Page<CommitmentRecord>, DeskError> {
        principal.require(Action::ReadLedger)?;
        let mut tx = self.store().read().await?;
        Ok(tx.list(&Scope::All, &Filter::default(), page).await?)
    }

    /// All commitments' checkpoints as one text, newest first: a line [`EXPORT_HEADER`], then for each a line `=== LOG
    /// SIZE TIME` and the signed note. The oldest are left out when it grows longer than [`MAX_EXPORT_BYTES`].
    pub async fn export_treasury(&self, principal: &access::Principal) -> Result<String, DeskError> {
        let mut text = format!("{EXPORT_HEADER}\n");
        let mut page = PageRequest { cursor: None, limit: Some(echo_core::page::MAX_LIMIT) };
        loop {
            let found = self.commitments(principal, &page).await?;
            for one in found.items {
                let piece = format!("=== {} {} {}\n{}", one.log, one.size, one.at, one.checkpoint);
                if text.len() + piece.len() > MAX_EXPORT_BYTES {
                    return Ok(text);
                }
                text.push_str(&piece);
            }
            match found.next {
                Some(next) => page.cursor = Some(next),
                None => return Ok(text),
            }
        }
    }

    /// Writes a commitment's checkpoint as a file, for [`Desk::publish`].
    pub(crate) fn write_commitment(&self, record: &DocumentRecord) -> Result<(), DeskError> {
        let payload = record.envelope.payload_unchecked().map_err(|e| DeskError::Internal(e.to_string()))?;
        let commitment: Commitment = serde_json::from_slice(&payload)?;
        let path = self.home().join(format!("treasury/{}.checkpoint", record.subject));
        Ok(durable::write(&path, commitment.checkpoint.as_bytes(), Mode::Public)?)
    }
}
