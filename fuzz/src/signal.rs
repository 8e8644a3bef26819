//! How two nodes begin: offers, answers, candidates, refusals, and the manifests that come with them.

use std::sync::OnceLock;

use mesh::{
    MAX_CERTIFICATE_BYTES, Realm, Refusal, Seen, SessionId, Signal, Signed, admit,
    signal::{
        ANSWER_TYPE, Answer, CANDIDATES_TYPE, Candidates, Expected, MAX_SDP_BYTES, MAX_SIGNAL_BYTES,
        OFFER_TYPE, Offer, check_answer, check_candidates, check_offer,
    },
};
use trust::{Envelope, KeyRole, NodeManifest, manifest::NODE_MANIFEST_TYPE};

use crate::house::{House, Member, at, house, now};

/// The session of everything here.
pub const SESSION: SessionId = SessionId([7; 16]);

/// What the peer has signed for this node, and nothing else.
pub struct Genuine {
    /// An offer.
    pub offer: Offer,
    /// An answer to [`Genuine::expected`].
    pub answer: Answer,
    /// Candidates.
    pub candidates: Candidates,
    /// The same, signed.
    pub signed: [Signed; 3],
}

/// What the peer has signed.
pub fn genuine() -> &'static Genuine {
    static GENUINE: OnceLock<Genuine> = OnceLock::new();
    GENUINE.get_or_init(|| {
        let House { me, peer, .. } = house();
        let sdp = "v=0\r\na=fingerprint:sha-256 AA:BB\r\n".to_owned();
        let (from, to, session, made) = (peer.id(), me.id(), SESSION, at("2027-05-10"));
        let token = Some("token".to_owned());
        let offer = Offer { from, to: Some(to), session, token, made, registry: 1, sdp: sdp.clone() };
        let answer = Answer { from, to, session, offer: expected().offer, made, sdp };
        let line = "a=candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host".to_owned();
        let candidates = Candidates { from, to, session, seq: 1, sdp_lines: vec![line] };
        let good = "what the peer signs is sound";
        let signed = [
            offer.sign(&peer.certificate, &peer.key).expect(good),
            answer.sign(&peer.certificate, &peer.key).expect(good),
            candidates.sign(&peer.certificate, &peer.key).expect(good),
        ];
        Genuine { offer, answer, candidates, signed }
    })
}

/// What this node has offered to the peer.
pub fn expected() -> Expected {
    let offer = echo_core::Digest::of(b"an offer");
    Expected { session: SESSION, offer, node: Some(house().peer.id()) }
}

/// Only what the peer has signed is taken, and once; whatever else the peer could sign is taken within its bounds.
pub fn check(bytes: &[u8]) {
    if let Ok(signal) = Signal::read(bytes) {
        assert!(bytes.len() <= MAX_SIGNAL_BYTES);
        let again = match &signal {
            Signal::Offer(signed) | Signal::Answer(signed) | Signal::Candidates(signed) => signed.to_json(),
            Signal::Refused(refused) => refused.to_json(),
        };
        assert_eq!(Signal::read(&again), Ok(signal), "what we write, we read");
    }
    as_it_came(bytes);
    signed_by(&house().peer, bytes);
    certified(bytes);
}

/// Nobody but the house signs: what is taken was signed by it.
fn as_it_came(bytes: &[u8]) {
    let (house, genuine) = (house(), genuine());
    let (trust, me) = (&house.trust, house.me.me());
    if let Ok((admitted, offer, digest)) = check_offer(bytes, trust, &me, now(), &mut Seen::default()) {
        assert_eq!(
            (&offer, digest),
            (&genuine.offer, genuine.signed[0].digest()),
            "nobody signed this offer"
        );
        assert_eq!(admitted.manifest, house.peer.manifest);
    }
    if let Ok((admitted, answer)) = check_answer(bytes, trust, &me, now(), &expected()) {
        assert_eq!(answer, genuine.answer, "nobody signed this answer");
        assert_eq!(admitted.manifest, house.peer.manifest);
    }
    if let Ok(candidates) = check_candidates(bytes, &house.me.id(), &house.peer.id(), SESSION, 0) {
        assert_eq!(candidates, genuine.candidates, "nobody signed these candidates");
    }
}

/// The bytes as what `by` has signed.
fn signed_by(by: &Member, bytes: &[u8]) {
    let (house, me) = (house(), house().me.me());
    let signed = |kind| {
        let body = Envelope::sign_bytes(kind, bytes, &[&by.key]);
        Signed { manifest: by.certificate.clone(), body, versions: Vec::new() }.to_json()
    };
    if serde_json::from_slice::<Offer>(bytes).is_ok() {
        let (json, mut seen) = (signed(OFFER_TYPE), Seen::default());
        if let Ok((admitted, offer, _)) = check_offer(&json, &house.trust, &me, now(), &mut seen) {
            assert_eq!((admitted.node, offer.from), (by.id(), by.id()));
            assert!(offer.sdp.len() <= MAX_SDP_BYTES && offer.to.is_none_or(|to| to == house.me.id()));
            assert!(offer.token.is_none() || offer.token == me.token);
            let again = check_offer(&json, &house.trust, &me, now(), &mut seen);
            assert_eq!(again.err(), Some(Refusal::Replayed), "an offer is taken twice");
        }
    }
    if serde_json::from_slice::<Answer>(bytes).is_ok()
        && let Ok((admitted, answer)) =
            check_answer(&signed(ANSWER_TYPE), &house.trust, &me, now(), &expected())
    {
        assert_eq!((admitted.node, answer.from, answer.to), (by.id(), by.id(), house.me.id()));
        assert_eq!((answer.session, answer.offer), (SESSION, expected().offer));
    }
    if serde_json::from_slice::<Candidates>(bytes).is_ok() {
        let json = signed(CANDIDATES_TYPE);
        let taken = |after| check_candidates(&json, &house.me.id(), &by.id(), SESSION, after);
        if let Ok(candidates) = taken(0) {
            assert_eq!(taken(candidates.seq).err(), Some(Refusal::Replayed), "candidates are taken twice");
        }
    }
}

/// The bytes as a manifest that the device issuer has signed.
fn certified(bytes: &[u8]) {
    if serde_json::from_slice::<NodeManifest>(bytes).is_err() {
        return;
    }
    let (house, me) = (house(), &house().me.manifest);
    let certificate = Envelope::sign_bytes(NODE_MANIFEST_TYPE, bytes, &[&house.keys[&KeyRole::DeviceIssuer]]);
    if let Ok(admitted) = admit(&certificate, &house.trust, me, now()) {
        assert!(certificate.payload.len() <= MAX_CERTIFICATE_BYTES);
        assert!(admitted.manifest.expires > now() && admitted.manifest.public_key != me.public_key);
        assert!(admitted.realm.meets(&Realm::of(me)) && admitted.node.key() == admitted.manifest.public_key);
        assert_eq!(admitted.manifest.did, admitted.node.to_string());
    }
}
