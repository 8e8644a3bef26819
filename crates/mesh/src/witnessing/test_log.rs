//! A ledger in memory for the tests: roots and proofs by RFC 6962, section 2.1.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use echo_core::Digest;
use ed25519_dalek::{Signer as _, SigningKey};
use ledger::leaf_hash;
use trust::KeyRole;

use crate::test_house::{GENESIS, House};

pub(crate) struct TestLog {
    key: SigningKey,
    leaves: Vec<[u8; 32]>,
    pub(crate) size: u64,
}

impl TestLog {
    /// The house's genesis ledger with so many entries of at most a hundred.
    pub(crate) fn of(house: &House, size: u64) -> Self {
        let key = SigningKey::from_bytes(&house.key(KeyRole::GenesisLedger).secret());
        Self { key, leaves: (0..100_u64).map(|n| leaf_hash(&n.to_be_bytes())).collect(), size }
    }

    /// The same with another history from entry `at` on.
    pub(crate) fn forked(mut self, at: usize) -> Self {
        self.leaves[at] = leaf_hash(b"forked");
        self
    }

    /// Signed by another key.
    pub(crate) fn forged(mut self) -> Self {
        self.key = SigningKey::from_bytes(&[99; 32]);
        self
    }

    /// The signed note of the first `size` entries.
    pub(crate) fn note(&self, size: u64) -> String {
        let root = mth(&self.leaves[..usize::try_from(size).unwrap()]);
        let text = format!("{GENESIS}\n{size}\n{}\n", STANDARD.encode(root));
        let vkey: ledger::note::Vkey = ledger::vkey_of(GENESIS, &self.key.verifying_key()).parse().unwrap();
        let line = STANDARD.encode([&vkey.id()[..], &self.key.sign(text.as_bytes()).to_bytes()].concat());
        format!("{text}\n\u{2014} {GENESIS} {line}\n")
    }

    /// The newest.
    pub(crate) fn head(&self) -> String {
        self.note(self.size)
    }

    /// PROOF(from, D[to]).
    pub(crate) fn consistency(&self, from: u64, to: u64) -> Vec<[u8; 32]> {
        let leaves = &self.leaves[..usize::try_from(to).unwrap()];
        subproof(usize::try_from(from).unwrap(), leaves, true)
    }
}

fn mth(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Digest::of(b"").0,
        [one] => *one,
        many => {
            let (left, right) = many.split_at(many.len().next_power_of_two() / 2);
            Digest::of(&[&[1_u8][..], &mth(left), &mth(right)].concat()).0
        }
    }
}

fn subproof(m: usize, leaves: &[[u8; 32]], whole: bool) -> Vec<[u8; 32]> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut proof, rest) = if m <= k {
        (subproof(m, &leaves[..k], whole), mth(&leaves[k..]))
    } else {
        (subproof(m - k, &leaves[k..], false), mth(&leaves[..k]))
    };
    proof.push(rest);
    proof
}
