//! Nodes of the mesh cosign the ledgers' heads; a fork is an incident, once.

use dossier::{Kind, LogName};
use ed25519_dalek::{Signer as _, SigningKey};
use mesh::{NodeId, witnessing::ForkProof};
use trust::{KeyPair, KeyRole};
use witness::Cosigner;

use crate::{device::House, flow::worry, rotation::keystore};

fn cosigner(key: &KeyPair) -> (NodeId, Cosigner) {
    let node = NodeId::of(&key.public());
    (node, Cosigner::new(&node.to_string(), SigningKey::from_bytes(&key.secret())).unwrap())
}

fn line(signer: &Cosigner, note: &str, at: u64) -> String {
    signer.cosign(ledger::note::split(note).unwrap().0, at)
}

/// The newest head of a ledger, and another one of the same size, by the ledger's own key.
fn two_heads(house: &House, log: LogName) -> (String, String) {
    let role = match log {
        LogName::Genesis => KeyRole::GenesisLedger,
        LogName::Aeterna => KeyRole::AeternaLedger,
    };
    let key = SigningKey::from_bytes(&keystore(house.folder.path()).signer(role).unwrap().secret());
    let (head, note) = house.desk.log(log).signed_head();
    let text = format!("{}\n{}\n{}\n", head.origin, head.size, "q".repeat(42) + "o=");
    let vkey: ledger::note::Vkey = house.desk.log(log).vkey().trim().parse().unwrap();
    let signature = key.sign(text.as_bytes()).to_bytes();
    let encoded = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        [vkey.id().as_slice(), &signature].concat(),
    );
    let other = format!("{text}\n\u{2014} {} {encoded}\n", head.origin);
    (note, other)
}

async fn grow(house: &House) {
    let customer = house.customer("Anna").await;
    house.desk.open_case(&house.call(), worry(&customer, None)).await.unwrap();
}

#[tokio::test]
async fn what_nodes_cosigned_is_checked_kept_and_shown_with_the_witnesses() {
    let house = House::found().await;
    grow(&house).await;
    let now = u64::try_from(house.desk.now().as_second()).unwrap();
    let (anna, signer) = cosigner(&KeyPair::from_secret(&[7; 32]));
    let (other, _) = cosigner(&KeyPair::from_secret(&[8; 32]));
    let heads = house.desk.mesh_heads();
    let note = &heads[0];
    let good = line(&signer, note, now);
    for (who, note, line) in [
        (other, note, good.clone()),
        (anna, note, line(&signer, &heads[1], now)),
        (anna, note, line(&signer, note, now + 3_600)),
        (anna, note, String::new()),
        (anna, &"log.example/a\n1\n".to_owned(), good.clone()),
    ] {
        house.desk.keep_cosignature(&who, note, &line).await.expect_err("it does not hold");
    }
    house.desk.keep_cosignature(&anna, note, &good).await.unwrap();
    let size = house.desk.log(LogName::Genesis).size();
    grow(&house).await;
    let newer = &house.desk.mesh_heads()[0];
    let (own, stranger) = (line(&signer, newer, now), "\u{2014} witness.example AAAAAAAA\n");
    house.desk.keep_cosignature(&anna, newer, &format!("{own}{stranger}")).await.unwrap();
    house.desk.keep_cosignature(&anna, note, &good).await.unwrap();
    let shown = house.desk.witnesses(&house.operator).await.unwrap();
    let [seen] = &shown.nodes[..] else { panic!("{:?}", shown.nodes) };
    assert!(seen.size > size, "an older one does not take its place");
    assert_eq!((seen.node, seen.log, seen.name.as_deref()), (anna, LogName::Genesis, None));
    assert_eq!(seen.vkey, signer.key().to_string());
    assert_eq!(seen.line, own, "nothing in anybody else's name");
    assert!(shown.forks.is_empty() && house.desk.health().await.alarms.is_empty());
}

#[tokio::test]
async fn a_ledger_shows_its_growth_to_nodes() {
    let house = House::found().await;
    grow(&house).await;
    let log = house.desk.log(LogName::Genesis);
    let (head, _) = log.signed_head();
    let proof = house.desk.prove_growth(log.origin(), 1, head.size).await.unwrap();
    let first = ledger::leaf_hash(&log.entry(0).unwrap());
    ledger::verify_consistency(1, &first, head.size, &head.root, &proof).unwrap();
    assert_eq!(house.desk.prove_growth(log.origin(), 1, head.size + 1).await, None);
    assert_eq!(house.desk.prove_growth("log.example/a", 1, 2).await, None);
}

#[tokio::test]
async fn a_fork_is_one_incident_that_stays() {
    let house = House::found().await;
    grow(&house).await;
    let (note_a, note_b) = two_heads(&house, LogName::Genesis);
    let origin = house.desk.log(LogName::Genesis).origin().to_owned();
    let proof = ForkProof { origin, note_a, note_b };
    let no_fork = ForkProof { note_b: proof.note_a.clone(), ..proof.clone() };
    house.desk.ledger_forked(&no_fork).await.expect_err("one head is no fork");
    assert!(house.desk.ledger_forked(&proof).await.unwrap());
    let turned = ForkProof { note_a: proof.note_b.clone(), note_b: proof.note_a.clone(), ..proof.clone() };
    for again in [&proof, &turned] {
        assert!(!house.desk.ledger_forked(again).await.unwrap(), "it is known");
    }
    let shown = house.desk.witnesses(&house.operator).await.unwrap();
    let [fork] = &shown.forks[..] else { panic!("{:?}", shown.forks) };
    assert_eq!((fork.log, &fork.proof), (LogName::Genesis, &proof));
    assert_eq!(house.desk.forked_ledgers(&house.operator).await.unwrap(), shown.forks);
    let id = fork.attestation.clone().unwrap();
    let view = house.desk.document(&house.operator, Kind::Attestation, &id).await.unwrap();
    let claim = trust::Statement::<ForkProof>::verify(
        &view.document.envelope,
        desk::FORK_PREDICATE,
        house.desk.registry(),
        KeyRole::Attestor,
    );
    assert_eq!(claim.unwrap().predicate, proof);
    let events = house.desk.events_after(&house.operator, 0).await.unwrap();
    let told = events.iter().filter(|(_, event)| event.what.contains("two histories")).count();
    assert_eq!(told, 1);
    let alarms = house.desk.health().await.alarms;
    assert!(alarms.len() == 1 && alarms[0].contains("genesis ledger has two histories"), "{alarms:?}");

    let house = crate::mesh::meanwhile(house, |_| {}).await;
    assert_eq!(house.desk.health().await.alarms, alarms, "and after a restart");
    assert!(!house.desk.ledger_forked(&proof).await.unwrap());
}
