//! Keys replaced in good order.

use durable::Mode;
use governance::{Progress, Stage};
use trust::{
    KeyRole, KeyState, TrustError,
    content::{read_verified, sign_file},
    exception::{ExceptedKind, Exception, Exceptions},
};

use crate::world::{DAY, World, later, scheduled, takes, took};

const ROLES: [KeyRole; 4] = [KeyRole::Operator, KeyRole::Receipts, KeyRole::PlaybookAuthor, KeyRole::Root];

#[test]
fn a_rotation_that_is_cut_off_after_every_step_ends_as_it_should() {
    for role in ROLES {
        let world = World::found();
        let old = world.signer(role);
        let rotation = world.begin(scheduled(role, 30));
        let (progress, crashes) = world.run_with_crashes(&rotation);
        assert!(crashes >= 8, "{role}: {crashes}");
        let until = later(world.now(), 30 * DAY);
        assert_eq!(progress, Progress::Waits { until }, "{role}");
        assert_eq!(world.kept(&rotation).stage, Stage::Grace);
        let new = world.signer(role);
        assert_ne!(new.id(), old.id(), "{role}: signing has gone over");
        assert_eq!((world.state(&old), world.state(&new)), (KeyState::Retiring, KeyState::Active));
        let both = world.registry();
        assert_eq!((both.version, both.keys(role).len()), (2, 2));
        takes(&both, role, &old).unwrap();
        takes(&both, role, &new).unwrap();

        world.wait(30 * DAY - 1);
        assert_eq!(world.run_with_crashes(&rotation).0, Progress::Waits { until });
        world.wait(1);
        assert_eq!(world.run_with_crashes(&rotation).0, Progress::Done);
        assert_eq!(world.kept(&rotation).stage, Stage::Done);
        assert_eq!(world.run_with_crashes(&rotation), (Progress::Done, 0), "once more changes nothing");
        assert_eq!((world.state(&old), world.registry().version), (KeyState::Retired, 3));
        let after = world.registry();
        takes(&after, role, &new).unwrap();
        assert!(matches!(takes(&after, role, &old), Err(TrustError::Signature { .. })), "{role}");
        took(&after, role, &old, until).unwrap();
        assert!(took(&after, role, &old, later(until, 1)).is_err(), "{role}: entered too late");
        let other = if role == KeyRole::Operator { KeyRole::Receipts } else { KeyRole::Operator };
        assert!(took(&after, other, &old, until).is_err(), "{role}: retired in its role alone");
    }
}

#[test]
fn without_a_grace_period_one_version_does_it_all() {
    for role in ROLES {
        let world = World::found();
        let old = world.signer(role);
        let rotation = world.begin(scheduled(role, 0));
        assert_eq!(world.run_with_crashes(&rotation).0, Progress::Done, "{role}");
        let after = world.registry();
        assert_eq!((after.version, world.state(&old)), (2, KeyState::Retired));
        takes(&after, role, &world.signer(role)).unwrap();
        assert!(takes(&after, role, &old).is_err());
        took(&after, role, &old, after.created).unwrap();
    }
}

#[test]
fn several_roles_go_together_and_several_rotations_side_by_side() {
    let world = World::found();
    let mut plan = scheduled(KeyRole::Receipts, 10);
    plan.wishes.push(governance::Wish::simple(KeyRole::Attestor));
    let both = world.begin(plan);
    let operator = world.begin(scheduled(KeyRole::Operator, 5));
    assert!(matches!(world.run_with_crashes(&both).0, Progress::Waits { .. }));
    assert!(matches!(world.run_with_crashes(&operator).0, Progress::Waits { .. }));
    world.wait(5 * DAY);
    // The operator's old key goes while a notice that it alone signed is in force: the notice is written anew.
    assert_eq!(world.run_with_crashes(&operator).0, Progress::Done);
    assert!(matches!(world.run_with_crashes(&both).0, Progress::Waits { .. }));
    world.wait(10 * DAY);
    assert_eq!(world.run_with_crashes(&both).0, Progress::Done);
    let registry = world.registry();
    assert_eq!((registry.version, registry.retired.len()), (5, 3));
    let notices = governance::notices(world.home()).unwrap();
    assert_eq!(governance::believed(&notices, &registry).len(), 2);
}

#[test]
fn signed_content_is_signed_anew_before_its_author_goes() {
    for grace in [10, 0] {
        let world = World::found();
        let old = world.signer(KeyRole::PlaybookAuthor);
        let path = world.home().join("playbooks/one.yaml");
        let altered = world.home().join("playbooks/two.yaml");
        durable::create_folder(path.parent().unwrap()).unwrap();
        for file in [&path, &altered] {
            durable::write(file, b"id: one\n", Mode::Public).unwrap();
            sign_file(file, &old).unwrap();
        }
        durable::write(&altered, b"id: other\n", Mode::Public).unwrap();
        let rotation = world.begin(scheduled(KeyRole::PlaybookAuthor, grace));
        world.run_with_crashes(&rotation);
        world.wait(10 * DAY);
        assert_eq!(world.run_with_crashes(&rotation).0, Progress::Done);
        let author = KeyRole::PlaybookAuthor;
        read_verified(&path, &world.registry(), author).unwrap();
        let refused = read_verified(&altered, &world.registry(), author).unwrap_err();
        assert!(refused.to_string().contains("stranger"), "an altered file is not signed anew: {refused}");
    }
}

#[test]
fn exceptions_are_signed_anew_before_their_operator_goes() {
    let world = World::found();
    let exception = Exception {
        kind: ExceptedKind::Intake,
        name: "one.yaml".to_owned(),
        sha256: echo_core::Digest::of(b"id: one\n"),
        reason: "trial".to_owned(),
        approved_by: "Ada".to_owned(),
        from: world.now(),
        until: later(world.now(), 60 * DAY),
    };
    let before = Exceptions::with(None, exception, world.now()).unwrap();
    before.save(world.home(), &world.signer(KeyRole::Operator)).unwrap();
    let rotation = world.begin(scheduled(KeyRole::Operator, 0));
    assert_eq!(world.run_with_crashes(&rotation).0, Progress::Done);
    let (after, _) = Exceptions::load(world.home(), &world.registry()).unwrap().unwrap();
    assert!(after.entries == before.entries && after.issued > before.issued);
}

#[test]
fn a_clock_that_is_set_back_makes_no_version_older_than_the_last() {
    let world = World::found();
    let rotation = world.begin(scheduled(KeyRole::Operator, 1));
    world.run_with_crashes(&rotation);
    let before = world.registry().created;
    world.wait(DAY);
    assert_eq!(world.run_with_crashes(&rotation).0, Progress::Done);
    let newest = world.registry().created;
    assert!(newest > before);
    world.wait(-100 * DAY);
    let again = world.begin(scheduled(KeyRole::Receipts, 1));
    world.run_with_crashes(&again);
    assert_eq!(world.registry().created, newest);
}
