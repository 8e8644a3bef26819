//! Files from elsewhere.

use governance::{Ceremony, DeprecationNotice};
use proptest::prelude::*;
use trust::{Envelope, KeyRole};

use crate::world::World;

proptest! {
    #[test]
    fn no_bytes_make_a_ceremony_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Ceremony::from_json(&bytes).is_err());
    }

    #[test]
    fn a_notice_survives_no_nonsense(text in ".{0,200}") {
        prop_assert!(serde_json::from_str::<DeprecationNotice>(&text).is_err());
    }
}

#[test]
fn a_notice_with_a_changed_byte_is_refused_or_says_the_same() {
    let world = World::found();
    let rotation = world.begin(crate::world::scheduled(KeyRole::Operator, 30));
    world.run_with_crashes(&rotation);
    let (registry, path) = (world.registry(), governance::notice_path(world.home(), &rotation.notice()));
    let bytes = std::fs::read(path).unwrap();
    let good = DeprecationNotice::verify(&serde_json::from_slice(&bytes).unwrap(), &registry).unwrap();
    let mut refused = 0;
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let read = serde_json::from_slice::<Envelope>(&changed).ok();
        match read.and_then(|envelope| DeprecationNotice::verify(&envelope, &registry).ok()) {
            // One of the two signatures is enough.
            Some(same) => assert_eq!(same, good, "byte {at}"),
            None => refused += 1,
        }
    }
    assert!(refused > bytes.len() / 2, "{refused} of {}", bytes.len());
}

#[test]
fn a_ceremony_with_a_changed_byte_is_refused_or_proposes_the_same() {
    let world = World::found();
    let good = world.with(|house| house.renewal()).unwrap();
    let bytes = good.to_json();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        if let Ok(read) = Ceremony::from_json(&changed) {
            let same = read.fingerprint() == good.fingerprint();
            // The root's own signature pins the proposal; what lies around it is shown, and checked at the end.
            assert!(same || !read.is_complete(), "byte {at}");
            let mut chain = world.chain();
            assert!(read.finish(&mut chain).is_err() || chain.newest().unwrap() == *good.proposed());
        }
    }
}

#[test]
fn a_rotation_s_file_with_a_changed_byte_is_refused() {
    let world = World::found();
    let rotation = world.begin(crate::world::scheduled(KeyRole::Operator, 30));
    world.run_with_crashes(&rotation);
    let path = world.home().join(format!("governance/rotation-{}.json", rotation.id));
    let bytes = std::fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        durable::write(&path, &changed, durable::Mode::Private).unwrap();
        assert!(governance::rotations(world.home()).is_err(), "byte {at}");
    }
    // One from before files had a sum is read as it is.
    let mut old: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert!(old.as_object_mut().unwrap().remove("sum").is_some());
    durable::write(&path, old.to_string().as_bytes(), durable::Mode::Private).unwrap();
    assert_eq!(governance::rotations(world.home()).unwrap(), [world.kept(&rotation)]);
}

#[test]
fn a_ceremony_under_the_name_of_another_rotation_is_refused() {
    let world = World::found();
    let rotation = world.begin(crate::world::scheduled(KeyRole::Operator, 30));
    let stranger = world.with(|house| house.renewal()).unwrap();
    let path = governance::ceremony_path(world.home(), &rotation.id);
    durable::write(&path, &stranger.to_json(), durable::Mode::Public).unwrap();
    let refused = world.with(|house| house.run(&mut rotation.clone())).unwrap_err().to_string();
    assert!(refused.contains("another rotation"), "{refused}");
}
