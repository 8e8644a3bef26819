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
    let mut registry = world.registry();
    took(&registry, KeyRole::Operator, &old, registry.created).unwrap();
    registry.revoked.push(trust::Revocation {
        key: old.id(),
        at: world.now(),
        reason: "found on a dump".to_owned(),
    });
    assert!(took(&registry, KeyRole::Operator, &old, registry.created).is_err());
}
