use mesh::{
    NodeId,
    relay::{is_relay_address, relay_address},
};
use trust::KeyPair;

use super::*;

/// A TURN server: what goes over it always arrives.
const TURN: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));
const STEP: Duration = Duration::from_millis(5);

/// Two sessions, and a network between them that can lose what goes on the straight path.
struct Pair {
    now: Instant,
    ends: [Session; 2],
    flows: [Arc<Flow>; 2],
    straight: bool,
    /// One datagram in this many is lost on the straight path; 0: none.
    loses: usize,
    /// Of a hundred datagrams on the straight path so many are lost, by chance.
    chance: u64,
    /// What comes from this end is lost on the straight path.
    deaf_to: Option<usize>,
    /// Larger datagrams than this are lost on the straight path.
    largest: usize,
    carried: usize,
    bytes: usize,
    /// How often each end changed its path.
    moves: [usize; 2],
    paths: [Option<probe::Path>; 2],
    measured: [Option<Duration>; 2],
    dice: u64,
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
            chance: 0,
            deaf_to: None,
            largest: usize::MAX,
            carried: 0,
            bytes: 0,
            moves: [0; 2],
            paths: [None; 2],
            measured: [None; 2],
            dice: 1,
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
                    Happened::Transmit { source, destination, bytes }
                    | Happened::Check { source, destination, bytes } => {
                        under_way.push((source, destination, bytes));
                    }
                    Happened::Message { stream, bytes, .. } => self.got[at].push((stream, bytes)),
                    Happened::Closed(why) => self.closed[at] = Some(why),
                    Happened::Measured(rtt) => self.measured[at] = Some(rtt),
                    Happened::Open => {}
                }
            }
            for (source, destination, bytes) in under_way {
                if is_relay_address(&source) != is_relay_address(&destination) {
                    continue;
                }
                self.carried += 1;
                self.bytes += bytes.len();
                let relayed = is_relay_address(&source) || [source.ip(), destination.ip()].contains(&TURN);
                if relayed || self.straight && !self.loses_one(at, bytes.len()) {
                    self.ends[1 - at].datagram(self.now, destination, source, &bytes);
                }
            }
            let path = self.ends[at].pairs().selected();
            if path.is_some() && path != self.paths[at] {
                self.moves[at] += usize::from(self.paths[at].is_some());
                self.paths[at] = path;
            }
        }
    }

    fn loses_one(&mut self, from: usize, size: usize) -> bool {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let by_chance = (self.dice >> 33) % 100 < self.chance;
        let in_turn = self.loses > 0 && self.carried.is_multiple_of(self.loses);
        by_chance || in_turn || self.deaf_to == Some(from) || size > self.largest
    }

    /// Lets time pass.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
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
    assert!(pair.now.duration_since(cut) < Duration::from_secs(5), "{:?}", pair.now.duration_since(cut));
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
fn who_loses_an_address_is_on_the_relay_at_once_and_the_other_end_in_seconds() {
    for loser in [0, 1] {
        let mut pair = Pair::new(vec![host(1), pseudo(1)], vec![host(2), pseudo(2)]);
        pair.straight = false;
        pair.open();
        pair.straight = true;
        pair.run(Duration::from_secs(40), |p| p.ends.iter().all(|end| !end.is_relayed()));
        pair.pass(Duration::from_secs(20));
        let cut = pair.now;
        let last = [1, 2][loser];
        pair.ends[loser].remove_local(SocketAddr::from(([10, 0, 0, last], 4_000)));
        pair.straight = false;
        pair.run(Duration::from_secs(2), |p| p.ends[loser].is_relayed());
        pair.run(Duration::from_secs(5), |p| p.ends[1 - loser].is_relayed());
        let took = pair.now.duration_since(cut);
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
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
    // By chance: each fifth in turn may be the same part of the handshake, every time that it is sent.
    for chance in [0, 5, 10, 15, 20] {
        let mut pair = Pair::new(vec![host(1)], vec![host(2)]);
        pair.chance = chance;
        let mut greeted = [false; 2];
        let end = pair.now + Duration::from_mins(1);
        while pair.got.iter().any(Vec::is_empty) {
            assert!(pair.now < end, "{chance} % lost: {:?} {:?}", pair.ends, pair.closed);
            for (at, greeted) in greeted.iter_mut().enumerate() {
                if pair.ends[at].is_open() && !*greeted {
                    *greeted = pair.send(at, Stream::Control, b"hello".to_vec());
                }
            }
            pair.step();
        }
    }
}

/// Two ends with one straight path.
fn one_way() -> Pair {
    let mut pair = Pair::new(vec![host(1)], vec![host(2)]);
    pair.open();
    pair
}

/// Two ends with a straight path and a relay, on the straight one.
fn both_ways() -> Pair {
    let mut pair = Pair::new(vec![host(1), pseudo(1)], vec![host(2), pseudo(2)]);
    pair.open();
    pair.run(Duration::from_secs(5), |p| p.ends.iter().all(|end| end.pairs().selected().is_some()));
    pair.pass(Duration::from_secs(20));
    assert!(pair.ends.iter().all(|end| !end.is_relayed()));
    pair
}

#[test]
fn a_dead_path_is_left_within_four_seconds_though_nobody_says_anything() {
    let mut pair = both_ways();
    pair.straight = false;
    let cut = pair.now;
    pair.run(Duration::from_secs(20), |p| p.ends.iter().all(Session::is_relayed));
    let took = pair.now.duration_since(cut);
    assert!(took < Duration::from_millis(4_500), "{took:?}");
}

#[test]
fn a_straight_path_that_comes_back_after_a_long_time_is_used_within_half_a_minute() {
    let mut pair = both_ways();
    pair.straight = false;
    pair.pass(Duration::from_mins(10));
    assert!(pair.ends.iter().all(Session::is_relayed));
    pair.straight = true;
    pair.run(Duration::from_secs(35), |p| p.ends.iter().all(|end| !end.is_relayed()));
}

#[test]
fn a_path_that_works_one_way_only_is_left_in_seconds_too() {
    for deaf_to in [0, 1] {
        let mut pair = both_ways();
        pair.deaf_to = Some(deaf_to);
        let cut = pair.now;
        pair.run(Duration::from_secs(30), |p| p.ends.iter().all(Session::is_relayed));
        let took = pair.now.duration_since(cut);
        assert!(took < Duration::from_secs(12), "{took:?}");
        assert!(pair.send(deaf_to, Stream::Rpc, b"heard".to_vec()));
        pair.run(Duration::from_secs(5), |p| !p.got[1 - deaf_to].is_empty());
    }
}

#[test]
fn heavy_loss_does_not_make_the_path_change_to_and_fro() {
    for (chance, most) in [(20, 1), (30, 6)] {
        let mut pair = both_ways();
        let before = pair.moves;
        pair.chance = chance;
        pair.pass(Duration::from_mins(10));
        let moves: Vec<usize> = (0..2).map(|at| pair.moves[at] - before[at]).collect();
        assert!(moves.iter().all(|moves| *moves <= most), "{chance} % lost: {moves:?} moves in ten minutes");
        assert_eq!(pair.closed, [None, None]);
    }
}

#[test]
fn an_idle_link_costs_little() {
    const SECONDS: u64 = 300;
    for (mut pair, most) in [(one_way(), 130), (both_ways(), 170)] {
        pair.pass(Duration::from_secs(30));
        pair.bytes = 0;
        pair.pass(Duration::from_secs(SECONDS));
        let rate = pair.bytes as u64 / SECONDS;
        assert!(rate <= most, "{rate} bytes of payload a second, both directions together");
    }
}

#[test]
fn the_round_trip_is_known_as_soon_as_the_link_is_up() {
    let mut pair = Pair::new(vec![host(1)], vec![host(2)]);
    pair.open();
    pair.pass(Duration::from_millis(100));
    assert!(pair.measured.iter().all(|rtt| rtt.is_some_and(|rtt| rtt <= 2 * STEP)), "{:?}", pair.measured);
}

#[test]
fn the_largest_datagram_that_comes_through_is_found_and_a_relay_has_none() {
    for (largest, found) in [(usize::MAX, 1_500), (1_300, 1_280), (1_180, 1_024)] {
        let mut pair = Pair::new(vec![host(1)], vec![host(2)]);
        pair.largest = largest;
        pair.open();
        pair.pass(Duration::from_secs(8));
        assert_eq!([pair.ends[0].path_mtu(), pair.ends[1].path_mtu()], [Some(found); 2]);
    }
    let mut pair = Pair::new(vec![pseudo(1)], vec![pseudo(2)]);
    pair.open();
    pair.pass(Duration::from_secs(8));
    assert_eq!(pair.ends[0].path_mtu(), None);
}

fn turn() -> Candidate {
    let at = SocketAddr::from((TURN, 50_000));
    Candidate::relayed(at, at, "udp").unwrap()
}

#[test]
fn a_straight_path_is_found_by_both_ends_while_the_turn_server_of_one_is_in_use() {
    for turn_at in [0, 1] {
        let mut ends = [vec![host(1)], vec![host(2)]];
        ends[turn_at].push(turn());
        let [a, b] = ends;
        let mut pair = Pair::new(a, b);
        pair.straight = false;
        pair.open();
        pair.pass(Duration::from_mins(3));
        assert!(pair.ends.iter().all(Session::is_relayed));
        pair.straight = true;
        pair.run(Duration::from_secs(35), |p| p.ends.iter().all(|end| !end.is_relayed()));
        assert!(pair.send(0, Stream::Rpc, b"here".to_vec()));
        pair.run(Duration::from_secs(5), |p| !p.got[1].is_empty());
    }
}

#[test]
fn a_turn_server_s_address_in_use_stays_in_use_while_straight_paths_are_tried() {
    let mut pair = Pair::new(vec![turn()], vec![host(2)]);
    pair.open();
    pair.pass(Duration::from_secs(3));
    let relayed = pair.ends.each_ref().map(Session::is_relayed);
    assert_eq!(relayed, [true, true]);
    let before = pair.moves;
    let asked = |pair: &Pair| pair.carried;
    let mut quiet = asked(&pair);
    for _ in 0..60 {
        pair.pass(Duration::from_secs(1));
        let now = asked(&pair);
        assert!(now - quiet < 12, "its checks begin anew: {} in a second", now - quiet);
        quiet = now;
    }
    assert_eq!(pair.moves, before);
}

/// A check, or an answer to one, as somebody makes it who does not know the passwords.
fn forged(class: u8) -> Vec<u8> {
    let creds =
        |name: &str| str0m::IceCreds { ufrag: name.to_owned(), pass: "of 22 letters or so....".to_owned() };
    let at = (SocketAddr::from(([10, 0, 0, 1], 4_000)), SocketAddr::from(([10, 0, 0, 2], 4_000)));
    let mut bytes = probe::Probes::new(&creds("a"), &creds("b"), true).ask(Instant::now(), at, 0).unwrap();
    bytes[0] = class;
    bytes[1] = 1;
    if class == 1 {
        // The priority becomes the address that an answer must tell.
        let address = [0, 0x20, 0, 8, 0, 1, 1, 2, 3, 4, 5, 6];
        let end = bytes.len() - 32 - 8;
        bytes.splice(end..end + 8, address);
        let length = u16::try_from(bytes.len() - 20).unwrap();
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
    }
    bytes
}

#[test]
fn who_only_has_the_peer_s_address_neither_keeps_a_dead_path_in_use_nor_ends_a_session() {
    let mut pair = both_ways();
    let (local, remote) = pair.ends[0].pairs().selected().unwrap();
    let datagrams =
        [forged(0), forged(1), vec![23; 100], vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0]];
    let known: Vec<bool> =
        datagrams.iter().map(|bytes| pair.ends[0].accepts(pair.now, local, remote, bytes)).collect();
    assert_eq!(known, [false, false, true, true], "what is not signed as a check is DTLS's to judge");
    pair.straight = false;
    let spoofs = |pair: &mut Pair| {
        for bytes in &datagrams {
            if pair.ends[0].accepts(pair.now, local, remote, bytes) {
                pair.ends[0].datagram(pair.now, local, remote, bytes);
            }
        }
        pair.pass(Duration::from_millis(100));
    };
    for _ in 0..120 {
        spoofs(&mut pair);
    }
    assert!(pair.ends.iter().all(Session::is_relayed) && pair.closed == [None, None], "{:?}", pair.closed);
    let mut pair = one_way();
    pair.straight = false;
    for _ in 0..200 {
        spoofs(&mut pair);
    }
    assert!(pair.closed[0].as_ref().unwrap().contains("nothing was heard"), "{:?}", pair.closed);
}

#[test]
fn a_peer_that_sends_its_checks_from_everywhere_fills_nothing_and_is_looked_up_no_more_than_a_few_times() {
    let mut pair = one_way();
    let local = SocketAddr::from(([10, 0, 0, 2], 4_000));
    let path = (SocketAddr::from(([10, 0, 0, 1], 4_000)), local);
    let mut known = std::collections::HashSet::new();
    for port in 1..=2_000 {
        let bytes = pair.ends[0].probes.as_mut().unwrap().ask(pair.now, path, 0).unwrap();
        pair.ends[1].datagram(pair.now, local, SocketAddr::from(([10, 0, 0, 9], port)), &bytes);
        while let Some(happened) = pair.ends[1].poll(pair.now) {
            if let Happened::Transmit { destination, .. } = happened {
                known.insert(destination);
            }
        }
    }
    assert!((MAX_LEARNED - 3..=MAX_LEARNED).contains(&known.len()), "{}", known.len());
    pair.run(Duration::from_secs(5), |p| p.ends[1].heard_within(p.now, Duration::from_millis(100)));
    assert_eq!((0..1_000).map(|_| pair.ends[1].may_look_up(7)).sum::<usize>(), MAX_NAMES);
}
