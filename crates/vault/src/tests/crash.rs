//! Every step of every change fails once, and all after it, as when the process dies. Whoever comes next finds the
//! vault as before or as after, never between.

use super::*;

const AT: [&str; 4] = ["a/one", "a/two", "b/one", "b/two"];

fn furnished() -> (House, Vault) {
    let (house, vault) = House::with_phrase();
    for at in AT {
        house.set(&vault, at, &format!("value of {at}"));
    }
    (house, vault)
}

fn whole(house: &House, vault: &Vault) {
    for at in AT {
        assert_eq!(house.get(vault, at).unwrap(), format!("value of {at}"));
    }
    let checked = vault.verify(&actor(), &house.mint).unwrap();
    assert!(checked.problems.is_empty() && checked.good >= AT.len(), "{checked:?}");
    let left: Vec<_> =
        house.snapshot().into_iter().filter(|(p, _)| p.to_string_lossy().ends_with(".next")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Does `work` with a failure at every step in turn, until one run has none. `after` looks at what is there, with the
/// result; gives back how many steps there were.
fn at_every_step(
    work: impl Fn(&House, Vault) -> Result<(), VaultError>,
    after: impl Fn(&House, bool),
) -> i64 {
    for step in 0.. {
        let (house, vault) = furnished();
        let faults = vault.disk.faults.clone();
        faults.plan(step);
        let done = work(&house, vault).is_ok();
        let reached = faults.done();
        faults.plan(i64::MAX);
        after(&house, done);
        if done {
            assert!(reached <= step);
            return step;
        }
    }
    unreachable!("one run has no failure")
}

#[test]
fn a_rotation_loses_nothing_at_any_step() {
    let steps = at_every_step(
        |house, vault| vault.rotate(&passphrase(PHRASE), &actor(), &house.mint).map(drop),
        |house, done| {
            let vault = house.open();
            let identities = house.sealed.description().unwrap().identities.len();
            assert!(identities == 2 || (!done && identities == 1));
            whole(house, &vault);
            // And again, to its end.
            let vault = vault.rotate(&passphrase(PHRASE), &actor(), &house.mint).unwrap();
            whole(house, &vault);
        },
    );
    assert!(steps > 20, "{steps}");
}

#[test]
fn what_opens_the_vault_is_the_old_or_the_new_at_any_step() {
    let new = "two old grey horses";
    at_every_step(
        |house, vault| {
            let to = Protect::Passphrase(Zeroizing::new(new.to_owned()));
            vault.protect(&passphrase(PHRASE), &to, &actor(), &house.mint)
        },
        |house, done| {
            let (old, new) = (house.unseal(&passphrase(PHRASE)), house.unseal(&passphrase(new)));
            assert_ne!(old.is_ok(), new.is_ok(), "exactly one opens");
            assert!(!done || new.is_ok());
            whole(house, &old.or(new).unwrap());
        },
    );
}

#[test]
fn the_old_key_or_the_shares_that_were_given_open_at_any_step() {
    let (to, shares) = Protect::shares(2, 3, &Mint::system()).unwrap();
    let given = Unseal::Shares(shares[1..].to_vec());
    at_every_step(
        |house, vault| vault.protect(&passphrase(PHRASE), &to, &actor(), &house.mint),
        |house, done| {
            let (old, new) = (house.unseal(&passphrase(PHRASE)), house.unseal(&given));
            assert_ne!(old.is_ok(), new.is_ok(), "exactly one opens");
            assert!(!done || new.is_ok());
            whole(house, &old.or(new).unwrap());
        },
    );
}

#[test]
fn what_is_left_of_a_file_goes_when_the_vault_is_opened() {
    let (house, vault) = furnished();
    // As a process leaves it that is killed while it writes: beside the vault's files, and in the middle of a change.
    for left in [".echo-a1b2c3", "secrets/a/one/.echo-d4e5f6"] {
        durable::write(&house.path(left), b"half", durable::Mode::Private).unwrap();
    }
    drop(vault);
    whole(&house, &house.open());
    let names: Vec<_> = house.snapshot().into_iter().map(|(path, _)| path).collect();
    assert!(names.iter().all(|path| !path.to_string_lossy().contains(".echo-")), "{names:?}");
}

#[test]
fn a_new_version_is_there_or_not_at_any_step() {
    at_every_step(
        |house, vault| {
            let at = secret("a/one");
            vault.set(&at.namespace, &at.name, &value("newer"), &actor(), &house.mint).map(drop)
        },
        |house, done| {
            let vault = house.open();
            let got = house.get(&vault, "a/one").unwrap();
            assert!(got == "newer" || (!done && got == "value of a/one"), "{got}");
            if got == "newer" {
                vault.remove(&name("a"), &name("one"), 2, &actor(), &house.mint).unwrap();
            }
            whole(house, &vault);
        },
    );
}

#[test]
fn a_removed_version_is_gone_or_not_at_any_step() {
    at_every_step(
        |house, vault| {
            let at = secret("c/x");
            vault.set(&at.namespace, &at.name, &value("goes"), &actor(), &house.mint)?;
            vault.remove(&at.namespace, &at.name, 1, &actor(), &house.mint)
        },
        |house, done| {
            let vault = house.open();
            assert!(!done || house.get(&vault, "c/x").is_err());
            whole(house, &vault);
        },
    );
}

#[test]
fn what_was_brought_becomes_one_version_at_any_step() {
    at_every_step(
        |house, vault| {
            // By a process that does not crash.
            let (other, at) = (Sealed::of_home(house.home.path()), secret("c/x"));
            let sealed = house.seal("c/x", None, "brought");
            other.inject(&at.namespace, &at.name, &sealed, None, &actor(), &house.mint).unwrap();
            house.get(&vault, "c/x").map(drop)
        },
        |house, _| {
            let vault = house.open();
            assert_eq!(house.get(&vault, "c/x").unwrap(), "brought");
            let listed = vault.list().unwrap();
            assert_eq!(listed.entries.iter().filter(|e| e.namespace == name("c")).count(), 1);
            assert!(listed.pending.is_empty());
            whole(house, &vault);
        },
    );
}

#[test]
fn an_archive_leaves_every_line_at_any_step() {
    at_every_step(
        |house, _| house.sealed.archive_audit(&passphrase(PHRASE), &actor(), &house.mint).map(drop),
        |house, _| {
            let vault = house.open();
            whole(house, &vault);
            house.sealed.archive_audit(&passphrase(PHRASE), &actor(), &house.mint).unwrap();
            let mut lines = 0;
            house
                .sealed
                .audit(|line, _| {
                    lines += 1;
                    assert_eq!(line.seq, lines);
                })
                .unwrap();
        },
    );
}

#[test]
fn a_vault_is_made_or_can_be_made_again_at_any_step() {
    for step in 0.. {
        let house = House::empty();
        let by = Protect::Passphrase(Zeroizing::new(PHRASE.to_owned()));
        let faults = house.sealed.disk().faults.clone();
        faults.plan(step);
        let made = house.sealed.init(&by, &actor(), &house.mint).is_ok();
        faults.plan(i64::MAX);
        if !house.sealed.is_there() {
            house.made(&by);
        }
        house.set(&house.open(), "a/b", "kept");
        if made {
            return;
        }
    }
}
