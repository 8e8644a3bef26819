//! Files go to neighbours and come from them.

use std::collections::BTreeSet;

use echo_core::Timestamp;

use super::Node;
use crate::{
    Link, NodeId, Output, Stream, Wire,
    bulk::{Act, Chunk, FileInput, Took, TransferView},
    event::Event,
};

impl Node {
    /// How each transfer that has not ended stands.
    pub fn transfers(&self, now: Timestamp) -> Vec<TransferView> {
        self.files.views(now)
    }

    pub(super) fn file(&mut self, now: Timestamp, input: FileInput) {
        match input {
            FileInput::Send(sending) => self.files.send(now, sending),
            FileInput::Cancel(id) => self.files.cancel(now, id),
            FileInput::Done(done) => self.files.done(now, done),
        }
    }

    /// A piece of a file came. What nobody waits for is counted: some of it was on its way when the transfer ended.
    pub(super) fn piece(&mut self, now: Timestamp, link: Link, from: NodeId, chunk: &Chunk) {
        let taken = self.files.piece(now, link, from, chunk);
        if taken == Took::Unasked
            && self.neighbours.get_mut(link).is_some_and(|n| !n.may_waste(now, chunk.data.len()))
        {
            self.flooded(now, link, from);
        }
    }

    pub(super) fn move_files(&mut self, now: Timestamp) {
        if self.files.deadline() <= now {
            let (neighbours, rooms) = (&self.neighbours, &self.rooms);
            self.files.pump(now, &mut |node| {
                neighbours.best(node).ok_or_else(|| {
                    if rooms.values().any(|room| room.known_way(node).is_some()) {
                        "only other nodes reach it, and files go over a link of one's own: one is looked for"
                            .to_owned()
                    } else {
                        "it is not reached: see `echo_probe mesh doctor`".to_owned()
                    }
                })
            });
            let wanted: BTreeSet<NodeId> =
                self.files.wanted().filter(|node| neighbours.best(node).is_none()).collect();
            if self.places.ask_for(now, wanted) {
                self.places_due = now;
            }
        }
        while let Some(act) = self.files.act() {
            match act {
                Act::Say(link, say) => {
                    let (binary, bytes) = Wire::File(say).encode();
                    self.out(Output::Send { link, stream: Stream::Bulk, binary, bytes });
                }
                Act::Piece(link, bytes) => {
                    self.out(Output::Send { link, stream: Stream::Bulk, binary: true, bytes });
                }
                Act::Job(job) => self.out(Output::File(job)),
                Act::Shut(link, why) => self.out_of_turn(now, link, why),
            }
        }
    }

    fn out_of_turn(&mut self, now: Timestamp, link: Link, why: String) {
        let Some(node) = self.neighbours.get(link).map(|neighbour| neighbour.node) else { return };
        self.disconnect(now, link, &why);
        self.shun(now, node);
        self.event(Event::OutOfTurn { node, why });
    }
}
