//! `keystore show`.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use trust::{
    KeyRecord, Keystore, Protection,
    keystore::{KEYSTORE_FILE, MAX_KEYSTORE_BYTES},
};

use crate::{
    Failure, answer,
    out::{Out, table},
    passphrase::{no_home, refused},
};

/// What stands in clear in the keystore's file. That its other fields are known, `Keystore::protection_of` has
/// checked before.
#[derive(Deserialize)]
struct File {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    key: KeyRecord,
    away: Option<String>,
}

/// The records of the keys, as the file says them.
pub fn records(home: &Path) -> Result<Vec<KeyRecord>, Failure> {
    Ok(read(home)?.1.keys.into_iter().map(|key| key.key).collect())
}

fn read(home: &Path) -> Result<(Protection, File), Failure> {
    if !Keystore::exists(home) {
        return Err(no_home(home));
    }
    let protection = Keystore::protection_of(home).map_err(refused)?;
    let path = home.join(KEYSTORE_FILE);
    let bytes = durable::read(&path, MAX_KEYSTORE_BYTES)?.ok_or_else(|| no_home(home))?;
    let file: File = serde_json::from_slice(&bytes).map_err(|error| {
        Failure::failed(format!("{} is damaged: {error}", path.display())).hint("restore it from your backup")
    })?;
    Ok((protection, file))
}

/// Lists the keys.
pub fn run(home: &Path, out: Out) -> Result<(), Failure> {
    let (protection, file) = read(home)?;
    let keys: Vec<Value> = file.keys.iter().map(Key::json).collect();
    if out.is_json() {
        return out.json(&json!({"home": home, "protection": name(protection), "keys": keys}));
    }
    let path = home.join(KEYSTORE_FILE);
    out.line(&format!("{}, protected by a {}", path.display(), words(protection)))?;
    let headings = ["role", "state", "id", "created", "expires", "secret"];
    let rows: Vec<Vec<String>> = keys.iter().zip(&file.keys).map(|(json, key)| key.row(json)).collect();
    for line in table(&headings, &rows) {
        out.line(&line)?;
    }
    Ok(())
}

/// A protection, as JSON has it.
pub fn name(protection: Protection) -> &'static str {
    match protection {
        Protection::KeyFile => "key_file",
        Protection::Passphrase => "passphrase",
    }
}

/// A protection, as a person says it.
pub fn words(protection: Protection) -> &'static str {
    match protection {
        Protection::KeyFile => "key file or systemd credential",
        Protection::Passphrase => "passphrase",
    }
}

impl Key {
    fn json(&self) -> Value {
        let KeyRecord { id, role, state, created, expires, .. } = &self.key;
        json!({
            "id": id, "role": role, "state": state, "created": created, "expires": expires,
            "secret": if self.away.is_some() { "away" } else { "here" }, "place": self.away,
        })
    }

    fn row(&self, json: &Value) -> Vec<String> {
        let mut row: Vec<String> = ["/role", "/state", "/id", "/created", "/expires"]
            .iter()
            .map(|pointer| answer::shown(json, pointer))
            .collect();
        row.push(match &self.away {
            Some(place) => format!("away: {place}"),
            None => "here".to_owned(),
        });
        row
    }
}
