//! How keys lie in a file: records in clear, secrets sealed, and all of it bound together.
//!
//! The lock (a key file's key, or a passphrase's) seals a data key that is fresh with every write. The data key
//! seals each secret, bound to its record: id, public key, role, state and dates. Last, it seals nothing at all,
//! bound to the whole file; so a key cannot be taken out, put in or moved either, and a damaged secret is found
//! at the same place, after the same work, as a wrong passphrase.
//!
//! Files of the first format are still read: their secrets are sealed by the key file's key directly and bound
//! to id, public key and role alone. The next write replaces them.

use std::collections::BTreeMap;

use echo_core::Mint;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    KeyRecord, KeyState, KeystoreError, MAX_KEYS, MAX_PLACE,
    lock::{Lock, Stored},
    seal::{SealKey, Sealed},
};
use crate::key::{KeyId, KeyPair};

/// The keystore's first format: read, never written.
pub(super) const KEYSTORE_V1: &str = "echo-keystore-v1";
/// The keystore's format.
pub(super) const KEYSTORE_V2: &str = "echo-keystore-v2";
/// The format of a single key that was exported.
pub(super) const EXPORTED_V1: &str = "echo-exported-key-v1";

/// Keys, opened.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    /// Oldest first.
    pub(super) records: Vec<KeyRecord>,
    /// One for each record.
    pub(super) secrets: BTreeMap<KeyId, Secret>,
}

/// A key's secret.
#[derive(Debug, Clone)]
pub(super) enum Secret {
    /// At hand.
    Here(KeyPair),
    /// Kept elsewhere; where, in somebody's words.
    Away(String),
}

impl Keys {
    /// Takes a key up, unless it contradicts those that are there.
    pub(super) fn add(&mut self, record: KeyRecord, secret: Secret) -> Result<(), String> {
        let active = |r: &KeyRecord| r.role == record.role && r.state == KeyState::Active;
        if active(&record) && self.records.iter().any(active) {
            return Err(format!("two active {} keys", record.role));
        }
        if self.secrets.insert(record.id.clone(), secret).is_some() {
            return Err(format!("key {} stands twice", record.id));
        }
        self.records.push(record);
        Ok(())
    }

    /// The record of `id`.
    pub(super) fn record(&self, id: &KeyId) -> Option<&KeyRecord> {
        self.records.iter().find(|r| r.id == *id)
    }
}

#[derive(Deserialize)]
struct Header {
    format: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileV1 {
    #[serde(rename = "format")]
    _format: String,
    keys: Vec<KeyV1>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyV1 {
    key: KeyRecord,
    secret: Sealed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedFile {
    format: String,
    protection: Stored,
    data_key: Sealed,
    keys: Vec<StoredKey>,
    /// Seals nothing, bound to all the rest; missing only while that is worked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seal: Option<Sealed>,
}

/// A key in the file: with its secret, or with the place where that is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey {
    key: KeyRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<Sealed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    away: Option<String>,
}

impl SealedFile {
    /// The data key, once it and the whole file are found untouched. The work is the same when the lock is
    /// another one and when the file was changed.
    fn data_key(&self, lock: &SealKey, seal: &Sealed) -> Option<SealKey> {
        let opened = lock.open(&self.data_key, &bound(&self.format, "data key", &self.protection));
        let known = opened.is_some();
        let data_key = SealKey(opened.unwrap_or_default());
        let whole = data_key.open::<0>(seal, &bound(&self.format, "file", self)).is_some();
        (known && whole).then_some(data_key)
    }
}

/// What a secret is bound to. Each `what` has one shape, and no format or `what` holds a line end, so no two
/// things share their bytes.
fn bound<T: Serialize>(format: &str, what: &str, document: &T) -> Vec<u8> {
    let json = serde_json::to_string(document).expect("plain records always become JSON");
    format!("{format}\n{what}\n{json}").into_bytes()
}

/// `keys` as a file in `format` that `lock` opens; every secret is sealed anew under a fresh data key.
pub(super) fn write(format: &str, lock: &Lock, keys: &Keys, mint: &Mint) -> Vec<u8> {
    let data_key = SealKey::fresh(mint);
    let stored = |record: &KeyRecord| {
        let (secret, away) = match keys.secrets.get(&record.id)? {
            Secret::Here(pair) => {
                let sealed = data_key.seal(pair.secret().as_slice(), &bound(format, "key", record), mint);
                (Some(sealed), None)
            }
            Secret::Away(place) => (None, Some(place.clone())),
        };
        Some(StoredKey { key: record.clone(), secret, away })
    };
    let protection = lock.stored.clone();
    let aad = bound(format, "data key", &protection);
    let mut file = SealedFile {
        format: format.to_owned(),
        protection,
        data_key: lock.key.seal(data_key.0.as_slice(), &aad, mint),
        keys: keys.records.iter().filter_map(stored).collect(),
        seal: None,
    };
    file.seal = Some(data_key.seal(&[], &bound(format, "file", &file), mint));
    serde_json::to_vec_pretty(&file).expect("plain records always become JSON")
}

/// What the keystore in `bytes` is protected by. Nothing is believed yet.
pub(super) fn protection(file: &str, bytes: &[u8]) -> Result<Stored, KeystoreError> {
    match parse::<Header>(file, bytes)?.format.as_str() {
        KEYSTORE_V1 => Ok(Stored::KeyFile {}),
        KEYSTORE_V2 => Ok(parse::<SealedFile>(file, bytes)?.protection),
        _ => Err(unknown(file)),
    }
}

/// Reads the keystore in `bytes`, of either format, with the lock that `open` makes of its protection.
pub(super) fn read_keystore(
    file: &str,
    bytes: &[u8],
    open: impl FnOnce(&Stored) -> Result<Lock, KeystoreError>,
) -> Result<(Lock, Keys), KeystoreError> {
    match parse::<Header>(file, bytes)?.format.as_str() {
        KEYSTORE_V1 => {
            let lock = open(&Stored::KeyFile {})?;
            let keys = read_v1(file, bytes, &lock)?;
            Ok((lock, keys))
        }
        KEYSTORE_V2 => read(KEYSTORE_V2, file, bytes, open),
        _ => Err(unknown(file)),
    }
}

/// Reads a file that [`write()`] made in `format`.
pub(super) fn read(
    format: &str,
    file: &str,
    bytes: &[u8],
    open: impl FnOnce(&Stored) -> Result<Lock, KeystoreError>,
) -> Result<(Lock, Keys), KeystoreError> {
    let mut read: SealedFile = parse(file, bytes)?;
    if read.format != format {
        return Err(damaged(file, format!("its format is not `{format}`")));
    }
    bounded(file, read.keys.len())?;
    let seal = read.seal.take().ok_or_else(|| damaged(file, "its seal is missing".to_owned()))?;
    let lock = open(&read.protection)?;
    let data_key = read.data_key(&lock.key, &seal).ok_or_else(|| lock.refusal(file))?;
    let mut keys = Keys::default();
    for StoredKey { key: record, secret, away } in read.keys {
        let secret = match (secret, away) {
            (Some(sealed), None) => pair(&data_key, &record, &sealed, &bound(format, "key", &record))
                .map(Secret::Here)
                .ok_or_else(|| lock.refusal(file))?,
            (None, Some(place)) if record.id == record.public.id() && is_place(&place) => Secret::Away(place),
            _ => return Err(damaged(file, format!("key {} has no secret and no place", record.id))),
        };
        keys.add(record, secret).map_err(|why| damaged(file, why))?;
    }
    Ok((lock, keys))
}

fn read_v1(file: &str, bytes: &[u8], lock: &Lock) -> Result<Keys, KeystoreError> {
    let read: FileV1 = parse(file, bytes)?;
    bounded(file, read.keys.len())?;
    let mut keys = Keys::default();
    for KeyV1 { key: record, secret } in read.keys {
        let aad = format!("{KEYSTORE_V1}\n{}\n{}\n{}", record.id, record.public, record.role);
        let opened = pair(&lock.key, &record, &secret, aad.as_bytes()).ok_or_else(|| lock.refusal(file))?;
        keys.add(record, Secret::Here(opened)).map_err(|why| damaged(file, why))?;
    }
    Ok(keys)
}

/// The key pair of `record`; nothing when it was sealed with another key or for another record.
fn pair(key: &SealKey, record: &KeyRecord, sealed: &Sealed, aad: &[u8]) -> Option<KeyPair> {
    let pair = KeyPair::from_secret(&*key.open(sealed, aad)?);
    (pair.public() == record.public && pair.id() == record.id).then_some(pair)
}

/// Whether `text` can say where a key is kept: one line, neither empty nor long.
pub(super) fn is_place(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_PLACE && !text.contains(char::is_control)
}

fn bounded(file: &str, keys: usize) -> Result<(), KeystoreError> {
    if keys > MAX_KEYS {
        return Err(damaged(file, format!("more than {MAX_KEYS} keys")));
    }
    Ok(())
}

fn parse<T: DeserializeOwned>(file: &str, bytes: &[u8]) -> Result<T, KeystoreError> {
    serde_json::from_slice(bytes).map_err(|e| damaged(file, e.to_string()))
}

fn unknown(file: &str) -> KeystoreError {
    damaged(file, format!("its format is neither `{KEYSTORE_V1}` nor `{KEYSTORE_V2}`"))
}

fn damaged(file: &str, why: String) -> KeystoreError {
    KeystoreError::Damaged { file: file.to_owned(), why }
}
