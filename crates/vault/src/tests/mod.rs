//! The vault as a whole. Each test has a house: a home with a vault and a few secrets.

mod crash;
mod flow;
mod foreign;
mod hand_over;
mod tamper;

use std::{path::PathBuf, sync::Arc};

use echo_core::{ManualClock, Mint, SeededEntropy, Timestamp};
use zeroize::Zeroizing;

use crate::{Actor, Name, Protect, Sealed, Secret, SecretRef, Unseal, Vault, VaultError};

pub(super) const PHRASE: &str = "an old grey horse";

pub(super) fn passphrase(text: &str) -> Unseal {
    Unseal::Passphrase(Zeroizing::new(text.to_owned()))
}

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(super) fn secret(text: &str) -> SecretRef {
    let (namespace, rest) = text.split_once('/').unwrap();
    SecretRef::newest(name(namespace), name(rest))
}

pub(super) fn value(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec()).unwrap()
}

pub(super) fn actor() -> Actor {
    Actor::new("a test")
}

/// A home, with a clock that stands still.
pub(super) struct House {
    pub home: tempfile::TempDir,
    pub clock: Arc<ManualClock>,
    pub mint: Mint,
    pub sealed: Sealed,
}

impl House {
    pub fn empty() -> Self {
        let home = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        clock.advance_millis(1_800_000_000_000);
        let mint = Mint::new(clock.clone(), Arc::new(SeededEntropy::new(3)));
        let sealed = Sealed::of_home(home.path()).with_work(2);
        Self { home, clock, mint, sealed }
    }

    pub fn made(&self, by: &Protect) -> Vault {
        self.sealed.init(by, &actor(), &self.mint).unwrap()
    }

    /// A vault under [`PHRASE`].
    pub fn with_phrase() -> (Self, Vault) {
        let house = Self::empty();
        let vault = house.made(&Protect::Passphrase(Zeroizing::new(PHRASE.to_owned())));
        (house, vault)
    }

    pub fn unseal(&self, by: &Unseal) -> Result<Vault, VaultError> {
        self.sealed.unseal(by, &actor(), &self.mint)
    }

    pub fn open(&self) -> Vault {
        self.unseal(&passphrase(PHRASE)).unwrap()
    }

    pub fn set(&self, vault: &Vault, at: &str, text: &str) -> u32 {
        let at = secret(at);
        vault.set(&at.namespace, &at.name, &value(text), &actor(), &self.mint).unwrap()
    }

    pub fn get(&self, vault: &Vault, at: &str) -> Result<String, VaultError> {
        let got = vault.get(&secret(at), &actor(), &self.mint)?;
        Ok(String::from_utf8(got.expose().to_vec()).unwrap())
    }

    /// A sealed file for the vault, as another machine makes it.
    pub fn seal(&self, at: &str, version: Option<u32>, text: &str) -> Vec<u8> {
        let (at, recipient) = (secret(at), self.sealed.recipient().unwrap());
        crate::seal(&recipient, &at.namespace, &at.name, version, &value(text), self.mint.now()).unwrap()
    }

    pub fn inject(&self, at: &str, sealed: &[u8]) -> Result<echo_core::Digest, VaultError> {
        let at = secret(at);
        self.sealed.inject(&at.namespace, &at.name, sealed, None, &actor(), &self.mint)
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.home.path().join(crate::VAULT_FOLDER).join(file)
    }

    pub fn audit(&self) -> String {
        std::fs::read_to_string(self.path("audit.jsonl")).unwrap()
    }

    /// Every file of the vault with its content.
    pub fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let disk = crate::disk::Disk::of_home(self.home.path());
        let files = disk.files("").unwrap();
        files.iter().map(|f| (self.path(f), std::fs::read(self.path(f)).unwrap())).collect()
    }

    /// Puts the vault back as a snapshot had it.
    pub fn restore(&self, snapshot: &[(PathBuf, Vec<u8>)]) {
        let now = self.snapshot();
        for (path, _) in now.iter().filter(|(path, _)| snapshot.iter().all(|(other, _)| other != path)) {
            std::fs::remove_file(path).unwrap();
        }
        for (path, bytes) in snapshot.iter().filter(|file| !now.contains(file)) {
            durable::create_folder(path.parent().unwrap()).unwrap();
            durable::write(path, bytes, durable::Mode::Private).unwrap();
        }
    }
}
