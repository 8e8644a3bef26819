//! Whether another Echo's part of an index may be taken over: it is signed by whom it should be, its ledger holds
//! exactly what it lists, and that ledger still has the history that was merged before.
//!
//! [`Origin::receive`] checks the file, [`LogWalk`] the ledger, entry by entry from the first on. The whole ledger
//! is read: that way an attestation that was left out is found too, and one pass gives the roots of all sizes.

use std::collections::BTreeMap;

use echo_core::{Digest, Timestamp};
use ledger::{Checkpoint, History};
use trust::{TrustChain, TrustError};

use crate::index::{Attested, Index, IndexError, MAX_LISTED, Origin, attestation_in};

/// The most entries of a ledger that are read for one merge.
pub const MAX_WALK: u64 = 20_000_000;

/// Why another Echo's part is not taken over. The first field names its ledger.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The trust chain does not lead from the pinned root, or is older than the index.
    #[error("the other's trust chain does not hold: {0}")]
    Trust(#[from] TrustError),
    /// The index file does not hold.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// It is the index of another Echo than the one that was named.
    #[error(
        "the index is of the Echo with the root {found}, not {pinned}: check which file belongs to which root"
    )]
    OtherRoot {
        /// What was named.
        pinned: Digest,
        /// What the file says.
        found: Digest,
    },
    /// The trust chain at hand is older than the index.
    #[error(
        "the index was made under version {made} of the trust registry, and the file holds {held}: fetch the other's current trust chain"
    )]
    OldTrust {
        /// The index's version.
        made: u64,
        /// The newest of the chain.
        held: u64,
    },
    /// The ledger at hand does not hold together.
    #[error("{origin}: the ledger at hand is damaged or not this one ({why}): fetch it again")]
    Log {
        /// Which ledger.
        origin: String,
        /// What is wrong.
        why: String,
    },
    /// The part is older than the one that was merged before.
    #[error(
        "{origin} was rolled back: {what} {offered} is offered, but {known} was merged before; keep what was merged, and ask its operator what happened"
    )]
    RolledBack {
        /// Which ledger.
        origin: String,
        /// What went down.
        what: &'static str,
        /// What was merged before.
        known: u64,
        /// What is offered.
        offered: u64,
    },
    /// The ledger tells another history than the one that was merged before.
    #[error(
        "{origin} was forked: its ledger of today does not begin with the {size} entries that were merged before; keep what was merged, and ask its operator what happened"
    )]
    Forked {
        /// Which ledger.
        origin: String,
        /// How many entries were known.
        size: u64,
    },
    /// The index and the ledger disagree.
    #[error(
        "{origin}: the index does not say what the ledger holds: {why}; ask its operator for a fresh one"
    )]
    NotInLog {
        /// Which ledger.
        origin: String,
        /// Where they differ.
        why: String,
    },
}

impl Origin {
    /// The part of its maker in an index file: signed by the attestor of `chain`, which stands on the pinned `root`
    /// and is in force at `now`. What the file holds of third parties is left aside. The ledger is not checked yet.
    pub fn receive(
        bytes: &[u8],
        chain: &TrustChain,
        root: &Digest,
        now: Timestamp,
    ) -> Result<Self, MergeError> {
        let registry = chain.verify(root, now)?;
        let own = Index::open(bytes, &registry)?.own;
        if own.root != *root {
            return Err(MergeError::OtherRoot { pinned: *root, found: own.root });
        }
        if own.registry > registry.version {
            return Err(MergeError::OldTrust { made: own.registry, held: registry.version });
        }
        Ok(own)
    }

    /// Whether this part may take the place of `known`, as far as the two files tell.
    fn may_follow(&self, known: &Self) -> Result<(), MergeError> {
        if self.log != known.log {
            let why = format!("{} was merged for this root before", known.name());
            return Err(MergeError::NotInLog { origin: self.name(), why });
        }
        let older = |what, known: u64, offered: u64| {
            if offered < known {
                return Err(MergeError::RolledBack { origin: self.name(), what, known, offered });
            }
            Ok(())
        };
        older("a ledger of size", known.head()?.size, self.head()?.size)?;
        older("a count of attestations of", known.count, self.count)?;
        older("trust registry version", known.registry, self.registry)
    }

    /// The first attestation that `known` listed in another way than this part does.
    fn relisted(&self, known: &Self) -> Option<String> {
        let listed: BTreeMap<u64, &Attested> = self.entries.iter().map(|e| (e.index, e)).collect();
        let other = |e: &&Attested| listed.get(&e.index).is_some_and(|now| now != e);
        let entry = known.entries.iter().find(other)?;
        Some(format!("entry {} ({}) was listed in another way before", entry.index, entry.id))
    }
}

/// Which tree a root is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Head,
    Offered,
    Known,
}

/// A walk through another Echo's ledger, from its first entry to its head.
#[derive(Debug)]
pub struct LogWalk<'a> {
    offered: &'a Origin,
    size: u64,
    head: Checkpoint,
    /// The roots that the tree must have on the way.
    roots: Vec<(Of, u64, [u8; 32])>,
    tree: History,
    /// How many attestations were met within the offered size.
    met: u64,
    /// How many of the listed entries are still to come; they are newest first.
    left: usize,
    /// The first disagreement between index and ledger.
    differs: Option<String>,
    wrong: Vec<Of>,
}

impl<'a> LogWalk<'a> {
    /// Begins a walk for the part `offered`, with the ledger's head of today, `head` (a signed note), and the part
    /// that was merged before, if there is one.
    pub fn begin(offered: &'a Origin, known: Option<&Origin>, head: &str) -> Result<Self, MergeError> {
        let log = |why: String| MergeError::Log { origin: offered.name(), why };
        let head = ledger::verify_checkpoint(head, &offered.log.vkey).map_err(|e| log(e.to_string()))?;
        if head.origin != offered.log.origin {
            return Err(log(format!("it is {}", head.origin)));
        }
        let size = offered.head()?.size;
        if head.size < size {
            return Err(log(format!("it has {} entries, and the index was made of {size}", head.size)));
        }
        if head.size > MAX_WALK {
            return Err(log(format!("it has more than {MAX_WALK} entries")));
        }
        let mut roots = vec![(Of::Head, head.size, head.root), (Of::Offered, size, offered.head()?.root)];
        if let Some(known) = known {
            offered.may_follow(known)?;
            let before = known.head()?;
            roots.push((Of::Known, before.size, before.root));
        }
        let mut walk = Self {
            offered,
            size,
            head,
            roots,
            tree: History::default(),
            met: 0,
            left: offered.entries.len(),
            differs: known.and_then(|known| offered.relisted(known)),
            wrong: Vec::new(),
        };
        walk.compare();
        Ok(walk)
    }

    /// How many entries the walk takes.
    pub fn size(&self) -> u64 {
        self.head.size
    }

    /// The next entry of the ledger.
    pub fn take(&mut self, entry: &[u8]) {
        let (number, leaf) = (self.tree.size(), ledger::leaf_hash(entry));
        if number < self.size && self.differs.is_none() {
            self.differs = self.met_entry(number, leaf, entry).err();
        }
        self.tree.push(leaf);
        self.compare();
    }

    /// Compares an entry with what is listed at its place.
    fn met_entry(&mut self, number: u64, leaf: [u8; 32], bytes: &[u8]) -> Result<(), String> {
        let attestation = attestation_in(bytes);
        self.met += u64::from(attestation.is_some());
        let next = self.left.checked_sub(1).and_then(|place| self.offered.entries.get(place));
        let listed = next.filter(|listed| listed.index == number);
        match (attestation, listed) {
            (None, None) => Ok(()),
            (Some(found), Some(listed)) => {
                self.left -= 1;
                let same = listed.leaf == Digest(leaf)
                    && listed.id == found.id
                    && listed.document == found.digest
                    && listed.at == found.at;
                if same { Ok(()) } else { Err(format!("entry {number} is {}, not {}", found.id, listed.id)) }
            }
            (None, Some(listed)) => {
                Err(format!("entry {number} is no attestation, and {} is listed", listed.id))
            }
            // What is older than the newest that an index lists is left out of it.
            (Some(_), None) if self.left == MAX_LISTED => Ok(()),
            (Some(found), None) => Err(format!("entry {number} ({}) was left out", found.id)),
        }
    }

    fn compare(&mut self) {
        let here = self.tree.size();
        let due: Vec<_> = self.roots.iter().filter(|(_, size, _)| *size == here).copied().collect();
        if due.is_empty() {
            return;
        }
        let root = self.tree.root();
        self.wrong.extend(due.into_iter().filter(|(_, _, wanted)| *wanted != root).map(|(of, _, _)| of));
    }

    /// Ends the walk: everything that was promised held, or the first thing that did not.
    pub fn finish(self) -> Result<(), MergeError> {
        let origin = self.offered.name();
        if self.tree.size() != self.head.size {
            let why = format!("{} of its {} entries are there", self.tree.size(), self.head.size);
            return Err(MergeError::Log { origin, why });
        }
        let wrong = |of| self.wrong.contains(&of);
        if wrong(Of::Head) {
            let why = "its entries do not lead to the root that it signs".to_owned();
            return Err(MergeError::Log { origin, why });
        }
        // The ledger at hand is what its key signed. So whoever contradicts it has signed two histories.
        if wrong(Of::Known) {
            let size = self.roots.iter().find(|(of, ..)| *of == Of::Known).map_or(0, |(_, size, _)| *size);
            return Err(MergeError::Forked { origin, size });
        }
        if wrong(Of::Offered) {
            return Err(MergeError::NotInLog {
                origin,
                why: format!("the ledger of {} entries that it was made of was another one", self.size),
            });
        }
        let why = match self.differs {
            Some(why) => why,
            None if self.left > 0 => format!("{} listed entries are not in the ledger", self.left),
            None if self.met != self.offered.count => {
                format!("it counts {} attestations, and the ledger holds {}", self.offered.count, self.met)
            }
            None => return Ok(()),
        };
        Err(MergeError::NotInLog { origin, why })
    }
}

#[cfg(test)]
mod tests;
