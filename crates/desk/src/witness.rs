//! Echo as a witness of others' logs (C2SP tlog-witness).
//!
//! What was cosigned last is compared and replaced in one transaction, which is durable before the cosignature leaves:
//! Echo never cosigns two histories of one log, over any crash.

use echo_core::{CustomerId, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Record, Scope, Tx};
use witness::{Kept, Refusal, Submission};

use crate::{
    Desk, DeskError,
    witness_policy::{Book, policy, put},
};

/// For how long the same head gets the same cosignature again, in seconds: who repeats a request costs no write.
const SAME_SECONDS: u64 = 10;

/// The newest head of a log that Echo cosigned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct WitnessedHead {
    /// SHA-256 of the origin, in hexadecimal: the name of its public copy.
    id: String,
    origin: String,
    size: u64,
    root: Digest,
    /// POSIX seconds.
    at: u64,
    /// The checkpoint with the log's signatures and Echo's line.
    note: String,
    line: String,
}

impl Record for WitnessedHead {
    const KIND: &'static str = "witnessed head";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

impl WitnessedHead {
    /// How many entries.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// When it was cosigned.
    pub(crate) fn cosigned(&self) -> Timestamp {
        time(self.at)
    }

    fn kept(&self) -> Kept {
        Kept { size: self.size, root: self.root.0, at: self.at }
    }

    /// The line that was given for the very same request a moment ago.
    fn repeated(&self, asked: &Submission, now: u64) -> Option<String> {
        let same = self.kept().size == asked.old
            && asked.judge(Some(&self.kept()), now).is_ok_and(|next| next.size == self.size)
            && asked.says_the_same(&self.note);
        (same && now - self.at < SAME_SECONDS).then(|| self.line.clone())
    }
}

/// The newest head of the log `origin` that Echo cosigned.
pub(crate) async fn head_of(tx: &mut Tx, origin: &str) -> Result<Option<WitnessedHead>, DeskError> {
    Ok(tx.get(&Scope::All, &Digest::of(origin.as_bytes()).hex()).await?)
}

/// POSIX seconds as a timestamp.
pub(crate) fn time(at: u64) -> Timestamp {
    let millis = i64::try_from(at).unwrap_or(i64::MAX).saturating_mul(1000);
    echo_core::clock::from_millis(millis)
}

/// A timestamp as POSIX seconds.
pub(crate) fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or(0)
}

impl Desk {
    /// Echo's verifier key as a witness.
    pub fn witness_vkey(&self) -> String {
        self.cosigner().key().to_string()
    }

    /// Takes an `add-checkpoint` request, at most [`witness::MAX_REQUEST_BYTES`] long, and answers the cosignature's
    /// line, or why there is none. Anybody may ask: the log's signature is what counts.
    pub async fn add_checkpoint(&self, body: &[u8]) -> Result<Result<String, Refusal>, DeskError> {
        let mut tx = self.store().read().await?;
        let logs = policy(&mut tx, Book::Witnessed).await?;
        let asked = match Submission::admit(body, &logs) {
            Ok(asked) => asked,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let origin = asked.checkpoint.origin.clone();
        let now = seconds(self.now());
        let head = head_of(&mut tx, &origin).await?;
        if let Some(line) = head.as_ref().and_then(|head| head.repeated(&asked, now)) {
            return Ok(Ok(line));
        }
        // Checked without the write lock first: who only repeats what is public must not slow anybody down.
        let seen = head.map(|head| head.kept());
        if let Err(refusal) = asked.judge(seen.as_ref(), now) {
            // Another root at a size that was cosigned is the log's own signature against itself. A proof that does
            // not fit may be anybody's nonsense, and nobody shall fill the log with it.
            let other =
                |kept: &Kept| kept.size == asked.checkpoint.size && kept.root != asked.checkpoint.root;
            if seen.as_ref().is_some_and(other) {
                // The trusted lines alone: what else stands in the request is anybody's.
                let note = asked.cosigned(&logs, "");
                tracing::warn!(origin, note, "a log that is witnessed here has two histories");
            }
            return Ok(Err(refusal));
        }
        drop(tx);
        let mut tx = self.store().write().await?;
        let head = head_of(&mut tx, &origin).await?.map(|head| head.kept());
        let next = match asked.judge(head.as_ref(), now) {
            Ok(next) => next,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let line = asked.cosign(self.cosigner(), next.at);
        let record = WitnessedHead {
            id: Digest::of(origin.as_bytes()).hex(),
            note: asked.cosigned(&logs, &line),
            origin,
            size: next.size,
            root: Digest(next.root),
            at: next.at,
            line: line.clone(),
        };
        put(&mut tx, &record).await?;
        tx.commit().await?;
        Ok(Ok(line))
    }

    /// The newest checkpoint that Echo cosigned of the log whose origin has this SHA-256, in hexadecimal.
    pub async fn witnessed_checkpoint(&self, origin_hash: &str) -> Result<String, DeskError> {
        let mut tx = self.store().read().await?;
        let head: Option<WitnessedHead> = tx.get(&Scope::All, origin_hash).await?;
        head.map(|head| head.note).ok_or_else(|| DeskError::not_found("cosigned checkpoint of", origin_hash))
    }
}
