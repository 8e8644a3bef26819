//! A new identity for the vault, or another thing that opens it.
//!
//! Both are one change (see `change`): the files under the new identity are all on the disk before the old ones go,
//! and a crash leaves either the one or the other.

use echo_core::{Digest, Mint};

use crate::{
    Actor, Protect, Share, Unseal, Vault, VaultError,
    age_file::Identity,
    attempts,
    audit::{Event, What},
    change::{self, Change},
    description::Description,
    disk::{DESCRIPTION, IDENTITY},
    index::VersionState,
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
            let mut files = self.identity_files(&wrap.seal(&next.identity, mint), &description);
            let mut index = session.index.clone();
            for entry in index.entries.iter_mut().filter(|e| e.state == VersionState::Live) {
                let sealed = self.open(entry)?.seal(&next.recipient);
                entry.digest = Digest::of(&sealed);
                files.push((entry.path(), sealed));
            }
            [index.identity, index.description] = [Digest::of(&files[0].1), Digest::of(&files[1].1)];
            let change = Change { index, files, gone: Vec::new(), event: Event::granted(What::Rotate) };
            change::commit(&self.disk, &mut session.audit, &next, change, actor, mint.now())?;
            Ok(())
        })?;
        Ok(Self { keys: next, ..self })
    }

    /// Changes what opens the vault: from `by` to `to`. Gives back the shares, when `to` asks for some. The identity
    /// stays; to make copies of the old `identity.age` worthless, rotate too.
    pub fn protect(
        &self,
        by: &Unseal,
        to: &Protect,
        actor: &Actor,
        mint: &Mint,
    ) -> Result<Vec<Share>, VaultError> {
        let (wrap, protection, shares) = to.prepare(self.work, mint)?;
        self.session(actor, mint, |session| {
            self.prove(session, by, What::Protect, actor, mint)?;
            let description = Description { protection, ..session.description.clone() };
            let files = self.identity_files(&wrap.seal(&self.keys.identity, mint), &description);
            let mut index = session.index.clone();
            [index.identity, index.description] = [Digest::of(&files[0].1), Digest::of(&files[1].1)];
            let change = Change { index, files, gone: Vec::new(), event: Event::granted(What::Protect) };
            change::commit(&self.disk, &mut session.audit, &self.keys, change, actor, mint.now())?;
            Ok(())
        })?;
        Ok(shares)
    }

    #[expect(clippy::unused_self, reason = "these are the vault's files")]
    fn identity_files(&self, identity: &[u8], description: &Description) -> Vec<(String, Vec<u8>)> {
        vec![(IDENTITY.to_owned(), identity.to_vec()), (DESCRIPTION.to_owned(), description.to_bytes())]
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
