use proptest::prelude::*;

use super::*;
use crate::{
    registry::Revocation,
    test_house::{House, at},
};

const BYTES: &[u8] = b"id: printer\n";

fn exception(until: &str) -> Exception {
    Exception {
        kind: ExceptedKind::Intake,
        name: "printer.yaml".to_owned(),
        sha256: Digest::of(BYTES),
        reason: "the author is away until Monday".to_owned(),
        approved_by: "Marta".to_owned(),
        from: at("2027-02-01"),
        until: at(until),
    }
}

fn document() -> Exceptions {
    Exceptions::with(None, exception("2027-03-01"), at("2027-02-01")).unwrap()
}

fn file(document: &Exceptions, key: &KeyPair) -> Vec<u8> {
    spelled(&document.sign(key))
}

#[test]
fn an_exception_has_an_end_within_ninety_days_and_a_reason() {
    exception("2027-05-02").check().unwrap();
    let bad = [
        exception("2027-05-03"),
        exception("2027-02-01"),
        exception("2027-01-01"),
        Exception { reason: " ".to_owned(), ..exception("2027-03-01") },
        Exception { reason: "x".repeat(MAX_REASON + 1), ..exception("2027-03-01") },
        Exception { approved_by: String::new(), ..exception("2027-03-01") },
        Exception { name: "../printer.yaml".to_owned(), ..exception("2027-03-01") },
        Exception { name: "a\nb".to_owned(), ..exception("2027-03-01") },
    ];
    for exception in bad {
        assert!(matches!(exception.check(), Err(ExceptionError::Entry { .. })), "{exception:?}");
    }
}

#[test]
fn a_document_is_the_operator_s_and_in_one_spelling() {
    let house = House::new();
    let operator = house.key(KeyRole::Operator);
    let good = file(&document(), operator);
    assert_eq!(Exceptions::open(&good, &house.registry).unwrap().0, document());
    for role in KeyRole::ALL.into_iter().filter(|r| *r != KeyRole::Operator) {
        let refused = Exceptions::open(&file(&document(), house.key(role)), &house.registry);
        assert!(matches!(refused, Err(ExceptionError::Signature(_))), "{role}");
    }
    let spaced = [good.as_slice(), b"\n"].concat();
    assert!(matches!(Exceptions::open(&spaced, &house.registry), Err(ExceptionError::Malformed(_))));
    let mut registry = house.registry.clone();
    registry.revoked.push(Revocation { key: operator.id(), at: at("2027-02-02"), reason: "lost".to_owned() });
    let refused = Exceptions::open(&good, &registry).unwrap_err().to_string();
    assert!(refused.contains("revoked") && refused.contains("content except"), "{refused}");
}

#[test]
fn a_signed_document_that_breaks_the_rules_is_refused() {
    let house = House::new();
    let long = Exceptions { issued: at("2027-02-01"), entries: vec![exception("2027-12-01")] };
    let twice =
        Exceptions { entries: vec![exception("2027-03-01"), exception("2027-03-02")], ..long.clone() };
    let many = Exceptions {
        entries: (0..=MAX_EXCEPTIONS)
            .map(|i| Exception { name: format!("{i}.yaml"), ..exception("2027-03-01") })
            .collect(),
        ..document()
    };
    for document in [long, twice, many] {
        let bytes = file(&document, house.key(KeyRole::Operator));
        assert!(Exceptions::open(&bytes, &house.registry).is_err(), "{document:?}");
    }
}

#[test]
fn a_change_is_later_than_the_one_before_and_drops_what_is_over() {
    let first = document();
    let other =
        Exception { name: "other.yaml".to_owned(), from: at("2027-03-02"), ..exception("2027-04-01") };
    let second = Exceptions::with(Some(first.clone()), other, at("2027-03-02")).unwrap();
    assert_eq!((second.issued, second.entries.len()), (at("2027-03-02"), 1));
    let again = Exceptions::with(Some(first.clone()), exception("2027-03-05"), at("2027-01-20")).unwrap();
    assert!(again.issued > first.issued, "also when the clock was set back");
    assert_eq!(again.entries, [exception("2027-03-05")], "one exception a file");
    let none = first.clone().without(ExceptedKind::Intake, "printer.yaml", at("2027-02-02")).unwrap();
    assert!(none.entries.is_empty() && none.issued > first.issued);
    assert!(matches!(
        first.without(ExceptedKind::Policy, "printer.yaml", at("2027-02-02")),
        Err(ExceptionError::NotFound(_))
    ));
}

#[test]
fn what_is_saved_is_loaded() {
    let (house, home) = (House::new(), tempfile::tempdir().unwrap());
    assert!(Exceptions::load(home.path(), &house.registry).unwrap().is_none());
    document().save(home.path(), house.key(KeyRole::Operator)).unwrap();
    let (loaded, _) = Exceptions::load(home.path(), &house.registry).unwrap().unwrap();
    assert_eq!(loaded, document());
}

#[test]
fn every_changed_byte_of_the_document_is_noticed() {
    let house = House::new();
    let good = file(&document(), house.key(KeyRole::Operator));
    for index in 0..good.len() {
        for change in [0x01, 0x20, 0x80] {
            let mut bad = good.clone();
            bad[index] ^= change;
            assert!(Exceptions::open(&bad, &house.registry).is_err(), "byte {index} ^ {change}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Exceptions::open(&bytes, &House::new().registry).is_err());
    }
}
