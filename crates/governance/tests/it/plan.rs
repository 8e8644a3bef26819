//! What cannot be.

use governance::{GovernanceError, Plan, RotationKind, Wish};
use trust::{KeyPair, KeyRole};

use crate::world::{World, scheduled};

fn refusal(world: &World, plan: Plan) -> String {
    world.with(|house| house.begin(plan)).unwrap_err().to_string()
}

#[test]
fn the_keys_of_logs_and_witnesses_stay() {
    let world = World::found();
    for role in [KeyRole::GenesisLedger, KeyRole::AeternaLedger, KeyRole::Witness] {
        let refused = world.with(|house| house.begin(scheduled(role, 30)));
        assert!(matches!(refused, Err(GovernanceError::Identity(found)) if found == role));
        let words = refused.unwrap_err().to_string();
        assert!(words.contains("identity") && words.contains("docs/rotation.md"), "{words}");
    }
    assert!(governance::rotations(world.home()).unwrap().is_empty());
}

#[test]
fn senseless_plans_are_refused_with_the_reason() {
    let world = World::found();
    let plan = |edit: &dyn Fn(&mut Plan)| {
        let mut plan = scheduled(KeyRole::Operator, 30);
        edit(&mut plan);
        refusal(&world, plan)
    };
    let root = |edit: &dyn Fn(&mut Plan)| {
        let mut plan = scheduled(KeyRole::Root, 30);
        edit(&mut plan);
        refusal(&world, plan)
    };
    let signs = world.signer(KeyRole::Root);
    let fresh = KeyPair::generate(world.mint.entropy());
    for (words, said) in [
        ("each role once", plan(&|p| p.wishes.push(Wish::simple(KeyRole::Operator)))),
        ("each role once", plan(&|p| p.wishes.clear())),
        ("needs a reason", plan(&|p| (p.kind, p.reason) = (RotationKind::Emergency, " ".to_owned()))),
        ("one line", plan(&|p| p.reason = "two\nlines".to_owned())),
        ("grace period", plan(&|p| p.grace_seconds = -1)),
        ("grace period", plan(&|p| p.grace_seconds = i64::MAX)),
        ("make a new one", root(&|p| p.wishes[0].new = vec![signs.public()])),
        ("trust show", plan(&|p| p.wishes[0].old = vec![fresh.id()])),
        ("each key once", root(&|p| p.wishes[0].new = vec![fresh.public(), fresh.public()])),
        ("cannot sign", root(&|p| p.wishes[0].threshold = Some(2))),
        ("cannot sign", root(&|p| p.wishes[0].threshold = Some(0))),
        ("only the root", plan(&|p| p.wishes[0].new = vec![fresh.public()])),
        ("only the root", plan(&|p| p.wishes[0].threshold = Some(2))),
    ] {
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn one_role_has_one_rotation_at_a_time() {
    let world = World::found();
    let open = world.begin(scheduled(KeyRole::Operator, 30));
    let said = refusal(&world, scheduled(KeyRole::Operator, 30));
    assert!(said.contains(&open.id.to_string()) && said.contains("trust resume"), "{said}");
    assert!(said.contains("trust abandon"), "{said}");
}
