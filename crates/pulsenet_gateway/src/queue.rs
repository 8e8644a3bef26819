//! What waits to be sent on one connection: bounded by bytes, and never a reason for anybody else to wait.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::body::Bytes;
use tokio::sync::mpsc;

use crate::Limits;

/// The end that everybody who has something for the connection puts it in.
#[derive(Debug, Clone)]
pub(crate) struct Queue {
    frames: mpsc::UnboundedSender<Bytes>,
    waiting: Arc<AtomicUsize>,
    datagrams: usize,
    all: usize,
}

/// The end that the connection sends from.
#[derive(Debug)]
pub(crate) struct Outgoing {
    frames: mpsc::UnboundedReceiver<Bytes>,
    waiting: Arc<AtomicUsize>,
}

/// There is no room, or nobody at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

pub(crate) fn queue(limits: &Limits) -> (Queue, Outgoing) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let queue = Queue {
        frames: sender,
        waiting: waiting.clone(),
        datagrams: limits.waiting_datagrams,
        all: limits.waiting,
    };
    (queue, Outgoing { frames: receiver, waiting })
}

impl Queue {
    /// Puts in what may be lost.
    pub(crate) fn datagram(&self, frame: Vec<u8>) -> Result<(), Full> {
        self.put(frame, self.datagrams)
    }

    /// Puts in what may not be lost: whoever has no room for it is too slow to stay.
    pub(crate) fn signal(&self, frame: Vec<u8>) -> Result<(), Full> {
        self.put(frame, self.all)
    }

    /// The channel itself knows no bound: this is it. A frame counts its bytes and what it costs to be held.
    fn put(&self, frame: Vec<u8>, most: usize) -> Result<(), Full> {
        let cost = cost(&frame);
        let before = self.waiting.fetch_add(cost, Ordering::AcqRel);
        if before + cost > most || self.frames.send(frame.into()).is_err() {
            self.waiting.fetch_sub(cost, Ordering::AcqRel);
            return Err(Full);
        }
        Ok(())
    }
}

impl Outgoing {
    /// Waits for frames and moves up to `most` of them into `batch`; 0 when no more will come.
    pub(crate) async fn next(&mut self, batch: &mut Vec<Bytes>, most: usize) -> usize {
        let count = self.frames.recv_many(batch, most).await;
        let freed: usize = batch.iter().map(|frame| cost(frame)).sum();
        self.waiting.fetch_sub(freed, Ordering::AcqRel);
        count
    }
}

fn cost(frame: &[u8]) -> usize {
    frame.len() + Limits::FRAME_COST as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Limits {
        Limits { waiting_datagrams: 1_000, waiting: 2_000, ..Limits::default() }
    }

    #[tokio::test]
    async fn datagrams_are_dropped_before_signals_find_no_room() {
        let (queue, mut outgoing) = queue(&small());
        assert_eq!(queue.datagram(vec![0; 700]), Ok(()));
        assert_eq!(queue.datagram(vec![0; 700]), Err(Full));
        assert_eq!(queue.signal(vec![1; 700]), Ok(()));
        assert_eq!(queue.signal(vec![1; 700]), Err(Full));
        let mut batch = Vec::new();
        assert_eq!(outgoing.next(&mut batch, 10).await, 2);
        assert_eq!((batch[0][0], batch[1][0]), (0, 1));
        assert_eq!(queue.datagram(vec![0; 700]), Ok(()), "what was sent makes room");
    }

    #[test]
    fn nobody_at_the_other_end_is_no_room() {
        let (queue, outgoing) = queue(&small());
        drop(outgoing);
        assert_eq!(queue.signal(vec![1]), Err(Full));
        assert_eq!(queue.waiting.load(Ordering::Acquire), 0);
    }
}
