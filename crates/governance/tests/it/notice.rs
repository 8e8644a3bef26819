//! Notices: by whom they are believed, and what a careful reader makes of them.

use governance::{
    Action, DeprecationNotice, NoticeKind, Plan, Progress, RotationKind, Standing, Wish, believed, narrowed,
};
use trust::{Envelope, KeyPair, KeyRole, TrustError};

use crate::world::{DAY, World, scheduled, takes};

fn only_notice(world: &World) -> Envelope {
    let [one] = <[Envelope; 1]>::try_from(governance::notices(world.home()).unwrap()).unwrap();
    one
}

#[test]
fn a_reader_who_missed_the_new_version_warns_and_then_refuses() {
    let world = World::found();
    let (before, old) = (world.registry(), world.signer(KeyRole::Operator));
    let rotation = world.begin(scheduled(KeyRole::Operator, 30));
    world.run_with_crashes(&rotation);
    let envelope = only_notice(&world);
    assert_eq!(envelope.signatures.len(), 2, "by the old key and the new");
    // This reader knows version 1 alone.
    let notices = believed(&[envelope], &before);
    let [notice] = notices.as_slice() else { panic!("not believed") };
    assert_eq!((notice.kind, notice.registry_version), (NoticeKind::Retirement, 2));
    assert_eq!(notice.actions[0], Action::FetchRegistry { version: 2 });
    assert_eq!(notice.keys[0].key, old.id());
    assert_eq!(notice.standing(world.now()), Standing::Warns);
    takes(&narrowed(&before, &notices, world.now()), KeyRole::Operator, &old).unwrap();
    world.wait(30 * DAY);
    assert_eq!(notice.standing(world.now()), Standing::Refuses);
    match takes(&narrowed(&before, &notices, world.now()), KeyRole::Operator, &old) {
        Err(TrustError::Revoked { reason, .. }) => assert!(reason.contains("notice_"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(narrowed(&before, &notices, world.now()).root, before.root);
}

#[test]
fn a_notice_is_believed_from_the_operator_alone_and_no_longer_than_its_key() {
    let world = World::found();
    let stolen = world.signer(KeyRole::Operator);
    let plan = Plan {
        kind: RotationKind::Emergency,
        wishes: vec![Wish::simple(KeyRole::Operator)],
        reason: "stolen".to_owned(),
        grace_seconds: 0,
    };
    let before = world.registry();
    let rotation = world.begin(plan);
    assert_eq!(world.run_with_crashes(&rotation).0, Progress::Done);
    let envelope = only_notice(&world);
    assert_eq!(envelope.signatures.len(), 1, "a stolen key announces nothing");
    assert!(believed(std::slice::from_ref(&envelope), &before).is_empty());
    let notices = believed(&[envelope], &world.registry());
    assert_eq!(notices[0].kind, NoticeKind::Revocation);
    // The thief says that the operator's new key is the stolen one.
    let mut forged: DeprecationNotice = notices[0].clone();
    std::mem::swap(&mut forged.keys, &mut forged.replaced_by);
    let forged = forged.sign(&[&stolen]).unwrap();
    assert!(believed(&[forged], &world.registry()).is_empty());
}

#[test]
fn a_notice_never_takes_trust_from_the_root_and_never_contradicts_itself() {
    let world = World::found();
    let rotation = world.begin(scheduled(KeyRole::Root, 0));
    world.run_with_crashes(&rotation);
    let good = believed(&[only_notice(&world)], &world.registry()).remove(0);
    let registry = world.registry();
    let mut hostile = good.clone();
    hostile.keys[0].key = world.signer(KeyRole::Root).id();
    hostile.replaced_by.clear();
    assert_eq!(narrowed(&registry, &[hostile], world.now()).keys(KeyRole::Root).len(), 1);
    let key: KeyPair = world.signer(KeyRole::Operator);
    let edits: [fn(&mut DeprecationNotice); 6] = [
        |n| {
            let keys = vec![n_key(); 65];
            n.actions = vec![Action::UpdatePin { role: KeyRole::Operator, keys }];
        },
        |n| n.keys.clear(),
        |n| n.replaced_by = n.keys.clone(),
        |n| n.text = "x".repeat(100_000),
        |n| n.warn_from = "9999-01-01T00:00:00Z".parse().unwrap(),
        |n| n.actions = vec![Action::SignInAgain {}; 65],
    ];
    for (nth, edit) in edits.iter().enumerate() {
        let mut bad = good.clone();
        edit(&mut bad);
        assert!(bad.sign(&[&key]).is_err(), "edit {nth}");
        let signed = Envelope::sign(governance::NOTICE_TYPE, &bad, &[&key]).unwrap();
        assert!(DeprecationNotice::verify(&signed, &registry).is_err(), "edit {nth}");
    }
}

fn n_key() -> trust::PublicKey {
    KeyPair::from_secret(&[9; 32]).public()
}

#[test]
fn an_envelope_that_is_too_large_around_its_words_is_refused() {
    let world = World::found();
    let rotation = world.begin(scheduled(KeyRole::Operator, 30));
    world.run_with_crashes(&rotation);
    let mut envelope = only_notice(&world);
    assert_eq!(DeprecationNotice::claimed_version(&envelope), Some(2));
    let mut idle = envelope.signatures[0].clone();
    idle.keyid = KeyPair::from_secret(&[9; 32]).id();
    idle.sig = "x".repeat(usize::try_from(governance::MAX_NOTICE_BYTES).unwrap());
    envelope.signatures.push(idle);
    let refused = DeprecationNotice::verify(&envelope, &world.registry()).unwrap_err().to_string();
    assert!(refused.contains("larger than"), "{refused}");
    assert_eq!(DeprecationNotice::claimed_version(&envelope), None);
}

#[test]
fn a_notice_that_nobody_would_believe_is_an_error_and_no_endless_loop() {
    let world = World::found();
    // A house by other hands, whose operator needs two signatures and has one key here.
    let mut next = governance::renewed(&world.registry(), world.now());
    let other = KeyPair::generate(world.mint.entropy()).public();
    let operator = next.role_mut(KeyRole::Operator).unwrap();
    operator.keys.push(other);
    operator.threshold = 2;
    let mut chain = world.chain();
    chain.extend(&next, &[&world.signer(KeyRole::Root)]).unwrap();
    chain.save(world.home()).unwrap();
    let mut rotation = world.begin(scheduled(KeyRole::Receipts, 30));
    let refused = world.with(|house| house.run(&mut rotation)).unwrap_err().to_string();
    assert!(refused.contains("not signed as operator"), "{refused}");
}

#[test]
fn a_notice_that_is_written_anew_says_the_same_day() {
    let world = World::found();
    let receipts = world.begin(scheduled(KeyRole::Receipts, 30));
    let Progress::Waits { until } = world.run_with_crashes(&receipts).0 else { panic!("no day") };
    world.wait(10 * DAY);
    let operator = world.begin(scheduled(KeyRole::Operator, 0));
    assert_eq!(world.run_with_crashes(&operator).0, Progress::Done);
    assert_eq!(world.run_with_crashes(&receipts).0, Progress::Waits { until });
    let notices = believed(&governance::notices(world.home()).unwrap(), &world.registry());
    let ours = notices.iter().find(|n| n.id == receipts.notice()).unwrap();
    assert_eq!((ours.refuse_from, ours.issued), (until, world.now()));
}
