use std::io::Read as _;

use echo_core::Digest;
use zeroize::Zeroizing;

use super::*;
use crate::{Protection, VersionState, WINDOW_SECONDS, create_key_file};

#[test]
fn versions_count_up_and_a_removed_one_is_not_used_again() {
    let (house, vault) = House::with_phrase();
    assert_eq!(house.set(&vault, "mail/relay", "one"), 1);
    assert_eq!(house.set(&vault, "mail/relay", "two"), 2);
    assert_eq!(house.get(&vault, "mail/relay").unwrap(), "two");
    let first = SecretRef { version: Some(1), ..secret("mail/relay") };
    assert_eq!(vault.get(&first, &actor(), &house.mint).unwrap().expose(), b"one");
    vault.remove(&name("mail"), &name("relay"), 2, &actor(), &house.mint).unwrap();
    assert_eq!(house.get(&vault, "mail/relay").unwrap(), "one");
    assert!(!house.path("secrets/mail/relay/2.age").exists());
    assert_eq!(house.set(&vault, "mail/relay", "three"), 3);
    let states: Vec<_> = vault.list().unwrap().entries.iter().map(|e| (e.version, e.state)).collect();
    assert_eq!(states, [(1, VersionState::Live), (2, VersionState::Removed), (3, VersionState::Live)]);
    assert!(matches!(house.get(&vault, "mail/other"), Err(VaultError::NotFound(_))));
    let again = house.open();
    assert_eq!(house.get(&again, "mail/relay").unwrap(), "three");
    assert_eq!(again.verify(&actor(), &house.mint).unwrap().good, 2);
}

#[test]
fn no_file_holds_a_value_or_the_passphrase() {
    let (house, vault) = House::with_phrase();
    house.set(&vault, "mail/relay", "zorkmid-and-fork");
    house.inject("mail/other", &house.seal("mail/other", None, "zorkmid-and-fork")).unwrap();
    let receiver = "dev_1".parse().unwrap();
    vault.wrap(&secret("mail/relay"), &receiver, 60, &actor(), &house.mint).unwrap();
    assert!(house.unseal(&passphrase("zorkmid-and-fork")).is_err());
    let all = house.snapshot();
    assert!(all.len() >= 7, "{all:?}");
    for (path, bytes) in all {
        let text = String::from_utf8_lossy(&bytes);
        for secret in ["zorkmid", "grey horse", "AGE-SECRET-KEY"] {
            assert!(!text.contains(secret), "{}", path.display());
        }
    }
}

#[test]
fn a_secret_is_brought_to_a_sealed_vault_and_read_when_it_is_opened() {
    let (house, vault) = House::with_phrase();
    drop(vault);
    let sealed = house.seal("mail/relay", None, "from afar");
    let digest = house.inject("mail/relay", &sealed).unwrap();
    assert_eq!(digest, Digest::of(&sealed));
    house.inject("mail/relay", &house.seal("mail/relay", Some(2), "later")).unwrap();
    let listed = house.sealed.list().unwrap();
    assert_eq!((listed.entries.len(), listed.pending.len()), (0, 2));
    let vault = house.open();
    let first = SecretRef { version: Some(1), ..secret("mail/relay") };
    assert_eq!(vault.get(&first, &actor(), &house.mint).unwrap().expose(), b"from afar");
    assert_eq!(house.get(&vault, "mail/relay").unwrap(), "later");
    assert!(vault.list().unwrap().pending.is_empty());
    // While it is open, too.
    house.inject("mail/relay", &house.seal("mail/relay", None, "latest")).unwrap();
    assert_eq!(house.get(&vault, "mail/relay").unwrap(), "latest");
}

#[test]
fn what_is_brought_to_the_wrong_place_is_put_aside_and_replaced_by_the_next() {
    let (house, vault) = House::with_phrase();
    house.inject("mail/relay", &house.seal("mail/other", None, "a")).unwrap();
    house.inject("mail/relay", &house.seal("mail/relay", Some(7), "b")).unwrap();
    let stranger = crate::Identity::generate(&house.mint).recipient();
    let foreign = crate::seal(&stranger, &name("mail"), &name("relay"), None, &value("c"), house.mint.now());
    house.inject("mail/relay", &foreign.unwrap()).unwrap();
    assert!(matches!(house.get(&vault, "mail/relay"), Err(VaultError::NotFound(_))));
    let pending = vault.list().unwrap().pending;
    assert!(pending.len() == 3 && pending.iter().all(|p| p.refused), "{pending:?}");
    let audit = house.audit();
    for why in ["another name", "another version than 1", "another recipient"] {
        assert!(audit.contains(why), "{why}");
    }
    house.inject("mail/relay", &house.seal("mail/relay", Some(1), "good")).unwrap();
    assert_eq!(house.get(&vault, "mail/relay").unwrap(), "good");
    assert!(vault.list().unwrap().pending.is_empty());
}

#[test]
fn the_same_sealed_file_is_brought_once() {
    let (house, vault) = House::with_phrase();
    let old = house.seal("mail/relay", None, "old");
    house.inject("mail/relay", &old).unwrap();
    assert_eq!(house.get(&vault, "mail/relay").unwrap(), "old");
    house.set(&vault, "mail/relay", "new");
    assert!(matches!(house.inject("mail/relay", &old), Err(VaultError::NotSealed(_))));
    assert_eq!(house.get(&vault, "mail/relay").unwrap(), "new");
    let at = secret("mail/relay");
    let other = house.sealed.inject(
        &at.namespace,
        &at.name,
        &house.seal("mail/relay", None, "x"),
        Some(&Digest::of(&old)),
        &actor(),
        &house.mint,
    );
    assert!(matches!(other, Err(VaultError::OtherDigest { .. })));
    assert!(house.inject("mail/relay", b"not sealed").is_err());
}

#[test]
fn each_kind_of_key_opens_and_another_does_not() {
    let house = House::empty();
    let file = house.home.path().join("vault.key");
    let key = create_key_file(&file, &house.mint).unwrap();
    assert!(matches!(create_key_file(&file, &house.mint), Err(VaultError::FileThere(_))));
    house.made(&Protect::KeyFile(key));
    let protection = house.sealed.protection().unwrap();
    let read = Unseal::read(&file, &protection).unwrap();
    let vault = house.unseal(&read).unwrap();
    house.set(&vault, "a/b", "kept");
    let other = Unseal::KeyFile(crate::Identity::generate(&house.mint));
    assert!(matches!(house.unseal(&other), Err(VaultError::Wrong("key file"))));
    assert!(matches!(house.unseal(&passphrase(PHRASE)), Err(VaultError::NeedsOther { .. })));

    let (by_shares, shares) = Protect::shares(2, 3, &house.mint).unwrap();
    vault.protect(&read, &by_shares, &actor(), &house.mint).unwrap();
    assert!(house.unseal(&read).is_err(), "the key file opens no more");
    let some = |places: &[usize]| Unseal::Shares(places.iter().map(|i| shares[*i].clone()).collect());
    assert!(matches!(house.unseal(&some(&[1])), Err(VaultError::Share(_))));
    for two in [[0, 1], [2, 0], [1, 2]] {
        assert_eq!(house.get(&house.unseal(&some(&two)).unwrap(), "a/b").unwrap(), "kept");
    }
    assert!(matches!(house.sealed.protection().unwrap(), Protection::Shares { threshold: 2, of: 3, .. }));
    let lines = format!("# two of three\n{}\n{}\n", *shares[0].text(), *shares[2].text());
    durable::write(&file, lines.as_bytes(), durable::Mode::Private).unwrap();
    house.unseal(&Unseal::read(&file, &house.sealed.protection().unwrap()).unwrap()).unwrap();
    durable::write(&file, lines.as_bytes(), durable::Mode::Public).unwrap();
    let open = Unseal::read(&file, &house.sealed.protection().unwrap());
    let said = open.unwrap_err().to_string();
    let places =
        ["chmod 600", "vault protect", "vault rotate", "replace the secrets"].map(|word| said.find(word));
    assert!(places[0].is_some() && places.is_sorted(), "{said}");
    let mut long = lines.as_bytes().chain(std::io::repeat(b'\n'));
    let protection = house.sealed.protection().unwrap();
    assert!(Unseal::read_from(&mut long, "standard input", &protection).is_err(), "it has no end");
    house.unseal(&Unseal::read_from(lines.as_bytes(), "standard input", &protection).unwrap()).unwrap();
}

#[test]
fn the_sixth_wrong_passphrase_waits_and_the_right_one_too() {
    let (house, _) = House::with_phrase();
    for _ in 0..4 {
        assert!(matches!(house.unseal(&passphrase("a young grey horse")), Err(VaultError::Wrong(_))));
    }
    house.open();
    for _ in 0..5 {
        assert!(matches!(house.unseal(&passphrase("a young grey horse")), Err(VaultError::Wrong(_))));
    }
    assert!(matches!(house.unseal(&passphrase(PHRASE)), Err(VaultError::TooManyTries { .. })));
    house.clock.advance_millis(WINDOW_SECONDS * 1000);
    house.open();
    assert!(!house.path("attempts.json").exists());
    assert_eq!(house.audit().matches("\"unseal\",\"outcome\":\"refused\"").count(), 10);
}

#[test]
fn a_new_passphrase_takes_the_place_of_the_old() {
    let (house, vault) = House::with_phrase();
    house.set(&vault, "a/b", "kept");
    let new = Protect::Passphrase(Zeroizing::new("two old grey horses".to_owned()));
    let wrong = vault.protect(&passphrase("no such horse here"), &new, &actor(), &house.mint);
    assert!(matches!(wrong, Err(VaultError::Wrong(_))));
    let short = Protect::Passphrase(Zeroizing::new("short".to_owned()));
    let refused = vault.protect(&passphrase(PHRASE), &short, &actor(), &house.mint);
    assert!(matches!(refused, Err(VaultError::PassphraseLength)));
    vault.protect(&passphrase(PHRASE), &new, &actor(), &house.mint).unwrap();
    assert!(house.unseal(&passphrase(PHRASE)).is_err());
    let again = house.unseal(&passphrase("two old grey horses")).unwrap();
    assert_eq!(house.get(&again, "a/b").unwrap(), "kept");
}

#[test]
fn a_rotation_keeps_every_secret_and_leaves_the_old_identity_with_nothing() {
    let (house, vault) = House::with_phrase();
    for i in 0..5 {
        house.set(&vault, &format!("n{i}/s"), &format!("value {i}"));
    }
    vault.remove(&name("n4"), &name("s"), 1, &actor(), &house.mint).unwrap();
    let (before, old) = (house.snapshot(), house.open());
    let late = house.seal("late/s", None, "for the old recipient");
    let vault = vault.rotate(&passphrase(PHRASE), &actor(), &house.mint).unwrap();
    assert!(matches!(house.get(&old, "n0/s"), Err(VaultError::Rotated)));
    for i in 0..4 {
        assert_eq!(house.get(&vault, &format!("n{i}/s")).unwrap(), format!("value {i}"));
        let path = format!("secrets/n{i}/s/1.age");
        assert!(old.keys.identity.open(&std::fs::read(house.path(&path)).unwrap(), 9999).is_none());
    }
    let ids = house.sealed.description().unwrap().identities;
    assert!(ids.len() == 2 && ids[0].retired.is_some() && ids[1].retired.is_none());
    assert_eq!(house.snapshot().len(), before.len(), "nothing is left over");
    house.inject("late/s", &late).unwrap();
    assert!(house.get(&vault, "late/s").is_err());
    assert_eq!(house.get(&house.open(), "n3/s").unwrap(), "value 3");
}

#[test]
fn a_rotation_that_meets_a_changed_secret_leaves_the_vault_as_it_was() {
    let (house, vault) = House::with_phrase();
    house.set(&vault, "a/one", "kept");
    house.set(&vault, "b/two", "lost");
    durable::write(&house.path("secrets/b/two/1.age"), b"junk", durable::Mode::Private).unwrap();
    let before = house.snapshot().len();
    assert!(matches!(
        vault.rotate(&passphrase(PHRASE), &actor(), &house.mint),
        Err(VaultError::Tampered { .. })
    ));
    // The first secret was staged by then, and the index was not.
    assert!(house.path("secrets/a/one/1.age.next").exists());
    assert_eq!(std::fs::read(house.path("index.json.next")).unwrap(), b"");
    assert_eq!(house.sealed.list().unwrap().entries.len(), 2);
    assert_eq!(house.get(&house.open(), "a/one").unwrap(), "kept");
    assert_eq!(house.snapshot().len(), before);
}

#[test]
fn nothing_is_given_that_cannot_be_written_down() {
    let (house, vault) = House::with_phrase();
    house.set(&vault, "a/b", "kept");
    let receiver = "dev_1".parse().unwrap();
    let token = vault.wrap(&secret("a/b"), &receiver, 60, &actor(), &house.mint).unwrap();
    vault.disk.faults.plan(0);
    assert!(matches!(house.get(&vault, "a/b"), Err(VaultError::Durable(_))));
    assert!(vault.wrap(&secret("a/b"), &receiver, 60, &actor(), &house.mint).is_err());
    vault.disk.faults.plan(i64::MAX);
    house.sealed.disk().faults.plan(0);
    assert!(house.sealed.unwrap(&token, &receiver, &actor(), &house.mint).is_err());
    assert!(house.unseal(&passphrase(PHRASE)).is_err());
    house.sealed.disk().faults.plan(i64::MAX);
    assert_eq!(house.get(&vault, "a/b").unwrap(), "kept");
}

#[test]
fn an_archived_audit_goes_on_and_stays_in_the_chain() {
    let (house, vault) = House::with_phrase();
    house.set(&vault, "a/b", "kept");
    let old = vault.audit_head().unwrap();
    let name = house.sealed.archive_audit(&passphrase(PHRASE), &actor(), &house.mint).unwrap();
    assert!(house.path(&name).exists());
    house.get(&vault, "a/b").unwrap();
    assert_eq!(house.sealed.audit_digest(old.seq).unwrap(), Some(old.digest));
    let head = vault.audit_head().unwrap();
    assert_eq!(head.seq, old.seq + 2);
    assert_eq!(house.sealed.audit_digest(head.seq).unwrap(), Some(head.digest));
    house.sealed.archive_audit(&passphrase(PHRASE), &actor(), &house.mint).unwrap();
    assert_eq!(house.sealed.audit_digest(old.seq).unwrap(), Some(old.digest));
    assert_eq!(house.get(&house.open(), "a/b").unwrap(), "kept");
    durable::write(&house.path(&name), b"{}\n", durable::Mode::Private).unwrap();
    assert!(house.sealed.audit_digest(old.seq).is_err());
}

#[test]
fn two_processes_take_turns() {
    let (house, one) = House::with_phrase();
    let two = house.open();
    std::thread::scope(|scope| {
        for vault in [&one, &two] {
            let house = &house;
            scope.spawn(move || {
                // Each waits for the other at most five seconds, and a disk may be slow.
                for i in 0..4 {
                    house.set(vault, "a/b", &format!("{i}"));
                }
            });
        }
    });
    let versions: Vec<u32> = one.list().unwrap().entries.iter().map(|e| e.version).collect();
    assert_eq!(versions, (1..=8).collect::<Vec<u32>>());
}
