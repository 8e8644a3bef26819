//! A house on disk, with a clock that the test moves.

use std::{path::Path, sync::Arc};

use echo_core::{ManualClock, Mint, SeededEntropy, Timestamp};
use governance::{House, Plan, Progress, Rotation, RotationKind, Wish};
use serde_json::json;
use tempfile::TempDir;
use trust::{
    Envelope, KeyPair, KeyRole, KeyState, Keystore, Registry, TrustChain, TrustError, Unlock,
    keystore::{Kdf, MIN_MEMORY_KIB},
};

pub const DAY: i64 = governance::DAY_SECONDS;
pub const KIND: &str = "application/vnd.echo.test+json";
pub const PHRASE: &str = "on paper in the safe";

pub struct World {
    pub clock: Arc<ManualClock>,
    pub mint: Mint,
    pub folder: TempDir,
}

impl World {
    /// A house with a key for each role, and version 1 of its registry.
    pub fn found() -> Self {
        Self::seeded(1)
    }

    pub fn seeded(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at("2027-01-01T00:00:00Z".parse().unwrap()));
        let mint = Mint::new(clock.clone(), Arc::new(SeededEntropy::new(seed)));
        let folder = tempfile::tempdir().unwrap();
        let keystore = Keystore::open_or_create(folder.path(), &mint).unwrap();
        let expires = later(mint.now(), 730 * DAY);
        let registry = Registry::founding(keystore.records(), mint.now(), expires);
        let root = keystore.signer(KeyRole::Root).unwrap();
        TrustChain::create(&registry, root).unwrap().save(folder.path()).unwrap();
        Self { clock, mint, folder }
    }

    pub fn home(&self) -> &Path {
        self.folder.path()
    }

    pub fn now(&self) -> Timestamp {
        self.mint.now()
    }

    pub fn wait(&self, seconds: i64) {
        self.clock.advance_millis(seconds * 1000);
    }

    pub fn keystore(&self) -> Keystore {
        let mut keystore = Keystore::open(self.home(), &Unlock::KeyFile).unwrap();
        keystore.set_kdf(cheap());
        keystore
    }

    pub fn chain(&self) -> TrustChain {
        TrustChain::load(self.home()).unwrap()
    }

    pub fn registry(&self) -> Registry {
        self.chain().newest().unwrap()
    }

    /// The key that signs in a role now.
    pub fn signer(&self, role: KeyRole) -> KeyPair {
        self.keystore().signer(role).unwrap().clone()
    }

    pub fn state(&self, key: &KeyPair) -> KeyState {
        self.keystore().records().iter().find(|r| r.id == key.id()).unwrap().state
    }

    /// Does something with a house that is opened anew from its files, as after a crash.
    pub fn with<T>(&self, act: impl FnOnce(&mut House<'_>) -> T) -> T {
        let mut keystore = self.keystore();
        let mut house = House::open(self.home(), &mut keystore, &self.mint).unwrap();
        act(&mut house)
    }

    pub fn begin(&self, plan: Plan) -> Rotation {
        self.with(|house| house.begin(plan)).unwrap()
    }

    /// Runs a rotation as far as it goes, with a crash after everything that lasts: keystore, chain and rotation are
    /// read from their files each time. How it ends, and how often it was cut off.
    pub fn run_with_crashes(&self, rotation: &Rotation) -> (Progress, usize) {
        for crashes in 0..100 {
            let progress = self.with(|house| {
                let mut rotation = house.rotation(&rotation.id).unwrap().unwrap();
                house.advance(&mut rotation).unwrap()
            });
            self.is_sound();
            if progress != Progress::Moved {
                return (progress, crashes);
            }
        }
        panic!("it goes round in circles");
    }

    /// The rotation as its file has it.
    pub fn kept(&self, rotation: &Rotation) -> Rotation {
        self.with(|house| house.rotation(&rotation.id)).unwrap().unwrap()
    }

    /// At no time is there a chain that does not verify or a second prepared key.
    fn is_sound(&self) {
        let chain = self.chain();
        chain.verify(&chain.fingerprint(), self.now()).unwrap();
        let keystore = self.keystore();
        for role in KeyRole::ALL {
            let count =
                |state| keystore.records().iter().filter(|r| r.role == role && r.state == state).count();
            // The root's keys may all be with keepers elsewhere.
            let active = if role == KeyRole::Root { 0..=1 } else { 1..=1 };
            assert!(count(KeyState::Prepared) <= 1 && active.contains(&count(KeyState::Active)), "{role}");
        }
    }
}

/// What a passphrase costs in tests.
pub fn cheap() -> Kdf {
    Kdf::new(MIN_MEMORY_KIB, 1, 1).unwrap()
}

pub fn later(at: Timestamp, seconds: i64) -> Timestamp {
    echo_core::clock::from_millis(at.as_millisecond() + seconds * 1000)
}

pub fn scheduled(role: KeyRole, grace_days: i64) -> Plan {
    Plan {
        kind: RotationKind::Scheduled,
        wishes: vec![Wish::simple(role)],
        reason: "yearly".to_owned(),
        grace_seconds: grace_days * DAY,
    }
}

pub fn signed(key: &KeyPair) -> Envelope {
    Envelope::sign(KIND, &json!({"n": 1}), &[key]).unwrap()
}

/// Whether a document that `key` signs today is taken.
pub fn takes(registry: &Registry, role: KeyRole, key: &KeyPair) -> Result<(), TrustError> {
    registry.verify::<serde_json::Value>(role, KIND, &signed(key)).map(drop)
}

/// Whether a document that `key` signed is taken that a ledger holds since `at`.
pub fn took(registry: &Registry, role: KeyRole, key: &KeyPair, at: Timestamp) -> Result<(), TrustError> {
    registry.verify_at::<serde_json::Value>(role, KIND, &signed(key), at).map(drop)
}
