//! Why a bundle is not made, not believed or not installed.

use std::{
    io,
    path::{Path, PathBuf},
};

use durable::DurableError;
use echo_core::Digest;
use ledger::{EntryError, ProofError};
use semver::Version;
use trust::TrustError;
use witness::{PolicyError, Unaccepted};

use crate::slots::StateError;

/// Why something with a bundle did not work.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}{}", path.display(), hint(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the house could not be read or written.
    #[error(transparent)]
    File(#[from] DurableError),
    /// The folder to build from holds something that a bundle cannot.
    #[error("{} cannot go into a bundle: {why}", path.display())]
    Unfit {
        /// What.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The file ends too early.
    #[error(
        "{name} is torn: it ends at byte {at} of {length}; `echo_cli bundle copy` takes the rest from another copy"
    )]
    Torn {
        /// Which file.
        name: String,
        /// How many bytes there are.
        at: u64,
        /// How many there should be, as far as is known.
        length: u64,
    },
    /// The bytes are not those of a bundle.
    #[error("{name} is damaged at byte {at}: {why}; get it again, or mend it with `echo_cli bundle copy`")]
    Damaged {
        /// Which file.
        name: String,
        /// From which byte on.
        at: u64,
        /// What is wrong.
        why: String,
    },
    /// It is whole, and not to be believed.
    #[error("{name} is refused: {source}")]
    Refused {
        /// Which file.
        name: String,
        /// Why.
        source: Box<Refusal>,
    },
    /// The delta leads from another bundle.
    #[error(
        "the delta leads from the bundle with the manifest {wanted}, and this is {found}: get the delta for it, or the whole bundle"
    )]
    OtherBase {
        /// From which manifest it leads.
        wanted: Digest,
        /// Which manifest is here.
        found: Digest,
    },
    /// This build packs in other bytes than the bundle's maker did.
    #[error(
        "the chunk {chunk} packs to {found} bytes here and to {wanted} in the bundle: it was made with another zstd; update the installed tree with the delta, or get the whole bundle"
    )]
    OtherPacker {
        /// Which chunk.
        chunk: Digest,
        /// What the manifest says.
        wanted: u64,
        /// What came out.
        found: u64,
    },
    /// There is too little room.
    #[error("{} has {free} bytes free and {needed} are needed: free some space, then try again; nothing was changed", path.display())]
    NoRoom {
        /// Where.
        path: PathBuf,
        /// What there is.
        free: u64,
        /// What is needed.
        needed: u64,
    },
    /// The installation is in a state in which this cannot be done.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Why a whole bundle is not believed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The manifest says something that cannot be.
    #[error("its manifest is not acceptable: {0}; ask its maker for another one")]
    Manifest(String),
    /// Nobody who may sign it did, or the trust chain does not hold.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The proof that it was entered into the ledger does not hold.
    #[error("what it says about the ledger does not hold: {0}")]
    Proof(#[from] ProofError),
    /// The ledger's entry is none of Echo's.
    #[error("what it says about the ledger does not hold: {0}")]
    Entry(#[from] EntryError),
    /// The ledger's entry is of something else.
    #[error("the ledger's entry is of {0}, not of this bundle: do not trust it")]
    OtherEntry(String),
    /// The trust registry names no genesis ledger.
    #[error("its trust registry names no genesis ledger, so nothing can be proven by one")]
    NoLedger,
    /// The policy that was demanded cannot be read.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Too few witnesses cosigned.
    #[error(transparent)]
    Witnesses(#[from] Unaccepted),
    /// Witnesses are demanded, and there is no word of any.
    #[error(
        "the policy demands witnesses, and the bundle has no cosigned entry: ask its maker to say `echo_cli bundle witness`"
    )]
    Unwitnessed,
    /// It is older than what may follow here.
    #[error(
        "it is version {offered}, and nothing below {floor} may follow what was installed: get a newer one, or say why with --allow-downgrade REASON"
    )]
    Downgrade {
        /// Its version.
        offered: Version,
        /// The lowest that may be installed.
        floor: Version,
    },
}

impl BundleError {
    /// Whether the bytes are at fault, and not the machine: what a program answers with "not verified".
    pub fn is_verdict(&self) -> bool {
        matches!(
            self,
            Self::Torn { .. } | Self::Damaged { .. } | Self::Refused { .. } | Self::OtherBase { .. }
        )
    }
}

/// Wraps what the system said.
pub fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BundleError + use<> {
    let path = path.to_owned();
    move |source| BundleError::Io { action, path, source }
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            " (free some space, then say the same again: what is installed runs on)"
        }
        io::ErrorKind::PermissionDenied => " (run as the owner of the folder)",
        io::ErrorKind::ReadOnlyFilesystem => " (choose a folder that can be written)",
        // EIO: a stick that was pulled, a disk that fails.
        _ if error.raw_os_error() == Some(5) => {
            " (was the stick pulled? put it back and say the same again: what is installed runs on)"
        }
        _ => "",
    }
}
