//! The sending half.

use std::ops::Bound;

use echo_core::Timestamp;

use super::{Act, Transfers};
use crate::{
    FileReceipt, Link, NodeId,
    bulk::{
        Closing, FileJob, MAX_BESIDE, MAX_TO_SEND, MAX_UNDER_WAY, Say, Sending, TransferId, WINDOW,
        outgoing::{Outgoing, State, impossible},
    },
    room::after,
};

/// Where nobody is to be asked, it is looked again after this.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_secs(30);

impl Transfers {
    /// Takes a file to send.
    pub(crate) fn send(&mut self, now: Timestamp, sending: Sending) {
        let id = sending.offer.id;
        if self.out.contains_key(&id) {
            return;
        }
        let full = (self.out.len() >= MAX_TO_SEND)
            .then(|| format!("{MAX_TO_SEND} files wait already, which is the most: try again later"));
        if let Some(why) = impossible(&sending, &self.me).or(full) {
            return self.acts.push_back(Act::Job(FileJob::End { id, how: Closing::Failed(why) }));
        }
        self.out.insert(id, Outgoing::new(now, sending));
        self.due = now;
    }

    /// Asks receivers that can be asked, and reads what can be sent. `link` is the best link to a node, or why there is
    /// none.
    pub(crate) fn pump(&mut self, now: Timestamp, link: &mut dyn FnMut(&NodeId) -> Result<Link, String>) {
        self.look_after(now);
        self.ask(now, link);
        self.read_on();
        let waiting = self.out.values().map(Outgoing::deadline);
        let ends = self.drains.iter().map(|(_, _, until)| *until);
        // What could not begin now is looked at again when something happens, or after a while.
        let later = |at: Timestamp| if at <= now { after(now, LOOK_AGAIN) } else { at };
        self.due = waiting.chain(ends).map(later).min().unwrap_or(Timestamp::MAX);
    }

    /// Gives up what is hopeless, and breaks off what is silent.
    fn look_after(&mut self, now: Timestamp) {
        self.drains.retain(|(_, _, until)| now < *until);
        let ids: Vec<TransferId> = self.out.keys().copied().collect();
        for id in ids {
            let Some(transfer) = self.out.get_mut(&id) else { continue };
            if transfer.is_hopeless(now) {
                let why = format!("nothing of it could be sent for a week: {}", transfer.view(now).why);
                self.end(now, id, Closing::Failed(why), true);
            } else if transfer.is_stalled(now) {
                let (to, under_way) = (transfer.to, transfer.under_way());
                transfer.wait(now, "the receiver said nothing for a while");
                self.drain(now, to, under_way);
            }
        }
    }

    fn ask(&mut self, now: Timestamp, link: &mut dyn FnMut(&NodeId) -> Result<Link, String>) {
        let mut under_way = self.out.values().filter(|t| t.state != State::Waiting).count();
        let mut ready: Vec<(Timestamp, TransferId)> = self
            .out
            .iter()
            .filter(|(_, t)| t.state == State::Waiting && t.next <= now)
            .map(|(id, t)| (t.asked, *id))
            .collect();
        ready.sort_unstable();
        for (_, id) in ready {
            let Some(to) = self.out.get(&id).map(|transfer| transfer.to) else { continue };
            let beside = self.out.values().filter(|t| t.to == to && t.state != State::Waiting).count();
            let found = match link(&to) {
                Ok(_) if under_way >= MAX_UNDER_WAY || beside >= MAX_BESIDE => {
                    Err("other files are sent before it".to_owned())
                }
                found => found,
            };
            let Some(transfer) = self.out.get_mut(&id) else { continue };
            match found {
                Ok(link) => {
                    let say = transfer.ask(now, link);
                    self.say(link, say);
                    under_way += 1;
                }
                Err(why) => transfer.wait(transfer.next, &why),
            }
        }
    }

    /// Reads for each transfer in turn, as far as there is room on the way to its receiver.
    fn read_on(&mut self) {
        let mut ids: Vec<TransferId> =
            self.out.range((Bound::Excluded(self.turn), Bound::Unbounded)).map(|(id, _)| *id).collect();
        ids.extend(self.out.range(..=self.turn).map(|(id, _)| *id));
        for id in ids {
            let Some(transfer) = self.out.get(&id).filter(|t| t.next_read(WINDOW).is_some()) else {
                continue;
            };
            let room = WINDOW.saturating_sub(self.under_way(&transfer.to));
            let Some((offset, bytes)) = transfer.next_read(room) else { continue };
            let number = self.number();
            if let Some(transfer) = self.out.get_mut(&id) {
                transfer.begin_read(number, bytes);
            }
            self.turn = id;
            self.acts.push_back(Act::Job(FileJob::Read { number, id, offset, bytes }));
        }
    }

    /// What is on its way to a node and not durable there.
    fn under_way(&self, to: &NodeId) -> u64 {
        let moving = self.out.values().filter(|t| t.to == *to).map(Outgoing::under_way);
        let drained = self.drains.iter().filter(|(node, _, _)| node == to).map(|(_, bytes, _)| *bytes);
        moving.chain(drained).sum()
    }

    /// A piece was read.
    pub(super) fn read(
        &mut self,
        now: Timestamp,
        number: u64,
        id: TransferId,
        result: Result<Vec<u8>, String>,
    ) {
        let Some(transfer) = self.out.get_mut(&id) else { return };
        let read = match result {
            Ok(bytes) => transfer.pieces(number, &bytes),
            Err(why) if transfer.waits_for(number) => Err(why),
            Err(_) => Ok(None),
        };
        match read {
            Ok(None) => {}
            Ok(Some((link, pieces))) => {
                self.acts.extend(pieces.iter().map(|piece| Act::Piece(link, piece.encode())));
                self.due = now;
            }
            Err(why) => self.end(now, id, Closing::Failed(why), true),
        }
    }

    /// A receiver answers.
    pub(super) fn answered(&mut self, now: Timestamp, link: Link, from: NodeId, say: Say) {
        let id = say.id();
        // Whoever answers late, or on a link that was replaced, is asked anew by itself.
        let Some(transfer) = self.out.get_mut(&id).filter(|t| t.to == from && t.link() == Some(link)) else {
            return;
        };
        self.due = now;
        let judged = match say {
            Say::Accept { from, upto, .. } => transfer.accepted(now, from, upto),
            // It may have been under way when this side asked anew.
            Say::Credit { .. } if matches!(transfer.state, State::Offered(_)) => Ok(()),
            Say::Credit { kept, upto, .. } => transfer.credited(now, kept, upto),
            Say::Refuse { declined, .. } => {
                let under_way = transfer.under_way();
                if let Some(how) = transfer.refused(now, &declined) {
                    self.end(now, id, how, false);
                } else {
                    self.drain(now, from, under_way);
                }
                Ok(())
            }
            Say::Kept { receipt, .. } => {
                let (offer, me) = (transfer.offer.clone(), self.me);
                match FileReceipt::verify(&receipt, &me, &from) {
                    Ok(said) if (said.id, said.digest, said.size) == (id, offer.digest, offer.size) => {
                        self.end(now, id, Closing::Delivered(receipt), false);
                        Ok(())
                    }
                    _ => Err("its receipt for a file does not hold"),
                }
            }
            Say::Offer { .. } | Say::Cancel { .. } => Ok(()),
        };
        if let Err(why) = judged {
            self.acts.push_back(Act::Shut(link, why.to_owned()));
        }
    }

    pub(super) fn cancel_sending(&mut self, now: Timestamp, id: TransferId) {
        if self.out.contains_key(&id) {
            self.end(now, id, Closing::Cancelled, true);
        }
    }

    fn end(&mut self, now: Timestamp, id: TransferId, how: Closing, tell: bool) {
        let Some(transfer) = self.out.remove(&id) else { return };
        if let Some(link) = transfer.known_on.filter(|_| tell) {
            self.say(link, Say::Cancel { id });
        }
        self.drain(now, transfer.to, transfer.under_way());
        self.due = now;
        self.acts.push_back(Act::Job(FileJob::End { id, how }));
    }
}
