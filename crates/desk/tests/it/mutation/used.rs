//! A home in which everything was used once.

use std::{fs, path::Path};

use desk::{WitnessAnswer, WitnessEdit, WitnessedEdit};
use device_link::PulseBatch;
use dossier::{INDEX_FILE, INDEX_TABLE_FILE, Index, LogName};
use echo_core::{Digest, Mint, clock::from_millis};
use ed25519_dalek::SigningKey;
use governance::{DAY_SECONDS, Plan, Progress, RotationKind, Wish};
use observability::{Collector, Pulse};
use tempfile::TempDir;
use trust::{
    KeyPair, KeyRole, Registry, TrustChain,
    exception::{ExceptedKind, Exception, Exceptions},
};
use witness::{Cosigner, Policy, Request};

use super::vault::{self, TakenAway};
use crate::{
    device::{Device, House, open},
    flow::settled_case,
    rotation::{keystore, rotate},
};

/// The file that nobody signed, and that an exception lets in.
pub const UNSIGNED: &str = "general-help.yaml";

/// A closed home, and what others keep of it.
pub struct Used {
    pub folder: TempDir,
    /// The exported case.
    pub case: Vec<u8>,
    pub vault: TakenAway,
    pub root: Digest,
    /// The trust registry as the ledgers' first readers got it, and as it is now.
    pub registries: [Registry; 2],
    /// Each ledger's entries.
    pub entries: [Vec<Vec<u8>>; 2],
    /// Who has to cosign each ledger's heads.
    pub policies: [Policy; 2],
}

/// Uses everything: a case from intake to settlement, telemetry, witnesses and commitments, the vault, a rotation of
/// the operator's key with its notice, another one that waits for a keeper of the root, an exception to content, an
/// attestation index that was damaged and one that holds another Echo's part.
pub async fn used() -> Used {
    let house = House::found().await;
    let first = house.desk.registry().clone();
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let case = settled_case(&house, &device, &customer).await;
    beat(&house, &device);
    be_cosigned(&house).await;
    assert_eq!(house.desk.commit_heads().await.unwrap().len(), 2);
    let (vkey, watched) = (house.desk.log(LogName::Genesis).vkey().to_owned(), another().await);
    house.desk.edit_witnessed(&house.call(), WitnessedEdit::Add { vkey: watched.vkey }).await.unwrap();
    house.desk.close().await.unwrap();
    let House { folder, desk, operator } = house;
    drop(desk);

    let home = folder.path();
    let vault = vault::furnish(home);
    replace_keys(home);
    except(home);
    durable::write(&home.join(INDEX_FILE), b"{}", durable::Mode::Public).unwrap();
    let desk = open(home).await.desk;
    assert_eq!(desk.log(LogName::Genesis).vkey(), vkey);
    let used = Used {
        case: desk.export_case(&operator, &case).await.unwrap(),
        vault,
        root: *desk.root(),
        registries: [first, desk.registry().clone()],
        entries: LogName::ALL.map(|log| desk.log(log).entries(0, 1000).unwrap()),
        policies: [
            desk.ledger_policy(LogName::Genesis).await.unwrap(),
            desk.ledger_policy(LogName::Aeterna).await.unwrap(),
        ],
        folder: TempDir::new().unwrap(),
    };
    desk.close().await.unwrap();
    drop(desk);
    merge(home, &used.registries[1], watched.part);
    Used { folder, ..used }
}

fn beat(house: &House, device: &Device) {
    let metrics = Collector::new().sample().unwrap();
    let pulse = Pulse { device: device.id.clone(), seq: 1, at: house.desk.now(), metrics, facts: None };
    house.desk.accept_pulses(&device.principal, PulseBatch { pulses: vec![pulse] }).unwrap();
}

/// Has one witness cosign both ledgers' heads, and makes it the quorum.
async fn be_cosigned(house: &House) {
    let witness = Cosigner::new("w.example", SigningKey::from_bytes(&[1; 32])).unwrap();
    let (name, vkey) = ("w".to_owned(), witness.key().to_string());
    let url = "https://w.example".to_owned();
    for edit in [WitnessEdit::Add { name: name.clone(), vkey, url }, WitnessEdit::Quorum { name }] {
        house.desk.edit_witnesses(&house.call(), edit).await.unwrap();
    }
    let asks = house.desk.witness_asks().await.unwrap();
    assert_eq!(asks.len(), 2);
    for ask in asks {
        let asked = Request::parse(ask.body.as_bytes()).unwrap();
        let (text, _) = ledger::note::split(&asked.checkpoint).unwrap();
        let at = u64::try_from(house.desk.now().as_second()).unwrap();
        let body = witness.cosign(text, at).into_bytes();
        let answer = WitnessAnswer::Status { status: 200, body };
        assert!(house.desk.witness_answered(&ask, answer).await.unwrap().is_none());
    }
}

/// What another Echo says of itself.
struct Another {
    vkey: String,
    part: dossier::index::Origin,
}

/// Another Echo, which attested something.
async fn another() -> Another {
    let house = House::found().await;
    let customer = house.customer("Ben").await;
    let device = Device::enrol(&house, &customer).await;
    settled_case(&house, &device, &customer).await;
    house.desk.tick().await.unwrap();
    let bytes = house.desk.attestation_index().await.unwrap().unwrap();
    let part = Index::open(&bytes, house.desk.registry()).unwrap().own;
    assert_eq!(part.entries.len(), 1);
    Another { vkey: house.desk.log(LogName::Genesis).vkey().to_owned(), part }
}

/// Takes another Echo's part into the index, as `echo_cli attestation merge` does.
fn merge(home: &Path, registry: &Registry, part: dossier::index::Origin) {
    let bytes = fs::read(home.join(INDEX_FILE)).unwrap();
    let mut index = Index::open(&bytes, registry).unwrap();
    assert!(index.put(part).unwrap());
    let file = index.to_file(keystore(home).signer(KeyRole::Attestor).unwrap()).unwrap();
    durable::write(&home.join(INDEX_FILE), &file, durable::Mode::Public).unwrap();
    durable::write(&home.join(INDEX_TABLE_FILE), index.table().as_bytes(), durable::Mode::Public).unwrap();
}

/// Replaces the operator's key, which is announced; asks for a second keeper of the root; and begins a rotation whose
/// version waits for that keeper.
fn replace_keys(home: &Path) {
    let done = rotate(home, RotationKind::Scheduled, &[KeyRole::Operator], 30);
    assert!(matches!(done, Progress::Waits { .. }), "{done:?}");
    let (mint, mut keys) = (Mint::system(), keystore(home));
    let keeper = KeyPair::from_secret(&[9; 32]);
    let mut chain = TrustChain::load(home).unwrap();
    let mut next = governance::renewed(&chain.newest().unwrap(), mint.now());
    next.root.keys.push(keeper.public());
    next.root.threshold = 2;
    chain.extend(&next, &[keys.signer(KeyRole::Root).unwrap(), &keeper]).unwrap();
    chain.save(home).unwrap();

    let mut house = governance::House::open(home, &mut keys, &mint).unwrap();
    let plan = Plan {
        kind: RotationKind::Scheduled,
        wishes: vec![Wish::simple(KeyRole::Receipts)],
        reason: "its year is over".to_owned(),
        grace_seconds: 30 * DAY_SECONDS,
    };
    let mut rotation = house.begin(plan).unwrap();
    let waits = house.run(&mut rotation).unwrap();
    assert!(matches!(waits, Progress::NeedsSignatures { .. }), "{waits:?}");
}

/// Takes a file's signature away and lets it in for two days all the same.
fn except(home: &Path) {
    let file = home.join(ExceptedKind::Intake.folder()).join(UNSIGNED);
    fs::remove_file(file.with_added_extension("sig")).unwrap();
    let now = Mint::system().now();
    let exception = Exception {
        kind: ExceptedKind::Intake,
        name: UNSIGNED.to_owned(),
        sha256: Digest::of(&fs::read(&file).unwrap()),
        reason: "its author is away".to_owned(),
        approved_by: "Marta".to_owned(),
        from: now,
        until: from_millis(now.as_millisecond() + 2 * DAY_SECONDS * 1000),
    };
    let document = Exceptions::with(None, exception, now).unwrap();
    document.save(home, keystore(home).signer(KeyRole::Operator).unwrap()).unwrap();
}
