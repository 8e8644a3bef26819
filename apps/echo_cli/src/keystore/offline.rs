//! `keystore export`, `remove` and `import`: a key that is kept offline.

use std::path::{Path, PathBuf};

use durable::Mode;
use echo_core::Mint;
use serde_json::json;
use trust::{
    KeyRecord, KeyRole, Keystore,
    keystore::{MAX_EXPORTED_BYTES, open_exported},
};
use zeroize::Zeroizing;

use crate::{Failure, out::Out, passphrase::refused};

/// An exported key that its passphrase opens.
pub struct File {
    path: PathBuf,
    bytes: Vec<u8>,
    passphrase: Zeroizing<String>,
    record: KeyRecord,
}

impl File {
    /// Reads and opens the file at `path`.
    pub fn open(path: &Path, passphrase: Zeroizing<String>) -> Result<Self, Failure> {
        let bytes = durable::read(path, MAX_EXPORTED_BYTES as u64)?.ok_or_else(|| {
            Failure::failed(format!("there is no file {}", path.display()))
                .hint("check the path of the exported key")
        })?;
        let (record, _) = open_exported(&bytes, &passphrase)
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
        Ok(Self { path: path.to_owned(), bytes, passphrase, record })
    }
}

/// Writes the active key of `role` to `file`, under `passphrase`.
pub fn export(
    keystore: &Keystore,
    role: KeyRole,
    file: &Path,
    passphrase: &str,
    out: Out,
) -> Result<(), Failure> {
    // It may be the only copy of a key that was removed.
    if file.symlink_metadata().is_ok() {
        return Err(Failure::failed(format!("{} is there already, and is not overwritten", file.display()))
            .hint("choose another name with --out"));
    }
    let id = keystore.signer(role).map_err(refused)?.id();
    let bytes = keystore.export_key(&id, passphrase, &Mint::system()).map_err(refused)?;
    durable::write(file, &bytes, Mode::Private)?;
    if out.is_json() {
        return out.json(&json!({"role": role, "id": id, "file": file}));
    }
    out.line(&format!("wrote the {role} key {id} to {}; the keystore still holds it", file.display()))?;
    out.line("keep two copies of the file apart from its passphrase: nobody can restore either")
}

/// Takes the secret in `file` out of the keystore.
pub fn remove(
    keystore: &mut Keystore,
    role: KeyRole,
    file: &File,
    place: &str,
    out: Out,
) -> Result<(), Failure> {
    if file.record.role != role {
        return Err(Failure::usage(format!(
            "{} holds a {} key, not the {role} key",
            file.path.display(),
            file.record.role
        ))
        .hint("name the role of the key that should go, and its file"));
    }
    let record = keystore.remove(&file.bytes, &file.passphrase, place, &Mint::system()).map_err(refused)?;
    if out.is_json() {
        return out.json(&json!({"role": role, "id": record.id, "secret": "away", "place": place}));
    }
    out.line(&format!(
        "the secret of the {role} key {} is not in the keystore any more; it is kept here: {place}",
        record.id
    ))?;
    out.line("copies of the keystore from before, such as backups, still hold it")?;
    if role == KeyRole::Root {
        out.line(
            "the platform runs without it; import it when the trust registry is to be renewed or changed",
        )
    } else {
        out.line("the platform signs with this key: before you start it, import the key")
    }
}

/// Brings the secret in `file` back.
pub fn import(keystore: &mut Keystore, file: &File, out: Out) -> Result<(), Failure> {
    let record = keystore.import_key(&file.bytes, &file.passphrase, &Mint::system()).map_err(refused)?;
    let KeyRecord { id, role, state, .. } = record;
    if out.is_json() {
        return out.json(&json!({"role": role, "id": id, "state": state, "secret": "here"}));
    }
    out.line(&format!("the secret of the {role} key {id} is in the keystore again"))
}
