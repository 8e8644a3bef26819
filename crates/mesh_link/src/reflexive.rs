//! The outside of a NAT: what a STUN server (RFC 8489) sees of each of this machine's addresses.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use echo_core::{Mint, Reach};
use str0m::Candidate;
use turn_client_proto::stun::types::{
    attribute::XorMappedAddress,
    message::{BINDING, Message, MessageClass, MessageType, MessageWriteVec, TransactionId},
    prelude::{MessageWrite as _, MessageWriteExt as _},
};

/// The most STUN servers that are asked.
pub const MAX_SERVERS: usize = 4;
/// How often each is asked: often enough to keep a NAT's mapping (RFC 8445, section 11).
pub const ASK_EVERY: Duration = Duration::from_secs(20);
/// When an address that has no answer asks for the second time; each wait is twice the one before, up to [`ASK_EVERY`].
pub const ASK_AGAIN: Duration = Duration::from_secs(2);
/// How often the servers' names are looked up.
const LOOK_UP_EVERY: Duration = Duration::from_mins(5);

/// A datagram to send: from, to, bytes.
pub type Question = (SocketAddr, SocketAddr, Vec<u8>);

#[derive(Debug)]
struct Asked {
    id: TransactionId,
    at: Instant,
    /// How long until it is asked again.
    wait: Duration,
}

/// What is known of the outside.
#[derive(Debug)]
pub struct Reflexive {
    servers: Arc<Mutex<Vec<SocketAddr>>>,
    asked: HashMap<(SocketAddr, SocketAddr), Asked>,
    seen: HashMap<SocketAddr, SocketAddr>,
    looking: Option<tokio::task::JoinHandle<()>>,
}

impl Reflexive {
    /// Asks these servers, `host:port` each; those beyond [`MAX_SERVERS`] or out of reach are left out. Needs a tokio runtime when there is one.
    pub fn new(servers: &[String], reach: Reach) -> Self {
        let found = Arc::new(Mutex::new(Vec::new()));
        let names: Vec<String> =
            servers.iter().take(MAX_SERVERS).filter(|name| within(reach, name)).cloned().collect();
        let looking = (!names.is_empty()).then(|| tokio::spawn(look_up(names, found.clone())));
        Self { servers: found, asked: HashMap::new(), seen: HashMap::new(), looking }
    }

    /// The candidates that are known now.
    pub fn candidates(&self) -> Vec<Candidate> {
        let mut seen: Vec<_> = self.seen.iter().collect();
        seen.sort();
        seen.into_iter()
            .filter_map(|(base, outside)| Candidate::server_reflexive(*outside, *base, "udp").ok())
            .collect()
    }

    /// What to ask now, from these local addresses.
    pub fn questions(&mut self, now: Instant, mint: &Mint, locals: &[SocketAddr]) -> Vec<Question> {
        self.asked.retain(|(local, _), _| locals.contains(local));
        self.seen.retain(|local, _| locals.contains(local));
        let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut questions = Vec::new();
        for server in servers {
            for local in locals.iter().filter(|at| at.is_ipv4() == server.is_ipv4() && reaches(at, &server)) {
                let pair = (*local, server);
                let before = self.asked.get(&pair);
                if before.is_some_and(|asked| now.duration_since(asked.at) < asked.wait) {
                    continue;
                }
                let wait = before.map_or(ASK_AGAIN, |asked| (2 * asked.wait).min(ASK_EVERY));
                let id = TransactionId::from(u128::from_be_bytes(mint.bytes()));
                let kind = MessageType::from_class_method(MessageClass::Request, BINDING);
                let mut request = Message::builder(kind, id, MessageWriteVec::new());
                if request.add_fingerprint().is_err() {
                    continue;
                }
                let bytes = request.finish();
                self.asked.insert(pair, Asked { id, at: now, wait });
                questions.push((*local, server, bytes));
            }
        }
        questions
    }

    /// Whether a datagram is a server's answer, and the candidate in it when that is new. The inner is none when it is known.
    pub fn answered(
        &mut self,
        local: SocketAddr,
        source: SocketAddr,
        bytes: &[u8],
    ) -> Option<Option<Candidate>> {
        let asked = self.asked.get_mut(&(local, source))?;
        let message = Message::from_bytes(bytes).ok()?;
        let is_answer = message.has_class(MessageClass::Success) && message.has_method(BINDING);
        if !is_answer || message.transaction_id() != asked.id {
            return None;
        }
        asked.wait = ASK_EVERY;
        let outside = message.attribute::<XorMappedAddress>().ok()?.addr(asked.id);
        if outside == local || self.seen.insert(local, outside) == Some(outside) {
            return Some(None);
        }
        Some(Candidate::server_reflexive(outside, local, "udp").ok())
    }
}

impl Drop for Reflexive {
    fn drop(&mut self) {
        if let Some(task) = self.looking.take() {
            task.abort();
        }
    }
}

/// Whether a STUN or TURN server may be asked. One that may not is told of once.
pub(crate) fn within(reach: Reach, server: &str) -> bool {
    let said = reach.place("this STUN or TURN server", server);
    said.inspect_err(|off| tracing::warn!("{off}")).is_ok()
}

/// Loopback reaches loopback alone.
fn reaches(local: &SocketAddr, server: &SocketAddr) -> bool {
    local.ip().is_loopback() == server.ip().is_loopback()
}

/// Keeps the addresses of names up to date.
pub(crate) async fn look_up(names: Vec<String>, found: Arc<Mutex<Vec<SocketAddr>>>) {
    loop {
        let mut all: Vec<SocketAddr> = Vec::new();
        for name in &names {
            match tokio::net::lookup_host(name).await {
                // One address of either family is enough.
                Ok(addresses) => {
                    let addresses: Vec<SocketAddr> = addresses.collect();
                    all.extend(addresses.iter().find(|at| at.is_ipv4()));
                    all.extend(addresses.iter().find(|at| at.is_ipv6()));
                }
                Err(error) => tracing::debug!(name, %error, "a STUN or TURN server was not found"),
            }
        }
        let some = !all.is_empty();
        *found.lock().unwrap_or_else(PoisonError::into_inner) = all;
        tokio::time::sleep(if some { LOOK_UP_EVERY } else { Duration::from_secs(10) }).await;
    }
}

#[cfg(test)]
mod tests {
    use echo_core::SystemClock;

    use super::*;

    fn mint() -> Mint {
        Mint::new(Arc::new(SystemClock), Arc::new(echo_core::SeededEntropy::new(1)))
    }

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn asking() -> (Reflexive, Vec<Question>) {
        let mut reflexive = Reflexive::new(&[], Reach::Anywhere);
        *reflexive.servers.lock().unwrap() = vec![at("192.0.2.1:3478")];
        let questions =
            reflexive.questions(Instant::now(), &mint(), &[at("10.0.0.1:4000"), at("[2001:db8::1]:4000")]);
        (reflexive, questions)
    }

    fn answer(reflexive: &Reflexive, outside: SocketAddr) -> Vec<u8> {
        let asked = reflexive.asked.values().next().unwrap();
        let kind = MessageType::from_class_method(MessageClass::Success, BINDING);
        let mut reply = Message::builder(kind, asked.id, MessageWriteVec::new());
        reply.add_attribute(&XorMappedAddress::new(outside, asked.id)).unwrap();
        reply.finish()
    }

    #[test]
    fn a_server_s_answer_becomes_a_candidate_once() {
        let (mut reflexive, questions) = asking();
        let [(local, server, _)] = questions.as_slice() else { panic!("{questions:?}") };
        let reply = answer(&reflexive, at("203.0.113.7:61000"));
        let candidate = reflexive.answered(*local, *server, &reply).flatten().unwrap();
        assert_eq!((candidate.addr(), candidate.local()), (at("203.0.113.7:61000"), *local));
        assert!(reflexive.answered(*local, *server, &reply).unwrap().is_none());
        assert_eq!(reflexive.candidates().len(), 1);
        assert!(reflexive.questions(Instant::now(), &mint(), &[*local]).is_empty(), "it asks again later");
        assert!(
            reflexive.questions(Instant::now(), &mint(), &[]).is_empty() && reflexive.candidates().is_empty()
        );
    }

    #[test]
    fn a_server_that_does_not_answer_is_asked_ever_less_often() {
        let (mut reflexive, _) = asking();
        let (began, local) = (Instant::now(), at("10.0.0.1:4000"));
        let mut asks = |from: u64| {
            let at = |second| began + Duration::from_secs(second);
            (from..from + 600).map(|s| reflexive.questions(at(s), &mint(), &[local]).len()).sum::<usize>()
        };
        assert!((30..36).contains(&asks(0)));
        assert!((29..32).contains(&asks(600)));
    }

    #[test]
    fn answers_of_others_or_to_nothing_are_passed_over() {
        let (mut reflexive, questions) = asking();
        let (local, server, bytes) = &questions[0];
        assert_eq!(
            (bytes.len(), &bytes[..4]),
            (28, &[0, 1, 0, 8][..]),
            "a binding request with a fingerprint"
        );
        let reply = answer(&reflexive, at("203.0.113.7:61000"));
        assert!(reflexive.answered(*local, at("192.0.2.66:3478"), &reply).is_none());
        let mut other = reply.clone();
        other[10] ^= 1;
        assert!(reflexive.answered(*local, *server, &other).is_none());
    }
}
