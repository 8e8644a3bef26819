//! A house's root over a year and a half: an ordinary rotation to three holders, one with a lost key, one after
//! a theft; and the readers who follow it, or are led astray.

use std::sync::Arc;

use echo_core::{Digest, ManualClock, Mint, Timestamp};
use serde_json::json;
use tempfile::TempDir;
use trust::{
    Envelope, KeyPair, KeyRole, KeyState, Keystore, KeystoreError, Registry, Revocation, RoleKeys,
    TrustChain, TrustError,
    dsse::DsseError,
    keystore::{Kdf, MIN_MEMORY_KIB, open_exported},
};

use crate::{DAY, days_after, simulated};

const KIND: &str = "application/vnd.echo.test+json";
const PHRASE: &str = "on paper in the safe";
const VALID_DAYS: i64 = 365;

/// The operator's side: the keystore of the platform, and the chain that it publishes.
struct House {
    clock: Arc<ManualClock>,
    mint: Mint,
    _home: TempDir,
    keystore: Keystore,
    /// The founding root: exported, and taken out of the keystore.
    exported: Vec<u8>,
    chain: TrustChain,
}

impl House {
    fn found() -> Self {
        let (clock, mint) = simulated(1);
        let home = tempfile::tempdir().unwrap();
        let mut keystore = Keystore::open_or_create(home.path(), &mint).unwrap();
        keystore.set_kdf(Kdf::new(MIN_MEMORY_KIB, 1, 1).unwrap());
        let until = days_after(mint.now(), VALID_DAYS);
        let registry = Registry::founding(keystore.records(), mint.now(), until);
        let root = keystore.signer(KeyRole::Root).unwrap().clone();
        let chain = TrustChain::create(&registry, &root).unwrap();
        let exported = keystore.export_key(&root.id(), PHRASE, &mint).unwrap();
        keystore.remove(&exported, PHRASE, "the safe", &mint).unwrap();
        Self { clock, mint, _home: home, keystore, exported, chain }
    }

    fn now(&self) -> Timestamp {
        self.mint.now()
    }

    fn wait(&self, days: i64) {
        self.clock.advance_millis(days * DAY);
    }

    fn holder(&self) -> KeyPair {
        KeyPair::generate(self.mint.entropy())
    }

    /// The version after the newest, made now, with two of `holders` as its root.
    fn next(&self, holders: [&KeyPair; 3]) -> Registry {
        let newest = self.chain.newest().unwrap();
        let keys = holders.iter().map(|k| k.public()).collect();
        Registry {
            version: newest.version + 1,
            created: self.now(),
            expires: days_after(self.now(), VALID_DAYS),
            root: RoleKeys { keys, threshold: 2 },
            ..newest
        }
    }

    fn revocation(&self, key: &KeyPair) -> Revocation {
        Revocation { key: key.id(), at: self.now(), reason: "stolen".to_owned() }
    }
}

/// A reader: what it pinned, and what it knows.
#[derive(Clone)]
struct Reader {
    pinned: Digest,
    chain: TrustChain,
}

impl Reader {
    fn new(house: &House) -> Self {
        Self { pinned: house.chain.fingerprint(), chain: house.chain.clone() }
    }

    /// Takes what the house publishes; the version that then counts.
    fn take(&mut self, house: &House) -> Result<u64, TrustError> {
        let published = TrustChain::from_json(&house.chain.to_json()).unwrap();
        self.chain.advance(published, &self.pinned, house.now())?;
        Ok(self.chain.verify(&self.pinned, house.now())?.version)
    }
}

/// All that happened, step by step, and everybody who had a part in it.
struct Story {
    house: House,
    root: KeyPair,
    second: [KeyPair; 3],
    third: [KeyPair; 3],
    fourth: [KeyPair; 3],
    operators: [KeyPair; 3],
    /// The chain as it was published with each version.
    published: Vec<TrustChain>,
    /// Took every version as it came.
    walker: Reader,
    /// Saw version 1 alone.
    sleeper: Reader,
}

impl Story {
    fn tell() -> Self {
        let house = House::found();
        let (_, root) = open_exported(&house.exported, PHRASE).unwrap();
        let holders = || [house.holder(), house.holder(), house.holder()];
        let (second, third, fourth) = (holders(), holders(), holders());
        let operator = house.keystore.signer(KeyRole::Operator).unwrap().clone();
        let operators = [operator.clone(), operator.clone(), operator];
        let (walker, sleeper) = (Reader::new(&house), Reader::new(&house));
        let published = vec![house.chain.clone()];
        let mut story = Self { house, root, second, third, fourth, operators, published, walker, sleeper };
        story.hand_over();
        story.lose_a_key();
        story.answer_a_theft();
        story
    }

    /// Day 200: the founding root hands over to three holders.
    fn hand_over(&mut self) {
        self.house.wait(200);
        let root_is_away = self.house.keystore.signer(KeyRole::Root);
        assert!(matches!(root_is_away, Err(KeystoreError::Away { .. })));
        let [ada, ben, cleo] = &self.second;
        let next = self.house.next([ada, ben, cleo]);
        refused_by(&self.house.chain, &next, &[ada, ben, cleo], "the previous");
        refused_by(&self.house.chain, &next, &[&self.root, ada], "its own");
        // One signature more than is needed.
        self.house.chain.extend(&next, &[&self.root, ada, ben, cleo]).unwrap();
        self.publish(2);
    }

    /// Day 400: the second holder's key is lost; the other two hand over. The operator's key is replaced too.
    fn lose_a_key(&mut self) {
        self.house.wait(200);
        let (house, [ada, _lost, cleo], [dora, emil, finn]) = (&mut self.house, &self.second, &self.third);
        house.keystore.rotate(KeyRole::Operator, None, &house.mint).unwrap();
        self.operators[1] = house.keystore.signer(KeyRole::Operator).unwrap().clone();
        let mut next = house.next([dora, emil, finn]);
        next.roles.insert(KeyRole::Operator, RoleKeys::single(self.operators[1].public()));
        refused_by(&house.chain, &next, &[ada, dora, emil, finn], "the previous");
        refused_by(&house.chain, &next, &[ada, cleo, dora], "its own");
        house.chain.extend(&next, &[ada, cleo, dora, emil]).unwrap();
        self.publish(3);
    }

    /// Day 450: the second holder's key and the operator's are stolen; the other two hand over.
    fn answer_a_theft(&mut self) {
        self.house.wait(50);
        let (house, [dora, stolen, finn], [gil, hana, ivo]) = (&mut self.house, &self.third, &self.fourth);
        let thief = [house.holder(), house.holder(), house.holder()];
        let taken_over = house.next([&thief[0], &thief[1], &thief[2]]);
        refused_by(&house.chain, &taken_over, &[stolen, &thief[0], &thief[1]], "the previous");
        let operator = house.keystore.rotate(KeyRole::Operator, None, &house.mint).unwrap();
        house.keystore.withdraw(&self.operators[1].id(), true, &house.mint).unwrap();
        self.operators[2] = house.keystore.signer(KeyRole::Operator).unwrap().clone();
        let mut next = house.next([gil, hana, ivo]);
        next.roles.insert(KeyRole::Operator, RoleKeys::single(operator.public));
        next.revoked = vec![house.revocation(stolen), house.revocation(&self.operators[1])];
        refused_by(&house.chain, &next, &[stolen, gil, hana], "the previous");
        house.chain.extend(&next, &[dora, finn, gil, hana]).unwrap();
        self.publish(4);
    }

    fn publish(&mut self, version: u64) {
        self.published.push(self.house.chain.clone());
        assert_eq!(self.walker.take(&self.house).unwrap(), version);
    }
}

/// That `next` cannot be added with the signatures of `signers`, because of whose are missing.
fn refused_by(chain: &TrustChain, next: &Registry, signers: &[&KeyPair], missing: &str) {
    match chain.clone().extend(next, signers) {
        Err(TrustError::RootSignature { whose, source: DsseError::Unsigned, .. }) => {
            assert_eq!(whose, missing);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn old_readers_walk_the_chain_at_any_pace() {
    let Story { house, mut walker, mut sleeper, .. } = Story::tell();
    assert_eq!(walker.chain.versions().len(), 4);
    assert!(matches!(
        sleeper.chain.verify(&sleeper.pinned, house.now()),
        Err(TrustError::Expired { version: 1, .. })
    ));
    assert_eq!(sleeper.take(&house).unwrap(), 4, "versions 2 and 3 were skipped");
    assert_eq!((&sleeper.chain, walker.take(&house).unwrap()), (&walker.chain, 4));
    let newcomer = house.chain.verify(&sleeper.pinned, house.now()).unwrap();
    assert_eq!(newcomer, walker.chain.newest().unwrap());
}

#[test]
fn retired_and_revoked_roots_have_no_say() {
    let Story { house, root, second, third, fourth, operators, .. } = Story::tell();
    let ([dora, stolen, finn], [gil, hana, ivo]) = (&third, &fourth);
    let next = house.next([gil, hana, ivo]);
    let [ada, ben, cleo] = &second;
    for signers in [
        vec![&root],
        vec![ada, ben, cleo],
        vec![dora, stolen, finn],
        vec![&root, ada, ben, dora, stolen, gil],
    ] {
        refused_by(&house.chain, &next, &signers, "the previous");
    }
    // A revoked key that is listed again still counts for nothing.
    let back = house.next([gil, stolen, ivo]);
    refused_by(&house.chain, &back, &[gil, hana, stolen], "its own");
    let helpless = house.next([gil, stolen, &operators[1]]);
    match house.chain.clone().extend(&helpless, &[gil, hana, stolen]) {
        Err(TrustError::Unacceptable { version: 5, why }) => assert!(why.contains("revoked"), "{why}"),
        other => panic!("{other:?}"),
    }
    house.chain.clone().extend(&next, &[gil, ivo]).unwrap();
}

#[test]
fn retired_and_revoked_keys_sign_no_documents() {
    let Story { house, operators, published, .. } = Story::tell();
    let signed = |key: &KeyPair| Envelope::sign(KIND, &json!({"n": 1}), &[key]).unwrap();
    let read = |registry: &Registry, key: &KeyPair| {
        registry.verify::<serde_json::Value>(KeyRole::Operator, KIND, &signed(key))
    };
    let [retired, revoked, active] = &operators;
    let newest = house.chain.newest().unwrap();
    assert!(read(&newest, active).is_ok());
    assert!(matches!(
        read(&newest, retired),
        Err(TrustError::Signature { role: KeyRole::Operator, source: DsseError::Unsigned })
    ));
    match read(&newest, revoked) {
        Err(TrustError::Revoked { role: KeyRole::Operator, key, reason, .. }) => {
            assert_eq!((key, reason.as_str()), (revoked.id(), "stolen"));
        }
        other => panic!("{other:?}"),
    }
    let before = published[2].newest().unwrap();
    assert!(read(&before, revoked).is_ok(), "it counted until it was revoked");
    let state = |key: &KeyPair| house.keystore.records().iter().find(|r| r.id == key.id()).unwrap().state;
    assert_eq!(operators.each_ref().map(state), [KeyState::Retiring, KeyState::Revoked, KeyState::Active]);
}

#[test]
fn a_chain_that_is_set_back_is_noticed() {
    let Story { house, mut walker, published, .. } = Story::tell();
    let kept = walker.chain.clone();
    for (older, offered) in published[..3].iter().zip(1..) {
        match walker.chain.advance(older.clone(), &walker.pinned, house.now()) {
            Err(TrustError::RolledBack { known: 4, offered: found }) => assert_eq!(found, offered),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(walker.chain, kept, "a refusal changes nothing");
}

#[test]
fn a_second_history_is_noticed() {
    let Story { house, mut walker, published, third: [dora, emil, finn], .. } = Story::tell();
    // Signed with the stolen key and another one, as if the theft had never been noticed.
    let mut forked = published[2].clone();
    let mut next = house.next([&dora, &emil, &finn]);
    next.version = 4;
    next.revoked.clear();
    forked.extend(&next, &[&dora, &emil]).unwrap();
    next.version = 5;
    forked.extend(&next, &[&dora, &emil]).unwrap();
    assert!(forked.verify(&walker.pinned, house.now()).is_ok(), "on its own it looks right");
    let refused = walker.chain.advance(forked, &walker.pinned, house.now());
    assert!(matches!(refused, Err(TrustError::Forked { version: 4 })), "{refused:?}");
}

#[test]
fn a_chain_that_stands_still_is_noticed() {
    let Story { mut house, mut walker, mut sleeper, fourth: [gil, hana, ivo], .. } = Story::tell();
    house.wait(VALID_DAYS - 1);
    assert_eq!(walker.take(&house).unwrap(), 4);
    house.wait(1);
    for reader in [&mut walker, &mut sleeper] {
        let frozen = reader.take(&house);
        assert!(matches!(frozen, Err(TrustError::Expired { version: 4, .. })), "{frozen:?}");
    }
    assert_eq!(sleeper.chain.versions().len(), 1, "an expired chain is not taken up");
    let next = house.next([&gil, &hana, &ivo]);
    house.chain.extend(&next, &[&hana, &ivo]).unwrap();
    assert_eq!((walker.take(&house).unwrap(), sleeper.take(&house).unwrap()), (5, 5));
}

#[test]
fn another_root_s_chain_is_never_taken() {
    let Story { house, mut walker, .. } = Story::tell();
    let (_, mint) = simulated(2);
    let root = KeyPair::generate(mint.entropy());
    let mut registry = house.chain.newest().unwrap();
    registry.version = 1;
    registry.root = RoleKeys::single(root.public());
    let foreign = TrustChain::create(&registry, &root).unwrap();
    let refused = walker.chain.advance(foreign, &walker.pinned, house.now());
    assert!(matches!(refused, Err(TrustError::WrongRoot { .. })));
}

/// The chain of the whole story, for the tests of damaged files, and the time at its end.
pub(crate) fn chain() -> (TrustChain, Timestamp) {
    let story = Story::tell();
    (story.house.chain.clone(), story.house.now())
}
