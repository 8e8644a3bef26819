use echo_core::SeededEntropy;
use proptest::prelude::*;

use super::*;

const URL: &str = "wss://gate.example/v1/mesh/relay";

fn keys() -> (KeyPair, KeyPair) {
    let source = SeededEntropy::new(11);
    (KeyPair::generate(&source), KeyPair::generate(&source))
}

fn manifest(key: &KeyPair) -> Envelope {
    Envelope::sign_bytes("application/vnd.echo.node-manifest.v1+json", b"{}", &[key])
}

#[test]
fn every_kind_of_frame_is_read_as_it_was_written() {
    let (node, challenge) = ([7; 32], [9; 32]);
    let observed = "[2001:db8::1]:4711".parse().unwrap();
    let frames = [
        Frame::Challenge { gateway: node, challenge: &challenge },
        Frame::Login { node, login: b"{}" },
        Frame::Welcome { gateway: node, observed },
        Frame::Refused { code: "expired", reason: "the manifest expired: enrol again" },
        Frame::Datagram { node, payload: &[1; MAX_DATAGRAM] },
        Frame::Signal { node, payload: b"{}" },
        Frame::Away { node },
        Frame::Ping([1; 8]),
        Frame::Pong([2; 8]),
    ];
    for frame in frames {
        assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }
}

#[test]
fn what_is_too_long_or_too_short_is_refused() {
    let node = [7; 32];
    let long = Frame::Datagram { node, payload: &[0; MAX_DATAGRAM + 1] }.encode();
    assert_eq!(Frame::decode(&long), Err(RelayError::Oversize { found: 1501, most: 1500 }));
    let long = Frame::Signal { node, payload: &vec![0; MAX_SIGNAL + 1] }.encode();
    assert!(matches!(Frame::decode(&long), Err(RelayError::Oversize { .. })));
    let empty = Frame::Datagram { node, payload: &[] }.encode();
    assert_eq!(Frame::decode(&empty), Err(RelayError::Cut(HEAD)));
    assert_eq!(Frame::decode(&[5; 20]), Err(RelayError::Cut(20)));
    let mut ping = Frame::Ping([1; 8]).encode();
    ping[5] = 1;
    assert!(matches!(Frame::decode(&ping), Err(RelayError::Malformed(_))));
}

#[test]
fn a_long_reason_is_cut_at_a_letter() {
    let reason = "é".repeat(MAX_REASON);
    let bytes = Frame::Refused { code: "busy", reason: &reason }.encode();
    let Ok(Frame::Refused { reason: read, .. }) = Frame::decode(&bytes) else { panic!("no refusal") };
    assert!(reason.starts_with(read) && read.len() <= MAX_REASON);
}

#[test]
fn a_login_counts_for_its_node_gateway_and_challenge_only() {
    let (node, gate) = keys();
    let (me, gateway) = (NodeId::of(&node.public()), NodeId::of(&gate.public()));
    let challenge = [3; 32];
    let bytes = Login::sign(&manifest(&node), &node, gateway, &challenge, URL).unwrap();
    let login = Login::read(&bytes).unwrap();
    assert_eq!(login.verify(me, gateway, &challenge).unwrap().url, URL);
    assert_eq!(login.verify(me, gateway, &[4; 32]), Err(RelayError::Elsewhere("challenge")));
    assert_eq!(login.verify(me, me, &challenge), Err(RelayError::Elsewhere("gateway")));
    assert!(matches!(login.verify(gateway, gateway, &challenge), Err(RelayError::Proof(_))));
}

#[test]
fn a_pseudo_address_is_the_node_s_own_and_goes_nowhere() {
    let (a, b) = keys();
    let (a, b) = (relay_address(&NodeId::of(&a.public())), relay_address(&NodeId::of(&b.public())));
    assert_ne!(a, b);
    assert!(is_relay_address(&a.into()) && a.ip().segments()[..4] == [0x100, 0, 0, 0]);
    assert!(!is_relay_address(&"[2001:db8::1]:9".parse().unwrap()));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic_and_what_is_read_is_written_back(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0u8..11, zero in any::<bool>()
    ) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        if zero && bytes.len() >= HEAD {
            bytes[1..HEAD].fill(0);
        }
        if let Ok(frame) = Frame::decode(&bytes) {
            let written = frame.encode();
            prop_assert_eq!(Frame::decode(&written), Ok(frame));
        }
    }

    #[test]
    fn a_changed_login_never_verifies(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (node, gate) = keys();
        let (me, gateway) = (NodeId::of(&node.public()), NodeId::of(&gate.public()));
        let mut bytes = Login::sign(&manifest(&node), &node, gateway, &[3; 32], URL).unwrap();
        let good = Login::read(&bytes).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(login) = Login::read(&bytes) {
            // Whoever admits the manifest finds a change in it; everything else is the proof's to find.
            if login.manifest == good.manifest && login.proof != good.proof {
                prop_assert!(login.verify(me, gateway, &[3; 32]).is_err());
            }
        }
    }

    #[test]
    fn random_logins_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Login::read(&bytes);
    }
}
