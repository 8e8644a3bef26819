//! Work that many senders bring: different senders' pieces run beside one another, one sender's one after the other.

use std::{
    collections::{BTreeSet, VecDeque},
    future::Future,
    pin::Pin,
};

use mesh::NodeId;
use tokio::task::JoinSet;

/// How many pieces run at once.
const AT_ONCE: usize = 8;
/// How many wait at most. What comes beyond is left out: its sender brings it again.
const MAX_WAITING: usize = 256;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What waits and what runs.
#[derive(Default)]
pub(super) struct Lanes {
    waiting: VecDeque<(NodeId, Work)>,
    busy: BTreeSet<NodeId>,
    running: JoinSet<NodeId>,
}

impl Lanes {
    /// Has a sender's piece of work done, after all that it brought before.
    pub(super) fn put(&mut self, from: NodeId, work: impl Future<Output = ()> + Send + 'static) {
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back((from, Box::pin(work)));
        }
        self.begin();
    }

    /// Waits until a piece has ended, and begins the next; for ever while none runs. May be dropped at any time.
    pub(super) async fn turn(&mut self) {
        match self.running.join_next().await {
            Some(ended) => {
                if let Ok(from) = ended {
                    self.busy.remove(&from);
                }
                self.begin();
            }
            None => std::future::pending().await,
        }
    }

    fn begin(&mut self) {
        while self.running.len() < AT_ONCE {
            let free = self.waiting.iter().position(|(from, _)| !self.busy.contains(from));
            let Some((from, work)) = free.and_then(|at| self.waiting.remove(at)) else { return };
            self.busy.insert(from);
            self.running.spawn(async move {
                // In a task of its own, so that its lane is free again even if it breaks down.
                if let Err(error) = tokio::spawn(work).await {
                    tracing::error!(%from, %error, "what came over the mesh could not be done");
                }
                from
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::{
        sync::{Mutex, Notify},
        time::timeout,
    };
    use trust::KeyPair;

    use super::*;

    fn node(seed: u8) -> NodeId {
        NodeId::of(&KeyPair::from_secret(&[seed; 32]).public())
    }

    async fn until(lanes: &mut Lanes, done: &Mutex<Vec<&'static str>>, count: usize) {
        while done.lock().await.len() < count {
            timeout(Duration::from_secs(5), lanes.turn()).await.expect("it stands still");
        }
    }

    #[tokio::test]
    async fn a_sender_whose_work_hangs_holds_up_itself_alone() {
        let (mut lanes, done, go) =
            (Lanes::default(), Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
        let held = (Arc::clone(&done), Arc::clone(&go));
        lanes.put(node(1), async move {
            held.1.notified().await;
            held.0.lock().await.push("first");
        });
        for (from, what) in [(1, "second"), (2, "other")] {
            let done = Arc::clone(&done);
            lanes.put(node(from), async move { done.lock().await.push(what) });
        }
        until(&mut lanes, &done, 1).await;
        assert_eq!(*done.lock().await, ["other"]);
        go.notify_one();
        until(&mut lanes, &done, 3).await;
        assert_eq!(*done.lock().await, ["other", "first", "second"]);
    }

    #[tokio::test]
    async fn so_many_run_at_once_so_many_wait_and_one_that_breaks_down_frees_its_lane() {
        let mut lanes = Lanes::default();
        for from in 0..=u8::MAX {
            lanes.put(node(from), std::future::pending());
        }
        assert_eq!((lanes.running.len(), lanes.waiting.len()), (AT_ONCE, 256 - AT_ONCE));
        for _ in 0..2 * MAX_WAITING {
            lanes.put(node(0), std::future::pending());
        }
        assert_eq!(lanes.waiting.len(), MAX_WAITING);

        let (mut lanes, done) = (Lanes::default(), Arc::new(Mutex::new(Vec::new())));
        lanes.put(node(1), async { panic!("a test") });
        let after = Arc::clone(&done);
        lanes.put(node(1), async move { after.lock().await.push("after") });
        until(&mut lanes, &done, 1).await;
    }
}
