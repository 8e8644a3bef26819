use mesh::{
    NodeId,
    relay::{is_relay_address, relay_address},
};
use trust::KeyPair;

use super::*;

const STEP: Duration = Duration::from_millis(5);

/// Two sessions, and a network between them that can lose what goes on the straight path.
struct Pair {
    now: Instant,
    ends: [Session; 2],
    flows: [Arc<Flow>; 2],
    straight: bool,
    /// One datagram in this many is lost on the straight path; 0: none.
    loses: usize,
    carried: usize,
    got: [Vec<(Stream, Vec<u8>)>; 2],
    closed: [Option<String>; 2],
}

fn host(last: u8) -> Candidate {
    Candidate::host(SocketAddr::from(([10, 0, 0, last], 4_000)), "udp").unwrap()
}

fn pseudo(seed: u8) -> Candidate {
    let address = relay_address(&NodeId::of(&KeyPair::from_secret(&[seed; 32]).public())).into();
    Candidate::relayed(address, address, "udp").unwrap()
}

impl Pair {
    fn new(a: Vec<Candidate>, b: Vec<Candidate>) -> Self {
        let now = Instant::now();
        let flows = [Arc::new(Flow::default()), Arc::new(Flow::default())];
        let (mut offerer, offer) = Session::offer(now, a, flows[0].clone()).unwrap();
        let (answerer, answer) = Session::answer(now, b, flows[1].clone(), &offer).unwrap();
        offerer.accept(&answer).unwrap();
        let ends = [offerer, answerer];
        Self {
            now,
            ends,
            flows,
            straight: true,
            loses: 0,
            carried: 0,
            got: Default::default(),
            closed: Default::default(),
        }
    }

    fn step(&mut self) {
        self.now += STEP;
        for at in 0..2 {
            if self.ends[at].deadline() <= self.now {
                self.ends[at].tick(self.now);
            }
            let mut under_way = Vec::new();
            while let Some(happened) = self.ends[at].poll(self.now) {
                match happened {
                    Happened::Transmit { source, destination, bytes } => {
                        under_way.push((source, destination, bytes));
                    }
                    Happened::Message { stream, bytes, .. } => self.got[at].push((stream, bytes)),
                    Happened::Closed(why) => self.closed[at] = Some(why),
                    Happened::Open | Happened::Measured(_) => {}
                }
            }
            for (source, destination, bytes) in under_way {
                if is_relay_address(&source) != is_relay_address(&destination) {
                    continue;
                }
                self.carried += 1;
                let lost = self.loses > 0 && self.carried.is_multiple_of(self.loses);
                if is_relay_address(&source) || self.straight && !lost {
                    self.ends[1 - at].datagram(self.now, destination, source, &bytes);
                }
            }
        }
    }

    fn run(&mut self, most: Duration, done: impl Fn(&Self) -> bool) {
        let end = self.now + most;
        while !done(self) {
            assert!(self.now < end, "{:?} {:?} {:?}", self.ends, self.closed, self.got[1].len());
            self.step();
        }
    }

    fn open(&mut self) {
        self.run(Duration::from_secs(5), |p| p.ends.iter().all(Session::is_open));
    }

    fn send(&mut self, at: usize, stream: Stream, bytes: Vec<u8>) -> bool {
        let fits = self.flows[at].take(stream, bytes.len()).is_ok();
        if fits {
            self.ends[at].write(stream, true, bytes);
        }
        fits
    }
}

#[test]
fn both_ends_open_and_every_stream_keeps_its_order_under_loss() {
    let mut pair = Pair::new(vec![host(1)], vec![host(2)]);
    pair.open();
    pair.loses = 20;
    for number in 0..50u32 {
        for stream in Stream::ALL {
            assert!(pair.send(0, stream, [&number.to_be_bytes()[..], &[7; 8_000]].concat()));
        }
    }
    pair.run(Duration::from_mins(2), |p| p.got[1].len() == 200);
    for stream in Stream::ALL {
        let numbers: Vec<u32> = pair.got[1]
            .iter()
            .filter(|(s, _)| *s == stream)
            .map(|(_, bytes)| u32::from_be_bytes(bytes[..4].try_into().unwrap()))
            .collect();
        assert_eq!(numbers, (0..50).collect::<Vec<u32>>());
    }
}

#[test]
fn the_largest_message_of_each_stream_arrives_whole() {
    let mut pair = Pair::new(vec![host(1)], vec![host(2)]);
    pair.open();
    for stream in Stream::ALL {
        assert!(pair.send(1, stream, vec![stream as u8; stream.max_message()]));
    }
    pair.run(Duration::from_secs(20), |p| p.got[0].len() == 4);
    for (stream, bytes) in &pair.got[0] {
        assert_eq!(*bytes, vec![*stream as u8; stream.max_message()]);
    }
}

#[test]
fn it_begins_on_the_relay_moves_to_the_straight_path_and_back_without_loss_or_doubles() {
    let mut pair = Pair::new(vec![host(1), pseudo(1)], vec![host(2), pseudo(2)]);
    pair.straight = false;
    pair.open();
    assert!(pair.ends[0].is_relayed());
    let mut sent = 0u32;
    let mut talk = |pair: &mut Pair, most: u64, done: fn(&Pair) -> bool| {
        let end = pair.now + Duration::from_secs(most);
        while !done(pair) {
            assert!(pair.now < end, "{:?}", pair.ends);
            if pair.send(0, Stream::Rpc, sent.to_be_bytes().to_vec()) {
                sent += 1;
            }
            pair.step();
        }
        sent
    };
    pair.straight = true;
    talk(&mut pair, 90, |p| p.ends.iter().all(|end| !end.is_relayed()));
    pair.straight = false;
    let cut = pair.now;
    talk(&mut pair, 20, |p| p.ends.iter().all(Session::is_relayed));
    assert!(pair.now.duration_since(cut) < Duration::from_secs(10), "{:?}", pair.now.duration_since(cut));
    pair.straight = true;
    let sent = talk(&mut pair, 90, |p| p.ends.iter().all(|end| !end.is_relayed()));
    pair.run(Duration::from_mins(1), |p| p.got[1].len() >= sent as usize);
    let numbers: Vec<u32> =
        pair.got[1].iter().map(|(_, b)| u32::from_be_bytes(b[..4].try_into().unwrap())).collect();
    assert_eq!(numbers, (0..sent).collect::<Vec<u32>>());
}

#[test]
fn a_new_address_keeps_the_session_when_the_old_one_is_gone() {
    let mut pair = Pair::new(vec![host(1)], vec![host(2)]);
    pair.open();
    pair.ends[1].remove_local(SocketAddr::from(([10, 0, 0, 2], 4_000)));
    assert!(pair.ends[1].add_local(host(3)));
    pair.run(Duration::from_secs(20), |p| {
        let end = &p.ends[1];
        end.pairs().selected().is_some_and(|(local, _)| local == SocketAddr::from(([10, 0, 0, 3], 4_000)))
    });
    assert!(pair.send(0, Stream::Rpc, b"still here".to_vec()));
    pair.run(Duration::from_secs(20), |p| !p.got[1].is_empty());
}

#[test]
fn a_session_without_any_path_ends_and_says_why() {
    let mut pair = Pair::new(vec![host(1)], vec![host(2)]);
    pair.open();
    pair.straight = false;
    pair.run(Duration::from_secs(40), |p| p.closed.iter().all(Option::is_some));
    assert!(pair.closed[0].as_ref().unwrap().contains("nothing was heard"), "{:?}", pair.closed);
}

#[test]
fn a_closed_session_tells_the_other_end() {
    let mut pair = Pair::new(vec![host(1)], vec![host(2)]);
    pair.open();
    pair.ends[0].close("replaced");
    pair.run(Duration::from_secs(5), |p| p.closed.iter().all(Option::is_some));
    assert_eq!(pair.closed[0].as_deref(), Some("replaced"));
    assert!(pair.closed[1].as_ref().unwrap().contains("peer closed"), "{:?}", pair.closed);
}

#[test]
fn what_the_peer_says_as_soon_as_it_is_ready_is_not_lost() {
    for loses in [0, 5, 7, 11, 13] {
        let mut pair = Pair::new(vec![host(1)], vec![host(2)]);
        pair.loses = loses;
        let mut greeted = [false; 2];
        let end = pair.now + Duration::from_mins(1);
        while pair.got.iter().any(Vec::is_empty) {
            assert!(pair.now < end, "one in {loses} lost: {:?} {:?}", pair.ends, pair.closed);
            for (at, greeted) in greeted.iter_mut().enumerate() {
                if pair.ends[at].is_open() && !*greeted {
                    *greeted = pair.send(at, Stream::Control, b"hello".to_vec());
                }
            }
            pair.step();
        }
    }
}
