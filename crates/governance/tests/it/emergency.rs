//! Keys in wrong hands.

use governance::{Plan, Progress, RotationKind, Stage, Wish};
use trust::{KeyRole, KeyState, TrustError};

use crate::world::{World, takes, took};

fn emergency(roles: &[KeyRole]) -> Plan {
    Plan {
        kind: RotationKind::Emergency,
        wishes: roles.iter().copied().map(Wish::simple).collect(),
        reason: "laptop stolen".to_owned(),
        grace_seconds: 0,
    }
}

#[test]
fn a_stolen_key_counts_no_more_with_the_first_version() {
    for role in [KeyRole::Operator, KeyRole::Receipts, KeyRole::PlaybookAuthor, KeyRole::Root] {
        let world = World::found();
        let stolen = world.signer(role);
        let rotation = world.begin(emergency(&[role]));
        let (progress, crashes) = world.run_with_crashes(&rotation);
        assert!(progress == Progress::Done && crashes >= 8, "{role}: {progress:?} {crashes}");
        assert_eq!(world.kept(&rotation).stage, Stage::Done);
        let registry = world.registry();
        assert_eq!((registry.version, world.state(&stolen)), (2, KeyState::Revoked));
        takes(&registry, role, &world.signer(role)).unwrap();
        for refused in [takes(&registry, role, &stolen), took(&registry, role, &stolen, registry.created)] {
            match refused {
                Err(TrustError::Revoked { key, reason, .. }) => {
                    assert_eq!((key, reason.as_str()), (stolen.id(), "laptop stolen"));
                }
                other => panic!("{role}: {other:?}"),
            }
        }
    }
}

#[test]
fn several_stolen_keys_go_in_one_version() {
    let world = World::found();
    let roles = [KeyRole::Operator, KeyRole::Receipts, KeyRole::Root, KeyRole::Session];
    let rotation = world.begin(emergency(&roles));
    assert_eq!(world.run_with_crashes(&rotation).0, Progress::Done);
    let registry = world.registry();
    assert_eq!((registry.version, registry.revoked.len()), (2, roles.len()));
}

#[test]
fn the_key_of_a_retired_operator_may_be_revoked_later() {
    let world = World::found();
    let old = world.signer(KeyRole::Operator);
    let rotation = world.begin(crate::world::scheduled(KeyRole::Operator, 0));
    world.run_with_crashes(&rotation);
    let (before, signs) = (world.registry(), world.signer(KeyRole::Operator));
    took(&before, KeyRole::Operator, &old, before.created).unwrap();
    let mut plan = emergency(&[KeyRole::Operator]);
    plan.wishes[0].old = vec![old.id()];
    let found = world.begin(plan.clone());
    assert_eq!(world.run_with_crashes(&found).0, Progress::Done);
    let registry = world.registry();
    assert!(took(&registry, KeyRole::Operator, &old, before.created).is_err());
    assert_eq!((registry.version, world.state(&old)), (3, KeyState::Revoked));
    assert_eq!(world.signer(KeyRole::Operator).id(), signs.id(), "the key of today stays");
    assert_eq!(registry.keys(KeyRole::Operator), [signs.public()]);
    world.with(|house| house.begin(plan)).unwrap_err();
}

/// Runs a rotation to each of its steps, and has an emergency come between.
fn emergency_between(role: KeyRole, grace_days: i64, steps: usize) {
    let world = World::found();
    let first = world.signer(role);
    let open = world.begin(crate::world::scheduled(role, grace_days));
    for _ in 0..steps {
        world.with(|house| house.advance(&mut open.clone())).unwrap();
    }
    let stolen = world.keystore();
    let stolen: Vec<_> = stolen.records().iter().filter(|r| r.role == role).map(|r| r.id.clone()).collect();
    let still_open = world.kept(&open).stage.is_open();
    let mut plan = emergency(&[role]);
    if !still_open {
        plan.wishes[0].old = vec![first.id(), world.signer(role).id()];
    }
    let rotation = world.begin(plan);
    assert_eq!(world.run_with_crashes(&rotation).0, Progress::Done, "{role} after {steps}");
    assert!(!world.kept(&open).stage.is_open());
    let registry = world.registry();
    // Nobody goes on with what was given up.
    assert_eq!(world.run_with_crashes(&open).0, Progress::Done);
    assert_eq!(world.registry(), registry, "{role} after {steps}");
    assert!(world.with(|house| house.open_rotations()).unwrap().is_empty());
    let signs = world.signer(role);
    assert_eq!(registry.keys(role), [signs.public()], "{role} after {steps}");
    let keystore = world.keystore();
    for id in &stolen {
        assert!(*id != signs.id() && registry.revocation(id).is_some(), "{role} after {steps}: {id}");
        let record = keystore.records().iter().find(|r| r.id == *id).unwrap();
        assert_eq!(record.state, KeyState::Revoked, "{role} after {steps}");
    }
    takes(&registry, role, &signs).unwrap();
}

#[test]
fn an_emergency_takes_over_from_a_rotation_at_any_step() {
    for steps in 0..12 {
        emergency_between(KeyRole::Operator, 30, steps);
        emergency_between(KeyRole::Root, 30, steps);
        emergency_between(KeyRole::Receipts, 0, steps);
    }
}

#[test]
fn an_emergency_of_one_role_leaves_the_other_to_its_rotation() {
    let world = World::found();
    let mut plan = crate::world::scheduled(KeyRole::Receipts, 10);
    plan.wishes.push(Wish::simple(KeyRole::Attestor));
    let both = world.begin(plan);
    assert!(matches!(world.run_with_crashes(&both).0, Progress::Waits { .. }));
    let stolen = world.begin(emergency(&[KeyRole::Receipts]));
    assert_eq!(world.run_with_crashes(&stolen).0, Progress::Done);
    world.wait(10 * crate::world::DAY);
    assert_eq!(world.run_with_crashes(&both).0, Progress::Done);
    let registry = world.registry();
    assert_eq!((registry.revoked.len(), registry.retired.len()), (2, 1));
    for role in [KeyRole::Receipts, KeyRole::Attestor] {
        assert_eq!(registry.keys(role), [world.signer(role).public()]);
    }
}

#[test]
fn a_take_over_that_was_cut_off_is_ended_by_the_next_look() {
    let world = World::found();
    let open = world.begin(crate::world::scheduled(KeyRole::Operator, 30));
    let before = std::fs::read(world.home().join(format!("governance/rotation-{}.json", open.id))).unwrap();
    world.begin(emergency(&[KeyRole::Operator]));
    // As if the power had gone before the older rotation was given up.
    let path = world.home().join(format!("governance/rotation-{}.json", open.id));
    durable::write(&path, &before, durable::Mode::Private).unwrap();
    assert_eq!(world.with(|house| house.open_rotations()).unwrap().len(), 1);
    assert_eq!(world.kept(&open).stage, Stage::Abandoned);
}

#[test]
fn what_was_never_published_is_given_up_and_what_was_is_not() {
    let world = World::found();
    let nobody = trust::KeyPair::generate(world.mint.entropy()).public();
    let mut plan = crate::world::scheduled(KeyRole::Root, 0);
    plan.wishes[0].new = vec![nobody];
    let mistyped = world.begin(plan);
    assert!(matches!(world.run_with_crashes(&mistyped).0, Progress::NeedsSignatures { .. }));
    let given_up = world.with(|house| house.abandon(&mistyped.id)).unwrap();
    assert_eq!((given_up.stage, world.kept(&mistyped).stage), (Stage::Abandoned, Stage::Abandoned));
    assert!(!governance::ceremony_path(world.home(), &mistyped.id).exists());
    assert_eq!((world.run_with_crashes(&mistyped), world.registry().version), ((Progress::Done, 0), 1));
    world.with(|house| house.abandon(&mistyped.id)).unwrap_err();
    // A prepared key goes with it; the next rotation makes its own.
    let prepared = world.begin(crate::world::scheduled(KeyRole::Root, 30));
    for _ in 0..2 {
        world.with(|house| house.advance(&mut prepared.clone())).unwrap();
    }
    assert!(world.keystore().prepared(KeyRole::Root).is_some());
    world.with(|house| house.abandon(&prepared.id)).unwrap();
    assert!(world.keystore().prepared(KeyRole::Root).is_none());
    let good = world.begin(crate::world::scheduled(KeyRole::Root, 30));
    assert!(matches!(world.run_with_crashes(&good).0, Progress::Waits { .. }));
    let refused = world.with(|house| house.abandon(&good.id)).unwrap_err().to_string();
    assert!(refused.contains("trust resume"), "{refused}");
}
