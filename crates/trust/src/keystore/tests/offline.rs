//! A key that is exported, taken away and brought back.

use super::{
    protection::{cheap, phrase},
    *,
};

const PHRASE: &str = "on paper in the safe";
const PLACE: &str = "stick 3, safe in the office";

fn root_of(keys: &Keystore) -> KeyId {
    id_of(keys, KeyRole::Root)
}

fn id_of(keys: &Keystore, role: KeyRole) -> KeyId {
    keys.signer(role).unwrap().id()
}

/// A keystore whose root was taken away, and the file it was taken in.
fn rootless() -> (tempfile::TempDir, Keystore, KeyId, Vec<u8>) {
    let (home, mut keys) = cheap();
    let root = root_of(&keys);
    let exported = keys.export_key(&root, PHRASE, &mint_of(2)).unwrap();
    keys.remove(&exported, PHRASE, PLACE, &mint_of(3)).unwrap();
    (home, keys, root, exported)
}

#[test]
fn a_keystore_without_its_root_opens_and_says_where_that_is() {
    let (home, _, root, _) = rootless();
    let opened = reopen(home.path()).unwrap();
    let error = opened.signer(KeyRole::Root).unwrap_err();
    assert!(matches!(&error, KeystoreError::Away { role: KeyRole::Root, .. }));
    let text = error.to_string();
    assert!(text.contains(PLACE) && text.contains(root.as_str()), "{text}");
    assert_eq!(opened.away(&root), Some(PLACE));
    assert!(opened.key(&root).is_none());
    assert_eq!(opened.records()[0].state, KeyState::Active);
    assert!(opened.signer(KeyRole::Operator).is_ok());
}

#[test]
fn the_secret_leaves_the_file() {
    let (home, _, root, _) = rootless();
    let text = fs::read_to_string(home.path().join(KEYSTORE_FILE)).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let stored = &document["keys"][0];
    assert_eq!(stored["key"]["id"], root.as_str());
    assert_eq!((stored.get("secret"), &stored["away"]), (None, &PLACE.into()));
}

#[test]
fn an_exported_key_signs_on_its_own_and_comes_back() {
    let (home, mut keys, root, exported) = rootless();
    let (record, pair) = open_exported(&exported, PHRASE).unwrap();
    assert_eq!((&record, pair.id()), (&keys.records()[0], root.clone()));
    keys.import_key(&exported, PHRASE, &mint_of(4)).unwrap();
    keys.import_key(&exported, PHRASE, &mint_of(5)).unwrap();
    let opened = reopen(home.path()).unwrap();
    assert_eq!(root_of(&opened), root);
    assert_eq!(opened.signer(KeyRole::Root).unwrap().secret(), pair.secret());
    assert_eq!(opened.away(&root), None);
}

#[test]
fn the_keystore_s_own_record_decides_when_a_key_comes_back() {
    let (home, mut keys, root, exported) = rootless();
    keys.rotate(KeyRole::Root, None, &mint_of(4)).unwrap();
    keys.withdraw(&root, true, &mint_of(5)).unwrap();
    assert_eq!(keys.import_key(&exported, PHRASE, &mint_of(6)).unwrap().state, KeyState::Revoked);
    let opened = reopen(home.path()).unwrap();
    assert_ne!(root_of(&opened), root);
    assert_eq!(opened.records()[0].state, KeyState::Revoked);
}

#[test]
fn nothing_is_removed_without_a_file_that_brings_it_back() {
    let (_home, mut keys) = cheap();
    let root = root_of(&keys);
    let exported = keys.export_key(&root, PHRASE, &mint_of(2)).unwrap();
    let wrong = keys.remove(&exported, "on paper in a drawer", PLACE, &mint_of(3)).unwrap_err();
    assert!(matches!(&wrong, KeystoreError::WrongPassphrase { .. }));
    assert!(!format!("{wrong:?} {wrong}").contains("drawer"));
    for place in ["", "  ", "two\nlines", &"x".repeat(MAX_PLACE + 1)] {
        let refused = keys.remove(&exported, PHRASE, place, &mint_of(3));
        assert!(matches!(refused, Err(KeystoreError::BadPlace)), "{place:?}");
    }
    assert!(keys.signer(KeyRole::Root).is_ok());
}

#[test]
fn a_key_of_another_house_is_not_taken_in() {
    let (_home, keys) = cheap();
    let exported = keys.export_key(&root_of(&keys), PHRASE, &mint_of(2)).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut others = Keystore::open_or_create_in(elsewhere.path(), None, &mint_of(77)).unwrap();
    let refused = others.import_key(&exported, PHRASE, &mint_of(3));
    assert!(matches!(refused, Err(KeystoreError::UnknownKey(_))));
}

#[test]
fn a_key_that_is_away_cannot_be_exported_again() {
    let (_home, keys, root, _) = rootless();
    let refused = keys.export_key(&root, PHRASE, &mint_of(4));
    assert!(matches!(refused, Err(KeystoreError::Away { .. })));
    let weak = keys.export_key(&id_of(&keys, KeyRole::Operator), "short", &mint_of(4));
    assert!(matches!(weak, Err(KeystoreError::PassphraseLength)));
}

#[test]
fn a_keystore_and_an_exported_key_are_not_taken_for_one_another() {
    let (home, mut keys) = cheap();
    let exported = keys.export_key(&root_of(&keys), PHRASE, &mint_of(2)).unwrap();
    keys.protect(home.path(), &phrase(PHRASE), &mint_of(3)).unwrap();
    let keystore = fs::read(home.path().join(KEYSTORE_FILE)).unwrap();
    assert!(matches!(open_exported(&keystore, PHRASE), Err(KeystoreError::Damaged { .. })));
    let renamed = String::from_utf8(exported.clone())
        .unwrap()
        .replace(sealed_file::EXPORTED_V1, sealed_file::KEYSTORE_V2);
    rewrite(home.path(), |_| renamed);
    let opened = Keystore::open(home.path(), &phrase(PHRASE));
    assert!(matches!(opened, Err(KeystoreError::WrongPassphrase { .. })));
    let long = [exported, vec![b' '; MAX_EXPORTED_BYTES]].concat();
    assert!(matches!(open_exported(&long, PHRASE), Err(KeystoreError::Damaged { .. })));
}

#[test]
fn the_place_of_a_key_that_is_away_is_bound() {
    let (home, _, _, _) = rootless();
    rewrite(home.path(), |text| text.replace(PLACE, "stick 4, safe in the office"));
    assert!(matches!(reopen(home.path()), Err(KeystoreError::WrongKey { .. })));
}
