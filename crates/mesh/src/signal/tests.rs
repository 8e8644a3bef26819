use proptest::prelude::*;

use super::*;
use crate::{
    admission::Admitted,
    test_house::{House, Node, at},
};

const SDP: &str = "v=0\r\na=fingerprint:sha-256 AA:BB\r\n";

fn offer(from: &Node, to: Option<&Node>) -> Offer {
    Offer {
        from: from.id(),
        to: to.map(Node::id),
        session: SessionId([7; 16]),
        token: Some("token".to_owned()),
        made: at("2001-01-01"),
        registry: 1,
        sdp: SDP.to_owned(),
    }
}

struct Two {
    house: House,
    a: Node,
    b: Node,
}

fn two() -> Two {
    let house = House::new();
    let (a, b) = (house.node(31, Some(1)), house.node(32, Some(1)));
    Two { house, a, b }
}

impl Two {
    /// What `b` says to `bytes`.
    fn judge(&self, bytes: &[u8], seen: &mut Seen) -> Result<(Admitted, Offer, Digest), Refusal> {
        check_offer(bytes, &self.house.trust(), &self.b.me(), at("2027-06-01"), seen)
    }

    fn refused(&self, edit: impl FnOnce(&mut Offer)) -> Refusal {
        let mut bad = offer(&self.a, Some(&self.b));
        edit(&mut bad);
        let signed = bad.sign(&self.a.certificate, &self.a.key).unwrap();
        self.judge(&signed.to_json(), &mut Seen::default()).unwrap_err()
    }
}

#[test]
fn a_good_offer_is_taken_once_whatever_its_maker_s_clock_says() {
    let two = two();
    let signed = offer(&two.a, Some(&two.b)).sign(&two.a.certificate, &two.a.key).unwrap();
    let mut seen = Seen::default();
    let (admitted, read, digest) = two.judge(&signed.to_json(), &mut seen).unwrap();
    assert_eq!((admitted.node, read.sdp.as_str(), digest), (two.a.id(), SDP, signed.digest()));
    assert_eq!(two.judge(&signed.to_json(), &mut seen).unwrap_err(), Refusal::Replayed);
}

#[test]
fn an_offer_to_whoever_is_there_needs_no_name_and_no_token() {
    let two = two();
    let open = Offer { token: None, ..offer(&two.a, None) };
    let signed = open.sign(&two.a.certificate, &two.a.key).unwrap();
    two.judge(&signed.to_json(), &mut Seen::default()).unwrap();
}

#[test]
fn an_offer_for_somebody_else_is_refused() {
    let two = two();
    assert_eq!(two.refused(|o| o.to = Some(two.a.id())), Refusal::NotForMe);
    assert_eq!(two.refused(|o| o.token = Some("old".to_owned())), Refusal::WrongToken);
    assert_eq!(two.refused(|o| o.from = two.b.id()), Refusal::Myself);
}

#[test]
fn a_stolen_manifest_opens_nothing() {
    let two = two();
    let thief = two.house.node(40, Some(2));
    // The thief shows a's manifest, and signs with the only key that it has.
    let signed = offer(&two.a, Some(&two.b)).sign(&two.a.certificate, &thief.key).unwrap();
    let refused = two.judge(&signed.to_json(), &mut Seen::default()).unwrap_err();
    assert_eq!(refused, Refusal::WrongKey);
    // The same in its own name.
    let signed = offer(&thief, Some(&two.b)).sign(&two.a.certificate, &thief.key).unwrap();
    assert_eq!(two.judge(&signed.to_json(), &mut Seen::default()).unwrap_err(), Refusal::WrongKey);
}

#[test]
fn a_node_that_is_let_in_does_not_speak_for_another() {
    let two = two();
    let liar = two.house.node(40, Some(1));
    let signed = offer(&two.a, Some(&two.b)).sign(&liar.certificate, &liar.key).unwrap();
    assert_eq!(two.judge(&signed.to_json(), &mut Seen::default()).unwrap_err(), Refusal::WrongKey);
}

#[test]
fn who_is_not_let_in_makes_no_session_seen() {
    let two = two();
    let stranger = two.house.node(40, Some(2));
    let signed = offer(&stranger, Some(&two.b)).sign(&stranger.certificate, &stranger.key).unwrap();
    let mut seen = Seen::default();
    assert_eq!(two.judge(&signed.to_json(), &mut seen).unwrap_err(), Refusal::OtherRealm);
    let good = offer(&two.a, Some(&two.b)).sign(&two.a.certificate, &two.a.key).unwrap();
    two.judge(&good.to_json(), &mut seen).unwrap();
}

#[test]
fn an_unsigned_or_oversize_offer_is_refused() {
    let two = two();
    let mut signed = offer(&two.a, Some(&two.b)).sign(&two.a.certificate, &two.a.key).unwrap();
    signed.body.signatures.clear();
    assert_eq!(two.judge(&signed.to_json(), &mut Seen::default()).unwrap_err(), Refusal::WrongKey);
    let huge = vec![b' '; MAX_SIGNAL_BYTES + 1];
    assert_eq!(two.judge(&huge, &mut Seen::default()).unwrap_err().code(), "oversize");
    let long = Offer { sdp: "a".repeat(MAX_SDP_BYTES + 1), ..offer(&two.a, None) };
    assert_eq!(long.sign(&two.a.certificate, &two.a.key).unwrap_err().code(), "oversize");
}

fn answered(two: &Two, edit: impl FnOnce(&mut Answer)) -> (Vec<u8>, Expected) {
    let signed = offer(&two.a, Some(&two.b)).sign(&two.a.certificate, &two.a.key).unwrap();
    let expected = Expected { session: SessionId([7; 16]), offer: signed.digest(), node: Some(two.b.id()) };
    let mut answer = Answer {
        from: two.b.id(),
        to: two.a.id(),
        session: SessionId([7; 16]),
        offer: signed.digest(),
        made: at("2030-01-01"),
        sdp: SDP.to_owned(),
    };
    edit(&mut answer);
    (answer.sign(&two.b.certificate, &two.b.key).unwrap().to_json(), expected)
}

#[test]
fn an_answer_counts_for_its_offer_alone() {
    let two = two();
    let judge = |(bytes, expected): (Vec<u8>, Expected)| {
        check_answer(&bytes, &two.house.trust(), &two.a.me(), at("2027-06-01"), &expected)
            .map(|(admitted, _)| admitted.node)
    };
    assert_eq!(judge(answered(&two, |_| {})), Ok(two.b.id()));
    assert_eq!(judge(answered(&two, |a| a.offer = Digest::of(b"other"))), Err(Refusal::Replayed));
    assert_eq!(judge(answered(&two, |a| a.session = SessionId([8; 16]))), Err(Refusal::NotForMe));
    assert_eq!(judge(answered(&two, |a| a.to = two.b.id())), Err(Refusal::NotForMe));
    assert_eq!(judge(answered(&two, |a| a.from = two.a.id())), Err(Refusal::NotForMe));
    let (bytes, mut expected) = answered(&two, |_| {});
    expected.node = None;
    assert_eq!(judge((bytes, expected)), Ok(two.b.id()));
}

#[test]
fn candidates_come_in_order_from_the_peer_alone() {
    let two = two();
    let line = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host".to_owned();
    let candidates = Candidates {
        from: two.a.id(),
        to: two.b.id(),
        session: SessionId([7; 16]),
        seq: 2,
        sdp_lines: vec![line.clone()],
    };
    let bytes = candidates.sign(&two.a.certificate, &two.a.key).unwrap().to_json();
    let judge =
        |from: &Node, after| check_candidates(&bytes, &two.b.id(), &from.id(), SessionId([7; 16]), after);
    assert_eq!(judge(&two.a, 1).unwrap().sdp_lines, [line]);
    assert_eq!(judge(&two.a, 2), Err(Refusal::Replayed));
    assert_eq!(judge(&two.house.node(40, Some(1)), 1), Err(Refusal::WrongKey));
    let forged = candidates.sign(&two.a.certificate, &two.b.key).unwrap().to_json();
    let refused = check_candidates(&forged, &two.b.id(), &two.a.id(), SessionId([7; 16]), 1).unwrap_err();
    assert_eq!(refused.code(), "altered");
    let many = Candidates { sdp_lines: vec![String::new(); MAX_CANDIDATES + 1], ..candidates };
    assert!(many.sign(&two.a.certificate, &two.a.key).is_err());
}

#[test]
fn signals_are_told_apart() {
    let two = two();
    let signed = offer(&two.a, None).sign(&two.a.certificate, &two.a.key).unwrap();
    assert_eq!(Signal::read(&signed.to_json()), Ok(Signal::Offer(signed)));
    let (bytes, _) = answered(&two, |_| {});
    assert!(matches!(Signal::read(&bytes), Ok(Signal::Answer(_))));
    let refused = Refused::of(SessionId([1; 16]), &Refusal::WrongToken, 3);
    assert_eq!(Signal::read(&refused.to_json()), Ok(Signal::Refused(refused)));
    assert_eq!(Signal::read(b"{}").unwrap_err().code(), "malformed");
}

#[test]
fn a_refusal_of_any_words_reads_back() {
    let long = Refusal::Malformed("ü".repeat(MAX_WHY));
    let refused = Refused::of(SessionId([1; 16]), &long, 3);
    assert_eq!(Refused::read(&refused.to_json()), Ok(refused));
}

proptest! {
    #[test]
    fn a_changed_byte_of_an_offer_is_never_taken(at_byte: prop::sample::Index, with in 1_u8..=255) {
        let two = two();
        let good = offer(&two.a, Some(&two.b)).sign(&two.a.certificate, &two.a.key).unwrap();
        let mut bytes = good.to_json();
        let index = at_byte.index(bytes.len());
        bytes[index] ^= with;
        prop_assert!(two.judge(&bytes, &mut Seen::default()).is_err());
    }

    #[test]
    fn a_changed_byte_of_an_answer_or_of_candidates_is_never_taken(
        at_byte: prop::sample::Index,
        with in 1_u8..=255,
    ) {
        let two = two();
        let changed = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let index = at_byte.index(bytes.len());
            bytes[index] ^= with;
            bytes
        };
        let (answer, expected) = answered(&two, |_| {});
        let (trust, me) = (two.house.trust(), two.a.me());
        prop_assert!(check_answer(&changed(&answer), &trust, &me, at("2027-06-01"), &expected).is_err());
        let session = SessionId([7; 16]);
        let (from, to) = (two.a.id(), two.b.id());
        let candidates = Candidates { from, to, session, seq: 1, sdp_lines: vec!["a=candidate:1".to_owned()] };
        // The manifest goes along and is not looked at: the peer was let in when the session began.
        let body = candidates.sign(&two.a.certificate, &two.a.key).unwrap();
        let body = Signed { body: serde_json::from_slice(&changed(&serde_json::to_vec(&body.body).unwrap()))
            .unwrap_or_else(|_| two.a.certificate.clone()), ..body };
        prop_assert!(check_candidates(&body.to_json(), &to, &from, session, 0).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let two = two();
        prop_assert!(two.judge(&bytes, &mut Seen::default()).is_err());
        let _ = Signal::read(&bytes);
        let (_, expected) = answered(&two, |_| {});
        let (trust, me) = (two.house.trust(), two.a.me());
        prop_assert!(check_answer(&bytes, &trust, &me, at("2027-06-01"), &expected).is_err());
        prop_assert!(check_candidates(&bytes, &two.b.id(), &two.a.id(), expected.session, 0).is_err());
    }

    /// Whatever a node signs with its own key as the body of an offer: it is judged, and never a panic.
    #[test]
    fn no_signed_words_make_it_panic(payload: Vec<u8>, sdp in ".{0,200}", token in prop::option::of(".{0,80}")) {
        let two = two();
        let body = Envelope::sign_bytes(OFFER_TYPE, &payload, &[&two.a.key]);
        let signed = Signed { manifest: two.a.certificate.clone(), body, versions: Vec::new() };
        prop_assert!(two.judge(&signed.to_json(), &mut Seen::default()).is_err());
        let odd = Offer { sdp, token: token.clone(), ..offer(&two.a, None) };
        if let Ok(signed) = odd.sign(&two.a.certificate, &two.a.key) {
            let taken = two.judge(&signed.to_json(), &mut Seen::default());
            prop_assert_eq!(taken.is_ok(), token.is_none_or(|token| token == "token"));
        }
    }
}
