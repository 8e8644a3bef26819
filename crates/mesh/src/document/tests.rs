//! What holds for every document: no changed byte verifies, no bytes make a reader panic.

use echo_core::Digest;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    AnswerDoc, CallDoc, Grant, Kept, NoticeAck, Reply, What,
    call::value_digest,
    telemetry::{PULSES_TYPE, check_batch},
    test_house::{House, Node, at, call, grant},
    verify_settlement,
};

struct Documents {
    house: House,
    a: Node,
    b: Node,
}

impl Documents {
    fn new() -> Self {
        let house = House::new();
        let (a, b) = (house.node(31, Some(1)), house.node(32, Some(1)));
        Self { house, a, b }
    }

    /// One good document of every kind.
    fn all(&self) -> Vec<Envelope> {
        let grant = grant(self.a.id(), 1).sign(self.house.key(trust::KeyRole::Operator)).unwrap();
        let call = call(&self.a, &self.b, &grant);
        let answer = AnswerDoc {
            key: call.key.clone(),
            call: Digest::of(b"call"),
            from: self.b.id(),
            to: self.a.id(),
            reply: Reply::Refused("no".to_owned()),
            input: value_digest(&json!(1)),
            output: None,
            receipt: None,
            at: at("2027-05-10"),
        };
        let what = What::Calls(vec![Digest::of(b"call")]);
        let kept = Kept { from: self.a.id(), to: self.b.id(), what, at: at("2027-05-10") };
        let ack = NoticeAck { notice: Digest::of(b"notice"), node: self.a.id(), at: at("2027-05-10") };
        vec![
            grant,
            call.sign(&self.a.key).unwrap(),
            answer.sign(&self.b.key).unwrap(),
            kept.sign(&self.a.key).unwrap(),
            ack.sign(&self.a.key).unwrap(),
        ]
    }

    /// Whether any reader takes the envelope.
    fn is_taken(&self, envelope: &Envelope) -> bool {
        let (a, b, registry) = (&self.a.id(), &self.b.id(), &self.house.registry);
        let _ = verify_settlement(envelope, envelope, envelope, registry, at("2027-05-10"));
        Grant::verify(envelope, registry).is_ok()
            || CallDoc::verify(envelope).is_ok()
            || AnswerDoc::verify(envelope).is_ok()
            || Kept::verify(envelope, a, b).is_ok()
            || NoticeAck::verify(envelope).is_ok()
            || check_batch(envelope, a).is_ok()
    }
}

#[test]
fn good_documents_are_taken() {
    let documents = Documents::new();
    for (nth, envelope) in documents.all().iter().enumerate() {
        assert!(documents.is_taken(envelope), "document {nth}");
    }
}

#[test]
fn a_document_beyond_its_bound_is_not_decoded() {
    const SMALL: Kind = Kind { what: "note", payload_type: "text/x-note", most: 30 };
    let house = House::new();
    let key = house.node(31, None).key;
    let sign = |bytes: usize| SMALL.sign(&"x".repeat(bytes), &key);
    let largest = sign(28).unwrap();
    assert_eq!(SMALL.open::<String>(&largest, &key.public()).unwrap().len(), 28);
    assert!(matches!(sign(29), Err(DocumentError::Oversize { bytes: 31, most: 30, .. })));
    let huge = Envelope::sign_bytes("text/x-note", &[b' '; 60], &[&key]);
    assert!(matches!(SMALL.fits(&huge), Err(DocumentError::Oversize { .. })));
    let mut padded = largest;
    padded.signatures.push(trust::dsse::EnvelopeSignature { keyid: key.id(), sig: "x".repeat(4096) });
    assert!(matches!(SMALL.fits(&padded), Err(DocumentError::Oversize { what: "signatures", .. })));
    let other = Envelope::sign_bytes("text/x-other", b"1", &[&key]);
    assert!(matches!(SMALL.fits(&other), Err(DocumentError::Malformed { .. })));
}

proptest! {
    #[test]
    fn no_changed_byte_is_taken(nth in 0_usize..5, at_byte: prop::sample::Index, with in 1_u8..=255) {
        let documents = Documents::new();
        let mut bytes = serde_json::to_vec(&documents.all()[nth]).unwrap();
        let index = at_byte.index(bytes.len());
        bytes[index] ^= with;
        if let Ok(changed) = serde_json::from_slice::<Envelope>(&bytes) {
            prop_assert!(!documents.is_taken(&changed));
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        kind in prop::sample::select(vec![
            crate::GRANT_TYPE, crate::CALL_TYPE, crate::ANSWER_TYPE, crate::KEPT_TYPE, crate::ACK_TYPE, PULSES_TYPE,
        ]),
        payload: Vec<u8>,
    ) {
        let documents = Documents::new();
        let keys = [documents.house.key(trust::KeyRole::Operator), &documents.a.key];
        prop_assert!(!documents.is_taken(&Envelope::sign_bytes(kind, &payload, &keys)));
    }
}
