//! Sending an offer to a node's own listener.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use echo_core::Reach;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use mesh::signal::{MAX_SIGNAL_BYTES, Refused};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use crate::listener::{OFFERS_PATH, refusal_of};

/// How long connecting to one address may take.
pub const CONNECT_TIME: Duration = Duration::from_millis(1_500);
/// How long the answer of one address may take.
pub const ANSWER_TIME: Duration = Duration::from_secs(6);
/// The most addresses that a name may stand for.
pub const MAX_ADDRESSES: usize = 4;

/// What came of an offer.
#[derive(Debug)]
pub enum Reply {
    /// A signed answer, unread.
    Answer(Vec<u8>),
    /// A refusal, which anybody on the way may have written.
    Refused(Box<Refused>),
    /// Nothing useful. Why, for people.
    Silence(String),
}

/// Sends the offer to the hosts within reach in turn, until one answers.
pub async fn send(hosts: &[String], offer: Vec<u8>, reach: Reach) -> Reply {
    let offer = Bytes::from(offer);
    let mut failures = Vec::new();
    for host in hosts {
        if let Err(off) = reach.place("this peer", host) {
            failures.push(off.to_string());
            continue;
        }
        let addresses: Vec<SocketAddr> = match timeout(CONNECT_TIME, lookup_host(host)).await {
            Ok(Ok(found)) => found.take(MAX_ADDRESSES).collect(),
            Ok(Err(error)) => {
                failures.push(format!("{host}: {error}"));
                continue;
            }
            Err(_) => {
                failures.push(format!("{host}: its name was not found in time"));
                continue;
            }
        };
        for address in addresses {
            match timeout(CONNECT_TIME, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return ask(stream, host, offer).await,
                Ok(Err(error)) => failures.push(format!("{address}: {error}")),
                Err(_) => failures.push(format!("{address}: no answer in {} ms", CONNECT_TIME.as_millis())),
            }
        }
    }
    Reply::Silence(failures.join("; "))
}

async fn ask(stream: TcpStream, host: &str, offer: Bytes) -> Reply {
    match timeout(ANSWER_TIME, exchange(stream, host, offer)).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(why)) => Reply::Silence(format!("{host}: {why}")),
        Err(_) => Reply::Silence(format!(
            "{host}: it took the offer and said nothing for {} s",
            ANSWER_TIME.as_secs()
        )),
    }
}

async fn exchange(stream: TcpStream, host: &str, offer: Bytes) -> Result<Reply, String> {
    let _ = stream.set_nodelay(true);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
    let driver = tokio::spawn(connection);
    // A scope is this machine's affair, and no part of a host's name.
    let host: String = host.split('%').next().unwrap_or(host).trim_matches(['[', ']']).to_owned();
    let request = Request::post(OFFERS_PATH)
        .header(header::HOST, host)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(offer))
        .map_err(|e| e.to_string())?;
    let response = sender.send_request(request).await.map_err(|e| e.to_string())?;
    let status = response.status();
    let body = Limited::new(response.into_body(), 2 * MAX_SIGNAL_BYTES).collect().await;
    driver.abort();
    let body = body.map_err(|e| format!("its answer: {e}"))?.to_bytes();
    match status {
        StatusCode::CREATED => Ok(Reply::Answer(body.into())),
        _ => refusal_of(&body)
            .map(|refused| Reply::Refused(Box::new(refused)))
            .ok_or_else(|| format!("it answers {status}, which is no answer of a node")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn offline_no_name_is_looked_up_and_nobody_far_is_dialled() {
        let hosts = ["peer.example.org:1".to_owned(), "192.0.2.1:1".to_owned()];
        let Reply::Silence(why) = send(&hosts, Vec::new(), Reach::Local).await else {
            panic!("somebody answered")
        };
        assert_eq!(why.matches("this peer is off").count(), 2, "{why}");
    }
}
