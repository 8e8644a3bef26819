//! `trust show`.

use std::path::Path;

use echo_core::{Clock as _, SystemClock, Timestamp};
use serde::Serialize;
use trust::{KeyRecord, KeyRole, KeyState, PublicKey, Registry, TrustChain};

use super::status;
use crate::{
    Failure,
    keystore::show::records,
    out::{Out, table},
};

/// All that is shown.
#[derive(Serialize)]
struct Shown {
    root: String,
    version: u64,
    created: Timestamp,
    expires: Timestamp,
    expired: bool,
    roles: Vec<Holders>,
    keys: Vec<Key>,
}

/// How many must sign in a role.
#[derive(Serialize)]
struct Holders {
    role: KeyRole,
    needed: usize,
    keys: usize,
}

/// One key, whatever became of it.
#[derive(Serialize)]
struct Key {
    role: Option<KeyRole>,
    id: String,
    public: Option<PublicKey>,
    /// `prepared`, `active`, `retiring`, `retired`, `revoked`; `elsewhere` for a key that its keeper holds.
    state: &'static str,
    /// Until when what it signs is taken; for a retired key, until when it was.
    until: Option<Timestamp>,
    /// Why it went.
    reason: Option<String>,
}

/// Shows who signs what.
pub fn run(home: &Path, out: Out) -> Result<(), Failure> {
    let chain = TrustChain::load(home).map_err(Failure::failed)?;
    let registry = chain.newest().map_err(Failure::failed)?;
    let now = SystemClock.now();
    let ends: Vec<(String, Timestamp)> = status::read(home, &chain)?
        .iter()
        .flat_map(|n| n.keys.iter().map(|gone| (gone.key.to_string(), n.refuse_from)))
        .collect();
    let keys = keys(&registry, &records(home).unwrap_or_default(), &ends);
    let of = |role: KeyRole| registry.role(role).map(|held| (role, held));
    let roles = KeyRole::ALL.into_iter().filter_map(of);
    let shown = Shown {
        root: chain.fingerprint().to_string(),
        version: registry.version,
        created: registry.created,
        expires: registry.expires,
        expired: registry.expires <= now,
        roles: roles
            .map(|(role, held)| Holders { role, needed: held.threshold as usize, keys: held.keys.len() })
            .collect(),
        keys,
    };
    if out.is_json() { out.json(&shown) } else { say(&shown, out) }
}

fn keys(registry: &Registry, records: &[KeyRecord], ends: &[(String, Timestamp)]) -> Vec<Key> {
    let state = |key: &PublicKey| {
        let record = records.iter().find(|r| r.public == *key);
        record.map_or("elsewhere", |record| name(record.state))
    };
    let mut keys = Vec::new();
    for role in KeyRole::ALL {
        for key in registry.role(role).iter().flat_map(|held| &held.keys) {
            if registry.revocation(&key.id()).is_some() {
                continue;
            }
            let id = key.id().to_string();
            let end = ends.iter().find(|(gone, _)| *gone == id).map(|(_, until)| *until);
            keys.push(Key {
                role: Some(role),
                state: if end.is_some() { "retiring" } else { state(key) },
                id,
                public: Some(*key),
                until: Some(end.unwrap_or(registry.expires)),
                reason: None,
            });
        }
    }
    keys.extend(records.iter().filter(|r| r.state == KeyState::Prepared).map(|r| Key {
        role: Some(r.role),
        id: r.id.to_string(),
        public: Some(r.public),
        state: name(r.state),
        until: None,
        reason: None,
    }));
    keys.extend(registry.retired.iter().map(|r| Key {
        role: Some(r.role),
        id: r.key.id().to_string(),
        public: Some(r.key),
        state: "retired",
        until: Some(r.until),
        reason: Some(r.reason.clone()),
    }));
    keys.extend(registry.revoked.iter().map(|r| Key {
        role: records.iter().find(|record| record.id == r.key).map(|record| record.role),
        id: r.key.to_string(),
        public: None,
        state: "revoked",
        until: None,
        reason: Some(r.reason.clone()),
    }));
    keys
}

fn name(state: KeyState) -> &'static str {
    match state {
        KeyState::Prepared => "prepared",
        KeyState::Active => "active",
        KeyState::Retiring => "retiring",
        KeyState::Retired => "retired",
        KeyState::Revoked => "revoked",
    }
}

fn say(shown: &Shown, out: Out) -> Result<(), Failure> {
    let end = if shown.expired { "EXPIRED on" } else { "good until" };
    out.line(&format!("root      {}", shown.root))?;
    out.line(&format!("registry  version {} of {}, {end} {}", shown.version, shown.created, shown.expires))?;
    for role in shown.roles.iter().filter(|role| role.keys > 1 || role.needed > 1) {
        out.line(&format!("{}: {} of {} keys must sign", role.role, role.needed, role.keys))?;
    }
    let rows: Vec<Vec<String>> = shown
        .keys
        .iter()
        .map(|key| {
            vec![
                key.role.map_or("-", KeyRole::as_str).to_owned(),
                key.state.to_owned(),
                key.id.clone(),
                key.until.map_or("-".to_owned(), |until| until.to_string()),
                key.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    for line in table(&["role", "state", "key", "until", "why"], &rows) {
        out.line(&line)?;
    }
    Ok(())
}
