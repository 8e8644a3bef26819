//! The platform's part in the mesh: its own node, telemetry that comes by it, revoked nodes, acknowledgements.

use device_link::PulseBatch;
use echo_core::{Id as _, PageRequest};
use governance::RotationKind;
use mesh::{NodeId, NoticeAck, digest_of, telemetry::PULSES_TYPE};
use observability::{Collector, Pulse};
use trust::{Envelope, KeyRole, NodeManifest, NodeRevocations, mesh_files::read_nodes};

use crate::{
    device::{Device, House, open},
    flow::settled_case,
    rotation::{keystore, rotate},
};

fn node(device: &Device) -> NodeId {
    NodeId::of(&device.key().public())
}

/// Closes the house, does something with its home, and opens it again.
pub async fn meanwhile(house: House, act: impl FnOnce(&std::path::Path)) -> House {
    house.desk.close().await.unwrap();
    let House { folder, desk, operator } = house;
    drop(desk);
    act(folder.path());
    House { desk: open(folder.path()).await.desk, folder, operator }
}

#[tokio::test]
async fn the_platforms_own_node_is_certified_once_and_anew_when_it_must_be() {
    let house = House::found().await;
    let here = vec!["http://127.0.0.1:8080/".to_owned()];
    let own = house.desk.own_node(&here).await.unwrap();
    let manifest = NodeManifest::verify(&own.certificate, house.desk.registry(), house.desk.now()).unwrap();
    assert_eq!((&manifest, manifest.customer.as_ref()), (&own.manifest, None));
    assert_eq!(own.node(), NodeId::of(&manifest.public_key));
    assert_eq!(house.desk.own_node(&here).await.unwrap().certificate, own.certificate);
    assert_eq!(read_nodes(house.folder.path()).unwrap(), std::slice::from_ref(&own.certificate));

    let there = vec!["https://gate.example/".to_owned()];
    let moved = house.desk.own_node(&there).await.unwrap();
    assert_eq!(moved.manifest.endpoints, there);
    assert_eq!(moved.manifest.device, own.manifest.device);
    let house = meanwhile(house, |home| {
        // In its grace the old key counts on, and signs nothing more.
        rotate(home, RotationKind::Scheduled, &[KeyRole::DeviceIssuer], 30);
    })
    .await;
    let again = house.desk.own_node(&there).await.unwrap();
    assert_ne!(again.certificate, moved.certificate, "the issuer's key is another");
    assert_eq!(again.node(), own.node(), "the node is the same");
    let listed = |id: String| {
        let (desk, operator) = (house.desk.clone(), house.operator.clone());
        async move { desk.document(&operator, dossier::Kind::DeviceManifest, &id).await }
    };
    let device = again.manifest.device.as_str();
    for id in [device.to_owned(), format!("{device}-1"), format!("{device}-2")] {
        listed(id).await.unwrap();
    }
}

#[tokio::test]
async fn a_device_is_certified_anew_by_the_issuers_next_key() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let case = settled_case(&house, &device, &customer).await;
    let first = house.desk.device_manifest(&device.principal).await.unwrap();
    assert_eq!(read_nodes(house.folder.path()).unwrap(), std::slice::from_ref(&first));
    let house = meanwhile(house, |home| {
        rotate(home, RotationKind::Scheduled, &[KeyRole::DeviceIssuer], 30);
    })
    .await;
    let (one, two) = tokio::join!(
        house.desk.device_manifest(&device.principal),
        house.desk.device_manifest(&device.principal)
    );
    let next = one.unwrap();
    assert_eq!(two.unwrap(), next, "who asks at the same time gets the same one");
    assert_eq!(house.desk.device_manifest(&device.principal).await.unwrap(), next);
    assert_eq!(read_nodes(house.folder.path()).unwrap(), std::slice::from_ref(&next));
    let today = keystore(house.folder.path()).signer(KeyRole::DeviceIssuer).unwrap().public();
    let manifest: NodeManifest = next.verify(trust::manifest::NODE_MANIFEST_TYPE, &[today], 1).unwrap();
    assert_eq!((&manifest.device, manifest.customer.as_ref()), (&device.id, Some(&customer)));
    assert_eq!(manifest.public_key, device.key().public());
    for (id, envelope) in [(device.id.to_string(), first), (format!("{}-1", device.id), next)] {
        let view = house.desk.document(&house.operator, dossier::Kind::DeviceManifest, &id).await.unwrap();
        assert_eq!(view.document.envelope, envelope);
    }
    let file = house.desk.export_case(&house.operator, &case).await.unwrap();
    dossier::verify(&file, house.desk.root()).unwrap();

    house.desk.device_manifest(&house.operator).await.expect_err("a person has none");
    house.desk.retire_device(&house.call(), &device.id).await.unwrap();
    let retired = house.desk.device_manifest(&device.principal).await;
    assert!(matches!(retired, Err(desk::DeskError::Conflict(_))), "{retired:?}");
}

fn batch(device: &Device, seqs: std::ops::RangeInclusive<u64>) -> Envelope {
    let mut collector = Collector::new();
    let pulse = |seq| Pulse {
        device: device.id.clone(),
        seq,
        at: echo_core::Mint::system().now(),
        metrics: collector.sample().unwrap(),
        facts: None,
    };
    let batch = PulseBatch { pulses: seqs.map(pulse).collect() };
    Envelope::sign(PULSES_TYPE, &batch, &[device.key()]).unwrap()
}

#[tokio::test]
async fn pulses_that_came_by_the_mesh_are_on_the_disk_when_they_are_acknowledged() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let (device, other) = (Device::enrol(&house, &customer).await, Device::enrol(&house, &customer).await);
    let first = batch(&device, 1..=3);
    assert_eq!(house.desk.keep_pulses(&node(&device), &first).await.unwrap(), 3);
    assert_eq!(house.desk.keep_pulses(&node(&device), &first).await.unwrap(), 3, "again is no harm");
    let board = observability::PulseBoard::open(house.folder.path()).unwrap();
    assert_eq!(board.highest_seq(&device.id), 3);
    let more = (batch(&device, 4..=5), batch(&other, 1..=2));
    let (a, b) = (node(&device), node(&other));
    let (one, two) = tokio::join!(house.desk.keep_pulses(&a, &more.0), house.desk.keep_pulses(&b, &more.1));
    assert_eq!((one.unwrap(), two.unwrap()), (5, 2));
    let page = PageRequest::largest();
    let all = house.desk.mesh_pulses(&house.operator, &desk::Replay::default(), &page).await.unwrap();
    assert_eq!(all.items.len(), 7, "none is there twice");

    house.desk.keep_pulses(&node(&other), &first).await.expect_err("signed by another");
    let foreign = PulseBatch { pulses: vec![] };
    let foreign = Envelope::sign(PULSES_TYPE, &foreign, &[device.key()]).unwrap();
    house.desk.keep_pulses(&node(&device), &foreign).await.expect_err("empty");
    house.desk.retire_device(&house.call(), &device.id).await.unwrap();
    house.desk.keep_pulses(&node(&device), &batch(&device, 6..=6)).await.expect_err("retired");
}

#[tokio::test]
async fn the_list_of_revoked_nodes_outlives_restarts_and_the_issuers_key() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    assert_eq!(house.desk.node_revocations(), None);
    house.desk.retire_device(&house.call(), &device.id).await.unwrap();
    let first = house.desk.node_revocations().unwrap();
    let house = meanwhile(house, |_| {}).await;
    assert_eq!(house.desk.node_revocations(), Some(first));
    assert!(house.desk.mesh_trust().unwrap().revoked(&node(&device)).is_some());
    let house = meanwhile(house, |home| {
        rotate(home, RotationKind::Scheduled, &[KeyRole::DeviceIssuer], 0);
    })
    .await;
    let list =
        NodeRevocations::verify(&house.desk.node_revocations().unwrap(), house.desk.registry()).unwrap();
    assert_eq!(list.version, 2);
    assert!(list.of(&node(&device).to_string()).is_some());
}

#[tokio::test]
async fn who_has_not_acknowledged_a_notice_is_named() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let (one, two) = (Device::enrol(&house, &customer).await, Device::enrol(&house, &customer).await);
    let house = meanwhile(house, |home| {
        rotate(home, RotationKind::Scheduled, &[KeyRole::PlaybookAuthor], 30);
    })
    .await;
    let standings = async || house.desk.notice_standings(&house.operator).await.unwrap().items;
    let before = standings().await;
    assert_eq!((before.len(), before[0].acknowledged, before[0].waiting), (1, 0, 2));
    let notice = digest_of(&house.desk.notices()[0]);
    assert_eq!(before[0].notice, notice);
    let at = house.desk.now();
    let ack = NoticeAck { notice, node: node(&one), at }.sign(one.key()).unwrap();
    let forged = NoticeAck { notice, node: node(&two), at }.sign(one.key()).unwrap();
    let unknown =
        NoticeAck { notice: echo_core::Digest::of(b"x"), node: node(&two), at }.sign(two.key()).unwrap();
    let kept = house.desk.keep_acks(&[ack.clone(), forged, unknown, ack.clone()]).await.unwrap();
    assert_eq!(kept, [notice, notice]);
    assert_eq!(house.desk.keep_acks(&[ack]).await.unwrap(), [notice], "again is no harm");
    let after = standings().await;
    assert_eq!((after[0].acknowledged, after[0].waiting), (1, 1));
    assert_eq!(after[0].waiting_for[0].device, two.id);
}
