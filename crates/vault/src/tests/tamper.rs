use std::fs;

use durable::Mode;

use super::*;
use crate::{AuditLine, Outcome, What};

/// Two secrets, one with two versions, one that waits, and a few lines of audit.
fn furnished() -> (House, Vault) {
    let (house, vault) = House::with_phrase();
    house.set(&vault, "mail/relay", "one");
    house.set(&vault, "mail/relay", "two");
    house.set(&vault, "db/admin", "three");
    (house, vault)
}

/// What opening the vault and reading everything says.
fn look(house: &House) -> Result<Vec<String>, String> {
    let vault = house.unseal(&passphrase(PHRASE)).map_err(|e| e.to_string())?;
    let checked = vault.verify(&actor(), &house.mint).map_err(|e| e.to_string())?;
    if !checked.problems.is_empty() {
        return Err(checked.problems.join("; "));
    }
    let refused: Vec<_> =
        vault.list().unwrap().pending.into_iter().filter(|p| p.refused).map(|p| p.name.to_string()).collect();
    if !refused.is_empty() {
        return Err(format!("refused: {refused:?}"));
    }
    ["mail/relay", "db/admin"].iter().map(|at| house.get(&vault, at).map_err(|e| e.to_string())).collect()
}

fn change(house: &House, file: &str, edit: impl FnOnce(String) -> String) {
    let path = house.path(file);
    let text = edit(fs::read_to_string(&path).unwrap());
    durable::write(&path, text.as_bytes(), Mode::Private).unwrap();
}

#[test]
fn a_file_that_is_taken_out_is_missed() {
    for file in [
        "vault.json",
        "identity.age",
        "index.json",
        "audit.jsonl",
        "secrets/mail/relay/1.age",
        "secrets/db/admin/1.age",
    ] {
        let (house, _) = furnished();
        fs::remove_file(house.path(file)).unwrap();
        let said = look(&house).unwrap_err();
        assert!(said.contains(file) && said.contains("missing"), "{file}: {said}");
    }
}

#[test]
fn a_file_that_changed_places_is_noticed() {
    let (house, _) = furnished();
    fs::copy(house.path("secrets/mail/relay/1.age"), house.path("secrets/mail/relay/2.age")).unwrap();
    assert!(look(&house).unwrap_err().contains("secrets/mail/relay/2.age"));
    let (house, _) = furnished();
    fs::copy(house.path("secrets/mail/relay/2.age"), house.path("secrets/mail/relay/3.age")).unwrap();
    assert!(look(&house).unwrap_err().contains("not in index.json"));
}

#[test]
fn an_older_copy_of_a_file_is_noticed() {
    let (house, vault) = furnished();
    let old = house.snapshot();
    vault.remove(&name("mail"), &name("relay"), 1, &actor(), &house.mint).unwrap();
    let new = Zeroizing::new("two old grey horses".to_owned());
    vault.protect(&passphrase(PHRASE), &Protect::Passphrase(new), &actor(), &house.mint).unwrap();
    let now = house.snapshot();
    for file in ["index.json", "identity.age", "vault.json"] {
        house.restore(&now);
        let before = old.iter().find(|(path, _)| path.ends_with(file)).unwrap();
        if before.1 == now.iter().find(|(path, _)| path.ends_with(file)).unwrap().1 {
            continue;
        }
        durable::write(&before.0, &before.1, Mode::Private).unwrap();
        let said = house.unseal(&passphrase(PHRASE)).unwrap_err().to_string();
        assert!(said.contains(file), "{file}: {said}");
    }
    // The index with its files, but not the audit.
    house.restore(&old);
    let audit = now.iter().find(|(path, _)| path.ends_with("audit.jsonl")).unwrap();
    durable::write(&audit.0, &audit.1, Mode::Private).unwrap();
    assert!(look(&house).unwrap_err().contains("index.json"));
}

#[test]
fn the_whole_vault_put_back_shows_in_the_audits_head() {
    let (house, vault) = furnished();
    let (old, then) = (house.snapshot(), vault.audit_head().unwrap());
    house.set(&vault, "mail/relay", "newer");
    let head = vault.audit_head().unwrap();
    house.restore(&old);
    // Nothing inside can tell. The platform, which holds a later head, can.
    look(&house).unwrap();
    assert_ne!(house.sealed.audit_digest(head.seq).unwrap(), Some(head.digest));
    assert_eq!(house.sealed.audit_digest(then.seq).unwrap(), Some(then.digest));
    assert!(
        matches!(house.get(&vault, "mail/relay"), Err(VaultError::Tampered { .. })),
        "nor a vault that is open"
    );
}

#[test]
fn an_edited_audit_is_noticed() {
    let (house, _) = furnished();
    change(&house, "audit.jsonl", |text| text.replacen("a test", "nobody", 1));
    assert!(look(&house).unwrap_err().contains("audit.jsonl"));
    let (house, _) = furnished();
    change(&house, "audit.jsonl", |text| text.lines().skip(1).fold(String::new(), |all, l| all + l + "\n"));
    assert!(look(&house).unwrap_err().contains("audit.jsonl"));
    // A line that somebody writes anew, with good digests, but without the identity.
    let (house, _) = furnished();
    change(&house, "audit.jsonl", |text| {
        let last = text.lines().last().unwrap();
        let start = last.find("\"check\"").unwrap();
        let kept: String = text.lines().take(3).fold(String::new(), |all, l| all + l + "\n");
        format!("{kept}{}\"check\":\"{}\"}}\n", &last[..start], "0".repeat(64))
    });
    assert!(look(&house).unwrap_err().contains("audit.jsonl"));
}

/// A line that goes on from the last one, as anybody can write it who lacks the identity.
fn forged(house: &House, index: Option<echo_core::Digest>) -> String {
    let audit = house.audit();
    let last = audit.lines().last().unwrap();
    let before: AuditLine = serde_json::from_str(last).unwrap();
    let mut line = AuditLine {
        seq: before.seq + 1,
        at: before.at,
        who: "a test".to_owned(),
        what: What::Verify,
        namespace: None,
        name: None,
        version: None,
        receiver: None,
        hand_over: None,
        outcome: Outcome::Granted,
        why: None,
        index,
        previous: echo_core::Digest::of(last.as_bytes()),
        key: None,
        check: String::new(),
    };
    line.check = echo_core::Digest::of(&serde_json::to_vec(&line).unwrap()).hex();
    serde_json::to_string(&line).unwrap() + "\n"
}

#[test]
fn an_older_index_does_not_come_back_with_a_line_that_anybody_can_write() {
    let (house, vault) = furnished();
    let old = house.snapshot();
    vault.remove(&name("mail"), &name("relay"), 2, &actor(), &house.mint).unwrap();
    house.set(&vault, "db/admin", "newer");
    let now = house.snapshot();
    // A line of this kind that records no change is good.
    change(&house, "audit.jsonl", |text| text + &forged(&house, None));
    house.sealed.list().unwrap();
    assert_eq!(look(&house).unwrap(), ["one", "newer"]);
    // The index and the secrets of before, and a line that names that index.
    let audit = now.iter().find(|(path, _)| path.ends_with("audit.jsonl")).unwrap();
    house.restore(&old);
    durable::write(&audit.0, &audit.1, Mode::Private).unwrap();
    let index = echo_core::Digest::of(&fs::read(house.path("index.json")).unwrap());
    let line = forged(&house, Some(index));
    change(&house, "audit.jsonl", |text| text + &line);
    let open = house.get(&vault, "mail/relay").unwrap_err().to_string();
    for said in [house.sealed.list().unwrap_err().to_string(), look(&house).unwrap_err(), open] {
        assert!(said.contains("audit.jsonl") && said.contains("records a change"), "{said}");
    }
}

#[test]
fn another_recipient_in_the_description_is_noticed() {
    let (house, _) = furnished();
    let ours = house.sealed.recipient().unwrap().to_string();
    let theirs = crate::Identity::generate(&house.mint).recipient().to_string();
    change(&house, "vault.json", |text| text.replace(&ours, &theirs));
    assert!(house.sealed.recipient().unwrap_err().to_string().contains("vault.json"));
    // With an index that fits, but without its code.
    let digest = |bytes: &[u8]| echo_core::Digest::of(bytes).to_string();
    let old =
        digest(fs::read_to_string(house.path("vault.json")).unwrap().replace(&theirs, &ours).as_bytes());
    let new = digest(&fs::read(house.path("vault.json")).unwrap());
    let before = digest(&fs::read(house.path("index.json")).unwrap());
    change(&house, "index.json", |text| text.replace(&old, &new));
    let after = digest(&fs::read(house.path("index.json")).unwrap());
    change(&house, "audit.jsonl", |text| text.replace(&before, &after));
    assert!(look(&house).is_err());
}

#[test]
fn a_torn_line_is_cut_off_and_written_down() {
    let (house, _) = furnished();
    change(&house, "audit.jsonl", |text| text + "{\"seq\":5,\"at\":\"20");
    assert_eq!(look(&house).unwrap(), ["two", "three"]);
    assert!(house.audit().contains("\"repair\""));
    let (house, _) = furnished();
    change(&house, "audit.jsonl", |text| text.trim_end().to_owned());
    assert!(look(&house).unwrap_err().contains("line end"));
}

/// A stream of numbers for the choice of changes.
fn dice(seed: u64) -> impl FnMut(usize) -> usize {
    let entropy = SeededEntropy::new(seed);
    move |below| {
        let number = u64::from_le_bytes(echo_core::Entropy::bytes(&entropy));
        usize::try_from(number % below as u64).unwrap()
    }
}

#[test]
fn two_thousand_changed_bytes_are_all_noticed() {
    let (house, vault) = furnished();
    let at = secret("db/admin");
    let receiver = "dev_1".parse().unwrap();
    let token = vault.wrap(&at, &receiver, 600, &actor(), &house.mint).unwrap();
    house.inject("db/admin", &house.seal("db/admin", None, "three")).unwrap();
    drop(vault);
    let whole = house.snapshot();
    let hand_over = || house.sealed.unwrap(&token, &receiver, &actor(), &house.mint);
    let good = || look(&house).is_ok_and(|v| v == ["two", "three"]) && hand_over().is_ok();
    assert!(good());
    // The deadline beside a sealed hand-over only says when it is forgotten: the sealed one counts.
    let handed = whole.iter().find(|(path, _)| path.to_string_lossy().contains("handed/")).unwrap();
    let text = std::str::from_utf8(&handed.1).unwrap();
    let start = text.find("\"expires\":\"").unwrap() + "\"expires\":\"".len();
    let deadline = start..start + text[start..].find('"').unwrap();
    let mut dice = dice(1);
    let mut harmless = Vec::new();
    for _ in 0..2000 {
        let mut changed = whole.clone();
        let (_, bytes) = &mut changed[dice(whole.len())];
        if bytes.is_empty() {
            continue; // the lock
        }
        let place = dice(bytes.len());
        let byte = u8::try_from(dice(255) + 1).unwrap();
        bytes[place] ^= byte;
        house.restore(&changed);
        if good() {
            let file = changed.iter().zip(&whole).find(|(a, b)| a.1 != b.1).unwrap();
            if file.0.0 == handed.0 && deadline.contains(&place) {
                continue;
            }
            harmless.push(format!("{} byte {place} ^ {byte}", file.0.0.display()));
        }
    }
    assert!(harmless.is_empty(), "{harmless:#?}");
}
