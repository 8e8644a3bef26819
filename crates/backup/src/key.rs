//! What opens a repository: 32 random bytes. restic takes their hexadecimal digits as its password.

use std::{
    fmt,
    fs::File,
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use durable::Mode;
use echo_core::Mint;
use vault::{Purpose, Share};
use zeroize::Zeroizing;

use crate::{BackupError, KEY_FILE, error::io_error};

/// The most bytes of a key file: the digits and a line end.
const MAX_FILE: u64 = 80;
/// The permissions that a key file must not give: any to the group and to others.
const OTHERS: u32 = 0o077;

/// What opens a repository. Wiped when dropped, and without a way to be printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct RepoKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for RepoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RepoKey")
    }
}

impl RepoKey {
    /// A new one.
    pub fn generate(mint: &Mint) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        mint.entropy().fill(bytes.as_mut_slice());
        Self(bytes)
    }

    /// Where a home keeps its own: readable by its owner alone, and part of no backup.
    pub fn path(home: &Path) -> PathBuf {
        home.join(KEY_FILE)
    }

    /// Reads a key file. restic reads the same file with `--password-file`.
    pub fn read(path: &Path) -> Result<Self, BackupError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(BackupError::NoKey(path.to_owned()));
            }
            opened => opened.map_err(io_error("read", path))?,
        };
        let about = file.metadata().map_err(io_error("read", path))?;
        if about.is_file() && about.mode() & OTHERS != 0 {
            return Err(BackupError::KeyReadable(path.to_owned()));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(io_error("read", path))?;
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim_end(), bytes.as_mut_slice())
            .map_err(|_| BackupError::NotAKey(path.to_owned()))?;
        Ok(Self(bytes))
    }

    /// Writes it into a new file that only its owner may read.
    pub fn save(&self, path: &Path) -> Result<(), BackupError> {
        if path.symlink_metadata().is_ok() {
            return Err(BackupError::KeyThere(path.to_owned()));
        }
        let text = Zeroizing::new(format!("{}\n", *self.password()));
        Ok(durable::write(path, text.as_bytes(), Mode::Private)?)
    }

    /// As restic's password.
    pub fn password(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0.as_slice()))
    }

    /// Splits it: any `threshold` of `of` shares give it back.
    pub fn split(&self, threshold: u8, of: u8, mint: &Mint) -> Result<Vec<Share>, BackupError> {
        Ok(Share::deal(&self.0, Purpose::Backup, threshold, of, mint)?)
    }

    /// The key that shares give back. Wrong shares that pass their checksum give another key, which opens nothing.
    pub fn join(shares: &[Share]) -> Result<Self, BackupError> {
        Ok(Self(Share::combine(shares, Purpose::Backup)?))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn put(path: &Path, content: impl AsRef<[u8]>) {
        durable::write(path, content.as_ref(), durable::Mode::Private).unwrap();
    }

    #[test]
    fn a_key_reads_back_and_is_never_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let (key, path) = (RepoKey::generate(&Mint::system()), RepoKey::path(home.path()));
        key.save(&path).unwrap();
        assert_eq!(RepoKey::read(&path).unwrap(), key);
        assert!(matches!(key.save(&path), Err(BackupError::KeyThere(_))));
        assert_eq!(format!("{key:?}"), "RepoKey");
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = RepoKey::path(home.path());
        assert!(matches!(RepoKey::read(&path), Err(BackupError::NoKey(_))));
        RepoKey::generate(&Mint::system()).save(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(RepoKey::read(&path), Err(BackupError::KeyReadable(_))));
        put(&path, "abc");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(RepoKey::read(&path), Err(BackupError::NotAKey(_))));
    }

    #[test]
    fn shares_give_the_key_back_and_those_of_a_vault_do_not() {
        let mint = Mint::system();
        let key = RepoKey::generate(&mint);
        let shares = key.split(2, 3, &mint).unwrap();
        assert_eq!(RepoKey::join(&shares[1..]).unwrap(), key);
        assert!(RepoKey::join(&shares[..1]).is_err());
        let typed: Share = shares[0].text().parse().unwrap();
        assert_eq!(RepoKey::join(&[typed, shares[2].clone()]).unwrap(), key);
        let vaults = Share::deal(&[7; 32], Purpose::Vault, 2, 3, &mint).unwrap();
        assert!(RepoKey::join(&vaults).is_err());
    }
}
