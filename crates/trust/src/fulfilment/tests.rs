use std::sync::Arc;

use echo_core::{ManualClock, Mint, SeededEntropy};
use proptest::prelude::*;

use super::*;
use crate::test_house::{House, at};

fn posture(mint: &Mint, failed_checks: &[u32]) -> Posture {
    let failed = u32::try_from(failed_checks.len()).unwrap();
    Posture {
        scan: mint.id(),
        report: Digest::of(format!("{failed_checks:?}").as_bytes()),
        score: 50,
        passed: 10,
        failed,
        failed_checks: failed_checks.to_vec(),
    }
}

fn proof(before: &[u32], after: &[u32]) -> Fulfilment {
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let mint = Mint::new(Arc::new(clock), Arc::new(SeededEntropy::new(4)));
    let (before, after) = (posture(&mint, before), posture(&mint, after));
    let Difference { fixed, still_failing, newly_failing } = Difference::between(&before, &after);
    Fulfilment {
        proof: mint.id(),
        customer: mint.id(),
        case: mint.id(),
        device: mint.id(),
        run: mint.id(),
        change_set: mint.id(),
        playbooks: vec![PlaybookRef {
            id: "ssh-hardening".to_owned(),
            version: "1.0.0".to_owned(),
            digest: Digest::of(b"playbook"),
        }],
        plan: Digest::of(b"plan"),
        before,
        after,
        fixed,
        still_failing,
        newly_failing,
        diff: Digest::of(b"diff"),
        started: at("2027-03-01"),
        finished: at("2027-03-02"),
    }
}

#[test]
fn what_was_fixed_follows_from_the_postures() {
    let proof = proof(&[3, 1, 2], &[2, 9]);
    assert_eq!(proof.check(), Ok(()));
    assert_eq!(proof.fixed, [1, 3]);
    assert_eq!(proof.still_failing, [2]);
    assert_eq!(proof.newly_failing, [9]);
}

#[test]
fn a_proof_that_claims_too_much_is_refused() {
    let good = proof(&[1, 2, 3], &[2, 9]);
    let error = |edit: fn(&mut Fulfilment)| {
        let mut bad = good.clone();
        edit(&mut bad);
        bad.check().unwrap_err()
    };
    let list = |error| match error {
        FulfilmentError::List { list, .. } => list,
        other => panic!("{other}"),
    };
    assert_eq!(list(error(|p| p.fixed.push(4))), "fixed");
    assert_eq!(list(error(|p| p.fixed.reverse())), "fixed");
    assert_eq!(list(error(|p| p.still_failing.clear())), "still_failing");
    assert_eq!(list(error(|p| p.newly_failing.clear())), "newly_failing");
    let posture = |error| matches!(error, FulfilmentError::Posture { .. });
    assert!(posture(error(|p| p.before.failed += 1)));
    assert!(posture(error(|p| p.after.score = 101)));
    assert!(posture(error(|p| p.before.failed_checks = vec![1, 2, 2])));
    assert!(matches!(error(|p| p.after.scan = p.before.scan.clone()), FulfilmentError::SameScan(_)));
    assert!(matches!(error(|p| p.finished = at("2027-02-28")), FulfilmentError::Times { .. }));
}

#[test]
fn an_attested_proof_verifies_and_a_false_one_cannot_be_attested() {
    let house = House::new();
    let good = proof(&[1, 2], &[2]);
    let envelope = good.clone().attest(house.key(KeyRole::Attestor)).unwrap();
    assert_eq!(Fulfilment::verify(&envelope, &house.registry).unwrap(), good);
    let mut bad = good;
    bad.fixed = vec![1, 2];
    assert!(bad.clone().attest(house.key(KeyRole::Attestor)).is_err());
    let signed = bad.into_statement().sign(&[house.key(KeyRole::Attestor)]).unwrap();
    let error = Fulfilment::verify(&signed, &house.registry).unwrap_err();
    assert!(matches!(&error, TrustError::Document(why) if why.contains("`fixed`")), "{error}");
}

#[test]
fn the_statement_s_subjects_are_the_proof_s() {
    let house = House::new();
    let mut statement = proof(&[1], &[]).into_statement();
    statement.subject[0].digest.sha256 = Digest::of(b"another diff");
    let signed = statement.sign(&[house.key(KeyRole::Attestor)]).unwrap();
    let error = Fulfilment::verify(&signed, &house.registry).unwrap_err();
    assert!(error.to_string().contains("subjects"), "{error}");
}

proptest! {
    #[test]
    fn every_failed_check_is_in_exactly_one_list(
        before in prop::collection::btree_set(0_u32..40, 0..20),
        after in prop::collection::btree_set(0_u32..40, 0..20),
    ) {
        let (before, after): (Vec<u32>, Vec<u32>) = (before.into_iter().collect(), after.into_iter().collect());
        let proof = proof(&before, &after);
        prop_assert_eq!(proof.check(), Ok(()));
        let mut was = [proof.fixed, proof.still_failing.clone()].concat();
        was.sort_unstable();
        prop_assert_eq!(was, before);
        let mut is = [proof.newly_failing, proof.still_failing].concat();
        is.sort_unstable();
        prop_assert_eq!(is, after);
    }
}
