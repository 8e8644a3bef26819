//! The federated index of a home: read, locked, written, made anew.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use dossier::{
    INDEX_FILE, INDEX_LOCK_FILE, INDEX_TABLE_FILE, Index, LogName,
    index::{Attested, MAX_LISTED, Origin, attestation_in, damaged_name},
};
use durable::Mode;
use echo_core::Mint;
use ledger::Entry;
use serde_json::json;
use trust::{Envelope, KeyPair, KeyRole, Registry, TrustChain};

use super::{read, source::Source};
use crate::{
    Failure,
    content::registry_of,
    out::Out,
    passphrase::{Opening, refused},
};

/// Waits for the lock on the index of `home`; it ends with the file.
pub fn lock(home: &Path) -> Result<File, Failure> {
    let path = home.join(INDEX_LOCK_FILE);
    let failed = |e: std::io::Error| Failure::failed(format!("cannot lock {}: {e}", path.display()));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// The index of `home`, verified; nothing when there is none.
pub fn load(home: &Path, registry: &Registry) -> Result<Option<Index>, Failure> {
    let Some(bytes) = durable::read(&home.join(INDEX_FILE), dossier::MAX_BYTES as u64)? else {
        return Ok(None);
    };
    Index::open_own(&bytes, registry).map(|(index, _)| Some(index)).map_err(|error| {
        Failure::unverified(error)
            .hint("make it anew with `echo_cli attestation index HOME`, and merge again")
    })
}

/// Writes the index of `home`, and the table for people.
pub fn save(home: &Path, index: &Index, attestor: &KeyPair) -> Result<(), Failure> {
    let file = index.to_file(attestor).map_err(Failure::failed)?;
    durable::write(&home.join(INDEX_FILE), &file, Mode::Public)?;
    Ok(durable::write(&home.join(INDEX_TABLE_FILE), index.table().as_bytes(), Mode::Public)?)
}

/// Makes the index of `home` anew.
pub fn rebuild(home: &Path, opening: &Opening, out: Out) -> Result<(), Failure> {
    let registry = registry_of(home)?;
    let keystore = opening.open(home, None)?;
    let attestor = keystore.signer(KeyRole::Attestor).map_err(refused)?;
    let _lock = lock(home)?;
    let own = gather(home, &registry)?;
    Source::Folder(home.join("genesis_ledger")).check(&own, None)?;
    let merged = match load(home, &registry) {
        Ok(prior) => prior.map_or_else(Vec::new, |index| index.merged),
        Err(failure) => {
            let kept = put_aside(home)?;
            if !out.is_json() {
                out.line(&format!("{}; {kept}", failure.message))?;
                out.line("what was merged from others has to be merged again")?;
            }
            Vec::new()
        }
    };
    let index = Index { made: Mint::system().now(), own, merged };
    save(home, &index, attestor)?;
    let (own, others) = (index.own.count, index.merged.len());
    if out.is_json() {
        return out.json(&json!({"file": home.join(INDEX_FILE), "attestations": own, "others": others}));
    }
    out.line(&format!("attestations of this Echo: {own}; other Echos in the index: {others}"))
}

/// Puts a file aside that is no index; what became of it.
fn put_aside(home: &Path) -> Result<String, Failure> {
    let path = home.join(INDEX_FILE);
    let Some(name) = damaged_name(|name| home.join(name).exists()) else {
        return Ok("it is not kept, as so many were before".to_owned());
    };
    let aside = home.join(name);
    fs::rename(&path, &aside)
        .map_err(|e| Failure::failed(format!("cannot put {} aside: {e}", path.display())))?;
    Ok(format!("it is kept as {}", aside.display()))
}

/// The home's own part, from its genesis ledger and its attestations.
fn gather(home: &Path, registry: &Registry) -> Result<Origin, Failure> {
    let log = registry.logs.get(LogName::Genesis.as_str()).ok_or_else(|| {
        Failure::failed("the trust registry names no genesis ledger").hint("start the platform once")
    })?;
    let root = TrustChain::load(home).map_err(Failure::failed)?.fingerprint();
    let mut own = Origin::empty(root, registry.version, log.clone());
    let source = Source::Folder(home.join("genesis_ledger"));
    own.checkpoint = source.head()?;
    let size = own.head().map_err(Failure::unverified)?.size;
    let (mut newest, mut count) = (VecDeque::new(), 0_u64);
    source.each(size, |number, bytes| {
        if let Some(entry) = attestation_in(bytes) {
            count += 1;
            newest.push_back((number, bytes.to_vec(), entry));
            if newest.len() > MAX_LISTED {
                newest.pop_front();
            }
        }
    })?;
    let listed = newest.iter().map(|(number, bytes, entry)| attested(home, *number, bytes, entry));
    own.grow(listed.collect::<Result<_, _>>()?);
    own.count = count;
    Ok(own)
}

/// The listing of one attestation. Its ledger entry names the digest of its file; what its signatures are worth
/// today, whoever verifies it finds out.
fn attested(home: &Path, number: u64, bytes: &[u8], entry: &Entry) -> Result<Attested, Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !entry.id.chars().all(plain) {
        return Err(Failure::failed(format!("entry {number} has an id that names no file")));
    }
    let path = home.join(format!("attestations/{}.json", entry.id));
    let file = read(&path, dossier::MAX_BYTES as u64).map_err(|failure| {
        failure.hint(
            "restore it from your backup, or delete the index and start the platform: its database has all",
        )
    })?;
    let envelope: Envelope =
        serde_json::from_slice(&file).map_err(|e| Failure::unverified(format!("{}: {e}", path.display())))?;
    Attested::new(&envelope, bytes, number).map_err(Failure::unverified)
}
