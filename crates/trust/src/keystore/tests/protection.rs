//! Passphrases, changes of protection, and files of the first format.

use zeroize::Zeroizing;

use super::*;

const PHRASE: &str = "four words in a row";
/// As `Keystore::open_or_create` and `rotate` wrote it before there were passphrases.
const FILE_V1: &str = include_str!("../../../tests/data/keystore_v1.json");
const KEY_V1: &str = "2c1b906867d313e9ee07fe22afc47439ef2a276c007fd555da428d975b6247fc";

pub(super) fn phrase(text: &str) -> Unlock {
    Unlock::Passphrase(Zeroizing::new(text.to_owned()))
}

/// A keystore whose passphrases cost next to nothing.
pub(super) fn cheap() -> (tempfile::TempDir, Keystore) {
    let (home, mut keys) = fresh();
    keys.set_kdf(Kdf::new(MIN_MEMORY_KIB, 1, 1).unwrap());
    (home, keys)
}

fn protected() -> (tempfile::TempDir, Keystore) {
    let (home, mut keys) = cheap();
    keys.protect(home.path(), &phrase(PHRASE), &mint_of(2)).unwrap();
    (home, keys)
}

fn secrets(keys: &Keystore) -> Vec<[u8; 32]> {
    keys.records().iter().map(|r| *keys.key(&r.id).unwrap().secret()).collect()
}

fn text_of(home: &Path) -> String {
    fs::read_to_string(home.join(KEYSTORE_FILE)).unwrap()
}

#[test]
fn a_passphrase_opens_what_the_key_file_did() {
    let (home, mut keys) = fresh();
    let before = secrets(&keys);
    assert_eq!(Keystore::protection_of(home.path()).unwrap(), Protection::KeyFile);
    keys.protect(home.path(), &phrase(PHRASE), &mint_of(2)).unwrap();
    assert!(!home.path().join(KEY_FILE).exists());
    assert_eq!(Keystore::protection_of(home.path()).unwrap(), Protection::Passphrase);
    let text = text_of(home.path());
    for word in ["\"argon2id\"", "\"memory_kib\": 65536", "\"passes\": 3", "\"lanes\": 1"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let mut opened = Keystore::open(home.path(), &phrase(PHRASE)).unwrap();
    assert_eq!((opened.records(), secrets(&opened)), (keys.records(), before));
    opened.rotate(KeyRole::Operator, None, &mint_of(3)).unwrap();
    let again = Keystore::open(home.path(), &phrase(PHRASE)).unwrap();
    assert_eq!(again.records(), opened.records());
}

#[test]
fn the_other_kind_of_key_is_asked_for_by_name() {
    let (home, _) = protected();
    assert!(matches!(reopen(home.path()), Err(KeystoreError::NeedsPassphrase { .. })));
    let opened = Keystore::open(home.path(), &Unlock::KeyFile);
    assert!(opened.unwrap_err().to_string().contains("with the passphrase"));
    let (home, _) = fresh();
    let opened = Keystore::open(home.path(), &phrase(PHRASE));
    assert!(matches!(opened, Err(KeystoreError::NeedsKeyFile { .. })));
    let nowhere = tempfile::tempdir().unwrap();
    let opened = Keystore::open(nowhere.path(), &Unlock::KeyFile);
    assert!(matches!(opened, Err(KeystoreError::Missing(_))));
    assert!(matches!(Keystore::protection_of(nowhere.path()), Err(KeystoreError::Missing(_))));
}

#[test]
fn a_wrong_passphrase_and_a_damaged_secret_read_the_same() {
    let (home, _) = protected();
    let wrong = Keystore::open(home.path(), &phrase("four words in a rox")).unwrap_err();
    assert!(matches!(wrong, KeystoreError::WrongPassphrase { .. }));
    let document: serde_json::Value = serde_json::from_str(&text_of(home.path())).unwrap();
    for place in ["/keys/0/secret", "/keys/8/secret", "/data_key", "/seal"] {
        let (home, _) = protected();
        let ciphertext = document.pointer(place).unwrap()["ciphertext"].as_str().unwrap();
        let damaged = if ciphertext.starts_with('A') { 'B' } else { 'A' };
        rewrite(home.path(), |text| text.replace(ciphertext, &format!("{damaged}{}", &ciphertext[1..])));
        let error = Keystore::open(home.path(), &phrase(PHRASE)).unwrap_err();
        assert!(matches!(error, KeystoreError::WrongPassphrase { .. }), "{place}: {error}");
    }
}

#[test]
fn no_passphrase_is_printed() {
    let (home, keys) = protected();
    let wrong = phrase("another one entirely");
    let error = Keystore::open(home.path(), &wrong).unwrap_err();
    for printed in [format!("{wrong:?}"), format!("{error:?} {error}"), format!("{keys:?}")] {
        assert!(!printed.contains("another one entirely") && !printed.contains(PHRASE), "{printed}");
        for secret in secrets(&keys) {
            assert!(!printed.contains(&hex::encode(secret)) && !printed.contains(&format!("{secret:?}")));
        }
    }
    assert!(!text_of(home.path()).contains(PHRASE));
}

#[test]
fn a_file_that_asks_for_too_much_is_refused_before_any_work() {
    for (good, bad) in [
        ("\"memory_kib\": 8", "\"memory_kib\": 4294967295"),
        ("\"memory_kib\": 8", "\"memory_kib\": 262145"),
        ("\"passes\": 1", "\"passes\": 4294967295"),
        ("\"lanes\": 1", "\"lanes\": 4294967295"),
        ("\"lanes\": 1", "\"lanes\": 0"),
    ] {
        let (home, _) = protected();
        assert!(text_of(home.path()).contains(good));
        rewrite(home.path(), |text| text.replace(good, bad));
        let error = Keystore::open(home.path(), &phrase(PHRASE)).unwrap_err();
        assert!(matches!(error, KeystoreError::Damaged { .. }), "{bad}: {error}");
        assert!(error.to_string().contains("it asks for"), "{error}");
    }
}

#[test]
fn a_passphrase_has_its_bounds() {
    let (home, mut keys) = fresh();
    for bad in ["short words", &"w".repeat(MAX_PASSPHRASE + 1)] {
        let refused = keys.protect(home.path(), &phrase(bad), &mint_of(2));
        assert!(matches!(refused, Err(KeystoreError::PassphraseLength)));
    }
    assert!(reopen(home.path()).is_ok(), "a refusal changes nothing");
}

#[test]
fn coming_back_to_a_key_file_makes_a_fresh_one() {
    let (home, mut keys) = protected();
    let left = "0b".repeat(32);
    durable::write(&home.path().join(KEY_FILE), left.as_bytes(), Mode::Private).unwrap();
    assert!(Keystore::open(home.path(), &phrase(PHRASE)).is_ok(), "a key file left behind does no harm");
    keys.protect(home.path(), &Unlock::KeyFile, &mint_of(3)).unwrap();
    assert_ne!(fs::read_to_string(home.path().join(KEY_FILE)).unwrap().trim(), left);
    let opened = reopen(home.path()).unwrap();
    assert_eq!(secrets(&opened), secrets(&keys));
    assert!(matches!(Keystore::open(home.path(), &phrase(PHRASE)), Err(KeystoreError::NeedsKeyFile { .. })));
}

#[test]
fn a_key_file_that_a_crash_left_is_removed_with_the_next_passphrase() {
    let (home, mut keys) = protected();
    durable::write(&home.path().join(KEY_FILE), &[1; 32], Mode::Private).unwrap();
    keys.protect(home.path(), &phrase(PHRASE), &mint_of(3)).unwrap();
    assert!(!home.path().join(KEY_FILE).exists());

    fs::create_dir(home.path().join(KEY_FILE)).unwrap();
    let stays = keys.protect(home.path(), &phrase("quite another phrase"), &mint_of(4)).unwrap_err();
    assert!(matches!(&stays, KeystoreError::KeyFileStays { .. }) && stays.to_string().contains(KEY_FILE));
    let opened = Keystore::open(home.path(), &phrase("quite another phrase"));
    assert!(opened.is_ok(), "the new protection stands all the same");
}

#[test]
fn every_protection_is_a_new_encryption() {
    let (home, mut keys) = protected();
    let of = |home: &Path| -> serde_json::Value { serde_json::from_str(&text_of(home)).unwrap() };
    let before = of(home.path());
    keys.protect(home.path(), &phrase("quite another phrase"), &mint_of(3)).unwrap();
    let after = of(home.path());
    for place in ["/protection/salt", "/data_key/ciphertext", "/keys/0/secret/ciphertext"] {
        assert_ne!(before.pointer(place).unwrap(), after.pointer(place).unwrap(), "{place}");
    }
    assert!(matches!(
        Keystore::open(home.path(), &phrase(PHRASE)),
        Err(KeystoreError::WrongPassphrase { .. })
    ));
    assert!(Keystore::open(home.path(), &phrase("quite another phrase")).is_ok());
}

#[test]
fn a_protection_that_cannot_be_written_changes_nothing() {
    let (home, mut keys) = cheap();
    let other = tempfile::tempdir().unwrap();
    let refused = keys.protect(other.path(), &phrase(PHRASE), &mint_of(2));
    assert!(matches!(refused, Err(KeystoreError::OtherHome { .. })));
    let path = home.path().to_owned();
    drop(home);
    assert!(keys.protect(&path, &phrase(PHRASE), &mint_of(2)).is_err());
    assert_eq!(keys.protection(), Protection::KeyFile);
}

#[test]
fn the_credential_is_used_and_no_key_file_made() {
    let credentials = tempfile::tempdir().unwrap();
    durable::write(&credentials.path().join(CREDENTIAL_NAME), &[9; 32], Mode::Private).unwrap();
    let given = Some(credentials.path());
    let (home, mut keys) = protected();
    keys.protect_in(home.path(), given, &Unlock::KeyFile, &mint_of(3)).unwrap();
    assert!(!home.path().join(KEY_FILE).exists());
    Keystore::open_or_create_in(home.path(), given, &mint()).unwrap();
    assert!(matches!(reopen(home.path()), Err(KeystoreError::NoKey(_))));
}

fn old_home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    durable::write(&home.path().join(KEYSTORE_FILE), FILE_V1.as_bytes(), Mode::Private).unwrap();
    durable::write(&home.path().join(KEY_FILE), KEY_V1.as_bytes(), Mode::Private).unwrap();
    home
}

#[test]
fn a_file_of_the_first_format_opens_and_becomes_the_second() {
    let home = old_home();
    assert_eq!(Keystore::protection_of(home.path()).unwrap(), Protection::KeyFile);
    let mut old = reopen(home.path()).unwrap();
    // The nine roles of its day, and a key that is retiring.
    assert_eq!(old.records().len(), 10);
    assert_eq!(text_of(home.path()), FILE_V1, "reading writes nothing");
    old.rotate(KeyRole::Session, None, &mint_of(3)).unwrap();
    assert!(text_of(home.path()).contains(sealed_file::KEYSTORE_V2));
    let new = reopen(home.path()).unwrap();
    assert_eq!((new.records(), secrets(&new)), (old.records(), secrets(&old)));

    let home = old_home();
    let mut old = Keystore::open(home.path(), &Unlock::KeyFile).unwrap();
    old.set_kdf(Kdf::new(MIN_MEMORY_KIB, 1, 1).unwrap());
    old.protect(home.path(), &phrase(PHRASE), &mint_of(3)).unwrap();
    assert!(!home.path().join(KEY_FILE).exists());
    assert_eq!(secrets(&Keystore::open(home.path(), &phrase(PHRASE)).unwrap()), secrets(&old));
}

#[test]
fn two_active_keys_of_a_role_are_refused_in_an_old_file() {
    let home = old_home();
    rewrite(home.path(), |text| text.replace("\"retiring\"", "\"active\""));
    assert!(matches!(reopen(home.path()), Err(KeystoreError::Damaged { .. })));
}

#[test]
fn a_new_file_does_not_pass_for_an_old_one() {
    let (home, _) = fresh();
    let mut document: serde_json::Value = serde_json::from_str(&text_of(home.path())).unwrap();
    for part in ["protection", "data_key", "seal"] {
        document.as_object_mut().unwrap().remove(part).unwrap();
    }
    document["format"] = sealed_file::KEYSTORE_V1.into();
    rewrite(home.path(), |_| document.to_string());
    assert!(matches!(reopen(home.path()), Err(KeystoreError::WrongKey { .. })));
}

#[test]
fn states_and_dates_and_the_list_itself_are_bound() {
    let edits: [fn(&mut serde_json::Value); 5] = [
        |d| d["keys"][0]["key"]["state"] = "retired".into(),
        |d| d["keys"][0]["key"]["created"] = "1970-01-01T00:00:01Z".into(),
        |d| d["keys"][0]["key"]["expires"] = "2030-01-01T00:00:00Z".into(),
        |d| d["keys"].as_array_mut().unwrap().swap(0, 1),
        |d| drop(d["keys"].as_array_mut().unwrap().pop()),
    ];
    for (nth, edit) in edits.iter().enumerate() {
        let (home, _) = fresh();
        let mut document: serde_json::Value = serde_json::from_str(&text_of(home.path())).unwrap();
        rewrite(home.path(), |_| document.to_string());
        assert!(reopen(home.path()).is_ok(), "the layout of the JSON is free");
        edit(&mut document);
        rewrite(home.path(), |_| document.to_string());
        assert!(matches!(reopen(home.path()), Err(KeystoreError::WrongKey { .. })), "edit {nth}");
    }
}
