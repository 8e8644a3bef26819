use super::*;
use crate::test_house::{House, at};

#[test]
fn only_the_word_of_who_was_asked_to_whom_it_was_said_counts() {
    let house = House::new();
    let (a, b, c) = (house.node(31, None), house.node(32, Some(1)), house.node(33, Some(1)));
    let kept = Kept { from: a.id(), to: b.id(), what: What::Pulses(7), at: at("2027-05-01") };
    let signed = kept.sign(&a.key).unwrap();
    assert_eq!(Kept::verify(&signed, &a.id(), &b.id()).unwrap(), kept);
    assert!(Kept::verify(&signed, &a.id(), &c.id()).is_err());
    assert!(Kept::verify(&signed, &c.id(), &b.id()).is_err());
    let forged = kept.sign(&c.key).unwrap();
    assert!(Kept::verify(&forged, &a.id(), &b.id()).is_err());
    assert!(Kept::verify(&forged, &c.id(), &b.id()).is_err(), "in another's name");
}

#[test]
fn it_names_no_more_than_one_message_asks_about() {
    let house = House::new();
    let (a, b) = (house.node(31, None), house.node(32, Some(1)));
    let names = vec![Digest::of(b"x"); MAX_NEWS + 1];
    let kept = |what| Kept { from: a.id(), to: b.id(), what, at: at("2027-05-01") };
    assert!(kept(What::Calls(names.clone())).sign(&a.key).is_err());
    assert!(kept(What::Notices(names.clone())).sign(&a.key).is_err());
    kept(What::Calls(names[1..].to_vec())).sign(&a.key).unwrap();
}
