//! Nodes cosign a real ledger's heads over real links; what they cosigned outlives a restart, and a fork is told everywhere.

use std::time::Duration;

use ledger::Log;
use mesh::{NodeId, doctor::Cause, witnessing::ForkProof};
use mesh_daemon::Ask;

use crate::house::{House, Running, eventually};

async fn grow(ledger: &Log, entries: std::ops::Range<u32>) {
    ledger.append(entries.map(|n| n.to_be_bytes().to_vec()).collect()).await.unwrap();
}

/// Does what the platform's node asks until it says who cosigned how many entries.
async fn cosigned(platform: &mut Running, ledger: &Log) -> (NodeId, u64) {
    let told = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            match platform.asks.recv().await.expect("it runs") {
                Ask::Prove { origin, from, to } => {
                    let proof = ledger.consistency(from, to).ok();
                    platform.daemon.proven(origin, from, to, proof).await;
                }
                Ask::Cosigned { from, note, line } => {
                    let head = ledger::verify_checkpoint(&note, ledger.vkey()).unwrap();
                    assert!(line.contains(&from.to_string()), "by its did:key: {line}");
                    return (from, head.size);
                }
                _ => {}
            }
        }
    });
    told.await.expect("it is cosigned in time")
}

async fn forked(running: &mut Running) -> ForkProof {
    let told = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            if let Ask::Forked(proof) = running.asks.recv().await.expect("it runs") {
                return *proof;
            }
        }
    });
    told.await.expect("it hears of the fork in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_cosigned_outlives_a_restart_and_a_fork_is_told_to_everybody() {
    let house = House::new();
    let (platform, other, anna) = (house.platform(), house.platform_named("Echo too"), house.device("anna"));
    let (ledger, second) = (house.ledger("one"), house.ledger("two"));
    grow(&ledger, 0..3).await;
    let mut here = house.start(&platform, &[]).await;
    let device = house.start(&anna, &[here.place()]).await;
    here.daemon.own_head(ledger.checkpoint()).await;
    assert_eq!(cosigned(&mut here, &ledger).await, (anna.id(), 3));

    device.stop().await;
    grow(&ledger, 3..8).await;
    here.daemon.own_head(ledger.checkpoint()).await;
    let mut there = house.start(&other, &[]).await;
    let places = [here.place(), there.place()];
    let mut device = house.start(&anna, &places).await;
    let heads = device.daemon.report().view.witnessing.heads.clone();
    assert_eq!(heads[0].size, 3, "it is remembered from the start");
    assert_eq!(cosigned(&mut here, &ledger).await, (anna.id(), 8), "and proven to have grown from there");

    grow(&second, 100..108).await;
    there.daemon.own_head(second.checkpoint()).await;
    let proof = forked(&mut device).await;
    assert_eq!(forked(&mut here).await, proof);
    assert_eq!(forked(&mut there).await, proof);
    let forked_here = |running: &Running| {
        running.daemon.report().findings.iter().any(|finding| finding.cause == Cause::ForkedLedger)
    };
    eventually("the doctor says so", || forked_here(&device) && forked_here(&here)).await;

    device.stop().await;
    let mut again = house.start(&anna, &[]).await;
    assert_eq!(forked(&mut again).await, proof, "for ever");
    assert!(forked_here(&again));
}
