//! Strangers who send far too much.

use std::time::{Duration, Instant};

use mesh::Stream;
use mesh_link::listener::MAX_OF_ONE;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket},
};

use crate::house::{House, send};

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
}

async fn post(place: &str, body: &[u8]) -> String {
    let Ok(mut stream) = TcpStream::connect(place).await else { return String::new() };
    let head = format!("POST /v1/mesh/offers HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_bogus_offers_leave_memory_and_the_live_link_as_they_were() {
    let house = House::new();
    let (mut a, mut b) = (house.up(&house.node(31)).await, house.up(&house.node(32)).await);
    a.look_for(&b.place());
    let link = a.link().await;
    b.link().await;
    let place = b.place();
    let bogus = format!("{{\"manifest\":{{}},\"body\":\"{}\"}}", "x".repeat(2_000));
    post(&place, bogus.as_bytes()).await;
    let before = resident_bytes();
    let began = Instant::now();
    let senders: Vec<_> = (0..4)
        .map(|_| {
            let (place, bogus) = (place.clone(), bogus.clone());
            tokio::spawn(async move {
                let mut codes = [0u32; 2];
                for _ in 0..2_500 {
                    let answer = post(&place, bogus.as_bytes()).await;
                    codes[0] += u32::from(answer.contains("too_many"));
                    codes[1] += u32::from(answer.contains("201 Created"));
                }
                codes
            })
        })
        .collect();
    // The link works meanwhile.
    for number in 0..50u32 {
        send(&a.endpoint, link, Stream::Rpc, &number.to_be_bytes()).await;
        assert_eq!(b.message().await.1, number.to_be_bytes());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut refused = 0;
    for sender in senders {
        let [too_many, taken] = sender.await.unwrap();
        assert_eq!(taken, 0);
        refused += too_many;
    }
    assert!(
        refused > 9_000,
        "{refused} of 10,000 cost no more than a look at a bucket, in {:?}",
        began.elapsed()
    );
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 24 * 1024 * 1024, "{grown} bytes more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_offer_is_refused() {
    let house = House::new();
    let (mut a, mut thief) = (house.up(&house.node(31)).await, TcpStreamTap::start().await);
    let (mut b, b_place) = (house.up(&house.node(32)).await, thief.place.clone());
    thief.forward_to(a.place());
    b.look_for(&b_place);
    b.link().await;
    a.link().await;
    let stolen = thief.taken().await;
    let answer = post(&a.place(), &stolen).await;
    assert!(answer.contains("409") && answer.contains("replayed"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_callers_hold_a_few_connections_and_not_for_long() {
    let house = House::new();
    let (mut a, mut b) = (house.up(&house.node(31)).await, house.up(&house.node(32)).await);
    let mut slow = Vec::new();
    for _ in 0..MAX_OF_ONE * 4 {
        let mut stream = TcpStream::connect(b.place()).await.unwrap();
        let _ = stream.write_all(b"POST /v1/mesh/offers HTTP/1.1\r\n").await;
        slow.push(stream);
    }
    let began = Instant::now();
    let mut buffer = Vec::new();
    for stream in &mut slow {
        let _ = stream.read_to_end(&mut buffer).await;
    }
    assert!(began.elapsed() < Duration::from_secs(6), "they were shut after {:?}", began.elapsed());
    a.look_for(&b.place());
    a.link().await;
    b.link().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_of_strangers_change_nothing() {
    let house = House::new();
    let (mut a, mut b) = (house.up(&house.node(31)).await, house.up(&house.node(32)).await);
    a.look_for(&b.place());
    let link = a.link().await;
    b.link().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let peers = a.endpoint.report().peers;
    let target = peers[0].pairs[0].remote;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for number in 0..20_000u32 {
        let mut junk = vec![u8::try_from(number % 256).unwrap(); 200];
        junk[..8].copy_from_slice(&[0, 1, 0, 180, 0x21, 0x12, 0xa4, 0x42]);
        if number.is_multiple_of(2) {
            junk[0] = 23;
        }
        let _ = stranger.send_to(&junk, target).await;
    }
    send(&a.endpoint, link, Stream::Rpc, b"still here").await;
    assert_eq!(b.message().await.1, b"still here");
}

/// Stands between an offerer and a listener, and keeps the body of what was sent.
struct TcpStreamTap {
    place: String,
    target: tokio::sync::watch::Sender<String>,
    taken: tokio::sync::mpsc::Receiver<Vec<u8>>,
}

impl TcpStreamTap {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = listener.local_addr().unwrap().to_string();
        let (target, mut to) = tokio::sync::watch::channel(String::new());
        let (give, taken) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let place = to.wait_for(|place| !place.is_empty()).await.unwrap().clone();
            let mut server = TcpStream::connect(place).await.unwrap();
            let mut request = Vec::new();
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let count = client.read(&mut buffer).await.unwrap();
                request.extend(&buffer[..count]);
                let text = String::from_utf8_lossy(&request).into_owned();
                let Some(end) = text.find("\r\n\r\n") else { continue };
                let length =
                    text.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap().parse::<usize>();
                if request.len() >= end + 4 + length.unwrap() {
                    give.send(request[end + 4..].to_vec()).await.unwrap();
                    break;
                }
            }
            server.write_all(&request).await.unwrap();
            let mut answer = Vec::new();
            server.read_to_end(&mut answer).await.unwrap();
            client.write_all(&answer).await.unwrap();
        });
        Self { place, target, taken }
    }

    fn forward_to(&self, place: String) {
        self.target.send_replace(place);
    }

    async fn taken(&mut self) -> Vec<u8> {
        self.taken.recv().await.unwrap()
    }
}
