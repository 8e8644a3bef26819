//! What liars and strangers do.

use mesh::{
    Link, NodeId, Realm, SessionId, Stream, Wire,
    presence::{Offering, PresenceRecord},
    signal::Offer,
};
use rand::RngExt as _;
use trust::{Envelope, KeyPair};

use crate::{
    host::Kind,
    house::lasting,
    network::end,
    world::{Happening, SECOND, World},
};

/// How much is remembered to be replayed.
const MOST: usize = 200;

/// What was overheard.
#[derive(Default)]
pub(crate) struct Loot {
    messages: Vec<(Stream, bool, Vec<u8>)>,
    offers: Vec<Vec<u8>>,
}

impl Loot {
    pub(crate) fn take(&mut self, stream: Stream, binary: bool, bytes: &[u8]) {
        if self.messages.len() >= MOST {
            self.messages.remove(0);
        }
        self.messages.push((stream, binary, bytes.to_vec()));
    }

    pub(crate) fn offer(&mut self, bytes: &[u8]) {
        if self.offers.len() >= MOST {
            self.offers.remove(0);
        }
        self.offers.push(bytes.to_vec());
    }
}

impl World {
    pub(crate) fn mischief(&mut self, host: usize) {
        if !self.wild {
            return;
        }
        match self.hosts[host].kind {
            Kind::Liar => self.lie(host),
            Kind::Stranger => self.knock(host),
            Kind::Honest | Kind::Revoked => {}
        }
    }

    /// An admitted node says what is not so.
    fn lie(&mut self, host: usize) {
        let links: Vec<(Link, usize)> = self
            .network
            .of(host)
            .into_iter()
            .filter_map(|name| {
                let wire = self.network.get(name)?;
                let side = usize::from(wire.hosts[1] == host);
                Some((end(name, side), wire.hosts[1 - side]))
            })
            .collect();
        let Some(&(link, _)) = links.get(self.rng.random_range(0..links.len().max(1))) else { return };
        match self.rng.random_range(0..6) {
            0 => {
                let noise: Vec<u8> = (0..200).map(|_| self.rng.random()).collect();
                let binary = self.rng.random_bool(0.5);
                self.slip(host, link, Stream::Control, binary, noise);
            }
            1 => {
                for _ in 0..20 {
                    if let Some((stream, binary, mut bytes)) = self.overheard() {
                        let at = self.rng.random_range(0..bytes.len().max(1));
                        if let Some(byte) = bytes.get_mut(at) {
                            *byte ^= 1 << self.rng.random_range(0..8);
                        }
                        self.slip(host, link, stream, binary, bytes);
                    }
                }
            }
            2 => {
                for _ in 0..20 {
                    if let Some((stream, binary, bytes)) = self.overheard() {
                        self.slip(host, link, stream, binary, bytes);
                    }
                }
            }
            3 | 4 => self.boast(host, link),
            _ => {
                let small = |(.., bytes): &&(Stream, bool, Vec<u8>)| bytes.len() < 300;
                let Some((stream, binary, bytes)) = self.loot.messages.iter().find(small).cloned() else {
                    return;
                };
                for _ in 0..6_000 {
                    self.slip(host, link, stream, binary, bytes.clone());
                }
                let name = self.hosts[host].name.clone();
                self.after(SECOND, Happening::Step(crate::chaos::Step::Start(host)));
                self.warnings.push_back(format!("{:.1} s: {name} floods", self.seconds()));
            }
        }
    }

    /// Says that it stands beside everybody and can do everything.
    fn boast(&mut self, host: usize, link: Link) {
        let machine = &self.hosts[host];
        let at = machine.clock(self.now);
        let realm = Realm::of(&machine.me.manifest);
        let neighbours: Vec<NodeId> = self.hosts.iter().map(crate::host::Host::id).take(32).collect();
        let record = PresenceRecord {
            node: machine.id(),
            realm: realm.tag(),
            seq: u64::try_from(at.as_millisecond()).unwrap_or(0) + 1_000,
            life: 7,
            at,
            until: crate::house::at(at.as_microsecond() + 3_600 * SECOND),
            capabilities: vec![Offering { skill: mesh::SETTLE.to_owned(), sku: None, price: None }],
            neighbours,
            certificate: machine.me.certificate.clone(),
        };
        let Ok(envelope) = record.sign(&machine.key) else { return };
        let (binary, bytes) = Wire::Message(mesh::Message::Presence { records: vec![envelope] }).encode();
        self.slip(host, link, Stream::Control, binary, bytes);
    }

    fn overheard(&mut self) -> Option<(Stream, bool, Vec<u8>)> {
        let count = self.loot.messages.len();
        (count > 0).then(|| self.loot.messages[self.rng.random_range(0..count)].clone())
    }

    /// Sends something that its node did not say.
    fn slip(&mut self, host: usize, link: Link, stream: Stream, binary: bool, bytes: Vec<u8>) {
        // A liar's shell is its own: it goes the same way as what its node says.
        self.send(host, link, stream, binary, bytes);
    }

    /// Somebody who was never let in tries again.
    fn knock(&mut self, host: usize) {
        let to = self.rng.random_range(0..self.hosts.len());
        let bytes = match self.rng.random_range(0..5) {
            0 => self.forged(host, to, None),
            1 => {
                // Another's papers, its own key.
                let other = self.rng.random_range(0..self.hosts.len());
                let stolen = self.hosts[other].me.certificate.clone();
                self.forged(host, to, Some(stolen))
            }
            2 => {
                // Papers that it signed itself.
                let machine = &self.hosts[host];
                let manifest = crate::house::manifest(&machine.key, "me", machine.customer, lasting());
                let own = manifest.certify(&machine.key).expect("the manifest is sound");
                self.forged(host, to, Some(own))
            }
            3 => {
                // Another's offer, again: to somebody who took it, or for whom it is not.
                let Some(offer) = self.stale_offer(to) else { return };
                offer
            }
            _ => {
                let Some(mut offer) = self.stale_offer(to) else { return };
                let at = self.rng.random_range(0..offer.len());
                offer[at] ^= 1 << self.rng.random_range(0..7);
                offer
            }
        };
        let place = self.hosts[to].name.clone();
        self.after(0, Happening::Offer { to, from: host, place, bytes, expected: None });
    }

    /// An offer that `to` has taken, or that was for another.
    fn stale_offer(&mut self, to: usize) -> Option<Vec<u8>> {
        let machine = &self.hosts[to];
        let stale = |bytes: &&Vec<u8>| {
            let Ok(signed) = mesh::Signed::read(bytes) else { return false };
            let Ok(payload) = signed.body.payload_unchecked() else { return false };
            let Ok(offer) = serde_json::from_slice::<Offer>(&payload) else { return false };
            machine.seen.contains(&offer.session) || offer.token != machine.me.token
        };
        let found: Vec<Vec<u8>> = self.loot.offers.iter().filter(stale).cloned().collect();
        (!found.is_empty()).then(|| found[self.rng.random_range(0..found.len())].clone())
    }

    fn forged(&mut self, host: usize, to: usize, papers: Option<Envelope>) -> Vec<u8> {
        let session = SessionId(self.rng.random());
        let machine = &self.hosts[host];
        let papers = papers.unwrap_or_else(|| machine.me.certificate.clone());
        let claimed = claimed(&papers).unwrap_or_else(|| machine.id());
        let offer = Offer {
            from: claimed,
            to: Some(self.hosts[to].id()),
            session,
            token: self.hosts[to].me.token.clone(),
            made: machine.clock(self.now),
            registry: 1,
            sdp: "v=0".to_owned(),
        };
        sign(&offer, &papers, &machine.key)
    }
}

fn sign(offer: &Offer, papers: &Envelope, key: &KeyPair) -> Vec<u8> {
    offer.sign(papers, key).expect("a short offer fits").to_json()
}

fn claimed(papers: &Envelope) -> Option<NodeId> {
    let manifest: trust::NodeManifest = serde_json::from_slice(&papers.payload_unchecked().ok()?).ok()?;
    Some(NodeId::of(&manifest.public_key))
}
