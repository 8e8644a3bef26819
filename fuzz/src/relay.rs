//! What a node and a gateway say to one another, and the login in it.

use std::sync::OnceLock;

use mesh::relay::{Frame, LOGIN_TYPE, Login, LoginProof, MAX_DATAGRAM, MAX_FRAME, MAX_LOGIN, MAX_URL};
use trust::Envelope;

use crate::house::house;

/// The challenge that is answered here.
pub const CHALLENGE: [u8; 32] = [9; 32];
/// The gateway's URL.
pub const URL: &str = "wss://gate.example/v1/mesh/relay";

/// The one login that the node has signed, as its frame holds it.
pub fn login() -> Vec<u8> {
    let (node, gateway) = (&house().me, house().platform.id());
    Login::sign(&node.certificate, &node.key, gateway, &CHALLENGE, URL).expect("the login is small")
}

/// A frame that reads is written back byte for byte. A login is good only when its node signed it for this challenge of
/// this gateway.
pub fn check(bytes: &[u8]) {
    if let Ok(frame) = Frame::decode(bytes) {
        assert!(bytes.len() <= MAX_FRAME);
        let again = frame.encode();
        match frame {
            // An address can be written in more than one way.
            Frame::Welcome { .. } => assert_eq!(Frame::decode(&again), Ok(frame)),
            _ => assert_eq!(again, bytes),
        }
        match frame {
            Frame::Login { login, .. } => check_login(login),
            Frame::Datagram { payload, .. } => assert!((1..=MAX_DATAGRAM).contains(&payload.len())),
            _ => {}
        }
    }
    check_login(bytes);
    if serde_json::from_slice::<LoginProof>(bytes).is_ok() {
        let node = &house().me;
        let proof = Envelope::sign_bytes(LOGIN_TYPE, bytes, &[&node.key]);
        let login = Login { manifest: node.certificate.clone(), proof };
        if let Ok(proof) = login.verify(node.id(), house().platform.id(), &CHALLENGE) {
            assert_eq!((proof.node, proof.gateway), (node.id(), house().platform.id()));
            assert!(proof.url.len() <= MAX_URL);
            assert!(
                login.verify(node.id(), house().platform.id(), &[1; 32]).is_err(),
                "a login is good twice"
            );
        }
    }
}

fn check_login(bytes: &[u8]) {
    static GENUINE: OnceLock<LoginProof> = OnceLock::new();
    let (node, gateway) = (house().me.id(), house().platform.id());
    let Ok(login) = Login::read(bytes) else { return };
    assert!(bytes.len() <= MAX_LOGIN);
    let Ok(proof) = login.verify(node, gateway, &CHALLENGE) else { return };
    let genuine = GENUINE.get_or_init(|| {
        let login = Login::read(&self::login()).expect("what we write, we read");
        login.verify(node, gateway, &CHALLENGE).expect("the node's own login is good")
    });
    assert_eq!(&proof, genuine, "a login that nobody signed");
}
