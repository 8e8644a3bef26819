//! One end of the mesh benchmark on Echo's own session: `mesh_bench offer|answer`. README.md beside this file says what is
//! on stdin and stdout.
//!
//! What is measured is [`Session`] on the sockets that the endpoint uses; admission and its signatures are left out, as
//! they are for the peers.

use std::{
    error::Error,
    io::{BufRead as _, Write as _},
    sync::Arc,
    time::{Duration, Instant},
};

use echo_core::Reach;
use mesh::Stream;
use mesh_link::{
    flow::Flow,
    session::{Happened, Session, warm_up},
    sockets::{Datagram, Sockets, anywhere},
};
use serde_json::{Value, json};
use str0m::Candidate;
use tokio::sync::mpsc;

const PINGS: usize = 1_000;
const PING_BYTES: usize = 64;
const MESSAGES: usize = 4_096;
const MESSAGE_BYTES: usize = 16 * 1024;

type Failure = Box<dyn Error>;

/// A session, its sockets, and the lines from stdin.
struct End {
    sockets: Sockets,
    datagrams: mpsc::Receiver<Datagram>,
    lines: mpsc::UnboundedReceiver<Value>,
    flow: Arc<Flow>,
    session: Option<Session>,
}

fn say(document: &Value) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{document}")?;
    Ok(out.flush()?)
}

impl End {
    async fn new() -> Self {
        let (mut sockets, datagrams) = Sockets::new(anywhere(), false, Reach::Anywhere);
        sockets.refresh().await;
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                let Ok(value) = serde_json::from_str(&line) else { break };
                if sender.send(value).is_err() {
                    break;
                }
            }
        });
        Self { sockets, datagrams, lines, flow: Arc::default(), session: None }
    }

    async fn heard(&mut self) -> Result<Value, Failure> {
        self.lines.recv().await.ok_or_else(|| "nothing more is said".into())
    }

    async fn heard_sdp(&mut self) -> Result<String, Failure> {
        let line = self.heard().await?;
        Ok(line["sdp"].as_str().ok_or("a line without SDP")?.to_owned())
    }

    fn candidates(&self) -> Vec<Candidate> {
        self.sockets.addresses().into_iter().filter_map(|at| Candidate::host(at, "udp").ok()).collect()
    }

    fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("it is made before anything is asked of it")
    }

    /// Sends a message when there is room.
    fn send(&mut self, stream: Stream, bytes: Vec<u8>) -> bool {
        let fits = self.flow.take(stream, bytes.len()).is_ok();
        if fits {
            self.session().write(stream, true, bytes);
        }
        fits
    }

    /// Sends what is to be sent; what came in, or nothing once all is done.
    async fn drain(&mut self) -> Option<Happened> {
        loop {
            match self.session().poll(Instant::now())? {
                Happened::Transmit { source, destination, bytes } => {
                    self.sockets.send(source, destination, &bytes).await;
                }
                happened => return Some(happened),
            }
        }
    }

    /// Waits for a datagram, a line or the deadline. The line, when it was one; an end of stdin is an error.
    async fn wait(&mut self) -> Result<Option<Value>, Failure> {
        let deadline = tokio::time::Instant::from_std(self.session().deadline());
        tokio::select! {
            Some(datagram) = self.datagrams.recv() => {
                // What it leads to is taken out before the next: the transport's own queues are short.
                self.session().datagram(Instant::now(), datagram.local, datagram.source, &datagram.bytes);
            }
            () = tokio::time::sleep_until(deadline) => self.session().tick(Instant::now()),
            line = self.lines.recv() => return line.map(Some).ok_or_else(|| "nothing more is said".into()),
        }
        Ok(None)
    }

    /// The next thing that happened.
    async fn happened(&mut self) -> Result<Happened, Failure> {
        loop {
            match self.drain().await {
                Some(Happened::Closed(why)) => return Err(why.into()),
                Some(happened) => return Ok(happened),
                None => {
                    self.wait().await?;
                }
            }
        }
    }

    /// The next message.
    async fn message(&mut self) -> Result<(Stream, Vec<u8>), Failure> {
        loop {
            if let Happened::Message { stream, bytes, .. } = self.happened().await? {
                return Ok((stream, bytes));
            }
        }
    }
}

async fn offer(mut end: End) -> Result<(), Failure> {
    say(&json!({"ready": true}))?;
    end.heard().await?;
    let began = Instant::now();
    let (session, sdp) = Session::offer(began, end.candidates(), end.flow.clone())?;
    end.session = Some(session);
    let offered = Instant::now();
    say(&json!({"sdp": sdp}))?;
    let answer = end.heard_sdp().await?;
    end.session().accept(&answer)?;
    end.session().tick(Instant::now());
    while !matches!(end.happened().await?, Happened::Open) {}
    let opened = Instant::now();
    let mut round_trips = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let sent = Instant::now();
        end.send(Stream::Rpc, vec![0; PING_BYTES]);
        end.message().await?;
        round_trips.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    let seconds = pour(&mut end).await?.as_secs_f64();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    say(&json!({
        "offer_ms": milliseconds(offered - began),
        "connect_ms": milliseconds(opened - offered),
        "rtt_us": round_trips,
        "bytes": MESSAGES * MESSAGE_BYTES,
        "seconds": seconds,
    }))
}

/// Sends the large thing. How long until the other end has all of it.
async fn pour(end: &mut End) -> Result<Duration, Failure> {
    let began = Instant::now();
    let mut sent = 0;
    loop {
        while sent < MESSAGES && end.send(Stream::Bulk, vec![0; MESSAGE_BYTES]) {
            sent += 1;
        }
        match end.drain().await {
            Some(Happened::Message { stream: Stream::Bulk, .. }) => return Ok(began.elapsed()),
            Some(Happened::Closed(why)) => return Err(why.into()),
            Some(_) => {}
            None => {
                end.wait().await?;
            }
        }
    }
}

async fn answer(mut end: End) -> Result<(), Failure> {
    say(&json!({"ready": true}))?;
    let offer = end.heard_sdp().await?;
    let (session, sdp) = Session::answer(Instant::now(), end.candidates(), end.flow.clone(), &offer)?;
    end.session = Some(session);
    say(&json!({"sdp": sdp}))?;
    end.session().tick(Instant::now());
    let mut received = 0;
    loop {
        match end.drain().await {
            Some(Happened::Message { stream: Stream::Bulk, bytes, .. }) => {
                received += bytes.len();
                if received == MESSAGES * MESSAGE_BYTES {
                    end.send(Stream::Bulk, b"all".to_vec());
                }
            }
            Some(Happened::Message { stream, bytes, .. }) => {
                end.send(stream, bytes);
            }
            Some(Happened::Closed(why)) => return Err(why.into()),
            Some(_) => {}
            None => {
                if end.wait().await?.is_some() {
                    return Ok(());
                }
            }
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    warm_up();
    let end = End::new().await;
    match std::env::args().nth(1).as_deref() {
        Some("offer") => offer(end).await,
        Some("answer") => answer(end).await,
        _ => Err("usage: mesh_bench offer|answer".into()),
    }
}
