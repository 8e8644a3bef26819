use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::test_house::{House, Node, SKILL, at, call, skills};

struct Two {
    house: House,
    a: Node,
    b: Node,
    book: Book,
    grant: Envelope,
}

fn two() -> Two {
    let house = House::new();
    let (a, b) = (house.node(31, Some(1)), house.node(32, Some(1)));
    let grant = house.grant(&a, 1, |_| {});
    Two { book: opened(&b, Vec::new()).book, a, b, grant, house }
}

fn opened(node: &Node, kept: Vec<Entry>) -> Opened {
    Book::open(node.key.clone(), skills(), kept, now())
}

fn now() -> Timestamp {
    at("2027-05-10")
}

/// The idempotency key number `nth`.
fn numbered(nth: usize) -> String {
    format!("{nth:08x}-a1b2-7c3d-8e4f-5a6b7c8d9e0f")
}

fn done() -> Outcome {
    Outcome::Done(json!({"load": 0.1 + 0.2}))
}

impl Two {
    fn call(&self, edit: impl FnOnce(&mut CallDoc)) -> Envelope {
        let mut call = call(&self.a, &self.b, &self.grant);
        edit(&mut call);
        call.sign(&self.a.key).unwrap()
    }

    fn receive(&mut self, call: &Envelope) -> Received {
        let body = (call, &self.a.certificate, &self.grant);
        self.book.receive(body, &self.house.trust(), &self.b.manifest, now())
    }

    fn executed(&mut self, call: &Envelope) -> Entry {
        assert!(matches!(self.receive(call), Received::Execute { .. }));
        let entry = self.book.executed(&digest_of(call), done(), now()).unwrap();
        assert_eq!(self.book.kept(&entry.call), Some((self.a.id(), entry.answer.clone().unwrap())));
        entry
    }

    /// Why a call is refused, in the words of both sides.
    fn refusal(&mut self, call: &Envelope) -> String {
        match self.receive(call) {
            Received::Refused { answer, why } => {
                let answer = AnswerDoc::verify(&answer).unwrap();
                assert_eq!(answer.reply, Reply::Refused(why.to_string()));
                assert_eq!((answer.to, answer.from), (self.a.id(), self.b.id()));
                why.to_string()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn work_is_done_once_and_answered_as_often_as_asked() {
    let mut two = two();
    let call = two.call(|_| {});
    let Received::Execute { keep, call: read, caller } = two.receive(&call) else { panic!() };
    assert_eq!((keep.answer.as_ref(), keep.settled, *caller), (None, false, two.a.manifest.clone()));
    assert_eq!((read.skill.as_str(), two.book.caller(&keep.call)), (SKILL, Some(two.a.id())));
    assert_eq!(two.receive(&call), Received::UnderWay);
    let entry = two.book.executed(&keep.call, done(), now()).unwrap();
    let answer = entry.answer.unwrap();
    assert_eq!(two.book.executed(&keep.call, done(), now()), None, "it ends once");
    assert_eq!(two.receive(&call), Received::UnderWay, "the answer is not on the disk yet");
    assert_eq!(two.book.settle_due(now()), None);
    assert_eq!(two.book.kept(&keep.call), Some((two.a.id(), answer.clone())));
    assert_eq!(two.book.kept(&keep.call), None, "it goes out once");
    assert_eq!(two.receive(&call), Received::Known(Box::new(answer.clone())));
    let later = two.call(|c| c.made = at("2027-05-11"));
    assert_eq!(two.receive(&later), Received::Known(Box::new(answer)), "the same work, asked for anew");
}

#[test]
fn what_cannot_be_written_down_is_refused_not_begun_and_may_be_asked_again() {
    let mut two = two();
    let call = two.call(|_| {});
    let name = digest_of(&call);
    assert!(matches!(two.receive(&call), Received::Execute { .. }));
    let (to, answer) = two.book.lost(&name, "no space left", now()).unwrap();
    let answer = AnswerDoc::verify(&answer).unwrap();
    assert!(matches!(&answer.reply, Reply::Refused(why) if why.contains("no space left")), "{answer:?}");
    assert_eq!((to, answer.receipt, two.book.size()), (two.a.id(), None, (0, 0)));
    assert_eq!(two.book.executed(&name, done(), now()), None);
    two.executed(&call);
    assert_eq!(two.book.lost(&name, "no space left", now()), None, "what was answered is not given up");
}

#[test]
fn one_key_is_for_one_piece_of_work() {
    let mut two = two();
    let call = two.call(|_| {});
    two.executed(&call);
    let other = two.call(|c| c.input = json!("other"));
    assert!(two.refusal(&other).contains("take a new one"));
    two.grant = two.house.grant(&two.a, 1, |g| g.most_calls = 9);
    let other = two.call(|_| {});
    assert!(two.refusal(&other).contains("take a new one"), "another grant is another matter");
}

#[test]
fn another_caller_may_use_the_same_key() {
    let mut two = two();
    let call = two.call(|_| {});
    two.executed(&call);
    let c = two.house.node(33, Some(1));
    let grant = two.house.grant(&c, 1, |_| {});
    let other = crate::test_house::call(&c, &two.b, &grant).sign(&c.key).unwrap();
    let body = (&other, &c.certificate, &grant);
    let received = two.book.receive(body, &two.house.trust(), &two.b.manifest, now());
    assert!(matches!(received, Received::Execute { .. }), "{received:?}");
}

#[test]
fn what_does_not_pay_is_refused_and_both_sides_know_why() {
    let mut two = two();
    let good = two.grant.clone();
    let mut with = |edit: fn(&mut Grant), says: &str| {
        two.grant = two.house.grant(&two.a, 1, edit);
        let call = two.call(|_| {});
        let why = two.refusal(&call);
        assert!(why.contains(says), "{why}");
    };
    with(|g| g.until = at("2027-05-10"), "counts from");
    with(|g| g.from = at("2027-05-12"), "counts from");
    with(|g| g.skills[0].skill = "other".to_owned(), "does not pay for");
    two.grant = two.house.grant(&two.b, 1, |_| {});
    let call = two.call(|_| {});
    assert!(two.refusal(&call).contains("another node"));
    two.grant = crate::test_house::grant(two.a.id(), 1).sign(&two.a.key).unwrap();
    let call = two.call(|_| {});
    assert!(two.refusal(&call).contains("not signed"));
    two.grant = good;
    let call = two.call(|c| c.grant = Digest::of(b"other"));
    assert!(two.refusal(&call).contains("another grant"));
    let call = two.call(|c| c.deadline = at("2027-05-10"));
    let refusal = two.refusal(&call);
    assert!(refusal.contains("deadline") && !refusal.contains("paid"), "{refusal}");
    two.book = Book::open(two.b.key.clone(), BTreeSet::new(), Vec::new(), now()).book;
    let call = two.call(|_| {});
    let refusal = two.refusal(&call);
    assert!(refusal.contains("does not offer") && !refusal.contains("paid"), "{refusal}");
    assert_eq!(two.book.size(), (0, 0), "what is refused is not kept");
}

#[test]
fn another_customer_s_grant_or_node_is_not_served() {
    let mut two = two();
    two.grant = two.house.grant(&two.a, 2, |_| {});
    let call = two.call(|_| {});
    assert_eq!(two.receive(&call), Received::Ignored(Refusal::OtherRealm));
    let mut two = self::two();
    two.a = two.house.node(31, Some(2));
    let call = two.call(|_| {});
    assert_eq!(two.receive(&call), Received::Ignored(Refusal::OtherRealm));
    // Caller and called may meet, and one of them is not of the customer who is charged.
    for (caller, called) in [(Some(1), None), (None, Some(1))] {
        let mut two = self::two();
        (two.a, two.b) = (two.house.node(31, caller), two.house.node(32, called));
        two.grant = two.house.grant(&two.a, 2, |_| {});
        let call = two.call(|_| {});
        assert_eq!(two.receive(&call), Received::Ignored(Refusal::OtherRealm), "{caller:?}");
    }
}

#[test]
fn the_operator_s_node_calls_and_is_called_for_the_customer_who_is_charged() {
    let mut two = two();
    two.a = two.house.node(31, None);
    let call = two.call(|_| {});
    assert!(matches!(two.receive(&call), Received::Execute { .. }));
    let mut two = self::two();
    two.b = two.house.node(32, None);
    let call = two.call(|_| {});
    assert!(matches!(two.receive(&call), Received::Execute { .. }));
}

#[test]
fn forged_stolen_and_misdirected_calls_are_not_answered_as_calls() {
    let mut two = two();
    let call = two.call(|_| {});
    let mut unsigned = call.clone();
    unsigned.signatures.clear();
    assert!(matches!(two.receive(&unsigned), Received::Ignored(Refusal::Altered(_))));
    let to_a = crate::test_house::call(&two.b, &two.a, &two.grant).sign(&two.b.key).unwrap();
    assert_eq!(two.receive(&to_a), Received::Ignored(Refusal::NotForMe));
    // A manifest that is not the caller's.
    let body = (&call, &two.house.node(33, Some(1)).certificate, &two.grant);
    let received = two.book.receive(body, &two.house.trust(), &two.b.manifest, now());
    assert!(matches!(received, Received::Refused { why: Refusal::WrongKey, .. }), "{received:?}");
}

#[test]
fn a_revoked_caller_gets_its_old_answer_and_nothing_new() {
    let mut two = two();
    let call = two.call(|_| {});
    two.executed(&call);
    let mut trust = two.house.trust();
    let list = two.house.revocations(1, &[&two.a]);
    trust.merge(&crate::Message::Revocations { list }, now()).unwrap();
    let new = two.call(|c| c.key = numbered(1));
    let body = (&new, &two.a.certificate, &two.grant);
    let received = two.book.receive(body, &trust, &two.b.manifest, now());
    assert!(matches!(received, Received::Refused { why: Refusal::Revoked { .. }, .. }));
    let body = (&call, &two.a.certificate, &two.grant);
    assert!(matches!(two.book.receive(body, &trust, &two.b.manifest, now()), Received::Known(_)));
}

#[test]
fn a_grant_pays_for_so_many_calls_and_what_failed_is_not_counted() {
    let mut two = two();
    let failed = two.call(|c| c.key = numbered(0));
    two.receive(&failed);
    two.book.executed(&digest_of(&failed), Outcome::Failed("no".to_owned()), now()).unwrap();
    for nth in 1..=3 {
        let call = two.call(|c| c.key = numbered(nth));
        if nth < 3 {
            two.executed(&call);
        } else {
            assert!(matches!(two.receive(&call), Received::Execute { .. }), "one may be under way");
        }
    }
    let call = two.call(|c| c.key = numbered(4));
    assert!(two.refusal(&call).contains("used up"));
}

#[test]
fn a_grant_cannot_fill_the_book_with_what_fails() {
    let mut two = two();
    let most = TRIES * (3 + TRIES);
    for nth in 0..most {
        let call = two.call(|c| c.key = numbered(nth));
        assert!(matches!(two.receive(&call), Received::Execute { .. }));
        two.book.executed(&digest_of(&call), Outcome::Failed("no".to_owned()), now()).unwrap();
    }
    let call = two.call(|c| c.key = numbered(most));
    assert!(two.refusal(&call).contains("too much at once"));
    assert_eq!(two.book.size().0, most);
}

#[test]
fn what_was_under_way_at_a_crash_failed_is_not_charged_and_not_run_again() {
    let mut two = two();
    let call = two.call(|_| {});
    let Received::Execute { keep, .. } = two.receive(&call) else { panic!() };
    let Opened { book, keep: changed, damaged } = opened(&two.b, vec![*keep]);
    two.book = book;
    assert_eq!((changed.len(), damaged.len()), (1, 0));
    assert!(changed[0].settled);
    let answer = AnswerDoc::verify(changed[0].answer.as_ref().unwrap()).unwrap();
    assert!(matches!(&answer.reply, Reply::Failed(why) if why.starts_with("interrupted")), "{answer:?}");
    assert_eq!(answer.receipt, None);
    assert!(two.book.kept(&changed[0].call).is_some());
    assert_eq!(two.receive(&call), Received::Known(Box::new(changed[0].answer.clone().unwrap())));
    assert_eq!((two.book.unsettled(), two.book.settle_due(now())), (0, None));
}

#[test]
fn what_was_kept_is_known_after_a_start_and_what_is_damaged_is_named() {
    let mut two = two();
    let (one, other) = (two.call(|_| {}), two.call(|c| c.key = numbered(1)));
    let (first, second) = (two.executed(&one), two.executed(&other));
    let settled = two.book.settled(&[first.call]);
    assert_eq!(settled.len(), 1);
    let mut bad = second.clone();
    (bad.call, bad.request.payload) = (Digest::of(b"bad"), "?".to_owned());
    let swapped = Entry { call: Digest::of(b"other"), ..second.clone() };
    let kept = vec![settled[0].clone(), second.clone(), bad, swapped];
    let opened = opened(&two.b, kept);
    assert_eq!(opened.damaged, [Digest::of(b"bad"), Digest::of(b"other")]);
    two.book = opened.book;
    assert_eq!(two.book.unsettled(), 1);
    assert_eq!(two.receive(&other), Received::Known(Box::new(second.answer.unwrap())));
}

#[test]
fn answered_calls_are_brought_until_they_are_settled() {
    let mut two = two();
    let call = two.call(|_| {});
    let entry = two.executed(&call);
    let body = Body::Settle {
        answers: vec![entry.answer.clone().unwrap()],
        calls: vec![call.clone()],
        grants: vec![two.grant.clone()],
    };
    assert_eq!(two.book.settle_due(now()), Some(body.clone()));
    assert_eq!(two.book.settle_due(after(now(), 1)), None, "it is under way");
    assert_eq!(two.book.settle_deadline(), Some(after(now(), RESEND_SECONDS)));
    assert_eq!(two.book.settle_due(after(now(), RESEND_SECONDS)), Some(body.clone()), "nobody answered");
    two.book.settle_again();
    assert_eq!(two.book.settle_due(after(now(), RESEND_SECONDS)), Some(body), "a new way is there");
    assert_eq!(two.book.settled(&[Digest::of(b"other")]), []);
    let changed = two.book.settled(&[entry.call]);
    assert!(changed[0].settled);
    assert_eq!(two.book.settled(&[entry.call]), [], "it is settled once");
    assert_eq!((two.book.settle_due(after(now(), 99)), two.book.unsettled()), (None, 0));
    assert!(matches!(two.receive(&call), Received::Known(_)));
}

#[test]
fn calls_that_cannot_be_settled_hold_up_no_other() {
    let mut two = two();
    two.grant = two.house.grant(&two.a, 1, |g| g.most_calls = 100);
    for nth in 0..=MAX_NEWS {
        let call = two.call(|c| c.key = numbered(nth));
        two.executed(&call);
    }
    let mut brought = BTreeSet::new();
    for round in 0..2 {
        let Some(Body::Settle { calls, .. }) = two.book.settle_due(after(now(), round * RESEND_SECONDS))
        else {
            panic!("nothing is brought in round {round}")
        };
        brought.extend(calls.iter().map(digest_of));
    }
    assert_eq!(brought.len(), MAX_NEWS + 1, "the platform has settled none, and was brought all");
}

#[test]
fn one_message_brings_no_more_than_it_holds() {
    let mut two = two();
    two.grant = two.house.grant(&two.a, 1, |g| g.most_calls = 100);
    for nth in 0..20 {
        let call = two.call(|c| {
            c.key = numbered(nth);
            c.input = json!("x".repeat(40_000));
        });
        two.receive(&call);
        let large = Outcome::Done(json!("y".repeat(20_000)));
        two.book.executed(&digest_of(&call), large, now()).unwrap();
        two.book.kept(&digest_of(&call)).unwrap();
    }
    let Some(body @ Body::Settle { .. }) = two.book.settle_due(now()) else { panic!() };
    let Body::Settle { calls, .. } = &body else { unreachable!() };
    assert!(!calls.is_empty() && calls.len() < 20, "{}", calls.len());
    let routed = crate::Routed { from: two.b.id(), to: two.a.id(), path: vec![two.a.id(); 4], body };
    let (_, bytes) = crate::Wire::Message(crate::Message::Routed(Box::new(routed))).encode();
    assert!(bytes.len() <= crate::Stream::Rpc.max_message(), "{}", bytes.len());
}

#[test]
fn the_largest_call_and_answer_fit_one_message_that_settles_them() {
    let mut two = two();
    let call = two.call(|c| c.input = json!("x".repeat(crate::MAX_INPUT_BYTES - 2)));
    two.receive(&call);
    let large = Outcome::Done(json!("y".repeat(crate::MAX_OUTPUT_BYTES - 2)));
    let entry = two.book.executed(&digest_of(&call), large, now()).unwrap();
    two.book.kept(&entry.call).unwrap();
    assert!(AnswerDoc::verify(entry.answer.as_ref().unwrap()).unwrap().receipt.is_some());
    assert!(two.book.settle_due(now()).is_some());
}

#[test]
fn an_output_beyond_its_bound_fails_the_call() {
    let mut two = two();
    let call = two.call(|_| {});
    two.receive(&call);
    let huge = Outcome::Done(json!("y".repeat(crate::MAX_OUTPUT_BYTES)));
    let entry = two.book.executed(&digest_of(&call), huge, now()).unwrap();
    let answer = AnswerDoc::verify(entry.answer.as_ref().unwrap()).unwrap();
    assert!(matches!(&answer.reply, Reply::Failed(why) if why.contains("at most")), "{:?}", answer.reply);
    assert!(entry.settled);
}

#[test]
fn what_is_settled_is_dropped_once_its_grant_is_over() {
    let mut two = two();
    let (one, other) = (two.call(|_| {}), two.call(|c| c.key = numbered(1)));
    let (first, second) = (two.executed(&one), two.executed(&other));
    two.book.settled(&[first.call]);
    assert_eq!(two.book.prune(at("2027-06-01")), [], "the clock may be wrong");
    assert_eq!(two.book.prune(at("2027-06-02")), [first.call]);
    two.book.settled(&[second.call]);
    assert_eq!(two.book.prune(at("2027-06-02")), [second.call]);
    assert_eq!(two.book.size(), (0, 0));
    assert!(two.book.keys.is_empty());
    let call = two.call(|c| c.key = numbered(2));
    assert!(matches!(two.receive(&call), Received::Execute { .. }));
    assert_eq!(two.book.prune(at("2028-01-01")), [], "it is under way");
}

proptest! {
    /// Whatever comes in which order, with crashes between: each call is executed once, and charged once at most.
    #[test]
    fn nothing_is_done_twice(steps in prop::collection::vec((0_u8..4, 0_usize..3), 1..40)) {
        let mut two = two();
        let calls: Vec<Envelope> = (0..3).map(|nth| two.call(|c| c.key = numbered(nth))).collect();
        let mut disk: BTreeMap<Digest, Entry> = BTreeMap::new();
        let mut executions = [0; 3];
        let mut settled: Vec<Digest> = Vec::new();
        for (step, nth) in steps {
            let name = digest_of(&calls[nth]);
            match step {
                0 => if let Received::Execute { keep, .. } = two.receive(&calls[nth]) {
                    executions[nth] += 1;
                    disk.insert(keep.call, *keep);
                },
                1 => if let Some(entry) = two.book.executed(&name, done(), now()) {
                    disk.insert(name, entry);
                    two.book.kept(&name);
                },
                2 => {
                    two.book.settle_again();
                    if let Some(Body::Settle { calls, .. }) = two.book.settle_due(now()) {
                        let names: Vec<Digest> = calls.iter().map(digest_of).collect();
                        for entry in two.book.settled(&names) {
                            settled.push(entry.call);
                            disk.insert(entry.call, entry);
                        }
                    }
                }
                _ => {
                    let opened = opened(&two.b, disk.values().cloned().collect());
                    prop_assert!(opened.damaged.is_empty());
                    disk.extend(opened.keep.into_iter().map(|entry| (entry.call, entry)));
                    two.book = opened.book;
                }
            }
        }
        prop_assert!(executions.iter().all(|count| *count <= 1), "{executions:?}");
        let times = settled.len();
        settled.sort_unstable();
        settled.dedup();
        prop_assert_eq!(settled.len(), times);
        prop_assert_eq!(two.book.size().0, disk.len());
    }
}
