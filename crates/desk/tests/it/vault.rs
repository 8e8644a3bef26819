//! The vault at the desk: sealed or open, and its audit in the genesis ledger.

use std::{fs, path::Path};

use desk::{Desk, DeskError, Options, VaultKey};
use dossier::LogName;
use echo_core::{Digest, Mint};
use ledger::Entry;
use vault::{
    Actor, AuditLine, MAX_AUDIT_BYTES, Protect, Sealed, Secret, SecretRef, Unseal, Vault, create_key_file,
};

use crate::device::House;

/// A founded home with a vault that a key file opens, and one secret in it. Nobody is at home.
struct Home {
    folder: tempfile::TempDir,
    key: std::path::PathBuf,
}

impl Home {
    async fn furnished() -> Self {
        let House { folder, desk, .. } = House::found().await;
        assert_eq!(desk.vault_status().await.unwrap(), None);
        desk.close().await.unwrap();
        let key = folder.path().join("vault.key");
        let home = Self { folder, key };
        home.make_vault();
        home
    }

    fn make_vault(&self) {
        let identity = create_key_file(&self.key, &Mint::system()).unwrap();
        let vault = Sealed::of_home(self.path())
            .init(&Protect::KeyFile(identity), &actor(), &Mint::system())
            .unwrap();
        let (namespace, name) = ("mail".parse().unwrap(), "relay".parse().unwrap());
        let value = Secret::new(b"hunter2".to_vec()).unwrap();
        vault.set(&namespace, &name, &value, &actor(), &Mint::system()).unwrap();
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    async fn open(&self, with_key: bool) -> Result<Desk, DeskError> {
        let vault_key = with_key.then(|| VaultKey::File(self.key.clone()));
        let options = Options { vault_key, ..Options::new(self.path().to_owned(), Mint::system()) };
        Desk::open(options).await.map(|opened| opened.desk)
    }

    /// Opens the vault without the platform.
    fn vault(&self) -> Vault {
        let sealed = Sealed::of_home(self.path());
        let by = Unseal::read(&self.key, &sealed.protection().unwrap()).unwrap();
        sealed.unseal(&by, &actor(), &Mint::system()).unwrap()
    }

    fn audit(&self) -> std::path::PathBuf {
        self.path().join("vault_v1/audit.jsonl")
    }
}

fn actor() -> Actor {
    Actor::new("a test")
}

/// The ids of the vault's documents in the genesis ledger.
fn entered(desk: &Desk) -> Vec<String> {
    let log = desk.log(LogName::Genesis);
    let all = log.entries(0, usize::try_from(log.size()).unwrap()).unwrap();
    let entries = all.iter().map(|bytes| Entry::from_bytes(bytes).unwrap());
    entries.filter(|entry| entry.kind == "vault_audit").map(|entry| entry.id).collect()
}

#[tokio::test]
async fn each_access_of_the_platform_stands_in_the_genesis_ledger() {
    let home = Home::furnished().await;
    let desk = home.open(true).await.unwrap();
    let status = desk.vault_status().await.unwrap().unwrap();
    assert!(status.open && status.versions == 1 && status.opened_by == "key file", "{status:?}");
    assert_eq!(entered(&desk).len(), 1, "the start");
    let got = desk.vault_secret("mail", "relay", "to send a report").await.unwrap();
    assert_eq!(got.expose(), b"hunter2");
    let none = desk.vault_secret("mail", "other", "to see").await.unwrap_err();
    assert!(matches!(none, DeskError::NotFound { .. }), "{none}");
    let seq = desk.vault_status().await.unwrap().unwrap().audit.seq;
    let all = entered(&desk);
    assert!(all.len() == 3 && all[2].ends_with(&format!("-{seq}")), "{all:?}");
    let audit = fs::read_to_string(home.audit()).unwrap();
    assert!(audit.contains("to send a report") && !audit.contains("hunter2"));
    assert!(desk.vault_secret("../x", "relay", "").await.is_err());
    desk.close().await.unwrap();
    // Nothing new, nothing entered.
    let desk = home.open(false).await.unwrap();
    assert_eq!(entered(&desk).len(), 3);
    desk.close().await.unwrap();
}

#[tokio::test]
async fn a_platform_without_the_key_runs_with_its_vault_sealed() {
    let home = Home::furnished().await;
    let desk = home.open(false).await.unwrap();
    assert!(!desk.vault_status().await.unwrap().unwrap().open);
    assert!(desk.health().await.ready);
    let refused = desk.vault_secret("mail", "relay", "").await.unwrap_err().to_string();
    assert!(refused.contains("sealed") && refused.contains("--vault-key-file"), "{refused}");
    desk.close().await.unwrap();
    let stranger = home.path().join("other.key");
    create_key_file(&stranger, &Mint::system()).unwrap();
    fs::copy(&stranger, &home.key).unwrap();
    let wrong = home.open(true).await.unwrap_err().to_string();
    assert!(wrong.contains("key file"), "{wrong}");
}

#[tokio::test]
async fn an_audit_that_was_cut_is_noticed_at_the_next_start() {
    let home = Home::furnished().await;
    let desk = home.open(true).await.unwrap();
    desk.vault_secret("mail", "relay", "").await.unwrap();
    desk.close().await.unwrap();
    let whole = fs::read_to_string(home.audit()).unwrap();
    let cut: String =
        whole.lines().take(whole.lines().count() - 1).fold(String::new(), |all, l| all + l + "\n");
    fs::remove_file(home.audit()).unwrap();
    durable::write(&home.audit(), cut.as_bytes(), durable::Mode::Private).unwrap();
    for with_key in [false, true] {
        let refused = home.open(with_key).await.unwrap_err().to_string();
        assert!(refused.contains("was cut") && refused.contains("backup"), "{refused}");
    }
    // Grown again behind the cut, it is another one all the same.
    home.vault()
        .get(&SecretRef::newest("mail".parse().unwrap(), "relay".parse().unwrap()), &actor(), &Mint::system())
        .unwrap();
    assert!(home.open(false).await.unwrap_err().to_string().contains("was cut"));
    durable::write(&home.audit(), whole.as_bytes(), durable::Mode::Private).unwrap();
    home.open(false).await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn a_vault_that_is_gone_or_another_is_noticed_at_the_next_start() {
    let home = Home::furnished().await;
    home.open(true).await.unwrap().close().await.unwrap();
    fs::remove_dir_all(home.path().join("vault_v1")).unwrap();
    let gone = home.open(false).await.unwrap_err().to_string();
    assert!(gone.contains("vault_v1 is missing"), "{gone}");
    fs::remove_file(&home.key).unwrap();
    home.make_vault();
    let other = home.open(false).await.unwrap_err().to_string();
    assert!(other.contains("another vault"), "{other}");
    let desk = home.open(true).await.unwrap();
    assert_eq!(entered(&desk).len(), 2);
    desk.close().await.unwrap();
    home.open(false).await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn a_vault_that_another_process_holds_stays_sealed_and_is_looked_at_next_time() {
    let home = Home::furnished().await;
    home.open(true).await.unwrap().close().await.unwrap();
    home.vault();
    let lock = fs::File::open(home.path().join("vault_v1/.lock")).unwrap();
    lock.lock().unwrap();
    let desk = home.open(true).await.unwrap();
    assert!(desk.health().await.ready);
    assert_eq!(entered(&desk).len(), 1, "nobody looked at it");
    lock.unlock().unwrap();
    assert!(!desk.vault_status().await.unwrap().unwrap().open);
    desk.close().await.unwrap();
    let desk = home.open(true).await.unwrap();
    assert!(desk.vault_status().await.unwrap().unwrap().open);
    assert_eq!(entered(&desk).len(), 2);
    desk.close().await.unwrap();
}

#[tokio::test]
async fn a_vault_whose_audit_is_full_stays_sealed() {
    let home = Home::furnished().await;
    home.open(true).await.unwrap().close().await.unwrap();
    fill(&home.audit());
    let desk = home.open(true).await.unwrap();
    assert!(desk.health().await.ready);
    assert!(desk.vault_secret("mail", "relay", "").await.unwrap_err().to_string().contains("sealed"));
    assert_eq!(entered(&desk).len(), 2);
    desk.close().await.unwrap();
}

/// Fills an audit with long lines that follow each other.
fn fill(audit: &Path) {
    let mut text = fs::read(audit).unwrap();
    let last = text.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap();
    let mut line: AuditLine = serde_json::from_slice(last).unwrap();
    (line.previous, line.key, line.index) = (Digest::of(last), None, None);
    line.who = "x".repeat(3000);
    loop {
        (line.seq, line.check) = (line.seq + 1, String::new());
        line.check = Digest::of(&serde_json::to_vec(&line).unwrap()).hex();
        let mut bytes = serde_json::to_vec(&line).unwrap();
        line.previous = Digest::of(&bytes);
        bytes.push(b'\n');
        if text.len() + bytes.len() > usize::try_from(MAX_AUDIT_BYTES).unwrap() {
            break;
        }
        text.extend(bytes);
        // The last ones are short, so that nothing fits.
        if text.len() + 5000 > usize::try_from(MAX_AUDIT_BYTES).unwrap() {
            line.who.clear();
        }
    }
    durable::write(audit, &text, durable::Mode::Private).unwrap();
}
