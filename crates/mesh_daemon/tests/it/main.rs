//! Two and three daemons on loopback, with real sockets and files.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its set-up too")]

mod files;
mod house;
mod witness;

use std::{path::PathBuf, time::Duration};

use mesh::{CallFailure, NodeId, Outcome, Target};
use mesh_daemon::{Ask, BookFolder, Daemon};
use serde_json::{Value, json};

use crate::house::{House, Running, eventually};

const KEY: &str = "3d1f0f3c-7e0a-4f5e-9a37-0c6a8f3b1d22";
const OTHER_KEY: &str = "9b2a6f0e-54c1-4f0e-8a11-7d1c2b3a4f55";

async fn call(from: &Running, to: NodeId, grant: &trust::Envelope, key: &str) -> Result<Value, CallFailure> {
    call_on(&from.daemon, to, grant, key).await
}

async fn call_on(
    daemon: &Daemon,
    to: NodeId,
    grant: &trust::Envelope,
    key: &str,
) -> Result<Value, CallFailure> {
    let deadline = house::now().saturating_add(jiff::SignedDuration::from_secs(20)).unwrap();
    let target = Target::Node(to);
    let called = daemon.call(
        target,
        "diagnostics.probe".to_owned(),
        json!({}),
        grant.clone(),
        key.to_owned(),
        deadline,
    );
    called.await.map(|(output, _)| output)
}

/// Answers the next `count` asks for work, and says how many came.
async fn work(running: &mut Running, count: usize) -> usize {
    let mut done = 0;
    while done < count {
        let next = tokio::time::timeout(Duration::from_secs(20), running.asks.recv()).await;
        if let Ok(Some(Ask::Execute { call, skill, .. })) = next {
            assert_eq!(skill, "diagnostics.probe");
            done += 1;
            running.daemon.executed(call, Outcome::Done(json!({ "number": done }))).await;
        }
    }
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_answered_once_and_outlives_a_restart() {
    let house = House::new();
    let (anna, bert) = (house.device("anna"), house.device("bert"));
    let mut there = house.start(&bert, &[]).await;
    let here = house.start(&anna, &[there.place()]).await;
    let grant = house.grant(anna.id());
    let bert_id = bert.id();
    eventually("anna is linked with bert", || !here.daemon.report().view.links.is_empty()).await;

    let (first, worked) = tokio::join!(call(&here, bert_id, &grant, KEY), work(&mut there, 1));
    assert_eq!((first.unwrap(), worked), (json!({ "number": 1 }), 1));
    assert_eq!(call(&here, bert_id, &grant, KEY).await.unwrap(), json!({ "number": 1 }));
    assert!(there.asks.try_recv().is_err(), "the same key was worked on twice");
    let (second, _) = tokio::join!(call(&here, bert_id, &grant, OTHER_KEY), work(&mut there, 1));
    assert_eq!(second.unwrap(), json!({ "number": 1 }), "another key is other work");

    there.stop().await;
    let place = here.place();
    let mut again = house.start(&bert, &[place]).await;
    eventually("bert is back", || again.daemon.report().view.links.len() == 1).await;
    assert_eq!(call(&here, bert_id, &grant, KEY).await.unwrap(), json!({ "number": 1 }));
    assert!(again.asks.try_recv().is_err(), "the book was forgotten at the restart");
}

/// A folder in which nothing can be written, as on a full disk.
struct Full(PathBuf);

impl Full {
    fn make(folder: PathBuf) -> Self {
        std::fs::rename(&folder, folder.with_extension("away")).unwrap();
        durable::write(&folder, b"no folder", durable::Mode::Private).unwrap();
        Self(folder)
    }

    fn mend(self) {
        std::fs::remove_file(&self.0).unwrap();
        std::fs::rename(self.0.with_extension("away"), &self.0).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_calls_holds_answers_back_and_stops_nothing_else() {
    let house = House::new();
    let (anna, bert) = (house.device("anna"), house.device("bert"));
    let mut there = house.start(&bert, &[]).await;
    let here = house.start(&anna, &[there.place()]).await;
    let (grant, to) = (house.grant(anna.id()), bert.id());
    eventually("anna is linked with bert", || !here.daemon.report().view.links.is_empty()).await;

    let full = Full::make(house.book(&bert));
    let refused = call(&here, to, &grant, KEY).await.unwrap_err();
    assert!(matches!(&refused, CallFailure::Refused(why) if why.contains("written down")), "{refused}");
    assert!(there.asks.try_recv().is_err(), "it was begun");
    full.mend();

    let calling = tokio::spawn({
        let (daemon, grant) = (here.daemon.clone(), grant.clone());
        async move { call_on(&daemon, to, &grant, KEY).await }
    });
    let Some(Ask::Execute { call, .. }) = there.asks.recv().await else { panic!("it is not begun") };
    let full = Full::make(house.book(&bert));
    there.daemon.executed(call, Outcome::Done(json!("done"))).await;
    let at = there.daemon.report().at;
    eventually("bert goes on", || there.daemon.report().at > at).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!calling.is_finished(), "the answer went out before it was written down");
    full.mend();
    assert_eq!(calling.await.unwrap().unwrap(), json!("done"));

    let _full = Full::make(house.book(&bert));
    let calling = tokio::spawn({
        let daemon = here.daemon.clone();
        async move { call_on(&daemon, to, &grant, OTHER_KEY).await }
    });
    assert!(calling.await.unwrap().is_err());
    tokio::time::timeout(Duration::from_secs(5), there.stop()).await.expect("it does not stop");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_wait_for_a_platform_and_are_given_up_when_it_has_them() {
    let house = House::new();
    let (anna, bert, platform) = (house.device("anna"), house.device("bert"), house.platform());
    let mut there = house.start(&bert, &[]).await;
    let here = house.start(&anna, &[there.place()]).await;
    eventually("anna is linked with bert", || !here.daemon.report().view.links.is_empty()).await;
    let grant = house.grant(anna.id());
    let (done, _) = tokio::join!(call(&here, bert.id(), &grant, KEY), work(&mut there, 1));
    done.unwrap();
    eventually("the call waits to be settled", || there.daemon.report().view.unsettled == 1).await;

    let mut desk = house.start(&platform, &[there.place()]).await;
    let settled = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            if let Some(Ask::Settle { from, answers, calls, grants }) = desk.asks.recv().await {
                assert_eq!((from, answers.len(), grants.len()), (bert.id(), 1, 1));
                return (from, calls.iter().map(mesh::digest_of).collect::<Vec<_>>());
            }
        }
    });
    let (from, calls) = settled.await.expect("the receipts never came");
    desk.daemon.settled(from, calls).await;
    eventually("nothing waits any more", || there.daemon.report().view.unsettled == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_entry_costs_one_call_and_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (book, entries) = BookFolder::open(folder.path()).unwrap();
    assert!(entries.is_empty());
    let bad = folder.path().join("00.json");
    durable::write(&bad, b"{\"call\": 1", durable::Mode::Private).unwrap();
    drop(book);
    assert!(BookFolder::open(folder.path()).unwrap().1.is_empty());
    assert!(!bad.exists() && folder.path().join("00.damaged").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_certificate_is_seen_by_neighbours_and_by_whoever_comes_later() {
    let house = House::new();
    let (anna, bert, cleo) = (house.device("anna"), house.device("bert"), house.device("cleo"));
    let here = house.start(&anna, &[]).await;
    let there = house.start(&bert, &[here.place()]).await;
    let knows = |running: &Running, name: &str| {
        running
            .daemon
            .report()
            .view
            .members
            .iter()
            .any(|member| member.node == anna.id() && member.name == name)
    };
    eventually("bert knows anna", || knows(&there, "anna")).await;
    let (manifest, certificate) = house.renamed(&anna, "anna, renewed");
    here.daemon.certificate(manifest, certificate).await;
    eventually("bert knows the new name", || knows(&there, "anna, renewed")).await;
    let later = house.start(&cleo, &[here.place()]).await;
    eventually("cleo is met with the new name", || knows(&later, "anna, renewed")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_among_the_peers_is_refused_with_what_to_do() {
    let house = House::new();
    let anna = house.device("anna");
    for (peer, what) in [("wss://gate.example/v1/mesh/relay", "among the gateways"), ("nowhere", "host:port")]
    {
        let Err(why) = house.try_start(&anna, &[peer.to_owned()]).await else { panic!("{peer} was taken") };
        assert!(why.to_string().contains(what), "{why}");
    }
}
