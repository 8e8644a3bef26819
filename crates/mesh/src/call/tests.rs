use echo_core::{Currency, Money};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::test_house::{House, Node, at, call, customer};

fn two() -> (Node, Node, CallDoc) {
    let house = House::new();
    let (a, b) = (house.node(31, Some(1)), house.node(32, Some(1)));
    let grant = house.grant(&a, 1, |_| {});
    let call = call(&a, &b, &grant);
    (a, b, call)
}

fn answer(call: &CallDoc) -> AnswerDoc {
    let (name, at) = (Digest::of(b"call"), at("2027-05-10"));
    let output = json!({"ok": true});
    AnswerDoc {
        key: call.key.clone(),
        call: name,
        from: call.to,
        to: call.from,
        input: value_digest(&call.input),
        output: Some(value_digest(&output)),
        reply: Reply::Done(output),
        receipt: Some(MeshReceipt {
            call: name,
            grant: "grant_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f".parse().unwrap(),
            customer: customer(1),
            case: "case_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f".parse().unwrap(),
            sku: "probe".to_owned(),
            skill: call.skill.clone(),
            unit_price: Money::new(250, Currency::EUR),
            amount: Money::new(250, Currency::EUR),
            at,
            executor: call.to,
            caller: call.from,
        }),
        at,
    }
}

#[test]
fn a_call_is_believed_from_its_caller_alone() {
    let (a, b, call) = two();
    assert_eq!(CallDoc::verify(&call.sign(&a.key).unwrap()).unwrap(), call);
    let forged = call.sign(&b.key).unwrap();
    assert!(matches!(CallDoc::verify(&forged), Err(DocumentError::Signature { .. })));
}

#[test]
fn a_call_that_breaks_a_rule_is_neither_signed_nor_believed() {
    let (a, _, call) = two();
    let edits: [fn(&mut CallDoc); 5] = [
        |c| c.key = "0197C3F0-A1B2-7C3D-8E4F-5A6B7C8D9E0F".to_owned(),
        |c| c.key = "0197c3f0a1b27c3d8e4f5a6b7c8d9e0f".to_owned(),
        |c| c.skill = String::new(),
        |c| c.to = c.from,
        |c| c.input = Value::String("x".repeat(MAX_INPUT_BYTES)),
    ];
    for (nth, edit) in edits.iter().enumerate() {
        let mut bad = call.clone();
        edit(&mut bad);
        assert!(bad.sign(&a.key).is_err(), "edit {nth}");
        let signed = CALL.sign(&bad, &a.key).unwrap();
        assert!(CallDoc::verify(&signed).is_err(), "edit {nth}");
    }
}

#[test]
fn an_answer_that_contradicts_itself_is_neither_signed_nor_believed() {
    let (_, b, call) = two();
    let good = answer(&call);
    assert_eq!(AnswerDoc::verify(&good.sign(&b.key).unwrap()).unwrap(), good);
    let edits: [fn(&mut AnswerDoc); 13] = [
        |d| d.reply = Reply::Done(json!(1)),
        |d| d.reply = Reply::Failed("no".to_owned()),
        |d| d.reply = Reply::Done(Value::String("x".repeat(MAX_OUTPUT_BYTES))),
        |d| d.output = None,
        |d| d.receipt = None,
        |d| d.key = "1".to_owned(),
        |d| d.receipt.as_mut().unwrap().call = Digest::of(b"other"),
        |d| d.receipt.as_mut().unwrap().executor = d.to,
        |d| d.receipt.as_mut().unwrap().caller = d.from,
        |d| d.receipt.as_mut().unwrap().amount.minor += 1,
        |d| d.receipt.as_mut().unwrap().sku = "a b".to_owned(),
        |d| d.receipt.as_mut().unwrap().at = at("2027-05-11"),
        |d| {
            let receipt = d.receipt.as_mut().unwrap();
            (receipt.unit_price.minor, receipt.amount.minor) = (-1, -1);
        },
    ];
    for (nth, edit) in edits.iter().enumerate() {
        let mut bad = good.clone();
        edit(&mut bad);
        assert!(bad.sign(&b.key).is_err(), "edit {nth}");
        let signed = ANSWER.sign(&bad, &b.key).unwrap();
        assert!(AnswerDoc::verify(&signed).is_err(), "edit {nth}");
    }
}

#[test]
fn what_failed_is_not_charged() {
    let (_, b, call) = two();
    let failed =
        |receipt| AnswerDoc { reply: Reply::Failed("no".to_owned()), output: None, receipt, ..answer(&call) };
    failed(None).sign(&b.key).unwrap();
    assert!(failed(answer(&call).receipt).sign(&b.key).is_err());
    let long = AnswerDoc { reply: Reply::Refused("n".repeat(MAX_REASON + 1)), ..failed(None) };
    assert!(long.sign(&b.key).is_err());
}

#[test]
fn a_reason_of_any_length_is_cut_to_what_an_answer_holds() {
    let Reply::Failed(why) = Reply::from(Outcome::Failed("ü𝄞".repeat(MAX_REASON))) else { panic!() };
    assert!(why.len() <= MAX_REASON, "{}", why.len());
}

proptest! {
    #[test]
    fn the_digest_of_a_value_survives_writing_and_reading(number: f64, other: f64, text: String) {
        prop_assume!(number.is_finite() && other.is_finite());
        let value = json!({"z": number, "a": [other, text]});
        let read: Value = serde_json::from_slice(&serde_json::to_vec(&value).unwrap()).unwrap();
        prop_assert_eq!(value_digest(&read), value_digest(&value));
    }

    #[test]
    fn only_a_uuid_is_a_key(text in "[0-9a-f-]{30,40}") {
        let hyphens = [8, 13, 18, 23];
        let uuid = text.len() == 36
            && text.char_indices().all(|(at, c)| (c == '-') == hyphens.contains(&at));
        prop_assert_eq!(is_key(&text), uuid);
    }
}
