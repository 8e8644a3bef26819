//! Keys that are replaced while the platform is stopped: what it enters at its next start, and what old papers are
//! worth afterwards.

use std::path::Path;

use desk::{Desk, Options};
use dossier::{DOSSIER_TYPE, Dossier, Kind, LogName, verify, verify_with};
use echo_core::{CaseId, Mint};
use governance::{DAY_SECONDS, Plan, Progress, RotationKind, Wish};
use trust::{Envelope, KeyPair, KeyRole, Keystore, TrustChain, Unlock, chain::REGISTRY_FILE};

use crate::{
    device::{Device, House, open},
    flow::settled_case,
};

const SIGNERS: [KeyRole; 4] =
    [KeyRole::Operator, KeyRole::Receipts, KeyRole::Attestor, KeyRole::DeviceIssuer];

/// Replaces the keys of a home that is not open.
pub fn rotate(home: &Path, kind: RotationKind, roles: &[KeyRole], grace_days: i64) -> Progress {
    let mint = Mint::system();
    let mut keystore = keystore(home);
    let mut house = governance::House::open(home, &mut keystore, &mint).unwrap();
    let plan = Plan {
        kind,
        wishes: roles.iter().copied().map(Wish::simple).collect(),
        reason: "test".to_owned(),
        grace_seconds: grace_days * DAY_SECONDS,
    };
    let mut rotation = house.begin(plan).unwrap();
    house.run(&mut rotation).unwrap()
}

pub fn keystore(home: &Path) -> Keystore {
    Keystore::open(home, &Unlock::KeyFile).unwrap()
}

/// Closes the house, does something with its home, and opens it again.
async fn meanwhile(house: House, act: impl FnOnce(&Path)) -> House {
    house.desk.close().await.unwrap();
    let House { folder, desk, operator } = house;
    drop(desk);
    act(folder.path());
    House { desk: open(folder.path()).await.desk, folder, operator }
}

async fn refused(house: House, act: impl FnOnce(&Path)) -> String {
    house.desk.close().await.unwrap();
    let House { folder, desk, .. } = house;
    drop(desk);
    act(folder.path());
    let options = Options::new(folder.path().to_owned(), Mint::system());
    Desk::open(options).await.unwrap_err().to_string()
}

/// A house with one settled case, and its file.
async fn with_case() -> (House, CaseId, Vec<u8>) {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let case = settled_case(&house, &device, &customer).await;
    let file = house.desk.export_case(&house.operator, &case).await.unwrap();
    (house, case, file)
}

#[tokio::test]
async fn old_papers_stay_good_when_their_keys_are_retired_and_new_ones_are_by_the_new_keys() {
    let (house, case, old_file) = with_case().await;
    let house = meanwhile(house, |home| {
        assert_eq!(rotate(home, RotationKind::Scheduled, &SIGNERS, 0), Progress::Done);
    })
    .await;
    let root = house.desk.root();
    let chain = TrustChain::from_json(&house.desk.trust_chain()).unwrap();
    verify(&old_file, root).unwrap();
    verify_with(&old_file, root, &chain).unwrap();
    // A file made today, sealed by the new key, with papers by the old ones.
    let file = house.desk.export_case(&house.operator, &case).await.unwrap();
    verify(&file, root).unwrap();
    let receipt = &house.desk.case(&house.operator, &case).await.unwrap().receipts[0].receipt.id;
    let view = house.desk.document(&house.operator, Kind::Receipt, &receipt.to_string()).await.unwrap();
    assert_eq!(view.signer.len(), 2, "the key of today, and the one of the day it was entered");
    let customer = house.customer("Ben").await;
    let device = Device::enrol(&house, &customer).await;
    let case = settled_case(&house, &device, &customer).await;
    let file = house.desk.export_case(&house.operator, &case).await.unwrap();
    verify(&file, root).unwrap();
}

#[tokio::test]
async fn papers_of_a_revoked_key_are_worth_nothing() {
    let (house, case, old_file) = with_case().await;
    let house = meanwhile(house, |home| {
        rotate(home, RotationKind::Emergency, &[KeyRole::Receipts], 0);
    })
    .await;
    let root = house.desk.root();
    let chain = TrustChain::from_json(&house.desk.trust_chain()).unwrap();
    verify(&old_file, root).expect("the file knows nothing of what came later");
    let refused = verify_with(&old_file, root, &chain).unwrap_err().to_string();
    assert!(refused.contains("receipt") && refused.contains("revoked"), "{refused}");
    let file = house.desk.export_case(&house.operator, &case).await.unwrap();
    assert!(verify(&file, root).unwrap_err().to_string().contains("revoked"));
}

#[tokio::test]
async fn a_retired_key_cannot_forge_a_paper_of_the_past() {
    let (house, case, _) = with_case().await;
    let house = meanwhile(house, |home| {
        rotate(home, RotationKind::Scheduled, &[KeyRole::Receipts], 0);
    })
    .await;
    let root = house.desk.root();
    let file = house.desk.export_case(&house.operator, &case).await.unwrap();
    let keys = keystore(house.folder.path());
    let retired = keys.records().iter().find(|r| r.role == KeyRole::Receipts).unwrap();
    let thief = keys.key(&retired.id).unwrap();
    let operator = keys.signer(KeyRole::Operator).unwrap();
    verify(&edited(&file, operator, |_| {}), root).unwrap();

    // A receipt signed anew, with the entry of the true one.
    let forged = edited(&file, operator, |dossier| {
        sign_anew(dossier, thief);
    });
    let refused = verify(&forged, root).unwrap_err().to_string();
    assert!(refused.contains("digest of another document"), "{refused}");

    // And with an entry of its own, dated back to when the key counted: the ledger never held it.
    let forged = edited(&file, operator, |dossier| {
        let at = sign_anew(dossier, thief);
        let document = &mut dossier.documents[at];
        let mut entry = ledger::Entry::from_bytes(document.entry.as_bytes()).unwrap();
        entry.digest = dossier::envelope_digest(&document.envelope);
        document.entry = String::from_utf8(entry.to_bytes().unwrap()).unwrap();
    });
    let refused = verify(&forged, root).unwrap_err().to_string();
    assert!(refused.contains("inclusion in the aeterna ledger"), "{refused}");
}

/// Signs the first receipt anew with `key`, as if it said something else; where it stands.
fn sign_anew(dossier: &mut Dossier, key: &KeyPair) -> usize {
    let at = dossier.documents.iter().position(|d| d.kind == Kind::Receipt).unwrap();
    let envelope = &mut dossier.documents[at].envelope;
    let mut payload = envelope.payload_unchecked().unwrap();
    payload.push(b' ');
    *envelope = Envelope::sign_bytes(&envelope.payload_type, &payload, &[key]);
    at
}

/// The file with an edit, sealed again by the operator.
fn edited(file: &[u8], operator: &KeyPair, edit: impl FnOnce(&mut Dossier)) -> Vec<u8> {
    let envelope: Envelope = serde_json::from_slice(file).unwrap();
    assert_eq!(envelope.payload_type, DOSSIER_TYPE);
    let mut dossier = serde_json::from_slice(&envelope.payload_unchecked().unwrap()).unwrap();
    edit(&mut dossier);
    dossier.to_file(operator).unwrap()
}

#[tokio::test]
async fn what_changed_about_the_keys_is_entered_and_told_once() {
    let house = House::found().await;
    let house = meanwhile(house, |home| {
        rotate(home, RotationKind::Scheduled, &[KeyRole::Operator], 30);
    })
    .await;
    let [notice] = house.desk.notices() else { panic!("one notice") };
    let id =
        house.desk.registry().verify::<serde_json::Value>(KeyRole::Operator, governance::NOTICE_TYPE, notice);
    let id = id.unwrap()["id"].as_str().unwrap().to_owned();
    for (kind, id) in [(Kind::TrustRegistry, "version-2"), (Kind::DeprecationNotice, id.as_str())] {
        let view = house.desk.document(&house.operator, kind, id).await.unwrap();
        let proof = &view.document.proof;
        ledger::verify_tlog_proof(proof, view.document.entry.as_bytes(), &view.vkey).unwrap();
    }
    let events = house.desk.events_after(&house.operator, 0).await.unwrap();
    let told: Vec<&str> =
        events.iter().filter(|(_, e)| e.topic == "trust").map(|(_, e)| e.id.as_str()).collect();
    assert_eq!(told, ["version-1", "version-2", id.as_str()]);
    let size = house.desk.log(LogName::Genesis).size();
    let house = meanwhile(house, |_| {}).await;
    assert_eq!(house.desk.log(LogName::Genesis).size(), size, "nothing is entered twice");
}

#[tokio::test]
async fn a_registry_that_was_set_back_is_refused() {
    let house = House::found().await;
    let path = house.folder.path().join(REGISTRY_FILE);
    let old = std::fs::read(&path).unwrap();
    let house = meanwhile(house, |home| {
        rotate(home, RotationKind::Scheduled, &[KeyRole::Root], 30);
    })
    .await;
    let said = refused(house, |_| durable::write(&path, &old, durable::Mode::Public).unwrap()).await;
    assert!(said.contains("set back"), "{said}");
}

#[tokio::test]
async fn a_rotation_that_was_cut_off_keeps_the_platform_from_signing_with_a_key_that_is_gone() {
    let house = House::found().await;
    let said = refused(house, |home| {
        let mint = Mint::system();
        let mut keystore = keystore(home);
        let mut governed = governance::House::open(home, &mut keystore, &mint).unwrap();
        let plan = Plan {
            kind: RotationKind::Emergency,
            wishes: vec![Wish::simple(KeyRole::Receipts)],
            reason: "stolen".to_owned(),
            grace_seconds: 0,
        };
        let mut rotation = governed.begin(plan).unwrap();
        while governed.chain().versions().len() == 1 {
            governed.advance(&mut rotation).unwrap();
        }
    })
    .await;
    assert!(said.contains("receipts") && said.contains("trust resume"), "{said}");
}

fn at_once(role: KeyRole) -> Plan {
    Plan {
        kind: RotationKind::Scheduled,
        wishes: vec![Wish::simple(role)],
        reason: "lost".to_owned(),
        grace_seconds: 0,
    }
}

#[tokio::test]
async fn a_platform_waits_while_its_keys_are_retired_at_once_by_keepers_elsewhere() {
    let house = House::found().await;
    house.desk.close().await.unwrap();
    let House { folder, desk, .. } = house;
    drop(desk);
    let home = folder.path();
    let mint = Mint::system();
    let mut keys = keystore(home);
    let root = keys.signer(KeyRole::Root).unwrap().id();
    let exported = keys.export_key(&root, "one old horse at home", &mint).unwrap();
    keys.remove(&exported, "one old horse at home", "the safe", &mint).unwrap();
    {
        let mut governed = governance::House::open(home, &mut keys, &mint).unwrap();
        let mut rotation = governed.begin(at_once(KeyRole::Receipts)).unwrap();
        assert!(matches!(governed.run(&mut rotation).unwrap(), Progress::NeedsSignatures { .. }));
        let id = &rotation.id;
        let refused =
            Desk::open(Options::new(home.to_owned(), Mint::system())).await.unwrap_err().to_string();
        let names = format!("trust abandon {id}");
        assert!(refused.contains("receipts") && refused.contains(&names), "{refused}");
        governed.abandon(id).unwrap();
    }
    let opened = open(home).await;
    opened.desk.close().await.unwrap();
    drop(opened);
    // The root itself signs no papers: it is handed over while the platform runs.
    let mut keys = keystore(home);
    let mut governed = governance::House::open(home, &mut keys, &mint).unwrap();
    let mut rotation = governed.begin(at_once(KeyRole::Root)).unwrap();
    assert!(matches!(governed.run(&mut rotation).unwrap(), Progress::NeedsSignatures { .. }));
    open(home).await.desk.close().await.unwrap();
}

/// A closed house whose registry needs two root keys, one of which is elsewhere, and expires in `days`.
async fn needs_two_roots(days: i64) -> tempfile::TempDir {
    let House { folder, desk, .. } = House::found().await;
    desk.close().await.unwrap();
    drop(desk);
    let keys = keystore(folder.path());
    let root = keys.signer(KeyRole::Root).unwrap();
    let other = KeyPair::from_secret(&[9; 32]);
    let mut chain = TrustChain::load(folder.path()).unwrap();
    let now = Mint::system().now();
    let mut next = governance::renewed(&chain.newest().unwrap(), now);
    next.root.keys.push(other.public());
    next.root.threshold = 2;
    let seconds = now.as_millisecond() + days * DAY_SECONDS * 1000;
    next.expires = echo_core::clock::from_millis(seconds.max(next.created.as_millisecond() + 1));
    chain.extend(&next, &[root, &other]).unwrap();
    chain.save(folder.path()).unwrap();
    folder
}

#[tokio::test]
async fn a_platform_with_one_of_two_root_keys_runs_until_its_registry_expires() {
    let folder = needs_two_roots(30).await;
    let desk = open(folder.path()).await.desk;
    assert_eq!(desk.registry().version, 2, "nothing was renewed");
    desk.close().await.unwrap();
    drop(desk);
    let folder = needs_two_roots(0).await;
    let options = Options::new(folder.path().to_owned(), Mint::system());
    let refused = Desk::open(options).await.unwrap_err().to_string();
    assert!(refused.contains("1 of 2") && refused.contains("--renew"), "{refused}");
}
