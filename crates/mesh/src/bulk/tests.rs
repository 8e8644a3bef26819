mod arrives;
mod refused;

use std::collections::{BTreeMap, VecDeque};

use echo_core::{Digest, Timestamp};
use trust::Envelope;

use super::*;
use crate::{
    Link, NodeId,
    room::after,
    test_house::{House, Node, at},
};

/// A transfer's name.
fn id(number: u8) -> TransferId {
    TransferId([number; 16])
}

/// Bytes that differ from place to place.
fn content(size: u64) -> Vec<u8> {
    (0..size).map(|i| u8::try_from((i / CHUNK + i) % 251).unwrap()).collect()
}

/// A node's transfers with what is on its disk and what its shell has to do.
struct End {
    node: Node,
    transfers: Transfers,
    jobs: VecDeque<FileJob>,
    /// Files to send, which outlive a restart.
    outbox: BTreeMap<TransferId, (Sending, Vec<u8>)>,
    ended: Vec<(TransferId, Closing)>,
    parts: BTreeMap<PartKey, (Offer, Vec<u8>)>,
    records: BTreeMap<PartKey, Box<Envelope>>,
    delivered: Vec<(FileName, Vec<u8>)>,
    /// What the disk says to whoever opens or writes.
    ill: Option<Code>,
    /// What the disk says to whoever delivers.
    damaged: u32,
}

impl End {
    fn new(node: Node) -> Self {
        Self {
            transfers: Transfers::new(node.id(), node.key.clone()),
            node,
            jobs: VecDeque::new(),
            outbox: BTreeMap::new(),
            ended: Vec::new(),
            parts: BTreeMap::new(),
            records: BTreeMap::new(),
            delivered: Vec::new(),
            ill: None,
            damaged: 0,
        }
    }

    /// Does the oldest job, as a disk would.
    fn work(&mut self) -> Option<FileDone> {
        match self.jobs.pop_front()? {
            FileJob::Read { number, id, offset, bytes } => {
                assert!(bytes <= PIECE);
                let (from, to) = (usize::try_from(offset).unwrap(), usize::try_from(offset + bytes).unwrap());
                let result = match self.outbox.get(&id) {
                    Some((_, content)) => Ok(content[from..to].to_vec()),
                    None => Err("it is gone".to_owned()),
                };
                Some(FileDone::Read { number, id, result })
            }
            FileJob::End { id, how } => {
                self.outbox.remove(&id);
                self.ended.push((id, how));
                None
            }
            FileJob::Open { number, from, offer } => {
                let part = PartKey { from, id: offer.id };
                Some(FileDone::Opened { number, part, result: self.open(part, offer) })
            }
            FileJob::Write { number, part, offset, bytes } => {
                assert!(u64::try_from(bytes.len()).unwrap() <= WINDOW, "more than the credit is in memory");
                let result = self.well().map(|()| {
                    let (_, there) = self.parts.get_mut(&part).unwrap();
                    assert_eq!(u64::try_from(there.len()), Ok(offset));
                    there.extend(bytes);
                });
                Some(FileDone::Done { number, part, result })
            }
            FileJob::Deliver { number, part, receipt } => {
                Some(FileDone::Done { number, part, result: self.deliver(part, receipt) })
            }
            FileJob::Drop { number, part } => {
                self.parts.remove(&part);
                Some(FileDone::Done { number, part, result: Ok(()) })
            }
            FileJob::Close { .. } => None,
        }
    }

    fn well(&self) -> Result<(), Declined> {
        self.ill.map_or(Ok(()), |code| Err(Declined::new(code, "the disk says so")))
    }

    fn open(&mut self, part: PartKey, offer: Offer) -> Result<Opened, Declined> {
        self.well()?;
        if let Some(receipt) = self.records.get(&part) {
            return Ok(Opened::Kept(receipt.clone()));
        }
        let size = offer.size;
        let (_, there) = self.parts.entry(part).or_insert((offer, Vec::new()));
        let length = u64::try_from(there.len()).unwrap();
        if length != size {
            there.truncate(usize::try_from(length / CHUNK * CHUNK).unwrap());
        }
        Ok(Opened::At(u64::try_from(there.len()).unwrap()))
    }

    fn deliver(&mut self, part: PartKey, receipt: Box<Envelope>) -> Result<(), Declined> {
        let (offer, bytes) = self.parts.remove(&part).unwrap();
        if self.damaged > 0 || Digest::of(&bytes) != offer.digest {
            self.damaged = self.damaged.saturating_sub(1);
            return Err(Declined::new(Code::Broken, "another digest"));
        }
        self.records.insert(part, receipt);
        self.delivered.push((offer.name, bytes));
        Ok(())
    }

    /// The program ends and starts again: what was on the disk is there.
    fn restart(&mut self, now: Timestamp) {
        self.transfers = Transfers::new(self.node.id(), self.node.key.clone());
        self.jobs.clear();
        for (sending, _) in self.outbox.values() {
            self.transfers.send(now, sending.clone());
        }
    }
}

/// A sender (0) and a receiver (1), and what is on its way between them.
struct Pair {
    ends: [End; 2],
    ways: [VecDeque<Act>; 2],
    link: Option<Link>,
    links: u64,
    now: Timestamp,
    shut: Vec<String>,
}

impl Pair {
    fn new() -> Self {
        let house = House::new();
        let ends = [End::new(house.node(50, Some(1))), End::new(house.node(51, Some(1)))];
        let mut pair = Self {
            ends,
            ways: Default::default(),
            link: None,
            links: 0,
            now: at("2027-05-10"),
            shut: Vec::new(),
        };
        pair.join();
        pair
    }

    fn ids(&self) -> [NodeId; 2] {
        [self.ends[0].node.id(), self.ends[1].node.id()]
    }

    fn join(&mut self) {
        self.links += 1;
        self.link = Some(Link(self.links));
        for nth in 0..2 {
            self.ends[nth].transfers.linked(self.now);
            self.collect(nth);
        }
    }

    fn cut(&mut self) {
        self.ways = Default::default();
        if let Some(link) = self.link.take() {
            for nth in 0..2 {
                self.ends[nth].transfers.unlinked(self.now, link);
                self.collect(nth);
            }
        }
    }

    fn restart(&mut self, nth: usize) {
        self.cut();
        let now = self.now;
        self.ends[nth].restart(now);
        self.collect(nth);
    }

    fn send(&mut self, number: u8, size: u64) -> Offer {
        let content = content(size);
        let name: FileName = format!("file {number}.bin").parse().unwrap();
        let offer = Offer { id: id(number), name, size, digest: Digest::of(&content) };
        self.send_as(&offer, content);
        offer
    }

    fn send_as(&mut self, offer: &Offer, content: Vec<u8>) {
        let sending = Sending { to: self.ids()[1], offer: offer.clone(), asked: self.now };
        self.ends[0].outbox.insert(offer.id, (sending.clone(), content));
        self.ends[0].transfers.send(self.now, sending);
        self.collect(0);
    }

    /// Takes what an end wants done.
    fn collect(&mut self, nth: usize) {
        let link = self.link;
        let end = &mut self.ends[nth];
        for _ in 0..2 {
            if end.transfers.deadline() <= self.now {
                end.transfers.pump(self.now, &mut |_| link.ok_or_else(|| "away".to_owned()));
            }
            while let Some(act) = end.transfers.act() {
                match act {
                    Act::Job(job) => end.jobs.push_back(job),
                    Act::Say(on, _) | Act::Piece(on, _) if Some(on) == link => self.ways[nth].push_back(act),
                    Act::Say(..) | Act::Piece(..) => {}
                    Act::Shut(_, why) => self.shut.push(why),
                }
            }
        }
        assert!(self.on_the_way() <= WINDOW, "more than a stream holds is on its way");
    }

    fn on_the_way(&self) -> u64 {
        let pieces = self.ways[0].iter().map(|act| match act {
            Act::Piece(_, bytes) => u64::try_from(bytes.len()).unwrap() - 25,
            _ => 0,
        });
        pieces.sum()
    }

    /// The next message from `nth` arrives.
    fn arrive(&mut self, nth: usize) -> bool {
        let (Some(act), from, to) = (self.ways[nth].pop_front(), self.ids()[nth], 1 - nth) else {
            return false;
        };
        let transfers = &mut self.ends[to].transfers;
        match act {
            Act::Say(link, say) => transfers.said(self.now, link, from, say),
            Act::Piece(link, bytes) => {
                transfers.piece(self.now, link, from, &Chunk::decode(&bytes).unwrap());
            }
            Act::Job(_) | Act::Shut(..) => unreachable!("only messages are on their way"),
        }
        self.collect(to);
        true
    }

    fn work(&mut self, nth: usize) -> bool {
        let any = !self.ends[nth].jobs.is_empty();
        if let Some(done) = self.ends[nth].work() {
            self.ends[nth].transfers.done(self.now, done);
            self.collect(nth);
        }
        any
    }

    /// Everything that can happen happens. A link that one end shut comes back.
    fn settle(&mut self) {
        loop {
            let busy = (0..2).fold(false, |busy, nth| self.arrive(nth) | self.work(nth) | busy);
            if !std::mem::take(&mut self.shut).is_empty() {
                self.cut();
                self.join();
            } else if !busy {
                return;
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now = after(self.now, time);
        (0..2).for_each(|nth| self.collect(nth));
    }

    /// How the transfer ended at the sender, with a receipt that was verified.
    fn outcome(&self, number: u8) -> Option<Result<FileReceipt, String>> {
        let [sender, receiver] = self.ids();
        let (_, how) = self.ends[0].ended.iter().find(|(ended, _)| *ended == id(number))?;
        Some(match how {
            Closing::Delivered(receipt) => Ok(FileReceipt::verify(receipt, &sender, &receiver).unwrap()),
            Closing::Failed(why) => Err(why.clone()),
            Closing::Cancelled => Err("cancelled".to_owned()),
        })
    }

    fn view(&self, nth: usize) -> TransferView {
        self.ends[nth].transfers.views(self.now).remove(0)
    }
}
