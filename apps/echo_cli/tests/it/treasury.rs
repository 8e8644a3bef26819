//! `treasury verify` and `witness verify`: with nothing but files.

use std::path::{Path, PathBuf};

use durable::Mode;
use ed25519_dalek::SigningKey;
use ledger::Log;
use tempfile::TempDir;
use witness::{Cosigner, Policy};

use crate::fixture::{echo_cli, stderr, stdout};

const LOGS: [(&str, u8); 2] = [("genesis", 1), ("aeterna", 2)];

/// Two ledgers in a home, with a head exported after each round of entries.
struct Home {
    folder: TempDir,
    export: String,
    newest: String,
    vkey: String,
}

impl Home {
    async fn with(history: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut home = Self {
            folder,
            export: "echo treasury v1\n".to_owned(),
            newest: String::new(),
            vkey: String::new(),
        };
        for (name, key) in LOGS {
            let dir = home.folder.path().join(format!("{name}_ledger"));
            let log =
                Log::open(&dir, &format!("log.example/{name}"), SigningKey::from_bytes(&[key; 32])).unwrap();
            for round in 0..3 {
                let entries = (0..3).map(|n| format!("{history} {round} {n}").into_bytes()).collect();
                log.append(entries).await.unwrap();
                home.newest = log.checkpoint();
                let size = log.size();
                home.export = format!("{}=== {name} {size} now\n{}", home.export, home.newest);
            }
            home.vkey = log.vkey().trim().to_owned();
            log.close();
        }
        home
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        durable::write(&path, text.as_bytes(), Mode::Public).unwrap();
        path
    }

    /// The exit code and the words of a check of `export` against this home's ledgers.
    fn check(&self, export: &Path) -> (Option<i32>, String) {
        let mut command = echo_cli(&["treasury", "verify"]);
        let done = command.arg(export).arg("--ledgers").arg(self.folder.path()).output().unwrap();
        (done.status.code(), stdout(&done) + &stderr(&done))
    }
}

#[tokio::test]
async fn exported_heads_are_compared_with_the_ledgers_of_today() {
    let home = Home::with("a").await;
    let (code, words) = home.check(&home.write("export", &home.export));
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("a beginning of the ledger of today"), "{words}");
    let changed = home.export.replacen("\n3\n", "\n2\n", 1).replacen("=== genesis 3", "=== genesis 2", 1);
    let (code, words) = home.check(&home.write("changed", &changed));
    assert_eq!(code, Some(3), "{words}");
}

#[tokio::test]
async fn a_history_that_was_rewritten_and_signed_again_is_found() {
    let (home, other) = (Home::with("a").await, Home::with("b").await);
    let (code, words) = home.check(&home.write("export", &other.export));
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("rewritten"), "{words}");
    let both = home.export.clone() + other.export.trim_start_matches("echo treasury v1\n");
    let (code, words) = home.check(&home.write("both", &both));
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains("two histories"), "{words}");
}

#[tokio::test]
async fn a_cosigned_head_is_judged_by_the_policy_that_was_kept() {
    let home = Home::with("a").await;
    let peer = Cosigner::new("peer.example", SigningKey::from_bytes(&[3; 32])).unwrap();
    let policy = Policy::default().with_log(&home.vkey, None).unwrap();
    let policy = policy.with_witness("peer", &peer.key().to_string(), None).unwrap();
    let policy = home.write("policy", &policy.with_quorum("peer").unwrap().to_string());
    let (text, _) = ledger::note::split(&home.newest).unwrap();
    let cosigned = home.write("cosigned", &format!("{}{}", home.newest, peer.cosign(text, 1_700_000_000)));
    let plain = home.write("plain", &home.newest);
    for (note, code) in [(cosigned, 0), (plain, 3)] {
        let mut command = echo_cli(&["--json", "witness", "verify", "--policy"]);
        let done = command.arg(&policy).arg("--checkpoint").arg(&note).output().unwrap();
        assert_eq!(done.status.code(), Some(code), "{}{}", stdout(&done), stderr(&done));
    }
    let one = home.write("one", &format!("echo treasury v1\n=== aeterna 9 now\n{}", home.newest));
    let done = echo_cli(&["treasury", "verify"]).arg(one).arg("--policy").arg(&policy).output().unwrap();
    assert_eq!(done.status.code(), Some(3));
    assert!(stderr(&done).contains("quorum"), "{}", stderr(&done));
}

#[tokio::test]
async fn a_ledger_that_was_asked_for_must_be_in_the_file() {
    let home = Home::with("a").await;
    let aeterna = home.export.find("=== aeterna").unwrap();
    for (export, missing) in
        [("echo treasury v1\n", "log.example/aeterna"), (&home.export[..aeterna], "log.example/aeterna")]
    {
        let (code, words) = home.check(&home.write("export", export));
        assert_eq!(code, Some(3), "{words}");
        assert!(words.contains("holds no checkpoint of") && words.contains(missing), "{words}");
    }
    let policy = home.write("policy", &Policy::default().with_log(&home.vkey, None).unwrap().to_string());
    let empty = home.write("empty", "echo treasury v1\n");
    let done = echo_cli(&["treasury", "verify"]).arg(empty).arg("--policy").arg(&policy).output().unwrap();
    assert_eq!(done.status.code(), Some(3), "{}", stdout(&done));
}
