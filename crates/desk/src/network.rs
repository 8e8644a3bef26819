//! What the machine's network is like, for people: the program that runs the desk looks, the desk tells.

use access::{Action, Principal};
use serde::Serialize;
use tokio::sync::watch;

use crate::{ClockSet, Desk, DeskError, Event, Health};

/// How far the machine's network goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Connection {
    /// Nobody has looked.
    #[default]
    Unknown,
    /// No interface but loopback is up.
    Alone,
    /// An interface is up, and no way leads beyond it.
    Local,
    /// A way leads beyond the local network.
    Routed,
}

/// The network as the platform finds it and may use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Network {
    /// How far it goes.
    pub connection: Connection,
    /// Whether the platform was told to reach out to nothing but this machine and the mesh on the local network.
    pub offline: bool,
}

impl Network {
    /// In words, for a page or a line of a log.
    pub fn words(&self) -> &'static str {
        match (self.connection, self.offline) {
            (Connection::Unknown, false) => "not looked at yet",
            (Connection::Alone, _) => "no network: working alone",
            (Connection::Local, false) => {
                "a local network that leads nowhere else: the mesh works, nothing beyond it is reached"
            }
            (Connection::Local | Connection::Routed | Connection::Unknown, true) => {
                "offline by its settings: the mesh works on the local network, nothing else is reached out to"
            }
            (Connection::Routed, false) => "connected",
        }
    }

    /// Whether people should know: something that they may expect does not happen.
    pub fn is_apart(&self) -> bool {
        self.offline || matches!(self.connection, Connection::Alone | Connection::Local)
    }
}

/// What the operator's people may know of how the platform is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HealthView {
    /// Whether it can do its work.
    #[serde(flatten)]
    pub health: Health,
    /// The network.
    pub network: Network,
    /// The network, in words.
    pub network_words: &'static str,
    /// When the clock was set, newest first, at most twenty.
    pub clock_set: Vec<ClockSet>,
    /// The time by the platform's clock.
    pub now: echo_core::Timestamp,
}

impl Desk {
    /// Notes what the network is like now. A change is told to those who watch.
    pub async fn network_is(&self, network: Network) -> Result<(), DeskError> {
        let before = self.network_watch().send_replace(network);
        // A platform that starts on a network like any other says nothing of it.
        if before == network || !(before.is_apart() || network.is_apart()) {
            return Ok(());
        }
        tracing::info!("{}", network.words());
        let mut work = self.work("Echo").await?;
        let event = Event {
            topic: "network".to_owned(),
            id: "network".to_owned(),
            what: network.words().to_owned(),
            at: work.now,
        };
        work.tell(None, &event).await?;
        work.commit().await
    }

    /// The network as it was seen last.
    pub fn network(&self) -> Network {
        *self.network_watch().borrow()
    }

    /// How the platform is, with words that name files and people's doings: for the operator's people.
    pub async fn health_view(&self, principal: &Principal) -> Result<HealthView, DeskError> {
        principal.require(Action::ReadMetrics)?;
        let network = self.network();
        Ok(HealthView {
            health: self.health().await,
            network,
            network_words: network.words(),
            clock_set: self.clock_settings(principal).await?,
            now: self.now(),
        })
    }
}

pub(crate) type NetworkRoom = watch::Sender<Network>;
