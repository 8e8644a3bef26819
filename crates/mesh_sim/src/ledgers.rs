//! The operator's ledger: kept by the first machine, cosigned by its neighbours; in some stories its key signs two
//! histories.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use echo_core::Digest;
use ed25519_dalek::{Signer as _, SigningKey};
use ledger::{History, leaf_hash};
use mesh::{
    Input, Message, NodeId, Stream, Wire,
    witnessing::{Remembered, Word},
};
use rand::RngExt as _;
use witness::Request;

use crate::{
    host::Kind,
    network::end,
    world::{Happening, MILLI, World},
};

/// The ledger's origin line.
pub(crate) const ORIGIN: &str = "echo.test/sim";
/// The machine that keeps it.
const KEEPER: usize = 0;

/// All that was ever written, by the hashes of the entries.
pub(crate) struct Ledger {
    key: SigningKey,
    leaves: Vec<[u8; 32]>,
    /// The entries from which on another history was shown, with what was shown in its place.
    other: Vec<[u8; 32]>,
    /// The roots of each size that honest nodes cosigned, each with the node's customer.
    cosigned: BTreeMap<u64, Vec<(Option<u8>, Digest)>>,
    /// Honest nodes that may meet cosigned two roots of one size: there are two heads that prove the fork.
    pub(crate) provable: bool,
}

impl Ledger {
    pub(crate) fn new(seed: u64) -> Self {
        let mut secret = [0x1e; 32];
        secret[..8].copy_from_slice(&seed.to_be_bytes());
        Self {
            key: SigningKey::from_bytes(&secret),
            leaves: Vec::new(),
            other: Vec::new(),
            cosigned: BTreeMap::new(),
            provable: false,
        }
    }

    /// The verifier key, as a trust registry names it.
    pub(crate) fn vkey(&self) -> String {
        ledger::vkey_of(ORIGIN, &self.key.verifying_key())
    }

    fn grow(&mut self) {
        self.other.clone_from(&self.leaves);
        for leaves in [&mut self.leaves, &mut self.other] {
            leaves.push(leaf_hash(&leaves.len().to_be_bytes()));
        }
    }

    /// The history that others are shown has another last entry.
    fn fork(&mut self) {
        if let Some(last) = self.other.last_mut() {
            *last = leaf_hash(b"another");
        }
    }

    fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// The root of the first `size` entries of the one history.
    pub(crate) fn root(&self, size: u64) -> Option<[u8; 32]> {
        self.leaves.get(..usize::try_from(size).ok()?).map(root)
    }

    /// The signed head of a whole history.
    fn head(&self, leaves: &[[u8; 32]]) -> String {
        let text = format!("{ORIGIN}\n{}\n{}\n", leaves.len(), STANDARD.encode(root(leaves)));
        let vkey: ledger::note::Vkey = self.vkey().parse().expect("it was just written");
        let signature = self.key.sign(text.as_bytes()).to_bytes();
        let line = STANDARD.encode([vkey.id().as_slice(), signature.as_slice()].concat());
        format!("{text}\n\u{2014} {ORIGIN} {line}\n")
    }
}

/// MTH of RFC 6962, section 2.1.
fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    let mut history = History::default();
    for leaf in leaves {
        history.push(*leaf);
    }
    history.root()
}

/// PROOF(from, leaves) of RFC 6962, section 2.1.2; none where there is none.
fn consistency(leaves: &[[u8; 32]], from: u64) -> Option<Vec<[u8; 32]>> {
    let from = usize::try_from(from).ok().filter(|from| (1..=leaves.len()).contains(from))?;
    Some(subproof(from, leaves, true))
}

fn subproof(m: usize, leaves: &[[u8; 32]], whole: bool) -> Vec<[u8; 32]> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, rest) = if m <= left.len() {
        (subproof(m, left, whole), root(right))
    } else {
        (subproof(m - left.len(), right, false), root(left))
    };
    proof.push(rest);
    proof
}

impl World {
    /// An entry is written; in some stories half of the neighbours are shown another one in its place.
    pub(crate) fn write(&mut self, forked: bool) {
        if self.hosts[KEEPER].node.is_none() {
            return;
        }
        self.ledger.grow();
        if forked {
            self.ledger.fork();
            self.show_other();
        }
        self.own_head();
    }

    /// The machine that keeps the ledger tells its node the newest head.
    pub(crate) fn own_head(&mut self) {
        if self.ledger.size() > 0 {
            let head = self.ledger.head(&self.ledger.leaves);
            self.tell(KEEPER, Input::OwnHead(head));
        }
    }

    /// Some neighbours are asked to cosign the other history, as it goes on from what each cosigned last.
    fn show_other(&mut self) {
        for name in self.network.of(KEEPER) {
            let Some(wire) = self.network.get(name) else { continue };
            let side = usize::from(wire.hosts[1] == KEEPER);
            let to = wire.hosts[1 - side];
            if self.hosts[to].kind != Kind::Honest || self.rng.random_bool(0.5) {
                continue;
            }
            let old = self.hosts[to].disk.witnessed.as_ref().and_then(|kept| kept.head.as_ref());
            let old = old.map_or(0, |head| head.size);
            let checkpoint = self.ledger.head(&self.ledger.other);
            let Some(proof) =
                (if old == 0 { Some(Vec::new()) } else { consistency(&self.ledger.other, old) })
            else {
                continue;
            };
            let request = Request { old, proof, checkpoint }.render();
            let message = Message::Witness(Box::new(Word::Cosign { request }));
            let (stream, (binary, bytes)) = (message.stream(), Wire::Message(message).encode());
            debug_assert_eq!(stream, Stream::Rpc);
            self.shown_other = true;
            self.send(KEEPER, end(name, side), stream, binary, bytes);
        }
    }

    /// A node of the machine that keeps the ledger wants to know how it grew.
    pub(crate) fn prove(&mut self, host: usize, origin: String, from: u64, to: u64) {
        let whole = usize::try_from(to).ok().and_then(|to| self.ledger.leaves.get(..to));
        let proof = whole.and_then(|leaves| consistency(leaves, from));
        let (start, input) = (self.hosts[host].starts, Box::new(Input::Proven { origin, from, to, proof }));
        self.after(MILLI, Happening::Inside { host, start, input });
    }

    /// What a node remembers of the ledger is written: nothing that was cosigned may be taken back.
    pub(crate) fn witnessed(&mut self, host: usize, remembered: Remembered) {
        let machine = &mut self.hosts[host];
        let size = |kept: &Remembered| kept.head.as_ref().map_or(0, |head| head.size);
        let new = size(&remembered);
        let before = machine.disk.witnessed.as_ref();
        if before
            .is_some_and(|before| size(before) > new || before.fork.is_some() && remembered.fork.is_none())
        {
            self.faults.push(format!("{} takes back what it cosigned or proved", machine.name));
        }
        let origin = remembered.origin.clone();
        if let Some(head) = remembered.head.as_ref().filter(|_| machine.kind == Kind::Honest) {
            let (customer, of_size) = (machine.customer, self.ledger.cosigned.entry(new).or_default());
            // Two customers' nodes never meet: only through another machine of the operator would they learn of it.
            let meets = |other: Option<u8>| other == customer || other.is_none() || customer.is_none();
            self.ledger.provable |= of_size.iter().any(|(other, root)| *root != head.root && meets(*other));
            of_size.push((customer, head.root));
        }
        machine.disk.witnessed = Some(remembered);
        self.tell(host, Input::WitnessedKept { origin, size: new });
    }

    /// A cosignature arrived: it must be of a head that is on its maker's disk.
    pub(crate) fn cosigned(&mut self, from: NodeId, note: &str) {
        let size: u64 = note.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(u64::MAX);
        let Some(machine) = self.hosts.iter().find(|host| host.id() == from) else { return };
        let kept = machine.disk.witnessed.as_ref().and_then(|kept| kept.head.as_ref());
        if kept.is_none_or(|head| head.size < size) {
            self.faults.push(format!("{} cosigned {size} entries before that was durable", machine.name));
        }
        self.cosignatures += 1;
    }
}
