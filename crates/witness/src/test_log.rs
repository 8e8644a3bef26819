//! A log in memory for the tests: every root and proof by RFC 6962, section 2.1, word for word.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use ledger::{leaf_hash, note};
use sha2::{Digest as _, Sha256};

use crate::Cosigner;

pub struct TestLog {
    origin: String,
    key: SigningKey,
    leaves: Vec<[u8; 32]>,
}

impl TestLog {
    /// A log of so many entries.
    pub fn of(size: u64) -> Self {
        Self::named("log.example/a", size)
    }

    pub fn named(origin: &str, size: u64) -> Self {
        let leaves = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        Self { origin: origin.to_owned(), key: SigningKey::from_bytes(&[77; 32]), leaves }
    }

    /// The same log with another history: entry 0 is another.
    pub fn forked(mut self) -> Self {
        self.leaves[0] = leaf_hash(b"forked");
        self
    }

    pub fn vkey(&self) -> String {
        ledger::vkey_of(&self.origin, &self.key.verifying_key())
    }

    pub fn root(&self, size: u64) -> [u8; 32] {
        mth(&self.leaves[..usize::try_from(size).unwrap()])
    }

    pub fn text(&self, size: u64) -> String {
        format!("{}\n{size}\n{}\n", self.origin, STANDARD.encode(self.root(size)))
    }

    /// The signed note of the log's first `size` entries.
    pub fn note(&self, size: u64) -> String {
        self.sign(&self.text(size))
    }

    /// Any text, signed by the log.
    pub fn sign(&self, text: &str) -> String {
        let id = Sha256::new()
            .chain_update(&self.origin)
            .chain_update([b'\n', 1])
            .chain_update(self.key.verifying_key().as_bytes())
            .finalize();
        let line = STANDARD.encode([&id[..4], &self.key.sign(text.as_bytes()).to_bytes()].concat());
        format!("{text}\n\u{2014} {} {line}\n", self.origin)
    }

    pub fn cosigned(&self, size: u64, witness: &Cosigner, at: u64) -> String {
        witness.cosign(note::split(&self.note(size)).unwrap().0, at)
    }

    /// PROOF(from, D[to]).
    pub fn consistency(&self, from: u64, to: u64) -> Vec<[u8; 32]> {
        let leaves = &self.leaves[..usize::try_from(to).unwrap()];
        if from == 0 { Vec::new() } else { subproof(usize::try_from(from).unwrap(), leaves, true) }
    }
}

fn mth(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [one] => *one,
        many => {
            let k = many.len().next_power_of_two() / 2;
            let (left, right) = (mth(&many[..k]), mth(&many[k..]));
            Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
        }
    }
}

fn subproof(m: usize, leaves: &[[u8; 32]], whole: bool) -> Vec<[u8; 32]> {
    let n = leaves.len();
    if m == n {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let k = n.next_power_of_two() / 2;
    let (mut proof, rest) = if m <= k {
        (subproof(m, &leaves[..k], whole), mth(&leaves[k..]))
    } else {
        (subproof(m - k, &leaves[k..], false), mth(&leaves[..k]))
    };
    proof.push(rest);
    proof
}
