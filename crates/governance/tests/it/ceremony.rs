//! A root of three holders, each with a machine of their own, over three rotations: handed over, one key lost, one
//! stolen. All that travels are files.

use governance::{Ceremony, Plan, Progress, Rotation, RotationKind, Stage, Wish};
use trust::{
    KeyPair, KeyRole, TrustChain,
    keystore::{new_exported, open_exported},
};

use crate::world::{DAY, PHRASE, World, cheap, takes};

/// A holder's key, as a file on a machine of their own.
struct Holder(Vec<u8>);

impl Holder {
    fn new(world: &World) -> Self {
        Self(new_exported(KeyRole::Root, PHRASE, cheap(), &world.mint).unwrap().1)
    }

    fn key(&self) -> KeyPair {
        open_exported(&self.0, PHRASE).unwrap().1
    }

    /// Signs a copy of the ceremony's file.
    fn sign(&self, file: &[u8]) -> Vec<u8> {
        let mut ceremony = Ceremony::from_json(file).unwrap();
        assert!(ceremony.sign(&self.key()).unwrap());
        assert!(!ceremony.sign(&self.key()).unwrap(), "twice counts once");
        ceremony.to_json()
    }
}

fn root_plan(kind: RotationKind, old: &[&Holder], new: &[&Holder], grace_days: i64) -> Plan {
    let wish = Wish {
        role: KeyRole::Root,
        old: old.iter().map(|h| h.key().id()).collect(),
        new: new.iter().map(|h| h.key().public()).collect(),
        threshold: Some(2),
    };
    let grace_seconds = grace_days * DAY;
    Plan { kind, wishes: vec![wish], reason: "ceremony".to_owned(), grace_seconds }
}

/// The file that waits for signatures.
fn waiting(world: &World, rotation: &Rotation) -> Vec<u8> {
    match world.run_with_crashes(rotation).0 {
        Progress::NeedsSignatures { ceremony, needs } => {
            assert!(needs.iter().any(|need| !need.is_met()));
            assert!(matches!(world.kept(rotation).stage, Stage::Published | Stage::Grace));
            std::fs::read(ceremony).unwrap()
        }
        other => panic!("{other:?}"),
    }
}

/// The holders sign copies on their machines; the copies are merged and brought back.
fn hold(world: &World, rotation: &Rotation, holders: &[&Holder]) -> Progress {
    let file = waiting(world, rotation);
    let copies: Vec<_> = holders.iter().map(|h| Ceremony::from_json(&h.sign(&file)).unwrap()).collect();
    let mut merged = Ceremony::from_json(&file).unwrap();
    for copy in &copies {
        merged.merge(copy).unwrap();
    }
    world.with(|house| house.gather(&merged)).unwrap();
    world.run_with_crashes(rotation).0
}

#[test]
fn three_root_rotations_with_a_lost_and_a_stolen_key() {
    let world = World::found();
    let sleeper = world.chain();
    let root = sleeper.fingerprint();
    let [ada, ben, cleo, dora, emil] = std::array::from_fn(|_| Holder::new(&world));

    // The founding key, which is at hand, hands over to three holders: they prove that they have their keys.
    let founding = world.signer(KeyRole::Root);
    let first = world.begin(root_plan(RotationKind::Scheduled, &[], &[&ada, &ben, &cleo], 7));
    assert!(matches!(hold(&world, &first, &[&ada, &cleo]), Progress::Waits { .. }));
    assert_eq!(world.registry().keys(KeyRole::Root).len(), 4);
    world.wait(7 * DAY);
    // The version without the founding key has its own root of two signatures.
    assert_eq!(hold(&world, &first, &[&ada, &ben]), Progress::Done);
    let registry = world.registry();
    assert_eq!((registry.version, registry.threshold(KeyRole::Root)), (3, Some(2)));
    assert!(takes(&registry, KeyRole::Root, &founding).is_err());

    // Ben's key is lost. Nobody else has it, so it is retired without a grace period.
    world.wait(100 * DAY);
    let second = world.begin(root_plan(RotationKind::Scheduled, &[&ben], &[&dora], 0));
    let file = waiting(&world, &second);
    let alone = Ceremony::from_json(&ada.sign(&file)).unwrap();
    world.with(|house| house.gather(&alone)).unwrap();
    assert!(
        matches!(world.run_with_crashes(&second).0, Progress::NeedsSignatures { .. }),
        "one is not enough"
    );
    assert_eq!(hold(&world, &second, &[&cleo]), Progress::Done);
    assert_eq!(world.registry().version, 4);

    // Dora's key is stolen.
    world.wait(50 * DAY);
    let third = world.begin(root_plan(RotationKind::Emergency, &[&dora], &[&emil], 0));
    assert_eq!(hold(&world, &third, &[&ada, &cleo]), Progress::Done);
    let registry = world.registry();
    assert_eq!((registry.version, registry.revoked.len()), (5, 1));

    // Somebody who knows version 1 alone follows to version 5; the fingerprint stays.
    let mut chain: TrustChain = sleeper;
    assert!(chain.advance(world.chain(), &root, world.now()).unwrap());
    assert_eq!(chain.newest().unwrap(), registry);
}

#[test]
fn what_is_wrong_with_a_ceremony_is_said() {
    let world = World::found();
    let [ada, ben, cleo, stranger] = std::array::from_fn(|_| Holder::new(&world));
    let mut plan = root_plan(RotationKind::Scheduled, &[], &[&ada, &ben, &cleo], 0);
    plan.wishes[0].threshold = Some(2);
    let rotation = world.begin(plan);
    let file = waiting(&world, &rotation);
    let mut ceremony = Ceremony::from_json(&file).unwrap();
    let refused = ceremony.sign(&stranger.key()).unwrap_err().to_string();
    assert!(refused.contains("neither"), "{refused}");

    let mut chain = world.chain();
    let refused = ceremony.finish(&mut chain).unwrap_err().to_string();
    assert!(refused.contains("0 of 2 needed signatures of the proposed root"), "{refused}");
    assert_eq!(chain, world.chain());

    let other_house = World::seeded(2);
    let other = other_house.with(|house| house.renewal()).unwrap();
    let refused = ceremony.merge(&other).unwrap_err().to_string();
    assert!(refused.contains("not copies of one ceremony"), "{refused}");
    let refused = ceremony.finish(&mut other_house.chain()).unwrap_err().to_string();
    assert!(refused.contains("another house"), "{refused}");

    // Another version came first: the proposal is made anew, and the copy of before is of no use.
    let renewal = world.with(|house| house.renewal()).unwrap();
    world.with(|house| house.finish(&renewal)).unwrap();
    let mut late = Ceremony::from_json(&ada.sign(&ben.sign(&file))).unwrap();
    assert!(late.is_complete());
    let refused = late.finish(&mut world.chain()).unwrap_err().to_string();
    assert!(refused.contains("begin another one"), "{refused}");
    let fresh = Ceremony::from_json(&waiting(&world, &rotation)).unwrap();
    assert_eq!(fresh.proposed().version, 3);
    assert!(late.merge(&fresh).is_err());
}

#[test]
fn signers_see_every_change() {
    let world = World::found();
    let [ada, ben, cleo] = std::array::from_fn(|_| Holder::new(&world));
    let rotation = world.begin(root_plan(RotationKind::Scheduled, &[], &[&ada, &ben, &cleo], 0));
    let lines = Ceremony::from_json(&waiting(&world, &rotation)).unwrap().changes().join("\n");
    let founding = world.signer(KeyRole::Root).id();
    for words in [
        "version: 1 -> 2".to_owned(),
        format!("+ root key: {}", ada.key().id()),
        format!("+ root key: {}", cleo.key().id()),
        format!("- root key: {founding}"),
        "root signatures needed: 1 -> 2".to_owned(),
        format!("+ retired: root key {founding}"),
    ] {
        assert!(lines.contains(&words), "{words} is not in\n{lines}");
    }
}

#[test]
fn a_renewal_changes_nothing_but_the_dates() {
    let world = World::found();
    world.wait(600 * DAY);
    let renewal = world.with(|house| house.renewal()).unwrap();
    assert_eq!(renewal.changes().len(), 3, "{:?}", renewal.changes());
    let before = world.registry();
    world.with(|house| house.finish(&renewal)).unwrap();
    let after = world.registry();
    assert!(after.expires > before.expires && after.roles == before.roles && after.root == before.root);
}
