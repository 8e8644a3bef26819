mod files;
mod looking;
mod told;

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    Call, Hello, Life, Membership, Outcome, Stream, Target, Ticket,
    neighbours::MESSAGES,
    presence::PresenceRecord,
    test_house::{self, House, KEY, SKILL, at},
    verify_settlement,
};

/// Nodes in a row, each linked with the next, and what their shells would do.
struct Row {
    house: House,
    nodes: Vec<Node>,
    now: Timestamp,
    cut: BTreeSet<usize>,
    /// Whose disks are full.
    full: BTreeSet<usize>,
    executed: usize,
    ended: Vec<Result<serde_json::Value, String>>,
    settled: Vec<Envelope>,
    events: Vec<Event>,
    jobs: Vec<(usize, crate::bulk::FileJob)>,
    shut: Vec<String>,
    tried: Vec<(usize, crate::Sighting)>,
}

/// The link from node `of` to node `to`.
fn link(of: usize, to: usize) -> Link {
    Link((of * 100 + to) as u64)
}

impl Row {
    /// Linked in this order; none stands for a node of the operator.
    fn of(customers: &[Option<u8>]) -> Self {
        let house = House::new();
        let nodes = (40_u8..).zip(customers).map(|(seed, customer)| start(&house, seed, *customer)).collect();
        let mut row = Self {
            house,
            nodes,
            now: at("2027-05-10"),
            cut: BTreeSet::new(),
            full: BTreeSet::new(),
            executed: 0,
            ended: Vec::new(),
            settled: Vec::new(),
            events: Vec::new(),
            jobs: Vec::new(),
            shut: Vec::new(),
            tried: Vec::new(),
        };
        for one in 1..customers.len() {
            row.join(one - 1, one);
        }
        row
    }

    fn join(&mut self, one: usize, other: usize) {
        for (of, to) in [(one, other), (other, one)] {
            let me = self.nodes[to].me.clone();
            let (manifest, certificate) = (Box::new(me.manifest), Box::new(me.certificate));
            self.tell(of, Input::Up { link: link(of, to), manifest, certificate });
        }
    }

    fn tell(&mut self, nth: usize, input: Input) {
        let mut inputs = VecDeque::from([(nth, input)]);
        while let Some((nth, input)) = inputs.pop_front() {
            self.nodes[nth].handle(self.now, input);
            while let Some(output) = self.nodes[nth].poll() {
                self.carry_out(nth, output, &mut inputs);
            }
        }
    }

    fn carry_out(&mut self, nth: usize, output: Output, inputs: &mut VecDeque<(usize, Input)>) {
        match output {
            Output::Send { link: out, stream, binary, bytes } => {
                let to = usize::try_from(out.0).unwrap() % 100;
                if !self.cut.contains(&nth.min(to)) {
                    inputs.push_back((to, Input::Received { link: link(to, nth), stream, binary, bytes }));
                }
            }
            Output::Disconnect { link: out, reason } => {
                let to = usize::try_from(out.0).unwrap() % 100;
                inputs.push_back((to, Input::Down { link: link(to, nth), why: reason.clone() }));
                self.shut.push(reason);
            }
            Output::Keep(entry) => {
                let call = entry.call;
                let lost = self.full.contains(&nth) && entry.answer.is_none();
                let why = "no space left".to_owned();
                let said = if lost { Input::EntryLost { call, why } } else { Input::EntryKept(call) };
                inputs.push_back((nth, said));
            }
            Output::Execute { call, .. } => {
                self.executed += 1;
                inputs.push_back((nth, Input::Executed { call, outcome: Outcome::Done(json!(42)) }));
            }
            Output::Ended { result, .. } => {
                self.ended.push(result.map(|(value, _)| value).map_err(|e| e.to_string()));
            }
            Output::Settle { from, answers, calls, grants } => {
                for ((answer, call), grant) in answers.iter().zip(&calls).zip(&grants) {
                    verify_settlement(answer, call, grant, &self.house.registry, self.now).unwrap();
                }
                let names = calls.iter().map(crate::digest_of).collect();
                self.settled.extend(calls);
                inputs.push_back((nth, Input::Settled { from, calls: names }));
            }
            Output::Event(event) => self.events.push(event),
            Output::File(job) => self.jobs.push((nth, job)),
            Output::Connect(sighting) => self.tried.push((nth, sighting)),
            _ => {}
        }
    }

    fn pass(&mut self, seconds: i64) {
        for _ in 0..seconds * 10 {
            self.now = after(self.now, Duration::from_millis(100));
            for nth in 0..self.nodes.len() {
                if self.nodes[nth].deadline() <= self.now {
                    self.tell(nth, Input::Tick);
                }
            }
        }
    }

    /// For each node how many it can reach.
    fn reach(&mut self) -> Vec<usize> {
        self.nodes.iter_mut().map(Node::reachable).collect()
    }

    fn call(&mut self, from: usize, to: Target) {
        let holder = self.house.node(40 + u8::try_from(from).unwrap(), Some(1));
        let grant = self.house.grant(&holder, 1, |_| {});
        let call = Call {
            ticket: Ticket(1),
            target: to,
            skill: SKILL.to_owned(),
            input: json!({}),
            grant,
            key: KEY.to_owned(),
            deadline: after(self.now, Duration::from_mins(2)),
        };
        self.tell(from, Input::Call(call));
    }
}

fn start(house: &House, seed: u8, customer: Option<u8>) -> Node {
    let key = test_house::key(seed);
    let mut manifest = test_house::manifest(&key, customer.map(test_house::customer));
    if customer.is_none() {
        manifest.capabilities = vec![SETTLE.to_owned(), PULSES.to_owned()];
    }
    let certificate = house.certified(&manifest, &key).certificate;
    Node::new(Config::default(), key, certificate, house.trust(), Vec::new(), seed.into(), at("2027-05-10"))
        .unwrap()
}

#[test]
fn nodes_in_a_row_learn_of_one_another_and_what_lies_between() {
    let mut row = Row::of(&[Some(1), Some(1), None, Some(1)]);
    row.pass(15);
    assert_eq!(row.reach(), [3, 3, 3, 3]);
    let now = row.now;
    let view = row.nodes[0].view(now);
    let last = row.nodes[3].id();
    let member = view.members.iter().find(|member| member.node == last).unwrap();
    assert_eq!((member.state, member.hops, member.next), (Life::Alive, Some(2), Some(row.nodes[1].id())));
    assert_eq!(view.links[0].skew_millis, Some(0));
}

#[test]
fn customers_never_learn_of_one_another_through_the_operator() {
    let mut row = Row::of(&[Some(1), None, Some(2)]);
    row.pass(15);
    assert_eq!(row.reach(), [1, 2, 1]);
    let (now, other) = (row.now, row.nodes[2].id());
    let shown = serde_json::to_string(&row.nodes[0].view(now)).unwrap();
    assert!(!shown.contains(&other.to_string()));
    let routed = crate::Routed {
        from: row.nodes[0].id(),
        to: other,
        path: Vec::new(),
        body: crate::Body::Unroutable { call: echo_core::Digest::of(b""), reason: String::new() },
    };
    let (binary, bytes) = Wire::Message(Message::Routed(Box::new(routed))).encode();
    row.events.clear();
    row.tell(1, Input::Received { link: link(1, 0), stream: Stream::Rpc, binary, bytes });
    assert!(row.events.is_empty(), "nothing came through: {:?}", row.events);
}

#[test]
fn a_call_goes_over_others_is_done_once_and_settled_once() {
    let mut row = Row::of(&[Some(1), Some(1), Some(1), None]);
    row.pass(15);
    let far = row.nodes[2].id();
    row.call(0, Target::Node(far));
    row.pass(5);
    assert_eq!((row.executed, row.ended.clone()), (1, vec![Ok(json!(42))]));
    row.pass(30);
    assert_eq!(row.settled.len(), 1);
    let now = row.now;
    assert_eq!(row.nodes[2].view(now).unsettled, 0);
}

#[test]
fn a_node_whose_disk_is_full_refuses_calls_and_does_all_else() {
    let mut row = Row::of(&[Some(1), Some(1), Some(1)]);
    row.pass(15);
    row.full.insert(1);
    let (full, far) = (row.nodes[1].id(), row.nodes[2].id());
    row.call(0, Target::Node(full));
    row.pass(1);
    let Err(why) = row.ended.remove(0) else { panic!("it was done") };
    assert!(why.contains("no space left") && row.executed == 0, "{why}");
    assert_eq!((row.nodes[1].services.book.size().0, row.reach()), (0, vec![2, 2, 2]));
    row.call(0, Target::Node(far));
    row.pass(1);
    assert_eq!(row.ended, vec![Ok(json!(42))], "it carries what others say to one another");
    row.full.clear();
    row.ended.clear();
    row.pass(1);
    row.call(0, Target::Node(full));
    row.pass(1);
    assert_eq!((row.ended.clone(), row.executed), (vec![Ok(json!(42))], 2));
}

#[test]
fn a_call_into_a_cut_cable_is_done_once_when_it_is_mended() {
    let mut row = Row::of(&[Some(1), Some(1)]);
    row.pass(5);
    row.cut.insert(0);
    row.call(0, Target::Capability(SKILL.to_owned()));
    row.pass(10);
    assert_eq!(row.executed, 0);
    row.cut.clear();
    row.pass(10);
    assert_eq!((row.executed, row.ended.len()), (1, 1));
}

#[test]
fn a_node_that_is_revoked_is_disconnected_everywhere() {
    let mut row = Row::of(&[None, Some(1), Some(1)]);
    row.pass(10);
    let list = row.house.revocations(1, &[&row.house.node(42, Some(1))]);
    row.tell(0, Input::Trust(crate::News::Revocations(list)));
    row.pass(1);
    assert_eq!(row.reach()[..2], [1, 1]);
    assert!(row.shut.iter().any(|reason| reason.contains("revoked")));
    row.join(1, 2);
    let now = row.now;
    assert!(row.nodes[1].view(now).links.iter().all(|link| link.node == row.nodes[0].id()));
    assert_eq!(row.nodes[1].view(now).refusals[0].code, "revoked");
}

#[test]
fn who_floods_is_disconnected_and_kept_out_for_a_while() {
    let mut row = Row::of(&[Some(1), Some(1)]);
    let hello = Hello { ..row.nodes[1].trust.hello(row.now) };
    let (binary, bytes) = Wire::Message(Message::Hello(hello)).encode();
    for _ in 0..=MESSAGES.0 {
        row.tell(
            0,
            Input::Received { link: link(0, 1), stream: Stream::Control, binary, bytes: bytes.clone() },
        );
    }
    let flooder = row.nodes[1].id();
    assert!(row.events.contains(&Event::Flooded { node: flooder }));
    row.join(0, 1);
    assert!(row.nodes[0].neighbours.nodes().is_empty());
    row.pass(61);
    row.join(0, 1);
    assert!(row.nodes[0].neighbours.nodes().contains(&flooder));
}

#[test]
fn noise_and_forgeries_change_nothing_and_end_the_link() {
    let mut row = Row::of(&[Some(1), Some(1)]);
    row.pass(5);
    let (liar, victim) = (row.nodes[1].id(), row.nodes[0].id());
    let record =
        row.nodes[0].rooms.values().next().unwrap().table.get(&victim).unwrap().sealed.record.clone();
    let forged = PresenceRecord { seq: record.seq + 1, ..record };
    let forged = Envelope::sign(crate::presence::PRESENCE_TYPE, &forged, &[&test_house::key(41)]).unwrap();
    let (binary, bytes) = Wire::Message(Message::Presence { records: vec![forged] }).encode();
    for _ in 0..20 {
        for bytes in [bytes.clone(), b"{}".to_vec(), vec![0xff; 300]] {
            row.tell(0, Input::Received { link: link(0, 1), stream: Stream::Control, binary, bytes });
        }
    }
    assert!(row.events.iter().any(|event| matches!(event, Event::Faulty { node, .. } if *node == liar)));
    assert!(row.nodes[0].neighbours.nodes().is_empty());
}

#[test]
fn a_membership_message_is_passed_on_a_bounded_number_of_times() {
    let mut row = Row::of(&[Some(1), Some(1), Some(1)]);
    row.pass(10);
    let (from, to) = (row.nodes[0].id(), row.nodes[2].id());
    let realm = row.nodes[0].realm.tag().0;
    for (hops_left, passed) in [(0, 0), (1, 1)] {
        let message = Membership { from, to, hops_left, realm, data: vec![1] };
        let (binary, bytes) = Wire::Membership(message).encode();
        let input = Input::Received { link: link(1, 0), stream: Stream::Control, binary, bytes };
        row.nodes[1].handle(row.now, input);
        let sent = std::iter::from_fn(|| row.nodes[1].poll())
            .filter(
                |output| matches!(output, Output::Send { link: out, binary: true, .. } if *out == link(1, 2)),
            )
            .count();
        assert_eq!(sent, passed);
    }
}

#[test]
fn a_node_starts_with_its_own_papers_only() {
    let house = House::new();
    let (one, other) = (house.node(40, Some(1)), house.node(41, Some(1)));
    let start = |certificate: &Envelope, now| {
        Node::new(Config::default(), one.key.clone(), certificate.clone(), house.trust(), Vec::new(), 1, now)
            .err()
    };
    assert_eq!(start(&one.certificate, at("2027-05-10")), None);
    assert_eq!(start(&other.certificate, at("2027-05-10")), Some(Refusal::WrongKey));
    let late = start(&one.certificate, at("2028-01-01"));
    assert!(matches!(late, Some(Refusal::Expired(_))), "{late:?}");
}

#[test]
fn a_node_can_live_on_any_thread() {
    fn send<T: Send>(_: &T) {}
    send(&start(&House::new(), 40, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_of_a_neighbour_upset_a_node(
        messages in proptest::collection::vec((0_usize..4, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..200)), 0..40),
    ) {
        let mut row = Row::of(&[Some(1), Some(1)]);
        for (stream, binary, bytes) in messages {
            let stream = Stream::ALL[stream];
            row.tell(0, Input::Received { link: link(0, 1), stream, binary, bytes });
        }
        prop_assert!(row.executed == 0 && row.ended.is_empty());
        prop_assert!(row.nodes[0].reachable() <= 1);
    }
}
