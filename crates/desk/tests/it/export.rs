//! The case file proves the case, and any change shows.

use dossier::verify;
use echo_core::{Digest, SeededEntropy, entropy};

use crate::{
    device::{Device, House},
    flow::settled_case,
};

#[tokio::test]
async fn the_export_proves_the_case_with_the_fingerprint_alone() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let case = settled_case(&house, &device, &customer).await;
    let file = house.desk.export_case(&house.operator, &case).await.unwrap();
    let verified = verify(&file, house.desk.root()).unwrap();
    assert_eq!(verified.case, case);
    assert!(verified.paid && verified.total.is_some());
    for what in ["trust", "seal", "inclusion", "posture", "arithmetic", "settlement"] {
        assert!(verified.checks.iter().any(|c| c.what == what), "{what} is not among {:?}", verified.checks);
    }
    assert!(verify(&file, &Digest::of(b"another root")).is_err());
}

#[tokio::test]
async fn any_changed_byte_of_the_export_is_refused() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let case = settled_case(&house, &device, &customer).await;
    let file = house.desk.export_case(&house.operator, &case).await.unwrap();
    verify(&file, house.desk.root()).unwrap();
    let source = SeededEntropy::new(200);
    for _ in 0..200 {
        let random = u64::from_be_bytes(entropy::bytes(&source));
        let at = usize::try_from(random % file.len() as u64).unwrap();
        let mut changed = file.clone();
        changed[at] ^= 1 << (random >> 61);
        let error = verify(&changed, house.desk.root());
        assert!(error.is_err(), "byte {at} of {} was changed unseen", file.len());
    }
    for broken in [&b""[..], b"{}", b"\xff\xfe", &file[..file.len() / 2]] {
        assert!(verify(broken, house.desk.root()).is_err());
    }
}
