//! The connection to a gateway: datagrams and signals for nodes that it knows, over one WebSocket that comes back by itself.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use bytes::Bytes;
use echo_core::{Mint, Reach};
use futures::{SinkExt as _, StreamExt as _, stream::SplitStream};
use mesh::{
    NodeId,
    doctor::GatewayState,
    relay::{Frame, HEAD, Login, MAX_FRAME, RELAY_PATH, RawNode},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{Notify, mpsc},
    time::{Instant, sleep, timeout, timeout_at},
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, http::Uri, protocol::WebSocketConfig},
};

use crate::identity::Identity;

/// The most gateways that a node keeps a connection to.
pub const MAX_GATEWAYS: usize = 4;
/// Frames that wait to be sent; datagrams beyond are lost, as datagrams are.
pub const MAX_OUTGOING: usize = 512;
/// How long connecting, the TLS and the WebSocket handshake and the login may take together.
pub const CONNECT_TIME: Duration = Duration::from_secs(10);
/// The shortest and the longest wait before the next attempt.
pub const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// A relay that is silent is no way to fall back on: it is found out about as soon as a frame every few seconds allows.
const PING_EVERY: Duration = Duration::from_secs(5);
const SILENT_AFTER: Duration = Duration::from_secs(12);

/// What comes from a gateway.
#[derive(Debug)]
pub enum FromGateway {
    /// The login was taken by the gateway of this node.
    Up(NodeId),
    /// The connection is gone.
    Down,
    /// A datagram.
    Datagram {
        /// From whom, as the gateway says; DTLS proves it.
        node: RawNode,
        /// Its bytes.
        bytes: Bytes,
    },
    /// A signal.
    Signal {
        /// From whom, as the gateway says; its signature proves it.
        node: RawNode,
        /// Its bytes.
        bytes: Bytes,
    },
    /// A node is not connected there.
    Away(RawNode),
}

/// One gateway, by its number among the configured ones.
#[derive(Debug)]
pub struct RelayClient {
    url: String,
    outgoing: mpsc::Sender<Vec<u8>>,
    state: Arc<RwLock<GatewayState>>,
    stand: Arc<Stand>,
    task: tokio::task::JoinHandle<()>,
}

/// Where the connection stands on this machine.
#[derive(Debug, Default)]
struct Stand {
    /// The address that it was made from.
    on: Mutex<Option<IpAddr>>,
    /// That address is gone.
    gone: Notify,
}

/// What every connection to a gateway needs.
#[derive(Clone)]
pub struct Needs {
    /// Who logs in.
    pub identity: Arc<Identity>,
    /// Randomness for the waits.
    pub mint: Mint,
    /// For `wss:`.
    pub tls: Arc<rustls::ClientConfig>,
    /// Whether the gateway may be dialled at all.
    pub reach: Reach,
    /// Where what comes goes to, with the gateway's number.
    pub events: mpsc::Sender<(usize, FromGateway)>,
}

impl RelayClient {
    /// Connects, and connects again, until it is dropped.
    pub fn start(number: usize, url: &str, needs: Needs) -> Self {
        let (outgoing, queue) = mpsc::channel(MAX_OUTGOING);
        let waiting = GatewayState::Unreachable { why: "not connected yet".to_owned() };
        let state = Arc::new(RwLock::new(waiting));
        let stand = Arc::new(Stand::default());
        let keeper =
            Keeper { number, url: url.to_owned(), needs, state: state.clone(), stand: stand.clone() };
        Self { url: url.to_owned(), outgoing, state, stand, task: tokio::spawn(keeper.keep(queue)) }
    }

    /// These addresses are not this machine's any more: a connection from one of them is dead, and is made anew at once.
    pub fn lost_addresses(&self, gone: &[IpAddr]) {
        let mut on = self.stand.on.lock().unwrap_or_else(PoisonError::into_inner);
        if on.take_if(|on| gone.contains(on)).is_some() {
            self.stand.gone.notify_one();
        }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How it stands.
    pub fn state(&self) -> GatewayState {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it is connected.
    pub fn is_up(&self) -> bool {
        matches!(*self.state.read().unwrap_or_else(PoisonError::into_inner), GatewayState::Connected { .. })
    }

    /// Sends a frame, when there is room for it.
    pub fn send(&self, frame: &Frame<'_>) -> bool {
        self.is_up() && self.outgoing.try_send(frame.encode()).is_ok()
    }
}

impl Drop for RelayClient {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Keeper {
    number: usize,
    url: String,
    needs: Needs,
    state: Arc<RwLock<GatewayState>>,
    stand: Arc<Stand>,
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}
type Socket = WebSocketStream<Box<dyn Io>>;

impl Keeper {
    async fn keep(self, mut queue: mpsc::Receiver<Vec<u8>>) {
        let mut wait = BACKOFF.0;
        loop {
            let end = match timeout(CONNECT_TIME, self.connect()).await {
                Ok(Ok((socket, gateway))) => {
                    wait = BACKOFF.0;
                    if !self.tell(FromGateway::Up(gateway)).await {
                        return;
                    }
                    let why = self.carry(socket, &mut queue).await;
                    GatewayState::Unreachable { why }
                }
                Ok(Err(state)) => state,
                Err(_) => {
                    GatewayState::Unreachable { why: format!("no answer in {} s", CONNECT_TIME.as_secs()) }
                }
            };
            tracing::debug!(gateway = self.url, ?end, "gateway away");
            let was_up = self.is_up();
            self.set(end);
            if was_up && !self.tell(FromGateway::Down).await {
                return;
            }
            while queue.try_recv().is_ok() {}
            // Up to half as long again, so that a gateway that comes back does not meet all of its nodes at once.
            let jitter = wait.mul_f64(f64::from(self.needs.mint.bytes::<1>()[0]) / 512.0);
            sleep(wait + jitter).await;
            wait = (wait * 2).min(BACKOFF.1);
        }
    }

    fn is_up(&self) -> bool {
        matches!(*self.state.read().unwrap_or_else(PoisonError::into_inner), GatewayState::Connected { .. })
    }

    fn set(&self, state: GatewayState) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    async fn tell(&self, what: FromGateway) -> bool {
        self.needs.events.send((self.number, what)).await.is_ok()
    }

    async fn connect(&self) -> Result<(Socket, NodeId), GatewayState> {
        let away = |why: String| GatewayState::Unreachable { why };
        let target = Target::of(&self.url).map_err(away)?;
        self.needs.reach.place("this gateway", &target.host).map_err(|off| away(off.to_string()))?;
        let tcp = TcpStream::connect((target.host.as_str(), target.port))
            .await
            .map_err(|e| away(format!("no connection to {}:{}: {e}", target.host, target.port)))?;
        let _ = tcp.set_nodelay(true);
        *self.stand.on.lock().unwrap_or_else(PoisonError::into_inner) =
            tcp.local_addr().ok().map(|at| at.ip().to_canonical());
        let stream: Box<dyn Io> = if target.tls {
            let name = rustls::pki_types::ServerName::try_from(target.host.clone());
            let name = name.map_err(|e| away(format!("`{}` is no name for TLS: {e}", target.host)))?;
            let connector = tokio_rustls::TlsConnector::from(self.needs.tls.clone());
            Box::new(connector.connect(name, tcp).await.map_err(|e| away(format!("TLS: {e}")))?)
        } else {
            Box::new(tcp)
        };
        let limits =
            WebSocketConfig::default().max_message_size(Some(MAX_FRAME)).max_frame_size(Some(MAX_FRAME));
        let (socket, _) = client_async_with_config(target.url.as_str(), stream, Some(limits))
            .await
            .map_err(|e| away(format!("it does not speak the relay's protocol: {e}")))?;
        self.log_in(socket, &target.url).await
    }

    async fn log_in(&self, mut socket: Socket, url: &str) -> Result<(Socket, NodeId), GatewayState> {
        let away = |why: &str| GatewayState::Unreachable { why: why.to_owned() };
        let identity = &self.needs.identity;
        loop {
            let message = match socket.next().await {
                Some(Ok(Message::Binary(bytes))) => bytes,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Err(error)) => return Err(away(&format!("the connection broke at the login: {error}"))),
                _ => return Err(away("it shut the connection at the login")),
            };
            match Frame::decode(&message).map_err(|e| away(&e.to_string()))? {
                Frame::Challenge { gateway, challenge } => {
                    let gateway = NodeId::from_bytes(&gateway).map_err(|e| away(&e.to_string()))?;
                    let login =
                        Login::sign(&identity.me().certificate, &identity.key, gateway, challenge, url)
                            .map_err(|e| away(&e.to_string()))?;
                    let frame = Frame::Login { node: identity.node().bytes(), login: &login }.encode();
                    let sent = socket.send(Message::binary(frame)).await;
                    sent.map_err(|e| away(&format!("the connection broke at the login: {e}")))?;
                }
                Frame::Welcome { gateway, observed } => {
                    let gateway = NodeId::from_bytes(&gateway).map_err(|e| away(&e.to_string()))?;
                    self.set(GatewayState::Connected { observed: Some(observed) });
                    return Ok((socket, gateway));
                }
                Frame::Refused { code, reason } => {
                    return Err(GatewayState::Refused { code: code.to_owned(), reason: reason.to_owned() });
                }
                _ => return Err(away("it spoke out of turn at the login")),
            }
        }
    }

    /// Carries frames both ways until the connection ends. Why it did.
    async fn carry(&self, socket: Socket, queue: &mut mpsc::Receiver<Vec<u8>>) -> String {
        let (mut sink, stream) = socket.split();
        let (echo, mut echoes) = mpsc::channel(4);
        let reading = self.read(stream, echo);
        tokio::pin!(reading);
        let mut ping = tokio::time::interval(PING_EVERY);
        loop {
            let sent = tokio::select! {
                why = &mut reading => return why,
                () = self.stand.gone.notified() => return "the address that it was made from is gone".to_owned(),
                frame = queue.recv() => {
                    let Some(frame) = frame else { return "this node shuts down".to_owned() };
                    let mut fed = sink.feed(Message::binary(frame)).await;
                    while fed.is_ok() && let Ok(frame) = queue.try_recv() {
                        fed = sink.feed(Message::binary(frame)).await;
                    }
                    match fed {
                        Ok(()) => sink.flush().await,
                        broken => broken,
                    }
                }
                Some(frame) = echoes.recv() => sink.send(Message::binary(frame)).await,
                _ = ping.tick() => sink.send(Message::binary(Frame::Ping(self.needs.mint.bytes()).encode())).await,
            };
            if let Err(error) = sent {
                return format!("the connection broke: {error}");
            }
        }
    }

    async fn read(&self, mut stream: SplitStream<Socket>, echo: mpsc::Sender<Vec<u8>>) -> String {
        loop {
            let message = match timeout_at(Instant::now() + SILENT_AFTER, stream.next()).await {
                Ok(Some(Ok(Message::Binary(bytes)))) => bytes,
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
                Ok(Some(Ok(_)) | None) => return "it shut the connection".to_owned(),
                Ok(Some(Err(error))) => return format!("the connection broke: {error}"),
                Err(_) => return format!("it said nothing for {} s", SILENT_AFTER.as_secs()),
            };
            let event = match Frame::decode(&message) {
                Ok(Frame::Datagram { node, .. }) => {
                    FromGateway::Datagram { node, bytes: message.slice(HEAD..) }
                }
                Ok(Frame::Signal { node, .. }) => FromGateway::Signal { node, bytes: message.slice(HEAD..) },
                Ok(Frame::Away { node }) => FromGateway::Away(node),
                Ok(Frame::Ping(bytes)) => {
                    let _ = echo.try_send(Frame::Pong(bytes).encode());
                    continue;
                }
                Ok(Frame::Pong(_)) => continue,
                Ok(Frame::Refused { code, reason }) => {
                    return format!("it ended the connection ({code}): {reason}");
                }
                Ok(_) => return "it spoke out of turn".to_owned(),
                Err(error) => return error.to_string(),
            };
            if !self.tell(event).await {
                return "this node shuts down".to_owned();
            }
        }
    }
}

struct Target {
    url: String,
    host: String,
    port: u16,
    tls: bool,
}

impl Target {
    fn of(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|e| format!("`{url}` is no address: {e}"))?;
        let tls = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            _ => return Err(format!("`{url}` must begin with wss:// or ws://")),
        };
        let host = uri.host().ok_or_else(|| format!("`{url}` names no host"))?;
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let bare = uri.path() == "/" && !url.ends_with(RELAY_PATH);
        let url = if bare { format!("{}{RELAY_PATH}", url.trim_end_matches('/')) } else { url.to_owned() };
        Ok(Self { url, host: host.trim_matches(['[', ']']).to_owned(), port, tls })
    }
}

/// TLS as the public web has it, for gateways with a certificate of a known authority.
pub fn web_tls() -> Arc<rustls::ClientConfig> {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_s_address_gets_the_relay_s_path_when_it_has_none() {
        let of = |url| Target::of(url).map(|t| (t.url, t.host, t.port, t.tls));
        let full = "wss://gate.example/v1/mesh/relay".to_owned();
        assert_eq!(of("wss://gate.example/"), Ok((full, "gate.example".to_owned(), 443, true)));
        let other = "ws://[::1]:8080/other".to_owned();
        assert_eq!(of("ws://[::1]:8080/other"), Ok((other, "::1".to_owned(), 8080, false)));
        assert!(of("https://gate.example").is_err());
    }
}
