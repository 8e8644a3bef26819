//! Founding, closing, opening again, and homes that are not as they should be.

use std::{fs, io::Write as _};

use desk::{Desk, Options};
use dossier::LogName;
use echo_core::Mint;

use crate::{
    device::{Device, House, open},
    flow::settled_case,
};

fn append(path: &std::path::Path, text: &str) {
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn a_home_is_founded_once_and_continued() {
    let house = House::found().await;
    let (root, size) = (*house.desk.root(), house.desk.log(LogName::Genesis).size());
    assert!(size > 10, "trust registry and shipped content are the first entries");
    house.desk.close().await.unwrap();
    let House { folder, desk, .. } = house;
    drop(desk);
    let again = open(folder.path()).await.desk;
    assert_eq!(*again.root(), root);
    assert_eq!(again.log(LogName::Genesis).size(), size, "nothing is entered twice");
    for file in [
        "echo.keystore.json",
        "sovereign_trust_registry.json",
        "Sovereign_Trust_Root.md",
        "genesis_ledger/log.vkey",
        "aeterna_ledger/checkpoint",
        "manifest/catalogue.yaml.sig",
        "registry.json",
        "wallets_list_pilot.csv",
    ] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
}

#[tokio::test]
async fn an_altered_or_unsigned_playbook_is_refused_with_the_reason() {
    let house = House::found().await;
    house.desk.close().await.unwrap();
    let House { folder, desk, .. } = house;
    let offered = desk.content().playbooks.len();
    drop(desk);
    append(&folder.path().join("playbooks/ssh-hardening.yaml"), "#\n");
    fs::remove_file(folder.path().join("playbooks/core-dumps.yaml.sig")).unwrap();
    let desk = open(folder.path()).await.desk;
    let content = desk.content();
    assert_eq!(content.playbooks.len(), offered - 2);
    let reasons: Vec<_> = content.refused.iter().map(|r| r.reason.as_str()).collect();
    assert!(reasons[0].contains("unsigned"), "{reasons:?}");
    assert!(reasons[1].contains("altered"), "{reasons:?}");
}

#[tokio::test]
async fn a_damaged_home_says_which_file_and_what_to_do() {
    for (file, word) in [
        ("manifest/catalogue.yaml", "catalogue.yaml"),
        ("sovereign_trust_registry.json", "trust registry"),
        ("echo.keystore.json", "keystore"),
        ("genesis_ledger/checkpoint", "checkpoint"),
    ] {
        let house = House::found().await;
        house.desk.close().await.unwrap();
        let House { folder, desk, .. } = house;
        drop(desk);
        append(&folder.path().join(file), "damage");
        let options = Options::new(folder.path().to_owned(), Mint::system());
        let error = Desk::open(options).await.expect_err(file).to_string();
        assert!(error.contains(word) && error.len() > 40, "{file}: {error}");
    }
}

#[tokio::test]
async fn a_lost_keystore_is_not_replaced_silently() {
    let house = House::found().await;
    house.desk.close().await.unwrap();
    let House { folder, desk, .. } = house;
    drop(desk);
    fs::remove_file(folder.path().join("echo.keystore.json")).unwrap();
    let options = Options::new(folder.path().to_owned(), Mint::system());
    let error = Desk::open(options).await.unwrap_err().to_string();
    assert!(error.contains("backup"), "{error}");
}

#[tokio::test]
async fn a_second_platform_on_one_home_is_refused() {
    let house = House::found().await;
    let options = Options::new(house.folder.path().to_owned(), Mint::system());
    assert!(Desk::open(options).await.is_err());
}

#[tokio::test]
async fn documents_lie_as_files_with_their_proofs() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let case = settled_case(&house, &device, &customer).await;
    let view = house.desk.case(&house.operator, &case).await.unwrap();
    let home = house.folder.path();
    for receipt in &view.receipts {
        let id = &receipt.receipt.id;
        let proof = fs::read_to_string(home.join(format!("ledger/{id}.tlog-proof"))).unwrap();
        assert!(proof.starts_with("c2sp.org/tlog-proof@v1"), "{proof}");
        let entry = fs::read(home.join(format!("ledger/{id}.entry"))).unwrap();
        let vkey = house.desk.log(LogName::Aeterna).vkey();
        ledger::verify_tlog_proof(&proof, &entry, vkey).unwrap();
        let document = fs::read(home.join(format!("ledger/{id}.json"))).unwrap();
        let digest = echo_core::Digest::of(document.strip_suffix(b"\n").unwrap());
        assert_eq!(ledger::Entry::from_bytes(&entry).unwrap().digest, digest);
    }
    assert!(home.join(format!("attestations/{}.json", view.proofs[0].id)).exists());
    let today = house.desk.now().strftime("logs/findings-%Y-%m-%d.jsonl").to_string();
    let findings = fs::read_to_string(home.join(today)).unwrap();
    assert_eq!(findings.lines().count(), view.findings.len());
    for log in LogName::ALL {
        let ledger = house.desk.log(log);
        let report = ledger::fsck(ledger.dir(), ledger.vkey()).unwrap();
        assert_eq!(report.size, ledger.size());
    }
}
