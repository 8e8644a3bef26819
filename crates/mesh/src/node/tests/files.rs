//! Files beside everything else that a node does.

use super::*;
use crate::bulk::{
    CHUNK, Chunk, FileDone, FileInput, FileJob, Offer, Opened, PartKey, Say, Sending, Stage, TransferId,
};

const ID: TransferId = TransferId([7; 16]);

fn offer(size: u64) -> Offer {
    Offer { id: ID, name: "a file".parse().unwrap(), size, digest: echo_core::Digest::of(b"it") }
}

impl Row {
    fn send(&mut self, from: usize, to: usize, size: u64) {
        let sending = Sending { to: self.nodes[to].id(), offer: offer(size), asked: self.now };
        self.tell(from, Input::File(FileInput::Send(sending)));
    }

    fn jobs_of(&mut self, nth: usize) -> Vec<FileJob> {
        let (yes, no) = std::mem::take(&mut self.jobs).into_iter().partition(|(of, _)| *of == nth);
        self.jobs = no;
        let yes: Vec<(usize, FileJob)> = yes;
        yes.into_iter().map(|(_, job)| job).collect()
    }

    /// Node 1 is ready for the file of node 0, and node 0 has read its first piece.
    fn under_way(&mut self) {
        let part = PartKey { from: self.nodes[0].id(), id: ID };
        let jobs = self.jobs_of(1);
        let [FileJob::Open { number, .. }] = jobs[..] else { panic!("{jobs:?}") };
        let opened = FileDone::Opened { number, part, result: Ok(Opened::At(0)) };
        self.tell(1, Input::File(FileInput::Done(opened)));
        // A link wakes it at the next look.
        self.pass(1);
        let jobs = self.jobs_of(0);
        let [FileJob::Read { number, id, bytes, .. }] = jobs[..] else { panic!("{jobs:?}") };
        let piece = vec![1; usize::try_from(bytes).unwrap()];
        self.tell(0, Input::File(FileInput::Done(FileDone::Read { number, id, result: Ok(piece) })));
    }
}

#[test]
fn a_call_does_not_wait_for_a_file_that_the_receiver_s_disk_holds_up() {
    let mut row = Row::of(&[Some(1), Some(1)]);
    row.pass(5);
    row.send(0, 1, 100 * CHUNK);
    row.under_way();
    let jobs = row.jobs_of(1);
    assert!(matches!(jobs[..], [FileJob::Write { .. }]), "it is written, and the disk is slow");
    let other = row.nodes[1].id();
    row.call(0, Target::Node(other));
    row.pass(2);
    assert_eq!((row.executed, row.ended.len()), (1, 1));
    assert_eq!(row.nodes[0].transfers(row.now)[0].stage, Stage::Moving);
}

#[test]
fn who_sends_pieces_out_of_order_is_disconnected_and_kept_out() {
    let mut row = Row::of(&[Some(1), Some(1)]);
    row.pass(5);
    row.send(0, 1, 100 * CHUNK);
    row.under_way();
    let data = vec![0; usize::try_from(CHUNK).unwrap()];
    let (binary, bytes) = Wire::Chunk(Chunk { id: ID, offset: 90 * CHUNK, data }).encode();
    row.tell(1, Input::Received { link: link(1, 0), stream: Stream::Bulk, binary, bytes });
    let sender = row.nodes[0].id();
    assert!(row.events.iter().any(|event| matches!(event, Event::OutOfTurn { node, .. } if *node == sender)));
    row.join(0, 1);
    assert!(row.nodes[1].neighbours.nodes().is_empty());
    assert_eq!(row.nodes[0].transfers(row.now)[0].stage, Stage::Waiting);
}

#[test]
fn a_file_waits_for_a_link_of_its_own_and_says_so() {
    let mut row = Row::of(&[Some(1), Some(1), Some(1)]);
    row.pass(15);
    row.send(0, 2, 10);
    row.pass(1);
    let waiting = row.nodes[0].transfers(row.now).remove(0);
    assert_eq!(waiting.stage, Stage::Waiting);
    assert!(waiting.why.contains("only other nodes reach it"), "{}", waiting.why);
    assert!(row.jobs.is_empty());
    // The receiver knows of the link when the offer comes.
    row.join(2, 0);
    row.pass(1);
    assert!(matches!(row.jobs_of(2)[..], [FileJob::Open { .. }]));
    assert_eq!(row.nodes[0].transfers(row.now)[0].stage, Stage::Offered);
}

#[test]
fn noise_about_files_is_bounded() {
    let mut row = Row::of(&[Some(1), Some(1)]);
    row.pass(5);
    let noise = Wire::File(Say::Credit { id: ID, kept: 1, upto: 2 }).encode();
    let piece = Wire::Chunk(Chunk { id: ID, offset: 0, data: vec![0; 48 * 1024] }).encode();
    for ((binary, bytes), most) in [(noise, MESSAGES.0), (piece, 64 * 1024 / 48)] {
        for _ in 0..=most {
            assert!(!row.nodes[0].neighbours.nodes().is_empty());
            let bytes = bytes.clone();
            row.tell(0, Input::Received { link: link(0, 1), stream: Stream::Bulk, binary, bytes });
        }
        assert!(row.nodes[0].neighbours.nodes().is_empty(), "{most}");
        row.pass(61);
        row.join(0, 1);
    }
}
