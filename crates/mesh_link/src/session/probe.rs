//! Connectivity checks of our own (RFC 8445, section 7.2.2) beside the transport's: sent at the moment and with the size
//! that we want. Any peer that speaks ICE answers them; nobody else can, for they are signed with what the descriptions told.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use mesh::relay::is_relay_address;
use str0m::IceCreds;
use turn_client_proto::stun::types::{
    attribute::{AttributeType, RawAttribute, Username, XorMappedAddress},
    message::{
        BINDING, IntegrityAlgorithm, Message, MessageClass, MessageIntegrityCredentials, MessageType,
        MessageWriteVec, ShortTermCredentials, TransactionId,
    },
    prelude::{MessageWrite as _, MessageWriteExt as _},
};

use crate::pairs::is_answer;

/// The most checks whose answer is awaited; the oldest are forgotten first.
pub const MAX_ASKED: usize = 48;

/// Attributes of RFC 8445, section 16.1.
const PRIORITY: AttributeType = AttributeType::new(0x0024);
const CONTROLLED: AttributeType = AttributeType::new(0x8029);
const CONTROLLING: AttributeType = AttributeType::new(0x802a);
/// One that nobody has to understand (RFC 8489, section 14), and nobody does: it only fills the datagram.
const FILLING: AttributeType = AttributeType::new(0xffe0);
/// A peer-reflexive candidate's priority (RFC 8445, section 5.1.2.1), should the peer make one of it.
const STRAIGHT: u32 = (110 << 24) | (0xffff << 8) | 0xff;
/// A relay's, which must not be preferred.
const RELAYED: u32 = 0xff;

/// A path: our address and theirs.
pub type Path = (SocketAddr, SocketAddr);

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The round trip.
    pub rtt: Duration,
    /// The size of the check that arrived, in bytes of UDP payload.
    pub size: usize,
}

struct Asked {
    id: TransactionId,
    path: Path,
    at: Instant,
    size: usize,
}

/// The checks of one session.
pub struct Probes {
    username: String,
    theirs: MessageIntegrityCredentials,
    ours: MessageIntegrityCredentials,
    /// Our role, and the number that settles it when both ends claim the same one.
    role: (AttributeType, [u8; 8]),
    asked: VecDeque<Asked>,
}

fn password(creds: &IceCreds) -> MessageIntegrityCredentials {
    MessageIntegrityCredentials::ShortTerm(ShortTermCredentials::new(creds.pass.clone()))
}

impl Probes {
    /// Of a session with these names and passwords. `offerer`: whether it made the offer, and so controls.
    pub fn new(ours: &IceCreds, theirs: &IceCreds, offerer: bool) -> Self {
        Self {
            username: format!("{}:{}", theirs.ufrag, ours.ufrag),
            theirs: password(theirs),
            ours: password(ours),
            // Until the transport says its own; some take a number of 0 for none at all.
            role: (if offerer { CONTROLLING } else { CONTROLLED }, 1_u64.to_be_bytes()),
            asked: VecDeque::new(),
        }
    }

    /// Whether this end chooses the path: mostly the one that offered the session.
    pub fn offers(&self) -> bool {
        self.role.0 == CONTROLLING
    }

    /// The transport sends this. Our checks claim the role, and with the number, that its own claim (RFC 8445, section
    /// 7.1.2): otherwise the peer would see a conflict of roles, or none where there is one.
    pub fn sends(&mut self, bytes: &[u8]) {
        let Some(request) = Message::from_bytes(bytes).ok().filter(|m| m.has_class(MessageClass::Request))
        else {
            return;
        };
        for kind in [CONTROLLED, CONTROLLING] {
            let number = request.raw_attribute(kind).and_then(|claim| claim.value.as_ref().try_into().ok());
            if let Some(number) = number {
                self.role = (kind, number);
            }
        }
    }

    /// Whether a STUN message is signed as the peer signs it: what it asks with our password, what it answers with its own.
    pub fn signed(&self, bytes: &[u8]) -> bool {
        Message::from_bytes(bytes).is_ok_and(|message| {
            let password = if message.is_response() { &self.theirs } else { &self.ours };
            message.validate_integrity(password).is_ok()
        })
    }

    /// A check for a path, filled up to `size` bytes when it would be smaller.
    pub fn ask(&mut self, now: Instant, path: Path, size: usize) -> Option<Vec<u8>> {
        let id = TransactionId::generate();
        let bytes = self.request(id, path, size)?;
        if self.asked.len() >= MAX_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back(Asked { id, path, at: now, size: bytes.len() });
        Some(bytes)
    }

    fn request(&self, id: TransactionId, path: Path, size: usize) -> Option<Vec<u8>> {
        const INTEGRITY_AND_FINGERPRINT: usize = 32;
        const HEAD: usize = 4;
        let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
        let mut request = Message::builder(kind, id, MessageWriteVec::new());
        request.add_attribute(&Username::new(&self.username).ok()?).ok()?;
        request.add_attribute(&RawAttribute::new(self.role.0, &self.role.1)).ok()?;
        let priority = if is_relay_address(&path.0) { RELAYED } else { STRAIGHT };
        request.add_attribute(&RawAttribute::new(PRIORITY, &priority.to_be_bytes())).ok()?;
        let missing = size.saturating_sub(request.len() + INTEGRITY_AND_FINGERPRINT);
        if missing > HEAD {
            request.add_attribute(&RawAttribute::new(FILLING, &vec![0; missing - HEAD])).ok()?;
        }
        request.add_message_integrity(&self.theirs, IntegrityAlgorithm::Sha1).ok()?;
        request.add_fingerprint().ok()?;
        Some(request.finish())
    }

    /// Whether a datagram may answer one of them; its signature is looked at elsewhere.
    pub fn expects(&self, path: Path, bytes: &[u8]) -> bool {
        is_answer(bytes) && self.position(path, bytes).is_some()
    }

    fn position(&self, path: Path, bytes: &[u8]) -> Option<usize> {
        let id = TransactionId::from(
            bytes.get(8..20)?.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte)),
        );
        self.asked.iter().position(|asked| asked.id == id && asked.path == path)
    }

    /// What an answer says, when it is one.
    pub fn answered(&mut self, now: Instant, path: Path, bytes: &[u8]) -> Option<Answer> {
        if !is_answer(bytes) {
            return None;
        }
        let at = self.position(path, bytes)?;
        Message::from_bytes(bytes).ok()?.validate_integrity(&self.theirs).ok()?;
        let asked = self.asked.remove(at)?;
        Some(Answer { rtt: now.saturating_duration_since(asked.at), size: asked.size })
    }
}

/// The name and the password in a session description (RFC 8839, section 5.4).
pub fn creds_in(sdp: &str) -> Option<IceCreds> {
    let value = |name: &str| sdp.lines().find_map(|line| line.trim_end().strip_prefix(name));
    Some(IceCreds { ufrag: value("a=ice-ufrag:")?.to_owned(), pass: value("a=ice-pwd:")?.to_owned() })
}

/// Our address as an answer tells it.
pub fn mapped_in(answer: &[u8]) -> Option<SocketAddr> {
    let answer = Message::from_bytes(answer).ok()?;
    Some(answer.attribute::<XorMappedAddress>().ok()?.addr(answer.transaction_id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn creds(name: &str) -> IceCreds {
        IceCreds { ufrag: name.to_owned(), pass: format!("{name}-password-of-22-letters") }
    }

    fn path(last: u8) -> Path {
        (([10, 0, 0, 1], 4_000).into(), ([10, 0, 0, last], 4_000).into())
    }

    /// What whoever has this password answers.
    fn answer(request: &[u8], password: &str) -> Vec<u8> {
        let request = Message::from_bytes(request).unwrap();
        let mut answer = Message::builder_success(&request, MessageWriteVec::new());
        let mapped = XorMappedAddress::new(path(2).0, request.transaction_id());
        answer.add_attribute(&mapped).unwrap();
        let password = ShortTermCredentials::new(password.to_owned());
        let password = MessageIntegrityCredentials::ShortTerm(password);
        answer.add_message_integrity(&password, IntegrityAlgorithm::Sha1).unwrap();
        answer.finish()
    }

    #[test]
    fn only_the_peer_s_own_answer_on_the_same_path_counts_and_once() {
        let (mut probes, now) = (Probes::new(&creds("ours"), &creds("theirs"), true), Instant::now());
        let asked = probes.ask(now, path(2), 0).unwrap();
        let good = answer(&asked, &creds("theirs").pass);
        let later = now + Duration::from_millis(7);
        assert!(probes.answered(later, path(2), &answer(&asked, "somebody")).is_none());
        assert!(probes.answered(later, path(3), &good).is_none());
        assert!(!probes.expects(path(3), &good) && probes.expects(path(2), &good));
        let said = Answer { rtt: Duration::from_millis(7), size: asked.len() };
        assert_eq!(probes.answered(later, path(2), &good), Some(said));
        assert!(probes.answered(later, path(2), &good).is_none(), "once");
    }

    #[test]
    fn a_check_is_as_large_as_it_was_asked_to_be_and_says_who_asks() {
        let mut probes = Probes::new(&creds("ours"), &creds("theirs"), false);
        for size in [548, 1_232, 1_472] {
            let asked = probes.ask(Instant::now(), path(2), size).unwrap();
            assert_eq!(asked.len(), size);
            let message = Message::from_bytes(&asked).unwrap();
            assert_eq!(message.attribute::<Username>().unwrap().username(), "theirs:ours");
            assert!(message.has_attribute(CONTROLLED) && !message.has_attribute(CONTROLLING));
        }
    }

    #[test]
    fn a_check_claims_the_role_and_the_number_that_the_transport_claims_and_never_none() {
        let mut probes = Probes::new(&creds("ours"), &creds("theirs"), false);
        let claim = |probes: &mut Probes| {
            let asked = probes.ask(Instant::now(), path(2), 0).unwrap();
            let message = Message::from_bytes(&asked).unwrap();
            [CONTROLLED, CONTROLLING]
                .map(|kind| message.raw_attribute(kind).map(|claim| claim.value.to_vec()))
        };
        let [Some(number), None] = claim(&mut probes) else { panic!("it is controlled") };
        assert_ne!(number, [0; 8], "which libjuice takes for no claim at all");
        let mut transport = Probes::new(&creds("ours"), &creds("theirs"), true);
        transport.role.1 = [7; 8];
        probes.sends(&transport.ask(Instant::now(), path(2), 0).unwrap());
        assert_eq!(claim(&mut probes), [None, Some(vec![7; 8])]);
        probes.sends(b"what is no STUN at all");
        assert_eq!(claim(&mut probes), [None, Some(vec![7; 8])]);
        assert!(probes.offers());
    }

    #[test]
    fn only_what_the_peer_signed_is_taken_as_signed() {
        let probes = Probes::new(&creds("ours"), &creds("theirs"), true);
        let asked = |ours: &str| {
            Probes::new(&creds("theirs"), &creds(ours), false).ask(Instant::now(), path(2), 0).unwrap()
        };
        let answered = |by: &str| answer(&asked("somebody"), &creds(by).pass);
        assert!(probes.signed(&asked("ours")) && !probes.signed(&asked("somebody")));
        assert!(probes.signed(&answered("theirs")) && !probes.signed(&answered("ours")));
        assert!(!probes.signed(&[0; 20]));
    }

    #[test]
    fn checks_that_nobody_answers_do_not_pile_up() {
        let mut probes = Probes::new(&creds("ours"), &creds("theirs"), true);
        let first = probes.ask(Instant::now(), path(2), 0).unwrap();
        for _ in 0..1_000 {
            probes.ask(Instant::now(), path(2), 0);
        }
        assert_eq!(probes.asked.len(), MAX_ASKED);
        assert!(!probes.expects(path(2), &answer(&first, &creds("theirs").pass)), "the oldest went");
    }

    #[test]
    fn the_names_and_passwords_are_read_from_a_description() {
        let sdp = "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n";
        let found = creds_in(sdp).unwrap();
        assert_eq!((found.ufrag.as_str(), found.pass.as_str()), ("abcd", "0123456789012345678901"));
        assert!(creds_in("v=0\r\na=ice-ufrag:abcd\r\n").is_none());
    }
}
