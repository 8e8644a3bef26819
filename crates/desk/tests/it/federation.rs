//! The federated index follows the attestations, and every entry is in the ledger.

use std::{fs, path::Path};

use dossier::{INDEX_FILE, INDEX_TABLE_FILE, Index, LogName, LogWalk, MergeError, index::Origin};
use echo_core::{Digest, Id as _};
use governance::RotationKind;
use trust::{Envelope, KeyRole, TrustChain};

use crate::{
    device::{Device, House, open},
    flow::settled_case,
    rotation::{keystore, rotate},
};

fn index(house: &House) -> Index {
    let bytes = fs::read(house.folder.path().join(INDEX_FILE)).unwrap();
    Index::open(&bytes, house.desk.registry()).unwrap()
}

fn walk(house: &House, offered: &Origin, known: Option<&Origin>) -> Result<(), MergeError> {
    let log = house.desk.log(LogName::Genesis);
    let mut walk = LogWalk::begin(offered, known, &log.checkpoint())?;
    log.entries(0, 1_000).unwrap().iter().for_each(|entry| walk.take(entry));
    walk.finish()
}

#[tokio::test]
async fn the_index_lists_what_was_attested_and_the_ledger_holds_it() {
    let house = House::found().await;
    assert_eq!(index(&house).own.count, 0, "a new home has an empty index");
    let customer = house.customer("Miller's bakery").await;
    let device = Device::enrol(&house, &customer).await;
    settled_case(&house, &device, &customer).await;
    house.desk.tick().await.unwrap();
    let first = index(&house).own;
    assert_eq!((first.count, first.entries.len()), (1, 1));
    walk(&house, &first, None).unwrap();
    let device = Device::enrol(&house, &customer).await;
    settled_case(&house, &device, &customer).await;
    house.desk.tick().await.unwrap();
    let own = index(&house).own;
    walk(&house, &own, Some(&first)).unwrap();
    assert_eq!(own.entries.len(), 2);
    assert_eq!(own.entries[1], first.entries[0]);
    for entry in &own.entries {
        let path = house.folder.path().join(format!("attestations/{}.json", entry.id));
        let envelope: Envelope = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!(Digest::of(&envelope.payload_unchecked().unwrap()), entry.statement);
        assert_eq!(entry.subjects.len(), 3);
    }
    let said = serde_json::to_string(&index(&house)).unwrap();
    let table = fs::read_to_string(house.folder.path().join(INDEX_TABLE_FILE)).unwrap();
    for text in [&said, &table] {
        assert!(text.contains(&own.entries[0].id));
        assert!(!text.contains("Miller") && !text.contains(customer.as_str()), "nothing about customers");
        assert!(!text.contains(device.id.as_str()));
    }
    let chain = TrustChain::from_json(&house.desk.trust_chain()).unwrap();
    let bytes = house.desk.attestation_index().await.unwrap().unwrap();
    let received = Origin::receive(&bytes, &chain, house.desk.root(), house.desk.now()).unwrap();
    assert_eq!(received, own);
}

#[tokio::test]
async fn a_lost_or_damaged_index_is_made_anew_and_a_good_one_left_alone() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    settled_case(&house, &device, &customer).await;
    house.desk.close().await.unwrap();
    let House { folder, desk, .. } = house;
    let registry = desk.registry().clone();
    drop(desk);
    let path = folder.path().join(INDEX_FILE);
    let again = async || {
        open(folder.path()).await.desk.close().await.unwrap();
        let bytes = fs::read(&path).unwrap();
        (Index::open(&bytes, &registry).unwrap(), bytes)
    };
    let before = fs::read(&path).unwrap();
    let (first, bytes) = again().await;
    assert_eq!(
        (first.own.count, bytes == before),
        (1, true),
        "closing writes it, opening has nothing to add"
    );
    fs::remove_file(&path).unwrap();
    assert_eq!(again().await.0.own.entries, first.own.entries);
    let mut damaged = fs::read(&path).unwrap();
    damaged[100] ^= 1;
    durable::write(&path, &damaged, durable::Mode::Public).unwrap();
    assert_eq!(again().await.0.own.entries, first.own.entries);
    let kept = |name: &str| fs::read(folder.path().join(format!("{INDEX_FILE}.{name}"))).unwrap();
    assert_eq!(kept("damaged"), damaged, "kept for whoever looks into it");
    durable::write(&path, b"{}", durable::Mode::Public).unwrap();
    assert_eq!(again().await.0.own.entries, first.own.entries);
    assert_eq!((kept("damaged"), kept("damaged.2")), (damaged, b"{}".to_vec()));
}

#[tokio::test]
async fn an_index_moves_on_when_a_hundred_thousand_entries_lie_behind_it() {
    let house = House::found().await;
    let listed = index(&house).own.head().unwrap().size;
    let log = house.desk.log(LogName::Genesis);
    while log.size() <= listed + 100_000 {
        log.append(vec![b"x".to_vec(); 1_000]).await.unwrap();
    }
    let size = log.size();
    house.desk.close().await.unwrap();
    let House { folder, desk, operator } = house;
    drop(desk);
    let house = House { desk: open(folder.path()).await.desk, folder, operator };
    house.desk.tick().await.unwrap();
    assert!(index(&house).own.head().unwrap().size >= size);
}

/// A house that attested something and took over what another one attested, closed; then its attestor's key is
/// replaced, and it is opened again.
async fn rotated(kind: RotationKind) -> (House, Index) {
    let other = House::found().await;
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    settled_case(&house, &device, &customer).await;
    house.desk.close().await.unwrap();
    let mut before = index(&house);
    assert!(before.put(index(&other).own).unwrap());
    let House { folder, desk, operator } = house;
    drop(desk);
    let file = before.to_file(keystore(folder.path()).signer(KeyRole::Attestor).unwrap()).unwrap();
    durable::write(&folder.path().join(INDEX_FILE), &file, durable::Mode::Public).unwrap();
    rotate(folder.path(), kind, &[KeyRole::Attestor], 0);
    let house = House { desk: open(folder.path()).await.desk, folder, operator };
    house.desk.tick().await.unwrap();
    (house, before)
}

fn is_put_aside(home: &Path) -> bool {
    home.join(format!("{INDEX_FILE}.damaged")).exists()
}

#[tokio::test]
async fn what_was_merged_goes_on_when_the_attestor_s_key_is_retired() {
    let (house, before) = rotated(RotationKind::Scheduled).await;
    let after = index(&house);
    assert_eq!(after.merged, before.merged);
    assert_eq!(after.own.entries, before.own.entries);
    assert!(!is_put_aside(house.folder.path()));
    let bytes = house.desk.attestation_index().await.unwrap().unwrap();
    let signer = keystore(house.folder.path()).signer(KeyRole::Attestor).unwrap().id();
    assert_eq!(Index::open_own(&bytes, house.desk.registry()).unwrap().1, [signer], "signed anew");
}

#[tokio::test]
async fn an_index_by_a_revoked_key_is_put_aside_and_made_anew() {
    let (house, before) = rotated(RotationKind::Emergency).await;
    let after = index(&house);
    assert!(after.merged.is_empty());
    assert_eq!(after.own.entries, before.own.entries);
    assert!(is_put_aside(house.folder.path()));
}
