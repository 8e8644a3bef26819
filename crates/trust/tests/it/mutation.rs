//! 3,000 times one changed byte, in every file that the crate keeps. Each change is noticed, or makes no
//! difference to what is read; none makes a reader panic. Which bytes make none is written out here and checked:
//!
//! - the keystore and an exported key: white space between the parts of the JSON for other white space; the case
//!   of a hexadecimal letter of a public key; in a time `t` or a space for `T`, `z` for `Z`, a comma for the point;
//! - the key file: the case of a hexadecimal letter; its line end for other white space;
//! - the trust chain: the key id of a signature beyond those that are needed, which then is a stranger's.

use std::{collections::BTreeMap, fs, ops::Range, path::Path};

use echo_core::{Entropy as _, SeededEntropy};
use tempfile::TempDir;
use trust::{
    KeyRecord, KeyRole, Keystore, TrustChain, Unlock,
    keystore::{KEY_FILE, KEYSTORE_FILE, Kdf, MIN_MEMORY_KIB, open_exported},
};
use zeroize::Zeroizing;

use crate::simulated;

const PHRASE: &str = "four words in a row";

/// One changed byte: where, what stood there, what stands there now.
type Change = (usize, u8, u8);

/// Changes `rounds` bytes of `good`, one at a time, and reads each time. The changes that made no difference.
fn without_effect<T: PartialEq>(
    rounds: usize,
    seed: u64,
    good: &[u8],
    mut read: impl FnMut(&[u8]) -> Option<T>,
) -> Vec<Change> {
    let expected = read(good).expect("the untouched file is read");
    let random = SeededEntropy::new(seed);
    let mut same = Vec::new();
    for _ in 0..rounds {
        let index = usize::try_from(u64::from_be_bytes(random.bytes()) % good.len() as u64).unwrap();
        let [with] = random.bytes::<1>();
        let mut bad = good.to_vec();
        bad[index] ^= with.max(1);
        match read(&bad) {
            None => {}
            Some(found) => {
                let shown =
                    String::from_utf8_lossy(&bad[index.saturating_sub(60)..bad.len().min(index + 60)]);
                assert!(found == expected, "an unnoticed change at byte {index}: {shown}");
                same.push((index, good[index], bad[index]));
            }
        }
    }
    same
}

/// All that a keystore says: each record with its secret, or its place.
type Read = Vec<(KeyRecord, Option<[u8; 32]>, Option<String>)>;

fn all_of(keys: &Keystore) -> Read {
    let part = |r: &KeyRecord| {
        (r.clone(), keys.key(&r.id).map(|k| *k.secret()), keys.away(&r.id).map(str::to_owned))
    };
    keys.records().iter().map(part).collect()
}

fn phrase() -> Unlock {
    Unlock::Passphrase(Zeroizing::new(PHRASE.to_owned()))
}

/// A keystore with every kind of record: active, retiring, revoked, with an end, and kept elsewhere.
fn house() -> (TempDir, Keystore, Vec<u8>) {
    let (_, mint) = simulated(4);
    let home = tempfile::tempdir().unwrap();
    let mut keys = Keystore::open_or_create(home.path(), &mint).unwrap();
    keys.set_kdf(Kdf::new(MIN_MEMORY_KIB, 1, 1).unwrap());
    keys.rotate(KeyRole::Receipts, Some(crate::days_after(mint.now(), 90)), &mint).unwrap();
    let session = keys.rotate(KeyRole::Session, None, &mint).unwrap();
    keys.withdraw(&session.id, true, &mint).unwrap();
    let root = keys.signer(KeyRole::Root).unwrap().id();
    let exported = keys.export_key(&root, PHRASE, &mint).unwrap();
    keys.remove(&exported, PHRASE, "the safe", &mint).unwrap();
    (home, keys, exported)
}

/// Replaces `path` in place; the test needs no durability.
fn put(path: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    fs::File::create(path).unwrap().write_all(bytes).unwrap();
}

/// The allowed changes of a keystore's or an exported key's bytes.
fn only_in_form(good: &[u8], same: &[Change]) {
    for (index, was, is) in same {
        let space = was.is_ascii_whitespace() && is.is_ascii_whitespace();
        let case = was.is_ascii_alphabetic() && was.eq_ignore_ascii_case(is);
        let time = matches!((*was, *is), (b'T', b' ') | (b'.', b','));
        let field = field_at(good, *index);
        let allowed = match field.as_str() {
            "public" => case,
            "created" | "expires" => case || time,
            _ => space,
        };
        assert!(allowed, "byte {index} of {field}: {} for {}", is.escape_ascii(), was.escape_ascii());
    }
}

/// The name of the field whose text value holds the byte at `index`; empty when the byte is between values.
fn field_at(json: &[u8], index: usize) -> String {
    let start = json[..index].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    let end = index + json[index..].iter().position(|b| *b == b'\n').unwrap_or(json.len() - index);
    let line = String::from_utf8_lossy(&json[start..end]).into_owned();
    match line.split_once("\": \"") {
        Some((name, _)) if index < end && index - start >= name.len() + 4 => {
            name.trim_start().trim_start_matches('"').to_owned()
        }
        _ => String::new(),
    }
}

#[test]
fn a_changed_byte_of_a_keystore_is_noticed() {
    let (home, mut keys, _) = house();
    let path = home.path().join(KEYSTORE_FILE);
    let (_, mint) = simulated(6);
    let rounds = [(Unlock::KeyFile, 800), (phrase(), 600)];
    for ((unlock, rounds), seed) in rounds.into_iter().zip(10..) {
        keys.protect(home.path(), &unlock, &mint).unwrap();
        let good = fs::read(&path).unwrap();
        let same = without_effect(rounds, seed, &good, |bytes| {
            put(&path, bytes);
            Keystore::open(home.path(), &unlock).ok().map(|keys| all_of(&keys))
        });
        only_in_form(&good, &same);
        put(&path, &good);
    }
}

#[test]
fn a_changed_byte_of_an_exported_key_is_noticed() {
    let (_home, _, exported) = house();
    let same = without_effect(400, 20, &exported, |bytes| {
        open_exported(bytes, PHRASE).ok().map(|(record, pair)| (record, *pair.secret()))
    });
    only_in_form(&exported, &same);
}

#[test]
fn a_changed_byte_of_the_key_file_is_noticed() {
    let (home, _, _) = house();
    let path = home.path().join(KEY_FILE);
    let good = fs::read(&path).unwrap();
    let same = without_effect(300, 30, &good, |bytes| {
        put(&path, bytes);
        Keystore::open(home.path(), &Unlock::KeyFile).ok().map(|keys| all_of(&keys))
    });
    for (index, was, is) in same {
        let space = was.is_ascii_whitespace() && is.is_ascii_whitespace();
        assert!(space || was.eq_ignore_ascii_case(&is), "byte {index}: {was} {is}");
    }
}

#[test]
fn a_changed_byte_of_the_trust_chain_is_noticed() {
    let (chain, now) = crate::rotation::chain();
    let good = chain.to_json();
    let pinned = chain.fingerprint();
    let same = without_effect(900, 40, &good, |bytes| {
        TrustChain::from_json(bytes).and_then(|read| read.verify(&pinned, now)).ok()
    });
    let spans = spans_of_key_ids(&good);
    for (index, was, is) in same {
        let found = spans.iter().find(|(_, span)| span.contains(&index)).map(|(signature, _)| *signature);
        assert!(found.is_some_and(|s| SPARE.contains(&s)), "byte {index}: {was} {is} ({found:?})");
    }
}

/// The signatures, by version and place, both from 0, one of which may be missing: all three new holders signed
/// version 2, where two are needed.
const SPARE: [(usize, usize); 3] = [(1, 1), (1, 2), (1, 3)];

/// Where each signature's key id stands, by version and signature, both from 0.
fn spans_of_key_ids(json: &[u8]) -> BTreeMap<(usize, usize), Range<usize>> {
    let text = std::str::from_utf8(json).unwrap();
    let mut spans = BTreeMap::new();
    for (version, (at, _)) in text.match_indices("\"signatures\"").enumerate() {
        let until = at + text[at..].find(']').unwrap();
        for (nth, (key, _)) in text[at..until].match_indices("\"keyid\":\"").enumerate() {
            let start = at + key + "\"keyid\":\"".len();
            spans.insert((version, nth), start..start + 32);
        }
    }
    spans
}
