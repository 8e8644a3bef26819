//! What comes from gateways and goes to them: datagrams of sessions, signals, and which gateway knows which node.

use std::time::Duration;

use mesh::{
    Link, Sighting, Via,
    relay::{Frame, RawNode, raw_relay_address},
};
use str0m::Candidate;

use crate::{
    actor::Actor,
    endpoint::LinkEvent,
    live::{Live, Stage},
    relay_client::{FromGateway, RelayClient},
};

/// How often the nodes of the connected gateways are told again, so that they are not forgotten.
pub const SIGHTED_EVERY: Duration = Duration::from_secs(30);

impl Actor {
    /// Something came from a gateway.
    pub(crate) async fn gateway(&mut self, gateway: usize, what: FromGateway) {
        match what {
            FromGateway::Up(node) => {
                self.hubs.insert(gateway, node);
                if let Ok(candidate) = Candidate::relayed(self.pseudo, self.pseudo, "udp") {
                    self.new_candidates(vec![candidate]).await;
                }
                self.sight_hub(gateway).await;
            }
            FromGateway::Down => {
                self.hubs.remove(&gateway);
                self.routes.retain(|_, at| *at != gateway);
                if !self.relays.iter().any(RelayClient::is_up) {
                    let pseudo = self.pseudo;
                    self.live.values_mut().for_each(|live| live.session.remove_local(pseudo));
                }
            }
            FromGateway::Datagram { node, bytes } => {
                if self.live.values().any(|live| live.node().is_some_and(|known| known.bytes() == node)) {
                    self.routes.insert(node, gateway);
                    self.datagram(self.pseudo, raw_relay_address(&node).into(), &bytes).await;
                }
            }
            FromGateway::Signal { node, bytes } => self.signalled(gateway, node, &bytes).await,
            FromGateway::Away(node) => {
                if self.routes.get(&node).is_none_or(|at| *at == gateway) {
                    let other = (1..self.relays.len())
                        .map(|step| (gateway + step) % self.relays.len())
                        .find(|at| self.relays[*at].is_up());
                    match other {
                        Some(at)
                            if self.live.values().any(|l| l.node().is_some_and(|n| n.bytes() == node)) =>
                        {
                            self.routes.insert(node, at);
                        }
                        _ => {
                            self.routes.remove(&node);
                        }
                    }
                }
                self.not_there(gateway, &node).await;
            }
        }
    }

    /// Tells of the node of every connected gateway.
    pub(crate) async fn sight_hubs(&mut self) {
        let all: Vec<usize> = self.hubs.keys().copied().collect();
        for gateway in all {
            self.sight_hub(gateway).await;
        }
    }

    async fn sight_hub(&mut self, gateway: usize) {
        if let (Some(node), Some(relay)) = (self.hubs.get(&gateway), self.relays.get(gateway)) {
            let sighting = Sighting { node: Some(*node), via: Via::Gateway, place: relay.url().to_owned() };
            self.tell(LinkEvent::Sighted(sighting)).await;
        }
    }

    /// Offers through a gateway that does not know the node need not wait for their time to run out.
    async fn not_there(&mut self, gateway: usize, node: &RawNode) {
        let vain = |live: &Live| {
            matches!(live.stage, Stage::Offered(_))
                && live.gateway == Some(gateway)
                && live.wanted.is_some_and(|wanted| wanted.bytes() == *node)
        };
        let vain: Vec<Link> =
            self.live.iter().filter(|(_, live)| vain(live)).map(|(link, _)| *link).collect();
        for link in vain {
            self.close(link, "the node is not connected to this gateway now").await;
        }
    }

    /// Sends a frame to a node through the gateway that it was last heard through, else through any.
    pub(crate) fn relay(&self, node: RawNode, frame: &Frame<'_>) -> bool {
        let known = self.routes.get(&node).and_then(|at| self.relays.get(*at)).filter(|relay| relay.is_up());
        known
            .or_else(|| self.relays.iter().find(|relay| relay.is_up()))
            .is_some_and(|relay| relay.send(frame))
    }
}
