use echo_core::{Currency, Money};

use super::*;
use crate::test_house::{House, at, grant, handed_over, key};

#[test]
fn the_operator_s_grant_is_believed_and_nobody_else_s() {
    let house = House::new();
    let holder = house.node(31, Some(1));
    let good = grant(holder.id(), 1);
    let signed = house.grant(&holder, 1, |_| {});
    assert_eq!(Grant::verify(&signed, &house.registry).unwrap(), good);
    for other in [&holder.key, house.key(KeyRole::Root), house.key(KeyRole::Receipts)] {
        let forged = good.sign(other).unwrap();
        assert!(matches!(Grant::verify(&forged, &house.registry), Err(DocumentError::Signature { .. })));
    }
}

#[test]
fn a_grant_that_contradicts_itself_is_neither_signed_nor_believed() {
    let house = House::new();
    let holder = house.node(31, Some(1));
    let edits: [fn(&mut Grant); 9] = [
        |g| g.skills.clear(),
        |g| g.skills = vec![g.skills[0].clone(); 2],
        |g| g.skills = vec![g.skills[0].clone(); MAX_SKILLS + 1],
        |g| g.skills[0].skill = "a b".to_owned(),
        |g| g.skills[0].sku = String::new(),
        |g| g.skills[0].unit_price = Money::new(-1, Currency::EUR),
        |g| g.most_calls = 0,
        |g| g.most_calls = MAX_CALLS + 1,
        |g| g.until = g.from,
    ];
    for (nth, edit) in edits.iter().enumerate() {
        let mut bad = grant(holder.id(), 1);
        edit(&mut bad);
        assert!(bad.sign(house.key(KeyRole::Operator)).is_err(), "edit {nth}");
        let signed = KIND.sign(&bad, house.key(KeyRole::Operator)).unwrap();
        assert!(Grant::verify(&signed, &house.registry).is_err(), "edit {nth}");
    }
}

#[test]
fn the_largest_grant_that_is_allowed_fits_its_bound() {
    let house = House::new();
    let holder = house.node(31, Some(1));
    let skill = |nth: usize| GrantedSkill {
        skill: format!("{nth:0>MAX_NAME$}"),
        sku: "s".repeat(MAX_NAME),
        unit_price: Money::new(i64::MAX, Currency::EUR),
    };
    house.grant(&holder, 1, |g| g.skills = (0..MAX_SKILLS).map(skill).collect());
}

#[test]
fn it_counts_between_its_dates_give_or_take_a_clock() {
    let house = House::new();
    let good = grant(house.node(31, Some(1)).id(), 1);
    assert!(good.counts_at(at("2027-05-01")) && good.counts_at(at("2027-04-30")));
    assert!(!good.counts_at(at("2027-04-29")) && !good.counts_at(at("2027-06-01")));
}

#[test]
fn a_grant_from_the_ledger_outlives_the_retirement_of_its_key() {
    let mut house = House::new();
    let holder = house.node(31, Some(1));
    let signed = house.grant(&holder, 1, |_| {});
    let old = house.key(KeyRole::Operator).public();
    house.next(|next| {
        handed_over(next, KeyRole::Operator, &key(90));
        next.retired.push(trust::Retirement {
            role: KeyRole::Operator,
            key: old,
            threshold: 1,
            until: at("2027-05-15"),
            reason: "rotation".to_owned(),
        });
    });
    assert!(Grant::verify(&signed, &house.registry).is_err());
    Grant::verify_at(&signed, &house.registry, at("2027-05-10")).unwrap();
    assert!(Grant::verify_at(&signed, &house.registry, at("2027-05-16")).is_err());
}
