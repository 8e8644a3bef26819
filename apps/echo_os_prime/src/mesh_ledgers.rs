//! The platform's ledgers in the mesh: nodes cosign their heads, and tell when there are two of one.

use std::time::Duration;

use desk::Desk;
use mesh::witnessing::ForkProof;
use mesh_daemon::{Ask, Daemon};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

/// How often newer heads are told at most; a node is asked less often still.
const PAUSE: Duration = Duration::from_secs(2);
/// How long an incident that could not be raised waits.
const RAISE_EVERY: Duration = Duration::from_secs(30);
/// The most answers and questions about ledgers that wait for the database.
const MAX_WAITING: usize = 256;

/// Tells the node each newer head, for as long as the platform runs.
pub async fn tell_heads(desk: Desk, daemon: Daemon, mut stopping: watch::Receiver<bool>) {
    let mut changes = desk.changes();
    let mut told: Vec<String> = Vec::new();
    loop {
        changes.mark_unchanged();
        let heads = desk.mesh_heads();
        for head in heads.iter().filter(|head| !told.contains(head)) {
            daemon.own_head(head.clone()).await;
        }
        told = heads;
        tokio::select! {
            more = changes.changed() => if more.is_err() { return },
            // What entered a ledger a moment after its change was told.
            () = sleep(PAUSE * 15) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
        sleep(PAUSE).await;
    }
}

/// Does what the node asks about ledgers, one after the other; what has no room is asked again.
pub fn answering(desk: Desk, daemon: Daemon) -> mpsc::Sender<Ask> {
    let (asks, mut asked) = mpsc::channel(MAX_WAITING);
    tokio::spawn(async move {
        while let Some(ask) = asked.recv().await {
            answer(&desk, &daemon, ask).await;
        }
    });
    asks
}

async fn answer(desk: &Desk, daemon: &Daemon, ask: Ask) {
    match ask {
        Ask::Prove { origin, from, to } => {
            // A disk that fails now is no sign of another history: it is asked again.
            if let Some(proof) = desk.prove_growth(&origin, from, to).await {
                daemon.proven(origin, from, to, Some(proof)).await;
            }
        }
        Ask::Cosigned { from, note, line } => {
            if let Err(error) = desk.keep_cosignature(&from, &note, &line).await {
                tracing::warn!(%from, %error, "a node's cosignature is not kept");
            }
        }
        _ => {}
    }
}

/// Raises the incident of a ledger with two histories, however often the disk refuses. There is one a ledger at most.
pub async fn raise(desk: Desk, proof: ForkProof, mut stopping: watch::Receiver<bool>) {
    while let Err(error) = desk.ledger_forked(&proof).await {
        tracing::error!(%error, "a ledger has two histories, and no incident could be raised: tried again");
        tokio::select! {
            () = sleep(RAISE_EVERY) => {}
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}
