//! One connection from its challenge to its end.

use std::net::SocketAddr;

use axum::{
    body::Bytes,
    extract::ws::{Message, WebSocket},
};
use futures::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use mesh::{
    Admitted,
    relay::{Frame, HEAD},
};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::{
    Limits,
    bucket::Bucket,
    directory::{Carried, Ending, Entry, Place},
    gateway::Gateway,
    login::{self, NotIn},
    queue::{Outgoing, Queue, queue},
};

/// How many frames are written before the socket is flushed.
const BATCH: usize = 32;

type Sender = SplitSink<WebSocket, Message>;
type Receiver = SplitStream<WebSocket>;

/// Serves a connection until it ends; says and counts why.
pub(crate) async fn serve(gateway: Gateway, mut place: Place, peer: SocketAddr, socket: WebSocket) {
    let (mut sender, mut receiver) = socket.split();
    let limits = gateway.limits();
    let entering = timeout(limits.login, enter(&gateway, peer, &mut sender, &mut receiver)).await;
    let ending = match entering {
        Err(_) => Some(("too_slow", format!("no login came within {} s", limits.login.as_secs()))),
        Ok(Err(ending)) => ending,
        Ok(Ok(admitted)) => stay(&gateway, &mut place, peer, admitted, &mut sender, &mut receiver).await,
    };
    let (code, reason) = ending.unwrap_or(("gone", "the node went away".to_owned()));
    gateway.metrics().ended(code);
    if code == "gone" {
        tracing::debug!(%peer, "a connection to the relay ended");
        return;
    }
    tracing::info!(%peer, code, reason, "a connection to the relay was ended");
    let refused = Frame::Refused { code, reason: &reason }.encode();
    let _ = timeout(limits.patience, async {
        sender.send(Message::Binary(refused.into())).await?;
        sender.close().await
    })
    .await;
}

/// Challenges, and reads the login. Nothing to say means that the other end is gone.
async fn enter(
    gateway: &Gateway,
    peer: SocketAddr,
    sender: &mut Sender,
    receiver: &mut Receiver,
) -> Result<Admitted, Option<Ending>> {
    let mut challenge = [0; 32];
    gateway.mint().entropy().fill(&mut challenge);
    let us = gateway.node().bytes();
    let frame = Frame::Challenge { gateway: us, challenge: &challenge }.encode();
    sender.send(Message::Binary(frame.into())).await.map_err(|_| None)?;
    let bytes = next(receiver).await?;
    let Ok(Frame::Login { node, login }) = Frame::decode(&bytes) else {
        return Err(Some(("malformed", "the first frame must be a login".to_owned())));
    };
    let admitted = login::check(gateway, &node, login, &challenge, gateway.mint().now())
        .map_err(|refused: NotIn| Some((refused.code(), refused.reason())))?;
    let welcome = Frame::Welcome { gateway: us, observed: peer }.encode();
    sender.send(Message::Binary(welcome.into())).await.map_err(|_| None)?;
    Ok(admitted)
}

/// The next binary message.
async fn next(receiver: &mut Receiver) -> Result<Bytes, Option<Ending>> {
    loop {
        return match receiver.next().await {
            Some(Ok(Message::Binary(bytes))) => Ok(bytes),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Text(_))) => {
                Err(Some(("malformed", "the relay speaks in binary messages".to_owned())))
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(None),
        };
    }
}

/// Enters the node into the directory and carries for it until it ends.
async fn stay(
    gateway: &Gateway,
    place: &mut Place,
    peer: SocketAddr,
    admitted: Admitted,
    sender: &mut Sender,
    receiver: &mut Receiver,
) -> Option<Ending> {
    let (queue, outgoing) = queue(gateway.limits());
    let (end, ending) = watch::channel(None);
    let entry = Entry {
        node: admitted.node,
        realm: admitted.realm.clone(),
        observed: peer,
        since: gateway.mint().now(),
        queue: queue.clone(),
        end,
        login: 0,
    };
    let Some(login) = gateway.directory().enter(entry, place, gateway.limits()) else {
        return Some((
            "too_many",
            "too many nodes of this customer are connected to this gateway".to_owned(),
        ));
    };
    gateway.metrics().logged_in();
    tracing::debug!(%peer, node = %admitted.node, "a node is connected to the relay");
    let _entered = Entered { gateway, login, node: admitted.node };
    let reader = Reader::new(gateway, &admitted, &queue);
    tokio::select! {
        ended = reader.run(receiver) => ended,
        ended = write(gateway.limits(), outgoing, sender) => ended,
        ended = told(ending) => Some(ended),
        ended = untrusted(gateway, &admitted) => Some(ended),
        () = gateway.stopping() => Some(("stopping", "the gateway stops: connect again in a moment".to_owned())),
    }
}

/// Takes the node out of the directory, however its connection ends.
struct Entered<'a> {
    gateway: &'a Gateway,
    login: u64,
    node: mesh::NodeId,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.gateway.directory().leave(self.node, self.login);
    }
}

/// Waits until somebody else ends the connection.
async fn told(mut ending: watch::Receiver<Option<Ending>>) -> Ending {
    match ending.wait_for(Option::is_some).await.map(|ending| (*ending).clone()) {
        Ok(Some(ending)) => ending,
        // The entry is gone from the directory, and with it whoever could say more: it was replaced.
        _ => std::future::pending().await,
    }
}

/// Waits until the node's manifest counts no more: by news of trust, or because it has expired.
async fn untrusted(gateway: &Gateway, admitted: &Admitted) -> Ending {
    let mut trust = gateway.trust_changes();
    loop {
        // A trust that nobody publishes any more is looked at now and then all the same.
        let _ = timeout(gateway.limits().idle, trust.changed()).await;
        if let Err(refusal) = login::again(gateway, &admitted.certificate, gateway.mint().now()) {
            return (refusal.code(), refusal.to_string());
        }
        if trust.has_changed().is_err() {
            tokio::time::sleep(gateway.limits().idle).await;
        }
    }
}

/// Writes what waits, in batches. A reader that takes nothing for too long loses the connection.
async fn write(limits: &Limits, mut outgoing: Outgoing, sender: &mut Sender) -> Option<Ending> {
    let mut batch = Vec::with_capacity(BATCH);
    while outgoing.next(&mut batch, BATCH).await > 0 {
        let sent = timeout(limits.patience, async {
            for frame in batch.drain(..) {
                sender.feed(Message::Binary(frame)).await?;
            }
            sender.flush().await
        });
        match sent.await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return None,
            Err(_) => return Some(("too_slow", "the connection took nothing for too long".to_owned())),
        }
    }
    None
}

/// What one node sends.
struct Reader<'a> {
    gateway: &'a Gateway,
    from: &'a Admitted,
    own: &'a Queue,
    bytes: Bucket,
    signals: Bucket,
}

impl<'a> Reader<'a> {
    fn new(gateway: &'a Gateway, from: &'a Admitted, own: &'a Queue) -> Self {
        let (limits, now) = (gateway.limits(), Instant::now());
        let bytes = Bucket::new(limits.bytes_a_second, now);
        Self { gateway, from, own, bytes, signals: Bucket::new(limits.signals_a_second, now) }
    }

    async fn run(mut self, receiver: &mut Receiver) -> Option<Ending> {
        let limits = self.gateway.limits();
        let mut asked = false;
        loop {
            let patience = if asked { limits.idle.saturating_sub(limits.quiet) } else { limits.quiet };
            match timeout(patience, next(receiver)).await {
                Ok(Ok(bytes)) => {
                    asked = false;
                    if let Err(ending) = self.take(&bytes) {
                        return Some(ending);
                    }
                }
                Ok(Err(ending)) => return ending,
                Err(_) if asked => return Some(("idle", "nothing was heard for too long".to_owned())),
                Err(_) => {
                    asked = true;
                    // No room means that other things wait for it to be read.
                    let _ = self.own.datagram(Frame::Ping([0; 8]).encode());
                }
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Ending> {
        let cost = u32::try_from(bytes.len()).unwrap_or(u32::MAX).max(Limits::FRAME_COST);
        let within = self.bytes.take(cost, Instant::now());
        let me = self.from.node.bytes();
        let frame = Frame::decode(bytes).map_err(|error| ("malformed", error.to_string()))?;
        let carried = match frame {
            Frame::Datagram { node, payload } if within => {
                let carried = Frame::Datagram { node: me, payload };
                (node, self.gateway.directory().datagram(&self.from.realm, &node, || carried.encode()))
            }
            Frame::Datagram { node, .. } => (node, Carried::Dropped),
            Frame::Signal { node, payload } => {
                if !within || !self.signals.take(1, Instant::now()) {
                    return Err(("too_fast", "more signals a second than this gateway carries".to_owned()));
                }
                let carried = Frame::Signal { node: me, payload };
                (node, self.gateway.directory().signal(&self.from.realm, &node, || carried.encode()))
            }
            Frame::Ping(token) => {
                let _ = self.own.datagram(Frame::Pong(token).encode());
                return Ok(());
            }
            Frame::Pong(_) => return Ok(()),
            _ => {
                return Err(("malformed", "a frame that only a gateway sends, or a second login".to_owned()));
            }
        };
        match carried {
            (_, Carried::Yes) => self.gateway.metrics().carried(bytes.len() - HEAD),
            (_, Carried::Dropped) => self.gateway.metrics().dropped(),
            (node, Carried::Away) => {
                let _ = self.own.datagram(Frame::Away { node }.encode());
            }
        }
        Ok(())
    }
}
