//! The receiving half.

use echo_core::{Digest, Timestamp};

use super::{Act, Took, Transfers};
use crate::{
    Link, NodeId,
    bulk::{
        Chunk, Code, Declined, FileJob, MAX_BESIDE, MAX_FILE, MAX_UNDER_WAY, Offer, Opened, PartKey, Say,
        incoming::{Doing, Incoming, name},
    },
};

impl Transfers {
    /// A neighbour has a file.
    pub(super) fn offered(
        &mut self,
        now: Timestamp,
        link: Link,
        key: PartKey,
        called: &str,
        (size, digest): (u64, Digest),
    ) {
        let checked = match name(called) {
            Err(why) => Err(Declined::new(Code::Name, why)),
            Ok(_) if size > MAX_FILE => Err(Declined::new(
                Code::TooLarge,
                format!("it has {size} bytes, at most {MAX_FILE} are taken"),
            )),
            Ok(name) => Ok(Offer { id: key.id, name, size, digest }),
        };
        let taken = checked.and_then(|offer| self.admit(now, link, key, offer));
        match taken {
            Ok(()) => {}
            Err(declined) => self.say(link, Say::Refuse { id: key.id, declined }),
        }
    }

    fn admit(&mut self, now: Timestamp, link: Link, key: PartKey, offer: Offer) -> Result<(), Declined> {
        if let Some(part) = self.into.get_mut(&key) {
            if part.offer != offer {
                return Err(Declined::new(Code::Confused, "this transfer is of another file"));
            }
            part.stop();
            part.link = Some(link);
            if part.job.is_some() {
                part.again = true;
            } else {
                self.open(key);
            }
            return Ok(());
        }
        let beside = self.into.keys().filter(|other| other.from == key.from).count();
        if self.into.len() >= MAX_UNDER_WAY || beside >= MAX_BESIDE {
            return Err(Declined::new(Code::Busy, "too many files come in here already"));
        }
        self.into.insert(key, Incoming::new(now, link, offer));
        self.open(key);
        Ok(())
    }

    fn begin(&mut self, key: PartKey, doing: Doing) -> u64 {
        let number = self.number();
        if let Some(part) = self.into.get_mut(&key) {
            part.job = Some((number, doing));
        }
        number
    }

    fn open(&mut self, key: PartKey) {
        let number = self.begin(key, Doing::Open);
        let Some(part) = self.into.get_mut(&key) else { return };
        (part.again, part.unwanted) = (false, false);
        let job = FileJob::Open { number, from: key.from, offer: part.offer.clone() };
        self.acts.push_back(Act::Job(job));
    }

    /// A file is ready to be written, or was delivered before.
    pub(super) fn opened(
        &mut self,
        now: Timestamp,
        number: u64,
        key: PartKey,
        result: Result<Opened, Declined>,
    ) {
        let Some(part) = self.ended(number, key) else { return };
        // Whatever was offered meanwhile was offered for this.
        part.again = false;
        let (id, link) = (key.id, part.link);
        match (result, link) {
            (Ok(_), _) if part.unwanted => self.forget(key),
            (Ok(Opened::At(at)), Some(link)) => {
                let at = at.min(part.offer.size);
                let upto = part.opened(now, at);
                self.say(link, Say::Accept { id, from: at, upto });
                self.go_on(now, key);
            }
            (Ok(Opened::At(_)), None) => self.close(key),
            (Ok(Opened::Kept(receipt)), link) => {
                self.into.remove(&key);
                if let Some(link) = link {
                    self.say(link, Say::Kept { id, receipt });
                }
            }
            (Err(declined), link) => {
                self.into.remove(&key);
                if let Some(link) = link {
                    self.say(link, Say::Refuse { id, declined });
                }
            }
        }
    }

    /// A piece came.
    pub(crate) fn piece(&mut self, now: Timestamp, link: Link, from: NodeId, chunk: &Chunk) -> Took {
        let key = PartKey { from, id: chunk.id };
        let Some(part) = self.into.get_mut(&key).filter(|part| part.open && part.link == Some(link)) else {
            return Took::Unasked;
        };
        match part.take(chunk) {
            Ok(()) => self.go_on(now, key),
            Err(why) => self.acts.push_back(Act::Shut(link, why.to_owned())),
        }
        Took::Waited
    }

    /// Writes what arrived, or ends what is whole, when the shell is free.
    fn go_on(&mut self, now: Timestamp, key: PartKey) {
        let Some(part) = self.into.get_mut(&key).filter(|part| part.job.is_none()) else { return };
        if let Some((offset, bytes)) = part.take_unwritten() {
            let number = self.begin(key, Doing::Write(u64::try_from(bytes.len()).unwrap_or(u64::MAX)));
            return self.acts.push_back(Act::Job(FileJob::Write { number, part: key, offset, bytes }));
        }
        if !part.is_whole() {
            return;
        }
        part.open = false;
        match part.receipt_for(key.from, self.me, now).sign(&self.key).map(Box::new) {
            Ok(receipt) => {
                part.receipt = Some(receipt.clone());
                let number = self.begin(key, Doing::Deliver);
                self.acts.push_back(Act::Job(FileJob::Deliver { number, part: key, receipt }));
            }
            // A receipt is always within its bound; were it not, the file could not be proved to be delivered.
            Err(why) => self.fail(key, Declined::new(Code::Name, why.to_string())),
        }
    }

    /// The shell has written, delivered or dropped.
    pub(super) fn worked(&mut self, now: Timestamp, number: u64, key: PartKey, result: Result<(), Declined>) {
        let doing = self.into.get(&key).and_then(|part| part.job).map(|(_, doing)| doing);
        let (Some(doing), Some(part)) = (doing, self.ended(number, key)) else { return };
        let (id, link) = (key.id, part.link);
        match (doing, result) {
            (Doing::Deliver, Ok(())) => {
                let receipt = part.receipt.take();
                self.into.remove(&key);
                if let (Some(link), Some(receipt)) = (link, receipt) {
                    self.say(link, Say::Kept { id, receipt });
                }
            }
            (Doing::Drop, _) if part.again => self.open(key),
            (Doing::Drop, _) => drop(self.into.remove(&key)),
            _ if part.unwanted => self.forget(key),
            (_, _) if part.again => self.open(key),
            (_, Err(declined)) => self.fail(key, declined),
            (_, Ok(())) if link.is_none() => self.close(key),
            (Doing::Write(bytes), Ok(())) => {
                let (kept, upto) = part.wrote(now, bytes);
                if let Some(link) = link {
                    self.say(link, Say::Credit { id, kept, upto });
                }
                self.go_on(now, key);
            }
            (Doing::Open, Ok(())) => {}
        }
    }

    /// The job with this number is over. Nothing, when it is not the one that is under way.
    fn ended(&mut self, number: u64, key: PartKey) -> Option<&mut Incoming> {
        let part = self.into.get_mut(&key).filter(|part| part.job.is_some_and(|(job, _)| job == number))?;
        part.job = None;
        Some(part)
    }

    fn fail(&mut self, key: PartKey, declined: Declined) {
        let link = self.into.get(&key).and_then(|part| part.link);
        self.close(key);
        if let Some(link) = link {
            self.say(link, Say::Refuse { id: key.id, declined });
        }
    }

    /// Nothing comes for now.
    fn close(&mut self, key: PartKey) {
        self.into.remove(&key);
        self.acts.push_back(Act::Job(FileJob::Close { part: key }));
    }

    /// Its link is down.
    pub(super) fn cut(&mut self, key: PartKey) {
        let Some(part) = self.into.get_mut(&key) else { return };
        part.stop();
        (part.link, part.again) = (None, false);
        if part.job.is_none() {
            self.close(key);
        }
    }

    /// The shell is to forget what is there.
    fn forget(&mut self, key: PartKey) {
        let number = self.begin(key, Doing::Drop);
        if let Some(part) = self.into.get_mut(&key) {
            part.unwanted = false;
        }
        self.acts.push_back(Act::Job(FileJob::Drop { number, part: key }));
    }

    /// The sender wants it no more.
    pub(super) fn withdrawn(&mut self, now: Timestamp, link: Link, key: PartKey) {
        if !self.into.contains_key(&key) {
            // What was left of it before a restart, or while the link was down.
            let beside = self.into.keys().filter(|other| other.from == key.from).count();
            if self.into.len() >= MAX_UNDER_WAY || beside >= MAX_BESIDE {
                return;
            }
            let name = name("withdrawn").expect("a plain word is a name");
            let offer = Offer { id: key.id, name, size: 0, digest: Digest([0; 32]) };
            self.into.insert(key, Incoming::new(now, link, offer));
        }
        self.unwanted(key);
    }

    fn unwanted(&mut self, key: PartKey) {
        let Some(part) = self.into.get_mut(&key) else { return };
        part.stop();
        part.again = false;
        match part.job {
            None => self.forget(key),
            // What is being delivered is delivered; what is being dropped is dropped.
            Some((_, Doing::Deliver | Doing::Drop)) => {}
            Some(_) => part.unwanted = true,
        }
    }

    pub(super) fn cancel_receiving(&mut self, key: PartKey) {
        let Some(part) = self.into.get(&key) else { return };
        if matches!(part.job, Some((_, Doing::Deliver | Doing::Drop))) {
            return;
        }
        if let Some(link) = part.link {
            let declined = Declined::new(Code::Cancelled, "somebody there does not want it");
            self.say(link, Say::Refuse { id: key.id, declined });
        }
        self.unwanted(key);
    }
}
