//! Where offers come in over HTTP: `POST /v1/mesh/offers`, answered with a signed answer (201), or with a problem document
//! (RFC 9457) that carries the refusal.
//!
//! [`router`] alone is for a server that has its own bounds; [`Listener`] is a small one with bounds of its own, for nodes
//! that have none: nobody can hold more than a few connections, nor any for longer than a few seconds.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::{ConnectInfo, DefaultBodyLimit, Extension, State},
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::post,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use mesh::{
    Refusal,
    signal::{MAX_SIGNAL_BYTES, Refused},
};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::timeout,
};

use crate::limits::{Limits, network};

/// The path of the one endpoint.
pub const OFFERS_PATH: &str = "/v1/mesh/offers";
/// The most connections at once.
pub const MAX_CONNECTIONS: usize = 64;
/// The most connections of one address at once.
pub const MAX_OF_ONE: usize = 8;
/// How long a connection may last.
pub const CONNECTION_TIME: Duration = Duration::from_secs(10);
/// How long the head of a request may take.
pub const HEAD_TIME: Duration = Duration::from_secs(3);
/// Offers that wait to be checked.
pub const MAX_WAITING: usize = 32;

const ANSWER_TIME: Duration = Duration::from_secs(5);

/// An offer that came in, and where its answer goes.
#[derive(Debug)]
pub struct Knock {
    /// Who sent it, as the connection says.
    pub from: IpAddr,
    /// The signed offer, unread.
    pub bytes: Bytes,
    /// The signed answer, or the refusal.
    pub reply: oneshot::Sender<Result<Vec<u8>, Refused>>,
}

/// Where offers are handed in.
#[derive(Debug, Clone)]
pub struct Door {
    knocks: mpsc::Sender<Knock>,
    limits: Arc<Mutex<Limits>>,
}

impl Door {
    /// A door, and what comes through it.
    pub fn new() -> (Self, mpsc::Receiver<Knock>) {
        let (knocks, queue) = mpsc::channel(MAX_WAITING);
        (Self { knocks, limits: Arc::new(Mutex::new(Limits::new(Instant::now()))) }, queue)
    }

    /// Whether an address may send an offer now.
    pub fn allows(&self, from: IpAddr) -> bool {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).allow(Instant::now(), from)
    }

    async fn knock(&self, from: IpAddr, bytes: Bytes) -> Result<Vec<u8>, Refused> {
        let busy = |what: &str| refused(&Refusal::TooMany(what.to_owned()));
        if !self.allows(from) {
            return Err(busy("offers from this address"));
        }
        let (reply, answer) = oneshot::channel();
        self.knocks.try_send(Knock { from, bytes, reply }).map_err(|_| busy("offers wait to be checked"))?;
        match timeout(ANSWER_TIME, answer).await {
            Ok(Ok(answer)) => answer,
            _ => Err(busy("the node is busy or shuts down")),
        }
    }
}

fn refused(refusal: &Refusal) -> Refused {
    Refused::of(mesh::signal::SessionId([0; 16]), refusal, 0)
}

/// The endpoint, for any server. The address of the caller is taken from [`ConnectInfo`]; without it all callers share a bound.
pub fn router(door: Door) -> Router {
    Router::new()
        .route(OFFERS_PATH, post(offer))
        .layer(DefaultBodyLimit::max(MAX_SIGNAL_BYTES))
        .with_state(door)
}

async fn offer(
    State(door): State<Door>,
    from: Option<Extension<ConnectInfo<SocketAddr>>>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    let Ok(bytes) = body else {
        return problem(&refused(&Refusal::Oversize { bytes: MAX_SIGNAL_BYTES + 1, most: MAX_SIGNAL_BYTES }));
    };
    let from = from.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(ConnectInfo(at))| at.ip());
    match door.knock(from, bytes).await {
        Ok(answer) => (StatusCode::CREATED, [(CONTENT_TYPE, "application/json")], answer).into_response(),
        Err(refused) => problem(&refused),
    }
}

fn problem(refused: &Refused) -> Response {
    let status = match refused.code.as_str() {
        "malformed" => StatusCode::BAD_REQUEST,
        "oversize" => StatusCode::PAYLOAD_TOO_LARGE,
        "replayed" | "myself" => StatusCode::CONFLICT,
        "too_many" | "own_trust" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::FORBIDDEN,
    };
    let document = json!({
        "type": format!("urn:echo:mesh:refused:{}", refused.code),
        "title": "The offer was refused",
        "status": status.as_u16(),
        "detail": refused.reason,
        "refused": refused,
    });
    let mut response = (status, document.to_string()).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// The refusal in a problem document.
pub fn refusal_of(document: &[u8]) -> Option<Refused> {
    let value: serde_json::Value = serde_json::from_slice(document).ok()?;
    Refused::read(value.get("refused")?.to_string().as_bytes()).ok()
}

/// A small server for [`router`], until it is dropped.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Listener {
    /// Listens at an address; port 0 takes a free one.
    pub async fn start(at: SocketAddr, door: Door) -> io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, task: tokio::spawn(serve(listener, router(door))) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, router: Router) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let callers = Arc::new(Mutex::new(HashMap::new()));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: some will be free again.
                tracing::warn!(%error, "an offer's connection was not taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if let Some(caller) = Caller::enter(&callers, from.ip()) {
            tokio::spawn(one(stream, from, router.clone(), permit, caller));
        }
    }
}

async fn one(
    stream: TcpStream,
    from: SocketAddr,
    router: Router,
    permit: OwnedSemaphorePermit,
    caller: Caller,
) {
    let service = TowerToHyperService::new(router.layer(Extension(ConnectInfo(from))));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let _ = timeout(CONNECTION_TIME, connection).await;
    drop((permit, caller));
}

/// One connection of an address (of a /64 network, where it is an IPv6 one), counted while it lasts.
struct Caller {
    all: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Caller {
    fn enter(all: &Arc<Mutex<HashMap<IpAddr, usize>>>, address: IpAddr) -> Option<Self> {
        let address = network(address);
        let mut counts = all.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= MAX_OF_ONE {
            return None;
        }
        *count += 1;
        Some(Self { all: all.clone(), address })
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut counts = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_with_many_ipv6_addresses_holds_no_more_connections_than_one_with_one() {
        let all = Arc::new(Mutex::new(HashMap::new()));
        let at = |n: u128| IpAddr::V6((0x2001_0db8_u128 << 96 | n).into());
        let held: Vec<Caller> = (0..100).filter_map(|n| Caller::enter(&all, at(n))).collect();
        assert_eq!(held.len(), MAX_OF_ONE);
        assert!(Caller::enter(&all, at(1 << 64)).is_some(), "another network");
        drop(held);
        assert!(Caller::enter(&all, at(7)).is_some());
        assert!(all.lock().unwrap().is_empty(), "nothing is remembered of who left");
    }
}
