//! Who is not let in, and that both sides hear why.

use std::sync::{Arc, RwLock};

use echo_core::Mint;
use mesh::{Sighting, Via};
use mesh_link::{Config, LinkEvent};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::house::{House, Node, Up, at};

/// `node` offers to a node that trusts the house: what both hear.
async fn both_hear(house: &House, node: Node, code: &str) {
    let (mut judge, mut other) = (house.up(&house.node(31)).await, house.up(&node).await);
    other.look_for(&judge.place());
    assert_eq!(judge.refusal().await, (code.to_owned(), true));
    assert_eq!(other.refusal().await, (code.to_owned(), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_manifest_is_refused() {
    let house = House::new();
    let mut node = house.node(32);
    node.certificate.signatures.clear();
    both_hear(&house, node, "unsigned").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_manifest_is_refused() {
    let house = House::new();
    let node = house.node_with(32, |manifest| manifest.expires = at("2026-02-01"));
    both_hear(&house, node, "expired").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_manifest_is_refused() {
    let house = House::new();
    let (mut thief, owner) = (house.node(32), house.node(33));
    (thief.manifest, thief.certificate) = (owner.manifest, owner.certificate);
    both_hear(&house, thief, "wrong_key").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_customer_s_node_is_refused() {
    let house = House::new();
    let other = "cus_0197c3f0a1b27c3d8e4f5a6b7c8d9e02".parse().unwrap();
    let node = house.node_with(32, |manifest| manifest.customer = Some(other));
    both_hear(&house, node, "other_realm").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_node_is_refused() {
    let house = House::new();
    let node = house.node(32);
    let config = house.config(&house.node(31));
    config.trust.write().unwrap().merge(&house.revocation(&node), Mint::system().now()).unwrap();
    let (mut judge, mut other) = (Up::start(config).await, house.up(&node).await);
    other.look_for(&judge.place());
    assert_eq!(judge.refusal().await, ("revoked".to_owned(), true));
    assert_eq!(other.refusal().await, ("revoked".to_owned(), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_by_a_node_that_is_not_trusted_is_refused() {
    let house = House::new();
    let revoked = house.node(31);
    let config = house.config(&house.node(32));
    config.trust.write().unwrap().merge(&house.revocation(&revoked), Mint::system().now()).unwrap();
    let (judge, mut asker) = (house.up(&revoked).await, Up::start(config).await);
    asker.look_for(&judge.place());
    assert_eq!(asker.refusal().await, ("revoked".to_owned(), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_announced_is_refused() {
    let house = House::new();
    let (mut judge, mut other) = (house.up(&house.node(31)).await, house.up(&house.node(32)).await);
    other.look_for(&format!("{}#0123456789abcdef", judge.place()));
    assert_eq!(judge.refusal().await, ("wrong_token".to_owned(), true));
    assert_eq!(other.refusal().await, ("wrong_token".to_owned(), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_off_while_the_issuer_changed_learns_of_it_and_lets_the_new_ones_in() {
    let mut house = House::new();
    let behind = house.config(&house.node(31));
    house.rotate_issuer();
    // The one has a certificate by the new issuer and knows its registry; the other does not know it yet.
    let (mut new, mut old) = (house.up(&house.node(32)).await, Up::start(behind).await);
    old.look_for(&new.place());
    let news =
        old.wait("news", |event| if let LinkEvent::News(news) = event { Some(news) } else { None }).await;
    assert!(matches!(*news, mesh::News::Registry(ref versions) if versions.len() == 1), "{news:?}");
    // Its own certificate is by the issuer that was replaced, so the other cannot let it in until it is renewed.
    assert_eq!(new.refusal().await, ("unknown_issuer".to_owned(), true));
    assert_eq!(old.refusal().await, ("unknown_issuer".to_owned(), false));
    old.wait("the end of the attempt", |event| matches!(event, LinkEvent::Failed { .. }).then_some(())).await;
    let renewed = house.node(31);
    old.endpoint.renew(renewed.manifest, renewed.certificate);
    let place = new.place();
    old.endpoint.connect(Sighting { node: Some(house.node(32).id()), via: Via::Address, place });
    old.link().await;
    new.link().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_operator_is_refused() {
    let house = House::new();
    let node = house.node(32);
    let by_itself = node.manifest.certify(&node.key).unwrap();
    let trust = Arc::new(RwLock::new(house.trust()));
    let mut config = Config::new(node.key.clone(), node.manifest.clone(), by_itself, trust, Mint::system());
    (config.multicast, config.include_loopback) = (false, true);
    let (mut judge, mut other) = (house.up(&house.node(31)).await, Up::start(config).await);
    other.look_for(&judge.place());
    assert_eq!(judge.refusal().await, ("unknown_issuer".to_owned(), true));
    assert_eq!(other.refusal().await, ("unknown_issuer".to_owned(), false));
}

/// Answers every request at its address with a refusal of this session's offer; how often it did.
async fn refuses_session(session: [u8; 16]) -> (String, Arc<std::sync::atomic::AtomicU32>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let said = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = said.clone();
    let refusal = mesh::Refusal::Malformed("so it says".to_owned());
    let refused = mesh::signal::Refused::of(mesh::SessionId(session), &refusal, 0);
    let refused: serde_json::Value = serde_json::from_slice(&refused.to_json()).unwrap();
    let body = serde_json::json!({ "refused": refused }).to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 64 * 1024];
            let _ = stream.read(&mut buffer).await;
            let head = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all([head, body.clone()].concat().as_bytes()).await;
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
    });
    (place, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_another_session_s_offer_says_nothing_about_ours() {
    let house = House::new();
    let (place, said) = refuses_session([7; 16]).await;
    let mut a = house.up(&house.node(31)).await;
    a.look_for(&place);
    let why = a
        .wait("a failure", |event| match event {
            LinkEvent::Failed { why, .. } => Some(why),
            LinkEvent::Refused { .. } => panic!("it was believed"),
            _ => None,
        })
        .await;
    assert!(why.contains("another offer"), "{why}");
    assert_eq!(said.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert!(a.endpoint.report().peers.iter().all(|peer| peer.refused.is_none()));
}
