//! A new identity for the vault, or another thing that opens it.
//!
//! Both are one change (see `change`): the files under the new identity are all on the disk before the old ones go,
//! and a crash leaves either the one or the other.

use echo_core::{Digest, Mint};

use crate::{
    Actor, Protect, Unseal, Vault, VaultError,
    age_file::Identity,
    attempts,
    audit::{Event, What},
    change::{self, Change},
    description::Description,
    disk::{DESCRIPTION, IDENTITY},
    index::{Index, VersionState},
    keys::Keys,
    protect,
    session::Session,
};

impl Vault {
    /// Gives the vault a new identity: every secret is sealed anew, and the old identity is gone. `by` is what opens
    /// it, before and after. Sealed files that were made for the old recipient cannot be brought any more; copies of
    /// the old files still open with the old identity.
    ///
    /// After an error the vault is as before, or rotated: open it again to see.
    pub fn rotate(self, by: &Unseal, actor: &Actor, mint: &Mint) -> Result<Self, VaultError> {
        let next = Keys::of(Identity::generate(mint));
        self.session(actor, mint, |session| {
            self.prove(session, by, What::Rotate, actor, mint)?;
            let wrap = protect::again(&session.description.protection, by, self.work)?;
            let description = session.description.with_identity(next.recipient.clone(), mint.now())?;
            let mut index = session.index.clone();
            let mut files = identity_files(&mut index, wrap.seal(&next.identity, mint), &description);
            // One at a time, or all secrets would be in memory at once.
            change::mark(&self.disk)?;
            for entry in index.entries.iter_mut().filter(|e| e.state == VersionState::Live) {
                let sealed = self.open(entry)?.seal(&next.recipient);
                entry.digest = Digest::of(&sealed);
                self.disk.stage(&entry.path(), &sealed)?;
                files.push((entry.path(), None));
            }
            let change = Change { index, files, gone: Vec::new(), event: Event::granted(What::Rotate) };
            change::commit(&self.disk, &mut session.audit, &next, change, actor, mint.now())?;
            Ok(())
        })?;
        Ok(Self { keys: next, ..self })
    }

    /// Changes what opens the vault: from `by` to `to`. The identity stays; to make copies of the old `identity.age`
    /// worthless, rotate too.
    ///
    /// After an error the vault opens as before, or with `to`.
    pub fn protect(&self, by: &Unseal, to: &Protect, actor: &Actor, mint: &Mint) -> Result<(), VaultError> {
        let wrap = to.prepare(self.work)?;
        self.session(actor, mint, |session| {
            self.prove(session, by, What::Protect, actor, mint)?;
            let description = Description { protection: to.protection(), ..session.description.clone() };
            let mut index = session.index.clone();
            let files = identity_files(&mut index, wrap.seal(&self.keys.identity, mint), &description);
            let change = Change { index, files, gone: Vec::new(), event: Event::granted(What::Protect) };
            change::commit(&self.disk, &mut session.audit, &self.keys, change, actor, mint.now())?;
            Ok(())
        })
    }

    /// Whoever changes what opens the vault must have what opens it now: a mistyped passphrase would lock it for ever.
    fn prove(
        &self,
        session: &mut Session<'_>,
        by: &Unseal,
        what: What,
        actor: &Actor,
        mint: &Mint,
    ) -> Result<(), VaultError> {
        let opened = self
            .count(by, mint)
            .and_then(|()| protect::unwrap(&session.identity, &session.description.protection, by).map(drop));
        match opened {
            Ok(()) => attempts::forget(&self.disk),
            Err(refused) => {
                session.note(actor, mint.now(), &Event::granted(what).refused(&refused))?;
                Err(refused)
            }
        }
    }

    fn count(&self, by: &Unseal, mint: &Mint) -> Result<(), VaultError> {
        match by {
            Unseal::Passphrase(_) => attempts::count(&self.disk, mint.now()),
            Unseal::KeyFile(_) | Unseal::Shares(_) => Ok(()),
        }
    }
}

/// The files of an identity, which the index names from now on.
fn identity_files(
    index: &mut Index,
    identity: Vec<u8>,
    description: &Description,
) -> Vec<(String, Option<Vec<u8>>)> {
    let description = description.to_bytes();
    [index.identity, index.description] = [Digest::of(&identity), Digest::of(&description)];
    vec![(IDENTITY.to_owned(), Some(identity)), (DESCRIPTION.to_owned(), Some(description))]
}
