//! Candidates that are found when a session is under way already: a new address of the machine, the outside of a NAT, a
//! gateway that came back. They go to the peer over the control stream, or signed through the gateway while there is none.
//!
//! On the control stream they are a binary message that begins with [`MARK`], then a JSON list of lines as in SDP
//! (`candidate:…`, RFC 8839, section 5.1). Nothing is signed there: the channel is the peer's own.

use std::time::{Duration, Instant};

use mesh::{
    Link, Stream,
    relay::Frame,
    signal::{Candidates, MAX_CANDIDATES, check_candidates},
};
use str0m::Candidate;

use crate::{
    actor::{Actor, Brought},
    live::{Live, Stage},
    sdp::{Named, sort_in},
};

/// The first byte of candidates on the control stream; membership, the other binary message there, begins with 1.
pub const MARK: u8 = 2;

/// A link that heard nothing on any path for so long is told as none, though it may still come back.
const SILENT_FOR: Duration = Duration::from_secs(5);

impl Actor {
    /// The candidates that a session begins with.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let host = self.sockets.addresses().into_iter().filter_map(|at| Candidate::host(at, "udp").ok());
        let relayed = self.relays.iter().any(crate::relay_client::RelayClient::is_up);
        let gateway = relayed.then(|| Candidate::relayed(self.pseudo, self.pseudo, "udp").ok()).flatten();
        host.chain(self.reflexive.candidates()).chain(self.turn.candidates()).chain(gateway).collect()
    }

    /// New candidates of this node, for every session.
    pub(crate) async fn new_candidates(&mut self, candidates: Vec<Candidate>) {
        if candidates.is_empty() {
            return;
        }
        let all: Vec<Link> = self.live.keys().copied().collect();
        let now = Instant::now();
        for link in all {
            let Some(live) = self.live.get_mut(&link) else { continue };
            let lines: Vec<String> = candidates
                .iter()
                .filter(|candidate| live.session.add_local((*candidate).clone()))
                .map(Candidate::to_sdp_string)
                .collect();
            live.session.look_again(now);
            if !lines.is_empty() {
                self.trickle(link, lines);
            }
            self.drive(link).await;
        }
    }

    fn trickle(&mut self, link: Link, lines: Vec<String>) {
        let Some(live) = self.live.get_mut(&link) else { return };
        if live.is_up() {
            let Ok(mut json) = serde_json::to_vec(&lines) else { return };
            json.insert(0, MARK);
            if live.flow.take(Stream::Control, json.len()).is_ok() {
                live.session.write(Stream::Control, true, json);
            }
            return;
        }
        let (Some(to), Some(_)) = (live.node(), live.gateway) else { return };
        live.signalled.0 += 1;
        let (seq, session) = (live.signalled.0, live.id);
        let document = Candidates { from: self.identity.node(), to, session, seq, sdp_lines: lines };
        match document.sign(&self.identity.me().certificate, &self.identity.key) {
            Ok(signed) => {
                self.relay(to.bytes(), &Frame::Signal { node: to.bytes(), payload: &signed.to_json() });
            }
            Err(error) => tracing::debug!(%error, "candidates were not signalled"),
        }
    }

    /// The peer's candidates came on the control stream.
    pub(crate) fn trickled(&mut self, link: Link, json: &[u8]) {
        match serde_json::from_slice::<Vec<String>>(json) {
            Ok(lines) => self.take_lines(link, &lines),
            Err(error) => tracing::debug!(%error, "candidates that cannot be read"),
        }
    }

    /// The peer's candidates came through a gateway, signed.
    pub(crate) fn candidates_signalled(&mut self, bytes: &[u8]) {
        let me = self.identity.node();
        let found = self.live.iter().find_map(|(link, live)| {
            let from = live.node()?;
            let taken = check_candidates(bytes, &me, &from, live.id, live.signalled.1).ok()?;
            Some((*link, taken))
        });
        let Some((link, taken)) = found else { return };
        if let Some(live) = self.live.get_mut(&link) {
            live.signalled.1 = taken.seq;
        }
        self.take_lines(link, &taken.sdp_lines);
    }

    fn take_lines(&mut self, link: Link, lines: &[String]) {
        let (mut candidates, mut named) = (Vec::new(), Vec::new());
        for line in lines.iter().take(MAX_CANDIDATES) {
            sort_in(line.strip_prefix("a=").unwrap_or(line), &mut candidates, &mut named);
        }
        if let Some(live) = self.live.get_mut(&link) {
            for candidate in candidates {
                live.session.add_remote(candidate);
            }
        }
        self.look_up(link, named);
    }

    /// Looks names of candidates up, on the side.
    pub(crate) fn look_up(&mut self, link: Link, mut named: Vec<Named>) {
        let most = self.live.get_mut(&link).map_or(0, |live| live.session.may_look_up(named.len()));
        named.truncate(most);
        let Some(discovery) = self.discovery.clone().filter(|_| !named.is_empty()) else { return };
        let bring = self.bring.clone();
        tokio::spawn(async move {
            let mut found = Vec::new();
            for name in named {
                if let Some(address) = discovery.look_up(&name.name).await {
                    found.extend(name.at(address));
                }
            }
            let _ = bring.send(Brought::Candidates(link, found)).await;
        });
    }

    /// What is to be known of a session when it is over, or now.
    pub(crate) fn remember(&mut self, live: &Live, over: Option<&str>) {
        use mesh::doctor::Path;
        let now = self.config.mint.now();
        let peer = self.history.of(live.node(), &live.place);
        let silent = live.is_up() && !live.session.heard_within(Instant::now(), SILENT_FOR);
        let path = match over {
            None if silent => Path::None,
            None if live.is_up() && live.session.is_relayed() => Path::Relayed,
            None if live.is_up() => Path::Direct,
            _ => Path::None,
        };
        if path != peer.path {
            peer.since = Some(now);
        }
        peer.path = path;
        peer.pairs = live.session.pairs().report(Instant::now());
        peer.rtt_micros = live
            .session
            .rtt()
            .filter(|_| over.is_none())
            .map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX));
        if over.is_none() {
            peer.whereabouts.look(&peer.pairs, now);
        }
        peer.path_mtu = live.session.path_mtu().filter(|_| over.is_none());
        match over {
            Some(why) if matches!(live.stage, Stage::Offered(_)) => peer.unanswered(why),
            Some(why) => peer.last_error = Some(why.to_owned()),
            None if silent => {
                peer.unanswered(&format!("nothing was heard on any path for {} s", SILENT_FOR.as_secs()));
            }
            None if live.is_up() => (peer.last_error, peer.refused) = (None, None),
            None => {}
        }
        // What offers found before the link came says nothing of what they find after it.
        peer.answered &= !(silent || live.is_up() && over.is_some());
    }
}
