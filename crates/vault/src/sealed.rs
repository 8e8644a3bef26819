//! A vault as anybody may meet it, without what opens it: described, listed, brought to, and opened.

use std::{path::Path, sync::Mutex};

use echo_core::{Digest, Mint};
use serde::Serialize;

use crate::{
    Actor, AuditHead, AuditLine, Description, Entry, Name, Pending, Protect, Protection, Receiver, Recipient,
    Secret, Token, Unseal, Vault, VaultError,
    age_file::Identity,
    attempts,
    audit::{Audit, Event, What},
    change::{self, Change},
    disk::{DESCRIPTION, Disk, IDENTITY},
    hand_over,
    index::Index,
    keys::Keys,
    pending, protect,
    session::{self, Session},
};

/// A vault that is not open.
#[derive(Debug, Clone)]
pub struct Sealed {
    disk: Disk,
    work: u8,
}

/// What a vault holds, without a single value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// Every version there is and was, by namespace, name and version.
    pub entries: Vec<Entry>,
    /// What was brought and waits for the vault to be opened.
    pub pending: Vec<Pending>,
}

/// How a vault stands, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// What may be known of it.
    pub description: Description,
    /// What there is.
    pub listing: Listing,
    /// The end of the audit.
    pub audit: AuditHead,
}

impl Sealed {
    /// The vault of a home, whether it is there or not.
    pub fn of_home(home: &Path) -> Self {
        Self { disk: Disk::of_home(home), work: protect::WORK }
    }

    /// With another cost of passphrases that are set from now on: N = 2^`work`. For tests alone.
    #[must_use]
    pub fn with_work(self, work: u8) -> Self {
        Self { work, ..self }
    }

    /// Whether there is a vault, or what is left of one.
    pub fn is_there(&self) -> bool {
        session::is_there(&self.disk)
    }

    /// Makes the vault, and gives it back open.
    pub fn init(&self, by: &Protect, actor: &Actor, mint: &Mint) -> Result<Vault, VaultError> {
        if self.is_there() {
            return Err(VaultError::Exists(self.disk.dir().to_owned()));
        }
        let wrap = by.prepare(self.work)?;
        durable::create_folder(self.disk.dir())?;
        let lock = self.disk.lock()?;
        if self.is_there() {
            return Err(VaultError::Exists(self.disk.dir().to_owned()));
        }
        self.disk.drop_staged()?;
        let keys = Keys::of(Identity::generate(mint));
        let description = Description::new(keys.recipient.clone(), by.protection(), mint.now()).to_bytes();
        let identity = wrap.seal(&keys.identity, mint);
        let change = Change {
            index: Index::new(Digest::of(&description), Digest::of(&identity)),
            files: vec![(IDENTITY.to_owned(), Some(identity)), (DESCRIPTION.to_owned(), Some(description))],
            gone: Vec::new(),
            event: Event::granted(What::Init),
        };
        let mut audit = Audit::empty();
        change::commit(&self.disk, &mut audit, &keys, change, actor, mint.now())?;
        drop(lock);
        Ok(self.vault(keys, audit))
    }

    /// What may be known of it.
    pub fn description(&self) -> Result<Description, VaultError> {
        Ok(self.begin()?.description)
    }

    /// Whom secrets are sealed for.
    pub fn recipient(&self) -> Result<Recipient, VaultError> {
        Ok(self.description()?.recipient)
    }

    /// What opens it.
    pub fn protection(&self) -> Result<Protection, VaultError> {
        Ok(self.description()?.protection)
    }

    /// How it stands. That nobody changed it is certain only when the vault is opened.
    pub fn standing(&self) -> Result<Standing, VaultError> {
        let session = self.begin()?;
        let (description, audit) = (session.description.clone(), session.head());
        Ok(Standing { description, audit, listing: listing(session)? })
    }

    /// What there is. That nobody changed it is certain only when the vault is opened.
    pub fn list(&self) -> Result<Listing, VaultError> {
        let session = self.begin()?;
        listing(session)
    }

    /// Brings a sealed file, which becomes the next version of its secret when the vault is opened next. `expected` is
    /// its digest, when whoever sealed it said so. Gives back the digest.
    pub fn inject(
        &self,
        namespace: &Name,
        name: &Name,
        sealed: &[u8],
        expected: Option<&Digest>,
        actor: &Actor,
        mint: &Mint,
    ) -> Result<Digest, VaultError> {
        let digest = Digest::of(sealed);
        if let Some(expected) = expected.filter(|expected| **expected != digest) {
            let (found, expected) = (digest.to_string(), expected.to_string());
            return Err(VaultError::OtherDigest { found, expected });
        }
        pending::bring(&mut self.begin()?, namespace, name, sealed, actor, mint.now())?;
        Ok(digest)
    }

    /// Takes a hand-over: once, in time, and for its receiver.
    pub fn unwrap(
        &self,
        token: &Token,
        receiver: &Receiver,
        actor: &Actor,
        mint: &Mint,
    ) -> Result<Secret, VaultError> {
        hand_over::take(&mut self.begin()?, token, receiver, actor, mint.now())
    }

    /// Opens the vault, and makes versions of what was brought. A passphrase takes some tenths of a second, and wrong
    /// ones are counted.
    pub fn unseal(&self, by: &Unseal, actor: &Actor, mint: &Mint) -> Result<Vault, VaultError> {
        let mut session = self.begin()?;
        let event = Event::granted(What::Unseal);
        let keys = match self.open_identity(&session, by, mint) {
            Ok(keys) => keys,
            Err(refused) => {
                session.note(actor, mint.now(), &event.refused(&refused))?;
                return Err(refused);
            }
        };
        // From the first line again: now the codes can be checked.
        drop(session);
        let mut session = Session::begin(&self.disk, None, Some(&keys))?;
        // No change is under way now: what is staged all the same is what a crash left of a file.
        self.disk.drop_staged()?;
        session.note(actor, mint.now(), &event)?;
        pending::adopt_all(&mut session, &keys, actor, mint.now())?;
        let audit = session.audit.clone();
        drop(session);
        Ok(self.vault(keys, audit))
    }

    fn open_identity(&self, session: &Session<'_>, by: &Unseal, mint: &Mint) -> Result<Keys, VaultError> {
        let counted = matches!(by, Unseal::Passphrase(_));
        if counted {
            attempts::count(&self.disk, mint.now())?;
        }
        let identity = protect::unwrap(&session.identity, &session.description.protection, by)?;
        if counted {
            attempts::forget(&self.disk)?;
        }
        let keys = Keys::of(identity);
        session.verify(&keys)?;
        Ok(keys)
    }

    /// Puts the audit's file aside under another name, and begins a new one that goes on from it. Goes when the file is
    /// full, too, for it gives nothing out. Gives back the name.
    pub fn archive_audit(&self, by: &Unseal, actor: &Actor, mint: &Mint) -> Result<String, VaultError> {
        let mut session = self.begin()?;
        let keys = match self.open_identity(&session, by, mint) {
            Ok(keys) => keys,
            Err(refused) => {
                session.note(actor, mint.now(), &Event::granted(What::Archive).refused(&refused))?;
                return Err(refused);
            }
        };
        drop(session);
        Session::begin(&self.disk, None, Some(&keys))?.audit.archive(&self.disk, &keys, actor, mint.now())
    }

    /// The end of the audit, checked from its first line.
    pub fn audit_head(&self) -> Result<AuditHead, VaultError> {
        Ok(self.begin()?.head())
    }

    /// The digest of the audit's line with a number, when there is one; archived lines count.
    pub fn audit_digest(&self, seq: u64) -> Result<Option<Digest>, VaultError> {
        let mut found = None;
        self.audit(|line, digest| {
            if line.seq == seq {
                found = Some(*digest);
            }
        })?;
        Ok(found)
    }

    /// Goes through the audit, the archived files first, checked line by line. The codes of lines are checked when
    /// the vault is opened.
    pub fn audit(&self, each: impl FnMut(&AuditLine, &Digest)) -> Result<(), VaultError> {
        let _session = self.begin()?;
        Audit::walk_all(&self.disk, None, each).map(drop)
    }

    #[cfg(test)]
    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    fn begin(&self) -> Result<Session<'_>, VaultError> {
        Session::begin(&self.disk, None, None)
    }

    fn vault(&self, keys: Keys, audit: Audit) -> Vault {
        Vault { disk: self.disk.clone(), work: self.work, keys, audit: Mutex::new(audit) }
    }
}

pub(crate) fn listing(session: Session<'_>) -> Result<Listing, VaultError> {
    Ok(Listing { pending: pending::list(session.disk)?, entries: session.index.entries })
}
