use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc};

use echo_core::{ManualClock, SeededEntropy};

use super::*;

fn mint() -> Mint {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    Mint::new(Arc::new(clock), Arc::new(SeededEntropy::new(5)))
}

fn fresh() -> (tempfile::TempDir, Keystore) {
    let home = tempfile::tempdir().unwrap();
    let made = Keystore::open_or_create_in(home.path(), None, &mint()).unwrap();
    (home, made)
}

fn reopen(home: &Path) -> Result<Keystore, KeystoreError> {
    Keystore::open_or_create_in(home, None, &mint())
}

fn rewrite(home: &Path, edit: impl FnOnce(String) -> String) {
    let path = home.join(KEYSTORE_FILE);
    let text = edit(fs::read_to_string(&path).unwrap());
    durable::write(&path, text.as_bytes(), Mode::Private).unwrap();
}

#[test]
fn every_role_gets_a_key_that_opens_again() {
    let (home, made) = fresh();
    assert!(Keystore::exists(home.path()));
    let opened = reopen(home.path()).unwrap();
    assert_eq!(opened.records(), made.records());
    for role in KeyRole::ALL {
        assert_eq!(opened.signer(role).unwrap().secret(), made.signer(role).unwrap().secret());
    }
}

#[test]
fn both_files_are_private_and_hold_no_secret_in_clear() {
    let (home, made) = fresh();
    for name in [KEYSTORE_FILE, KEY_FILE] {
        let rights = fs::metadata(home.path().join(name)).unwrap().permissions().mode();
        assert_eq!(rights & 0o777, 0o600, "{name}");
    }
    let text = fs::read_to_string(home.path().join(KEYSTORE_FILE)).unwrap();
    for role in KeyRole::ALL {
        let secret = made.signer(role).unwrap().secret();
        assert!(!text.contains(&hex::encode(*secret)));
    }
    assert!(text.contains("\"algorithm\": \"ed25519\""), "{text}");
}

#[test]
fn a_wrong_key_is_refused_and_named() {
    let (home, _) = fresh();
    durable::write(&home.path().join(KEY_FILE), &[7; 32], Mode::Private).unwrap();
    let error = reopen(home.path()).unwrap_err();
    assert!(matches!(error, KeystoreError::WrongKey { .. }));
    let text = error.to_string();
    assert!(text.contains(KEYSTORE_FILE) && text.contains(KEY_FILE) && text.contains("backup"), "{text}");
    durable::write(&home.path().join(KEY_FILE), b"not a key", Mode::Private).unwrap();
    assert!(matches!(reopen(home.path()), Err(KeystoreError::BadKeyFile(_))));
}

#[test]
fn a_missing_half_is_never_replaced() {
    let (home, _) = fresh();
    fs::remove_file(home.path().join(KEY_FILE)).unwrap();
    assert!(matches!(reopen(home.path()), Err(KeystoreError::NoKey(_))));
    assert!(!home.path().join(KEY_FILE).exists());

    let (home, _) = fresh();
    fs::remove_file(home.path().join(KEYSTORE_FILE)).unwrap();
    durable::write(&home.path().join(REGISTRY_FILE), b"{}", Mode::Public).unwrap();
    assert!(matches!(reopen(home.path()), Err(KeystoreError::Lost { .. })));
    assert!(!Keystore::exists(home.path()));
}

#[test]
fn a_key_moved_to_another_role_does_not_open() {
    let (home, _) = fresh();
    rewrite(home.path(), |text| {
        text.replace("\"attestor\"", "\"spare\"")
            .replace("\"receipts\"", "\"attestor\"")
            .replace("\"spare\"", "\"receipts\"")
    });
    assert!(matches!(reopen(home.path()), Err(KeystoreError::WrongKey { .. })));
}

#[test]
fn a_damaged_file_is_named() {
    let (home, _) = fresh();
    rewrite(home.path(), |text| text[..text.len() / 2].to_owned());
    let error = reopen(home.path()).unwrap_err();
    assert!(matches!(error, KeystoreError::Damaged { .. }));
    assert!(error.to_string().contains(KEYSTORE_FILE));
}

fn mint_of(seed: u64) -> Mint {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    Mint::new(Arc::new(clock), Arc::new(SeededEntropy::new(seed)))
}

#[test]
fn the_systemd_credential_wins_over_the_file() {
    let credentials = tempfile::tempdir().unwrap();
    let credential = credentials.path().join(CREDENTIAL_NAME);
    durable::write(&credential, &[9; 32], Mode::Private).unwrap();
    let home = tempfile::tempdir().unwrap();
    let given = Some(credentials.path());
    Keystore::open_or_create_in(home.path(), given, &mint()).unwrap();
    assert!(!home.path().join(KEY_FILE).exists(), "the key is not copied into the home");
    durable::write(&home.path().join(KEY_FILE), &[1; 32], Mode::Private).unwrap();
    Keystore::open_or_create_in(home.path(), given, &mint()).unwrap();
    assert!(reopen(home.path()).is_err(), "the file holds another key");
}

#[test]
fn a_key_without_a_keystore_is_used_at_the_first_start() {
    let home = tempfile::tempdir().unwrap();
    let text = format!("{}\n", "0a".repeat(32));
    durable::write(&home.path().join(KEY_FILE), text.as_bytes(), Mode::Private).unwrap();
    reopen(home.path()).unwrap();
    assert_eq!(fs::read_to_string(home.path().join(KEY_FILE)).unwrap(), text);
}

#[test]
fn a_rotation_survives_a_restart_and_keeps_the_old_key() {
    let (home, mut keys) = fresh();
    let old = keys.signer(KeyRole::Receipts).unwrap().id();
    let new = keys.rotate(KeyRole::Receipts, None, &mint_of(9)).unwrap();
    let opened = reopen(home.path()).unwrap();
    assert_eq!(opened.signer(KeyRole::Receipts).unwrap().id(), new.id);
    let state = |id: &KeyId| opened.records().iter().find(|r| r.id == *id).unwrap().state;
    assert_eq!(state(&old), KeyState::Retiring);
    assert!(opened.key(&old).is_some());
}

#[test]
fn a_withdrawn_key_signs_no_more_and_stays_revoked() {
    let (home, mut keys) = fresh();
    let id = keys.signer(KeyRole::Session).unwrap().id();
    keys.withdraw(&id, true, &mint_of(7)).unwrap();
    assert_eq!(keys.withdraw(&id, false, &mint_of(8)).unwrap().state, KeyState::Revoked);
    let opened = reopen(home.path()).unwrap();
    assert!(matches!(opened.signer(KeyRole::Session), Err(KeystoreError::NoActiveKey(KeyRole::Session))));
}

#[test]
fn a_rotation_that_cannot_be_written_changes_nothing() {
    let (home, mut keys) = fresh();
    let before = keys.records().to_vec();
    drop(home);
    assert!(keys.rotate(KeyRole::Root, None, &mint_of(9)).is_err());
    assert_eq!(keys.records(), before);
    assert!(keys.signer(KeyRole::Root).is_ok());
}

mod offline;
mod protection;
