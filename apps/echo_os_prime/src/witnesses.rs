//! Carries what the desk wants to ask to the witnesses, over HTTP, and their answers back.

use std::time::Duration;

use desk::{Ask, Desk, DeskError, WitnessAnswer};
use echo_core::Reach;
use tokio::task::JoinSet;
use ureq::Agent;
use witness::MAX_ANSWER_BYTES;

/// How many witnesses are asked at once.
const AT_ONCE: usize = 4;
/// How long one request may take, from the name's look-up to the answer's last byte.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks every witness whose turn it is, each once, or twice when it says from which size to ask.
pub async fn ask_all(desk: &Desk, reach: Reach) -> Result<(), DeskError> {
    let asks = desk.witness_asks().await?;
    for some in asks.chunks(AT_ONCE) {
        let mut set = JoinSet::new();
        for ask in some {
            set.spawn(ask_one(desk.clone(), ask.clone(), reach));
        }
        while let Some(done) = set.join_next().await {
            done.map_err(|e| DeskError::Internal(e.to_string()))??;
        }
    }
    Ok(())
}

async fn ask_one(desk: Desk, ask: Ask, reach: Reach) -> Result<(), DeskError> {
    let mut next = Some(ask);
    while let Some(ask) = next {
        let sent = ask.clone();
        let answer = tokio::task::spawn_blocking(move || post(&sent.url, &sent.body, reach)).await;
        let answer = answer.unwrap_or_else(|e| WitnessAnswer::Nothing(e.to_string()));
        next = desk.witness_answered(&ask, answer).await?;
    }
    Ok(())
}

/// Sends one request. No redirect is followed: who is asked is what the operator wrote down.
fn post(url: &str, body: &str, reach: Reach) -> WitnessAnswer {
    if let Err(off) = reach.service("this witness", &host(url)) {
        return WitnessAnswer::Nothing(off.to_string());
    }
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(TIMEOUT))
        .user_agent(concat!("echo_os_prime/", env!("CARGO_PKG_VERSION")));
    if is_loopback(url) {
        config = config.proxy(None);
    }
    let agent = config.build().new_agent();
    let sent = agent.post(url).header("Content-Type", "text/plain; charset=utf-8").send(body);
    let read = sent.and_then(|mut answer| {
        let limit = MAX_ANSWER_BYTES as u64;
        let body = answer.body_mut().with_config().limit(limit).read_to_vec()?;
        Ok(WitnessAnswer::Status { status: answer.status().as_u16(), body })
    });
    read.unwrap_or_else(|error| WitnessAnswer::Nothing(format!("does not answer: {error}")))
}

/// Whether an address is on this machine, where no proxy is needed.
pub(crate) fn is_loopback(url: &str) -> bool {
    let host = host(url);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The host of an address; nothing when it is none.
pub(crate) fn host(url: &str) -> String {
    let url = url.parse::<ureq::http::Uri>().ok();
    url.as_ref().and_then(ureq::http::Uri::host).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
    };

    use super::*;

    /// Answers one request with these bytes, on a free port.
    fn answering(bytes: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4_096];
            let _ = stream.read(&mut request).unwrap();
            // Whoever asked may hang up before all is said.
            let _ = stream.write_all(&bytes);
        });
        format!("http://{address}/add-checkpoint")
    }

    #[test]
    fn an_answer_comes_back_with_its_status() {
        let url = answering(b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n7\n".to_vec());
        assert_eq!(
            post(&url, "old 0\n\n", Reach::Anywhere),
            WitnessAnswer::Status { status: 409, body: b"7\n".to_vec() }
        );
    }

    #[test]
    fn a_redirect_is_not_followed() {
        let elsewhere =
            "HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n";
        let url = answering(elsewhere.as_bytes().to_vec());
        assert!(matches!(post(&url, "x", Reach::Anywhere), WitnessAnswer::Status { status: 307, .. }));
    }

    #[test]
    fn an_endless_answer_and_no_answer_are_none() {
        let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        endless.resize(endless.len() + MAX_ANSWER_BYTES + 1, b'x');
        assert!(matches!(post(&answering(endless), "x", Reach::Anywhere), WitnessAnswer::Nothing(_)));
        assert!(matches!(post("http://127.0.0.1:9/", "x", Reach::Anywhere), WitnessAnswer::Nothing(_)));
        assert!(matches!(post("http://[", "x", Reach::Anywhere), WitnessAnswer::Nothing(_)));
    }

    #[test]
    fn offline_a_witness_elsewhere_is_off_and_one_here_is_asked() {
        let WitnessAnswer::Nothing(said) = post("https://192.0.2.1/w", "x", Reach::Local) else {
            panic!("nobody was asked")
        };
        assert!(said.starts_with("this witness is off"), "{said}");
        let url = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec());
        assert!(matches!(post(&url, "x", Reach::Local), WitnessAnswer::Status { status: 200, .. }));
    }

    #[test]
    fn only_this_machine_needs_no_proxy() {
        for (url, loopback) in [
            ("http://127.0.0.1:1/x", true),
            ("http://[::1]:1", true),
            ("https://w.example", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(url), loopback, "{url}");
        }
    }
}
