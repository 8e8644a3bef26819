//! What comes from gateways and goes to them: datagrams of sessions, signals, and which gateway knows which node.

use mesh::relay::{Frame, RawNode, raw_relay_address};
use str0m::Candidate;

use crate::{
    actor::Actor,
    relay_client::{FromGateway, RelayClient},
};

impl Actor {
    /// Something came from a gateway.
    pub(crate) async fn gateway(&mut self, gateway: usize, what: FromGateway) {
        match what {
            FromGateway::Up => {
                if let Ok(candidate) = Candidate::relayed(self.pseudo, self.pseudo, "udp") {
                    self.new_candidates(vec![candidate]).await;
                }
            }
            FromGateway::Down => {
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
            }
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
