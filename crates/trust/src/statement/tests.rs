use serde_json::{Value, json};

use super::*;
use crate::test_house::House;

const KIND: &str = "urn:echo:attestation:test:v1";

fn statement() -> Statement<Vec<u32>> {
    Statement::new(KIND, vec![Subject::new("thing", Digest::of(b""))], vec![1, 2])
}

fn verify(document: &Value) -> Result<Statement<Vec<u32>>, TrustError> {
    let house = House::new();
    let envelope = Envelope::sign(STATEMENT_TYPE, document, &[house.key(KeyRole::Attestor)]).unwrap();
    Statement::verify(&envelope, KIND, &house.registry, KeyRole::Attestor)
}

#[test]
fn a_statement_has_the_framework_s_shape() {
    let expected = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{
            "name": "thing",
            "digest": { "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        }],
        "predicateType": KIND,
        "predicate": [1, 2],
    });
    assert_eq!(serde_json::to_value(statement()).unwrap(), expected);
    assert_eq!(verify(&expected).unwrap(), statement());
}

#[test]
fn fields_to_come_and_other_digests_are_passed_over() {
    let mut document = serde_json::to_value(statement()).unwrap();
    document["later"] = json!(true);
    document["subject"][0]["digest"]["sha512"] = json!("00");
    assert_eq!(verify(&document).unwrap(), statement());
}

#[test]
fn another_kind_of_claim_is_called_that() {
    let mut other = serde_json::to_value(statement()).unwrap();
    other["predicateType"] = json!("https://slsa.dev/provenance/v1");
    other["predicate"] = json!({ "builder": 1 });
    let error = verify(&other).unwrap_err().to_string();
    assert!(error.contains("slsa.dev") && error.contains(KIND), "{error}");
    let mut old = serde_json::to_value(statement()).unwrap();
    old["_type"] = json!("https://in-toto.io/Statement/v0.1");
    assert!(verify(&old).is_err());
}

#[test]
fn a_claim_about_nothing_is_refused() {
    let mut empty = statement();
    empty.subject.clear();
    assert!(verify(&serde_json::to_value(empty).unwrap()).is_err());
}

#[test]
fn another_role_s_signature_does_not_do() {
    let house = House::new();
    let envelope = statement().sign(&[house.key(KeyRole::Operator)]).unwrap();
    let verified = Statement::<Vec<u32>>::verify(&envelope, KIND, &house.registry, KeyRole::Attestor);
    assert!(matches!(verified, Err(TrustError::Signature { .. })));
}
