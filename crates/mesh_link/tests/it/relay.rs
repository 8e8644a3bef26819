//! A gateway's relay, as small as it can be.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use futures::{SinkExt as _, StreamExt as _};
use mesh::{
    NodeId,
    relay::{Frame, Login, RawNode},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};
use trust::KeyPair;

type Clients = Arc<Mutex<HashMap<RawNode, mpsc::Sender<Vec<u8>>>>>;

pub struct Relay {
    pub url: String,
    clients: Clients,
    task: JoinHandle<()>,
}

impl Relay {
    pub async fn start() -> Self {
        Self::start_as(KeyPair::from_secret(&[200; 32])).await
    }

    /// The relay of the node with this key.
    pub async fn start_as(key: KeyPair) -> Self {
        let gateway = NodeId::of(&key.public());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("ws://{}/v1/mesh/relay", listener.local_addr().unwrap());
        let clients = Clients::default();
        let all = clients.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(gateway, stream, from, all.clone()));
            }
        });
        Self { url, clients, task }
    }

    pub fn has(&self, node: NodeId) -> bool {
        self.clients.lock().unwrap().contains_key(&node.bytes())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(gateway: NodeId, stream: TcpStream, from: SocketAddr, clients: Clients) {
    let challenge = [5; 32];
    let (mut sink, mut stream) = accept_async(stream).await.unwrap().split();
    let hello = Frame::Challenge { gateway: gateway.bytes(), challenge: &challenge }.encode();
    sink.send(Message::binary(hello)).await.unwrap();
    let Some(Ok(Message::Binary(first))) = stream.next().await else { return };
    let Ok(Frame::Login { node, login }) = Frame::decode(&first) else { return };
    let id = NodeId::from_bytes(&node).unwrap();
    Login::read(login).unwrap().verify(id, gateway, &challenge).expect("the client logs in as it must");
    let welcome = Frame::Welcome { gateway: gateway.bytes(), observed: from }.encode();
    sink.send(Message::binary(welcome)).await.unwrap();
    let (queue, mut outgoing) = mpsc::channel(256);
    clients.lock().unwrap().insert(node, queue.clone());
    tokio::spawn(async move {
        while let Some(bytes) = outgoing.recv().await {
            if sink.send(Message::binary(bytes)).await.is_err() {
                return;
            }
        }
    });
    while let Some(Ok(message)) = stream.next().await {
        let Message::Binary(bytes) = message else { continue };
        let (to, frame) = match Frame::decode(&bytes).expect("clients send frames") {
            Frame::Datagram { node: to, payload } => (to, Frame::Datagram { node, payload }),
            Frame::Signal { node: to, payload } => (to, Frame::Signal { node, payload }),
            Frame::Ping(bytes) => (node, Frame::Pong(bytes)),
            _ => continue,
        };
        let peer = clients.lock().unwrap().get(&to).cloned();
        match peer {
            Some(peer) => drop(peer.try_send(frame.encode())),
            None => drop(queue.try_send(Frame::Away { node: to }.encode())),
        }
    }
    clients.lock().unwrap().remove(&node);
}
