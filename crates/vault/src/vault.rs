//! An open vault. Every access is one session: locked, checked, written down, and only then answered.

use std::sync::{Mutex, PoisonError};

use echo_core::{Digest, Mint};

use crate::{
    Actor, AuditHead, Entry, Listing, Name, Receiver, Recipient, Secret, SecretRef, Token, VaultError,
    audit::{Audit, Event, What},
    change::{self, Change},
    disk::Disk,
    envelope::{MAX_SEALED_BYTES, OpenSecret},
    hand_over,
    index::VersionState,
    keys::Keys,
    pending,
    sealed::listing,
    session::Session,
};

/// An open vault. Several processes may have it open; they take turns.
#[derive(Debug)]
pub struct Vault {
    pub(crate) disk: Disk,
    pub(crate) work: u8,
    pub(crate) keys: Keys,
    /// The audit as far as it was checked.
    pub(crate) audit: Mutex<Audit>,
}

impl Vault {
    /// Whom secrets are sealed for.
    pub fn recipient(&self) -> &Recipient {
        &self.keys.recipient
    }

    /// Reads a secret. That it was read is in the audit, on the disk, before this returns.
    pub fn get(&self, secret: &SecretRef, actor: &Actor, mint: &Mint) -> Result<Secret, VaultError> {
        self.session(actor, mint, |session| {
            let (entry, value) = self.read(session, secret, What::Get, actor, mint)?;
            let secret = entry.secret();
            session.note(actor, mint.now(), &Event::granted(What::Get).of(&secret))?;
            Ok(value)
        })
    }

    /// Adds a version, and gives back its number.
    pub fn set(
        &self,
        namespace: &Name,
        name: &Name,
        value: &Secret,
        actor: &Actor,
        mint: &Mint,
    ) -> Result<u32, VaultError> {
        self.session(actor, mint, |session| {
            let open = OpenSecret {
                namespace: namespace.clone(),
                name: name.clone(),
                version: None,
                created: mint.now(),
                value: value.clone(),
            };
            pending::adopt(session, &self.keys, &open, None, What::Set, actor, mint.now())
        })
    }

    /// Removes a version; its number is not used again. The value stays in backups, and until its place on the disk is
    /// used again.
    pub fn remove(
        &self,
        namespace: &Name,
        name: &Name,
        version: u32,
        actor: &Actor,
        mint: &Mint,
    ) -> Result<(), VaultError> {
        let secret = SecretRef { namespace: namespace.clone(), name: name.clone(), version: Some(version) };
        self.session(actor, mint, |session| {
            let path = session.index.find(&secret)?.path();
            let mut index = session.index.clone();
            for entry in index.entries.iter_mut().filter(|e| e.secret() == secret) {
                entry.state = VersionState::Removed;
            }
            let event = Event::granted(What::Remove).of(&secret);
            let change = Change { index, files: Vec::new(), gone: vec![path], event };
            session.index =
                change::commit(&self.disk, &mut session.audit, &self.keys, change, actor, mint.now())?;
            Ok(())
        })
    }

    /// Wraps a secret for one receiver, who can take it once, within `ttl_seconds`.
    pub fn wrap(
        &self,
        secret: &SecretRef,
        receiver: &Receiver,
        ttl_seconds: u32,
        actor: &Actor,
        mint: &Mint,
    ) -> Result<Token, VaultError> {
        self.session(actor, mint, |session| {
            let (entry, value) = self.read(session, secret, What::Wrap, actor, mint)?;
            let secret = entry.secret();
            let event = Event { receiver: Some(receiver.clone()), ..Event::granted(What::Wrap).of(&secret) };
            let made = hand_over::make_room(&self.disk, mint.now())
                .and_then(|()| hand_over::make(&secret, &value, receiver, ttl_seconds, mint));
            let (token, sealed) = match made {
                Ok(made) => made,
                Err(refused) => {
                    session.note(actor, mint.now(), &event.refused(&refused))?;
                    return Err(refused);
                }
            };
            let event = Event { hand_over: Some(token.id().to_owned()), ..event };
            session.note(actor, mint.now(), &event)?;
            hand_over::keep(&self.disk, &token, &sealed)?;
            Ok(token)
        })
    }

    /// What there is, checked.
    pub fn list(&self) -> Result<Listing, VaultError> {
        listing(self.begin()?)
    }

    /// The end of the audit.
    pub fn audit_head(&self) -> Result<AuditHead, VaultError> {
        Ok(self.begin()?.head())
    }

    fn begin(&self) -> Result<Session<'_>, VaultError> {
        Session::begin(&self.disk, Some(self.checked().clone()), Some(&self.keys))
    }

    fn checked(&self) -> std::sync::MutexGuard<'_, Audit> {
        self.audit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One piece of work. What was brought meanwhile becomes versions first.
    pub(crate) fn session<T>(
        &self,
        actor: &Actor,
        mint: &Mint,
        work: impl FnOnce(&mut Session<'_>) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        let mut session = self.begin()?;
        pending::adopt_all(&mut session, &self.keys, actor, mint.now())?;
        let done = work(&mut session);
        *self.checked() = session.audit.clone();
        done
    }

    /// The value of a secret, not yet given to anybody. A refusal is written down.
    fn read(
        &self,
        session: &mut Session<'_>,
        secret: &SecretRef,
        what: What,
        actor: &Actor,
        mint: &Mint,
    ) -> Result<(Entry, Secret), VaultError> {
        let found = session.index.find(secret).cloned();
        match found.and_then(|entry| Ok((self.open(&entry)?, entry))) {
            Ok((open, entry)) => Ok((entry, open.value)),
            Err(refused) => {
                session.note(actor, mint.now(), &Event::granted(what).of(secret).refused(&refused))?;
                Err(refused)
            }
        }
    }

    /// Opens the file of a version, and checks that it is the one that belongs there.
    pub(crate) fn open(&self, entry: &Entry) -> Result<OpenSecret, VaultError> {
        let path = entry.path();
        let sealed = self
            .disk
            .read(&path, MAX_SEALED_BYTES as u64)?
            .ok_or_else(|| VaultError::tampered(&path, "it is missing"))?;
        if Digest::of(&sealed) != entry.digest {
            return Err(VaultError::tampered(&path, "it is not the file that index.json names"));
        }
        let open =
            OpenSecret::open(&self.keys.identity, &sealed).map_err(|why| VaultError::tampered(&path, why))?;
        let said = (&open.namespace, &open.name, open.version);
        if said != (&entry.namespace, &entry.name, Some(entry.version)) {
            return Err(VaultError::tampered(&path, "it was sealed for another place"));
        }
        Ok(open)
    }
}
