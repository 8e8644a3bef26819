//! The ledgers that the trust registry names, and their signed heads.

use echo_core::{Digest, Timestamp};
use ledger::{Checkpoint, ProofError, note::Vkey, verify_checkpoint};
use trust::Registry;
use witness::{Policy, keep_lines};

use super::MAX_NOTE_BYTES;

/// A head that the ledger's own key signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) head: Checkpoint,
    /// The signed note, with the ledger's own signatures alone.
    pub(crate) note: String,
}

impl Seen {
    /// The root.
    pub(crate) fn root(&self) -> Digest {
        Digest(self.head.root)
    }
}

/// Why a note is not a head of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoHead {
    /// Of none that the registry names: somebody may know a newer one.
    Unknown,
    /// Not signed by the ledger's key, or not well formed.
    Wrong(String),
}

/// The ledgers of one version of the trust registry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logs {
    /// Of which version.
    pub(crate) version: u64,
    /// The same as a policy, for requests.
    pub(crate) policy: Policy,
    keys: Vec<Vkey>,
}

impl Logs {
    /// The ledgers that `registry` names. A key that is none is left out.
    pub(crate) fn of(registry: &Registry) -> Self {
        let mut logs = Self { version: registry.version, ..Self::default() };
        for log in registry.logs.values() {
            let vkey = log.vkey.trim();
            if let (Ok(key), Ok(policy)) = (vkey.parse(), logs.policy.with_log(vkey, None)) {
                logs.keys.push(key);
                logs.policy = policy;
            }
        }
        logs
    }

    /// The origins.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.name.as_str())
    }

    /// The head in a signed note.
    pub(crate) fn read(&self, note: &str) -> Result<Seen, NoHead> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoHead::Wrong(format!("a head of more than {MAX_NOTE_BYTES} bytes")));
        }
        let origin = note.split('\n').next().unwrap_or_default();
        let mut found = Err(NoHead::Unknown);
        for key in self.keys.iter().filter(|key| key.name == origin) {
            match verify_checkpoint(note, &key.text()) {
                Ok(head) => {
                    let own = |name: &str, signature: &[u8]| {
                        name == key.name && signature.get(..4) == Some(key.id().as_slice())
                    };
                    return Ok(Seen { head, note: keep_lines(note, own) });
                }
                Err(why @ ProofError::Unsigned { .. }) => found = Err(NoHead::Wrong(why.to_string())),
                Err(why) => return Err(NoHead::Wrong(why.to_string())),
            }
        }
        found
    }
}

/// A timestamp as POSIX seconds.
pub(crate) fn seconds(at: Timestamp) -> u64 {
    u64::try_from(at.as_second()).unwrap_or(0)
}
