//! How two machines connect: a signed offer, a signed answer, or a reason why not. The same checks as in the real shell.

use echo_core::Digest;
use mesh::{
    Input, Refusal, SessionId, Sighting, admit,
    signal::{self, Expected, Offer, Refused, check_answer, check_offer},
};
use rand::RngExt as _;

use crate::{
    host::Kind,
    network::end,
    world::{Happening, MILLI, SECOND, World},
};

/// What came of an offer.
pub(crate) struct Answered {
    /// Who offered.
    pub(crate) to: usize,
    /// Who answers.
    pub(crate) from: usize,
    pub(crate) place: String,
    pub(crate) result: Result<Vec<u8>, Refused>,
    pub(crate) expected: Expected,
    /// The incarnation of the one who answers.
    pub(crate) start: u64,
}

impl World {
    /// A node wants to connect.
    pub(crate) fn connect(&mut self, host: usize, sighting: Sighting) {
        let place = sighting.place;
        let there = self.host_at(&place);
        let silent = there.is_none_or(|to| self.hosts[to].node.is_none() || !self.network.reaches(host, to));
        let (true, Some(to)) = (!silent, there) else {
            return self.after(3 * SECOND, Happening::NoAnswer { host, place });
        };
        let delay = self.delay();
        if self.open_doors {
            return self
                .after(delay, Happening::Offer { to, from: host, place, bytes: Vec::new(), expected: None });
        }
        let session = SessionId(self.rng.random());
        let machine = &self.hosts[host];
        let offer = Offer {
            from: machine.id(),
            to: sighting.node,
            session,
            token: Some(place.clone()),
            made: machine.clock(self.now),
            registry: machine.trust.version(),
            sdp: format!("v=0 {}", machine.name),
        };
        let Ok(signed) = offer.sign(&machine.me.certificate, &machine.key) else { return };
        let expected = Expected { session, offer: signed.digest(), node: sighting.node };
        let bytes = signed.to_json();
        self.loot.offer(&bytes);
        self.after(delay, Happening::Offer { to, from: host, place, bytes, expected: Some(expected) });
    }

    /// An offer is at the door.
    pub(crate) fn offered(
        &mut self,
        to: usize,
        from: usize,
        place: String,
        bytes: &[u8],
        expected: Option<Expected>,
    ) {
        if self.hosts[to].node.is_none() {
            return self.after(3 * SECOND, Happening::NoAnswer { host: from, place });
        }
        if self.open_doors {
            self.join(from, to, place);
            return;
        }
        let clock = self.hosts[to].clock(self.now);
        let machine = &mut self.hosts[to];
        let checked = check_offer(bytes, &machine.trust, &machine.me, clock, &mut machine.seen);
        match (checked, expected) {
            (Ok((admitted, offer, _)), None) => {
                let name = &self.hosts[from].name;
                self.faults.push(format!(
                    "{name}, a stranger, was let in as {:?} ({:?})",
                    admitted.node, offer.session
                ));
            }
            (Err(_), None) => self.turned_away += 1,
            (Ok((_, offer, digest)), Some(expected)) => {
                let result = Ok(self.answer(to, &offer, digest));
                self.reply(Answered {
                    to: from,
                    from: to,
                    place,
                    result,
                    expected,
                    start: self.hosts[to].starts,
                });
            }
            (Err(refusal), Some(expected)) => {
                self.refused(to, &self.hosts[from].name.clone(), &refusal);
                let refused = Refused::of(expected.session, &refusal, self.hosts[to].trust.version());
                let start = self.hosts[to].starts;
                self.reply(Answered { to: from, from: to, place, result: Err(refused), expected, start });
            }
        }
    }

    fn answer(&self, host: usize, offer: &Offer, digest: Digest) -> Vec<u8> {
        let machine = &self.hosts[host];
        let answer = signal::Answer {
            from: machine.id(),
            to: offer.from,
            session: offer.session,
            offer: digest,
            made: machine.clock(self.now),
            sdp: format!("v=0 {}", machine.name),
        };
        answer.sign(&machine.me.certificate, &machine.key).expect("a short answer fits").to_json()
    }

    fn reply(&mut self, answered: Answered) {
        let delay = self.delay();
        self.after(delay, Happening::Answer(Box::new(answered)));
    }

    /// An answer is there.
    pub(crate) fn answered(&mut self, answered: Answered) {
        let Answered { to, from, place, result, expected, start } = answered;
        if self.hosts[to].node.is_none() {
            return;
        }
        match result {
            Ok(bytes) => {
                let machine = &self.hosts[to];
                let clock = machine.clock(self.now);
                match check_answer(&bytes, &machine.trust, &machine.me, clock, &expected) {
                    Ok(_) if self.hosts[from].starts == start => self.join(to, from, place),
                    Ok(_) => self.tell(to, Input::Attempted { place, found: None }),
                    Err(refusal) => {
                        self.refused(to, &place, &refusal);
                        self.tell(to, Input::Attempted { place, found: None });
                    }
                }
            }
            Err(refused) => {
                self.turned_away += 1;
                let (code, reason) = (refused.code, refused.reason);
                self.tell(to, Input::Refused { who: None, place: place.clone(), code, reason });
                self.tell(to, Input::Attempted { place, found: None });
            }
        }
    }

    fn refused(&mut self, host: usize, place: &str, refusal: &Refusal) {
        let (code, reason) = (refusal.code().to_owned(), refusal.to_string());
        self.tell(host, Input::Refused { who: None, place: place.to_owned(), code, reason });
    }

    /// Both have let one another in: the link is up, unless there is one already.
    fn join(&mut self, from: usize, to: usize, place: String) {
        let found = Some(self.hosts[to].id());
        if self.network.between(from, to).is_none() && self.network.reaches(from, to) {
            let starts = [self.hosts[from].starts, self.hosts[to].starts];
            let delay = self.delay();
            let wire = self.network.connect([from, to], starts, self.now, delay);
            for (side, host, other) in [(0, from, to), (1, to, from)] {
                let me = self.hosts[other].me.clone();
                let up = Input::Up {
                    link: end(wire, side),
                    manifest: Box::new(me.manifest),
                    certificate: Box::new(me.certificate),
                };
                self.tell(host, up);
                let rtt_micros = u64::try_from(delay * 2).unwrap_or(0);
                self.tell(host, Input::Measured { link: end(wire, side), rtt_micros, relayed: false });
            }
        }
        self.judge_door(from, to);
        self.tell(from, Input::Attempted { place, found });
    }

    /// Nobody may come in who may not. What was learned between the check of an offer and now, the node itself has heeded
    /// when the link came up.
    fn judge_door(&mut self, a: usize, b: usize) {
        if self.open_doors || self.network.between(a, b).is_none() {
            return;
        }
        for (host, other) in [(a, b), (b, a)] {
            let (host, other) = (&self.hosts[host], &self.hosts[other]);
            let clock = host.clock(self.now);
            let verdict = admit(&other.me.certificate, &host.trust, &host.me.manifest, clock);
            let strangers = host.kind == Kind::Stranger || other.kind == Kind::Stranger;
            let apart =
                host.customer.is_some() && other.customer.is_some() && host.customer != other.customer;
            if verdict.is_err() || strangers || apart {
                self.faults.push(format!("{} and {} are linked: {verdict:?}", host.name, other.name));
            }
        }
    }

    pub(crate) fn delay(&mut self) -> i64 {
        self.rng.random_range(500..40 * MILLI)
    }
}
