//! Beginning sessions: offers and answers, over HTTP or through a gateway.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, PoisonError},
    time::Instant,
};

use mesh::{
    Link, NodeId, Refusal, SessionId, Sighting, Signal, Signed,
    relay::{Frame, RawNode},
    signal::{Answer, Expected, Offer, Refused, check_answer, check_offer},
};

use crate::{
    actor::{ATTEMPT_TIME, Actor, Brought, MAX_HALF_OPEN, MAX_SESSIONS},
    endpoint::LinkEvent,
    flow::Flow,
    history::ahead,
    knock::{self, Reply},
    listener::Knock,
    live::{Early, Live, Stage},
    place::{Place, stable},
    rivals::{HEALTHY, UnderWay},
    session::Session,
};

/// The most places whose node is remembered.
const MAX_PLACES: usize = 512;

impl Actor {
    /// Begins an attempt. `lacks`: the newest registry that the other end knows, when it said so: what it lacks goes along.
    pub(crate) async fn begin(&mut self, sighting: &Sighting, lacks: Option<u64>) -> Result<(), String> {
        let place: Place = sighting.place.parse().map_err(|e: crate::place::NoPlace| e.to_string())?;
        let node = sighting.node.or_else(|| self.places.get(stable(&sighting.place)).copied());
        if let (Place::Gateway(url), None) = (&place, node) {
            return Err(no_node(url));
        }
        match self.under_way(node, &sighting.place) {
            UnderWay::Nothing if node != Some(self.identity.node()) => {}
            UnderWay::Nothing | UnderWay::Attempt => return Ok(()),
            UnderWay::Linked(node) => {
                self.tell(LinkEvent::Found { node, place: sighting.place.clone() }).await;
                return Ok(());
            }
        }
        if self.half_open() >= MAX_HALF_OPEN || self.live.len() >= MAX_SESSIONS {
            return Err(format!(
                "{} sessions are there, {} not open yet: try again later",
                self.live.len(),
                self.half_open()
            ));
        }
        let flow = Arc::new(Flow::default());
        let now = Instant::now();
        let (session, sdp) = Session::offer(now, self.candidates(), flow.clone())?;
        let token = if let Place::Http { token, .. } = &place { token.clone() } else { None };
        let id = SessionId(self.config.mint.bytes());
        let registry = self.trust_version();
        let (from, made) = (self.identity.node(), self.config.mint.now());
        let offer = Offer { from, to: sighting.node, session: id, token, made, registry, sdp };
        let mut signed =
            offer.sign(&self.identity.me().certificate, &self.identity.key).map_err(|e| e.to_string())?;
        signed.versions = lacks.map(|version| self.versions_after(version)).unwrap_or_default();
        let expected = Expected { session: id, offer: signed.digest(), node: sighting.node };
        let live = Live {
            session,
            flow,
            id,
            mine: true,
            began: now,
            since: None,
            stage: Stage::Offered(expected),
            peer: None,
            wanted: sighting.node,
            place: sighting.place.clone(),
            gateway: None,
            signalled: (0, 0),
            early: Vec::new(),
            again: lacks.is_some(),
            waits: None,
        };
        let link = self.admit(live);
        if let Err(why) = self.send_offer(link, place, sighting.node, signed.to_json()) {
            self.forget(link);
            return Err(why);
        }
        self.drive_boxed(link).await;
        Ok(())
    }

    fn send_offer(
        &mut self,
        link: Link,
        place: Place,
        node: Option<NodeId>,
        offer: Vec<u8>,
    ) -> Result<(), String> {
        match place {
            Place::Http { hosts, .. } => {
                let (bring, reach) = (self.bring.clone(), self.config.reach);
                tokio::spawn(async move {
                    let reply = knock::send(&hosts, offer, reach).await;
                    let _ = bring.send(Brought::Reply(link, reply)).await;
                });
                Ok(())
            }
            Place::Gateway(url) => {
                let node = node.ok_or_else(|| no_node(&url))?.bytes();
                let known = self.relays.iter().position(|relay| relay.url() == url && relay.is_up());
                let any = || self.relays.iter().position(crate::relay_client::RelayClient::is_up);
                let at = known.or_else(any).ok_or("no gateway is connected")?;
                if !self.relays[at].send(&Frame::Signal { node, payload: &offer }) {
                    return Err("the gateway has no room for the offer".to_owned());
                }
                self.routes.insert(node, at);
                if let Some(live) = self.live.get_mut(&link) {
                    live.gateway = Some(at);
                }
                Ok(())
            }
        }
    }

    /// An offer came over HTTP.
    pub(crate) async fn knocked(&mut self, knock: Knock) {
        let answer = self.offered(&knock.bytes, &knock.from.to_canonical().to_string(), None).await;
        let _ = knock.reply.send(answer);
    }

    /// Something came through a gateway.
    pub(crate) async fn signalled(&mut self, gateway: usize, from: RawNode, bytes: &[u8]) {
        match Signal::read(bytes) {
            Ok(Signal::Offer(_)) => {
                let place = self.relays.get(gateway).map(|relay| relay.url().to_owned()).unwrap_or_default();
                let answer = if self.limits.allow(Instant::now(), bucket(&from)) {
                    self.offered(bytes, &place, Some(gateway)).await
                } else {
                    let refusal = Refusal::TooMany("offers of this node".to_owned());
                    Err(Refused::of(claims(bytes).0, &refusal, self.trust_version()))
                };
                let answer = answer.unwrap_or_else(|refused| refused.to_json());
                if let Some(relay) = self.relays.get(gateway) {
                    relay.send(&Frame::Signal { node: from, payload: &answer });
                }
            }
            Ok(Signal::Answer(_)) => {
                let waiting = |live: &Live| {
                    matches!(live.stage, Stage::Offered(_)) && live.wanted.is_some_and(|n| n.bytes() == from)
                };
                let link = self.live.iter().find(|(_, live)| waiting(live)).map(|(link, _)| *link);
                if let Some(link) = link {
                    self.answered(link, bytes).await;
                }
            }
            Ok(Signal::Refused(refused)) => {
                let waiting =
                    |live: &Live| matches!(live.stage, Stage::Offered(_)) && live.id == refused.session;
                let link = self.live.iter().find(|(_, live)| waiting(live)).map(|(link, _)| *link);
                if let Some(link) = link {
                    self.refused(link, refused).await;
                }
            }
            Ok(Signal::Candidates(_)) => self.candidates_signalled(bytes),
            Err(refusal) => tracing::debug!(%refusal, "a signal that cannot be read"),
        }
    }

    /// What came of an offer over HTTP.
    pub(crate) async fn replied(&mut self, link: Link, reply: Reply) {
        match reply {
            Reply::Answer(bytes) => self.answered(link, &bytes).await,
            Reply::Refused(refused) => {
                let asked = self.live.get(&link).map(|live| live.id);
                if asked.is_some_and(|id| is_of(&refused, id)) {
                    self.refused(link, *refused).await;
                } else {
                    self.close(link, "what came back is a refusal of another offer").await;
                }
            }
            Reply::Silence(why) => self.close(link, &why).await,
        }
    }

    /// Judges an offer, and answers it.
    async fn offered(
        &mut self,
        bytes: &[u8],
        place: &str,
        gateway: Option<usize>,
    ) -> Result<Vec<u8>, Refused> {
        match self.take_offer(bytes, place, gateway).await {
            Ok(answer) => Ok(answer),
            Err((node, refusal)) => {
                let (session, registry) = claims(bytes);
                tracing::info!(place, code = refusal.code(), reason = %refusal, "offer refused");
                let mut refused = Refused::of(session, &refusal, self.trust_version());
                if matches!(refusal, Refusal::UnknownIssuer(_) | Refusal::OwnTrust(_)) {
                    refused.versions = self.versions_after(registry);
                }
                self.note_refusal(node, place, refusal.code(), &refusal.to_string(), true).await;
                Err(refused)
            }
        }
    }

    async fn take_offer(
        &mut self,
        bytes: &[u8],
        place: &str,
        gateway: Option<usize>,
    ) -> Result<Vec<u8>, (Option<NodeId>, Refusal)> {
        self.learn_from(bytes).await;
        let (now, me) = (self.config.mint.now(), self.identity.me());
        let checked = {
            let trust = self.config.trust.read().unwrap_or_else(PoisonError::into_inner);
            check_offer(bytes, &trust, &me, now, &mut self.seen)
        };
        let (admitted, offer, digest) = checked.map_err(|refusal| (None, refusal))?;
        let node = admitted.node;
        let refuse = |what: &str| (Some(node), Refusal::TooMany(what.to_owned()));
        let (ours, theirs): (Vec<_>, Vec<_>) = self
            .live
            .iter()
            .filter(|(_, live)| live.node() == Some(node) && !live.is_up())
            .partition(|(_, l)| l.mine);
        if ours.iter().any(|(_, live)| matches!(live.stage, Stage::Connecting)) {
            return Err(refuse("a session that was offered here is being opened"));
        }
        let older: Vec<Link> = theirs.iter().map(|(link, _)| **link).collect();
        for link in older {
            self.close(link, "the node made a newer offer").await;
        }
        if self.half_open() >= MAX_HALF_OPEN || self.live.len() >= MAX_SESSIONS {
            return Err(refuse("sessions"));
        }
        let flow = Arc::new(Flow::default());
        let began = Instant::now();
        let (mut session, sdp) = Session::answer(began, self.candidates(), flow.clone(), &offer.sdp)
            .map_err(|why| (Some(node), Refusal::Malformed(why)))?;
        let named = session.take_named();
        let answer =
            Answer { from: me.node(), to: node, session: offer.session, offer: digest, made: now, sdp };
        let answer =
            answer.sign(&me.certificate, &self.identity.key).map_err(|refusal| (Some(node), refusal))?;
        self.history.of(Some(node), place).clock_ahead_seconds = Some(ahead(offer.made, now));
        if let Some(at) = gateway {
            self.routes.insert(node.bytes(), at);
        }
        let link = self.admit(Live {
            session,
            flow,
            id: offer.session,
            mine: false,
            began,
            since: None,
            stage: Stage::Connecting,
            peer: Some(admitted),
            wanted: None,
            place: place.to_owned(),
            gateway,
            signalled: (0, 0),
            early: Vec::new(),
            again: false,
            waits: None,
        });
        self.look_up(link, named);
        self.drive_boxed(link).await;
        Ok(answer.to_json())
    }

    /// An answer to our offer.
    pub(crate) async fn answered(&mut self, link: Link, bytes: &[u8]) {
        self.learn_from(bytes).await;
        let Some(live) = self.live.get(&link) else { return };
        let Stage::Offered(expected) = &live.stage else { return };
        let (place, wanted) = (live.place.clone(), live.wanted);
        let (now, me) = (self.config.mint.now(), self.identity.me());
        let checked = {
            let trust = self.config.trust.read().unwrap_or_else(PoisonError::into_inner);
            check_answer(bytes, &trust, &me, now, expected)
        };
        let (admitted, answer) = match checked {
            Ok(good) => good,
            Err(refusal) => {
                tracing::info!(place, code = refusal.code(), reason = %refusal, "answer refused");
                self.note_refusal(wanted, &place, refusal.code(), &refusal.to_string(), true).await;
                return self.close(link, &format!("its answer was refused: {refusal}")).await;
            }
        };
        let node = admitted.node;
        if live.gateway.is_none() && self.places.len() < MAX_PLACES {
            self.places.insert(stable(&place).to_owned(), node);
        }
        let peer = self.history.of(Some(node), &place);
        (peer.answered, peer.clock_ahead_seconds) = (true, Some(ahead(answer.made, now)));
        if self.asks_first(link, node, bytes).await {
            return;
        }
        if self.gives_way(link, node).await {
            // Not a failure: the node is, or is about to be, connected.
            self.forget(link);
            return self.tell(LinkEvent::Found { node, place }).await;
        }
        let Some(live) = self.live.get_mut(&link) else { return };
        live.peer = Some(admitted);
        live.stage = Stage::Connecting;
        if let Err(why) = live.session.accept(&answer.sdp) {
            return self.close(link, &why).await;
        }
        let named = live.session.take_named();
        self.look_up(link, named);
        self.drive_boxed(link).await;
    }

    /// Our offer was refused.
    async fn refused(&mut self, link: Link, refused: Refused) {
        let learned = self.learn(&refused.versions).await;
        let Some(live) = self.live.get(&link) else { return };
        let sighting = Sighting { node: live.wanted, via: mesh::Via::Address, place: live.place.clone() };
        let knows_less = refused.registry > 0 && refused.registry < self.trust_version();
        let about_trust = matches!(refused.code.as_str(), "unknown_issuer" | "own_trust");
        let again = !live.again && (learned || about_trust && knows_less);
        if again {
            self.forget(link);
            if self.begin(&sighting, Some(refused.registry)).await.is_ok() {
                return;
            }
        }
        tracing::info!(
            place = sighting.place,
            code = refused.code,
            reason = refused.reason,
            "our offer was refused"
        );
        self.note_refusal(sighting.node, &sighting.place, &refused.code, &refused.reason, false).await;
        self.close(link, &format!("it refused ({}): {}", refused.code, refused.reason)).await;
    }

    async fn note_refusal(
        &mut self,
        node: Option<NodeId>,
        place: &str,
        code: &str,
        reason: &str,
        by_us: bool,
    ) {
        let peer = self.history.of(node, place);
        peer.answered |= !by_us;
        // Too much at once is no verdict: both offer at the same time, or somebody is busy. The next attempt settles it.
        if code == Refusal::TooMany(String::new()).code() {
            peer.last_error = Some(reason.to_owned());
            return;
        }
        peer.refused = Some((code.to_owned(), reason.to_owned()));
        let (code, reason) = (code.to_owned(), reason.to_owned());
        self.tell(LinkEvent::Refused { node, place: place.to_owned(), code, reason, by_us }).await;
    }

    /// All streams of a session are open.
    pub(crate) async fn opened(&mut self, link: Link) {
        let Some(live) = self.live.get(&link) else { return };
        let Some(admitted) = live.peer.clone() else { return };
        let node = admitted.node;
        let old = self.live.iter().find(|(other, o)| **other != link && o.is_up() && o.node() == Some(node));
        if let Some((&old, before)) = old {
            let lower_is_ours = self.identity.node() < node;
            let at_once = live.mine != before.mine && before.began.elapsed() < ATTEMPT_TIME;
            let healthy = before.session.heard_within(Instant::now(), HEALTHY);
            if at_once && healthy && before.mine == lower_is_ours {
                return self.close(link, "both ends offered at once, the other offer stands").await;
            }
            self.close(old, "a newer session with the same node takes its place").await;
        }
        let now = self.config.mint.now();
        let Some(live) = self.live.get_mut(&link) else { return };
        live.stage = Stage::Up;
        live.since = Some(now);
        let (early, tried) = (std::mem::take(&mut live.early), live.mine.then(|| live.place.clone()));
        self.shared.flows.write().unwrap_or_else(PoisonError::into_inner).insert(link, live.flow.clone());
        tracing::info!(?node, place = live.place, relayed = live.session.is_relayed(), "link up");
        self.tell(LinkEvent::Up { link, admitted: Box::new(admitted), tried }).await;
        for Early { stream, binary, bytes } in early {
            self.message(link, stream, binary, bytes).await;
        }
    }
}

/// Whether a refusal, which nobody signs, is one of this session's offer. Who is too busy to read an offer cannot name it.
fn is_of(refused: &Refused, session: SessionId) -> bool {
    let unread = refused.session == SessionId([0; 16]);
    refused.session == session || unread && matches!(refused.code.as_str(), "too_many" | "oversize")
}

/// The session and the registry version that an offer claims, for a refusal of it.
fn claims(bytes: &[u8]) -> (SessionId, u64) {
    let body = Signed::read(bytes).ok().and_then(|signed| signed.body.payload_unchecked().ok());
    let value: serde_json::Value =
        body.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
    let session = value["session"].as_str().and_then(|text| text.parse().ok()).unwrap_or(SessionId([0; 16]));
    (session, value["registry"].as_u64().unwrap_or(u64::MAX))
}

fn no_node(url: &str) -> String {
    format!(
        "{url} is a gateway, and nobody said which node behind it is meant: name it among the gateways, not the peers"
    )
}

/// A node behind a gateway has a bucket of its own, as an address has.
fn bucket(node: &RawNode) -> IpAddr {
    let half: [u8; 16] = node[..16].try_into().expect("half of 32 bytes");
    IpAddr::V6(Ipv6Addr::from(half))
}
