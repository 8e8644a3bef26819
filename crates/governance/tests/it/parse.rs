//! Files from elsewhere.

use governance::{Ceremony, DeprecationNotice};
use proptest::prelude::*;

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
