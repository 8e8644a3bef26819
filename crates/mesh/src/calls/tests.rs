use echo_core::Currency;
use serde_json::json;

use super::*;
use crate::{
    Outcome, Target,
    book::{Book, Received},
    test_house::{House, KEY, Node, SKILL, at, skills},
};

struct Two {
    house: House,
    a: Node,
    b: Node,
    calls: Calls,
    book: Book,
}

fn two() -> Two {
    let house = House::new();
    let (a, b) = (house.node(31, Some(1)), house.node(32, Some(1)));
    let calls = Calls::new(a.key.clone(), a.certificate.clone());
    let book = Book::open(b.key.clone(), skills(), Vec::new(), now()).book;
    Two { house, a, b, calls, book }
}

fn now() -> Timestamp {
    at("2027-05-10")
}

impl Two {
    fn wish(&self) -> Call {
        Call {
            ticket: Ticket(1),
            target: Target::Node(self.b.id()),
            skill: SKILL.to_owned(),
            input: json!({"deep": true}),
            grant: self.house.grant(&self.a, 1, |_| {}),
            key: KEY.to_owned(),
            deadline: after(now(), 100),
        }
    }

    fn begin(&mut self, call: Call) -> Result<(), CallFailure> {
        self.calls.begin(call, self.b.id(), &self.house.trust(), now())
    }

    /// What `b` says to the calls that are due.
    fn answer(&mut self, at: Timestamp, outcome: Outcome) -> Envelope {
        let (to, body) = self.calls.due(at).pop().unwrap();
        assert_eq!(to, self.b.id());
        let Body::Call { call, manifest, grant } = body else { panic!("{body:?}") };
        let trust = self.house.trust();
        match self.book.receive((&call, &manifest, &grant), &trust, &self.b.manifest, at) {
            Received::Execute { keep, .. } => {
                self.book.executed(&keep.call, outcome, at).unwrap();
                self.book.kept(&keep.call).unwrap().1
            }
            Received::Known(answer) | Received::Refused { answer, .. } => *answer,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_call_ends_with_its_answer() {
    let mut two = two();
    two.begin(two.wish()).unwrap();
    assert_eq!(two.calls.deadline(), Some(now()));
    let answer = two.answer(now(), Outcome::Done(json!(7)));
    let (ticket, result) = two.calls.answered(&answer).unwrap();
    assert_eq!((ticket, result), (Ticket(1), Ok((json!(7), Box::new(answer.clone())))));
    assert_eq!(two.calls.answered(&answer), None, "it came twice");
    assert_eq!((two.calls.under_way(), two.calls.deadline()), (0, None));
}

#[test]
fn what_failed_and_what_was_refused_is_told_apart() {
    let mut two = two();
    two.begin(two.wish()).unwrap();
    let answer = two.answer(now(), Outcome::Failed("no disk".to_owned()));
    assert_eq!(two.calls.answered(&answer).unwrap().1, Err(CallFailure::Failed("no disk".to_owned())));
    let mut two = self::two();
    two.book = Book::open(two.b.key.clone(), std::collections::BTreeSet::new(), Vec::new(), now()).book;
    two.begin(two.wish()).unwrap();
    let answer = two.answer(now(), Outcome::Done(json!(7)));
    assert!(
        matches!(two.calls.answered(&answer).unwrap().1, Err(CallFailure::Refused(why)) if why.contains("offer"))
    );
}

#[test]
fn the_same_envelope_goes_out_again_ever_more_rarely() {
    let mut two = two();
    two.begin(two.wish()).unwrap();
    let first = two.calls.due(now());
    assert_eq!(first.len(), 1);
    assert_eq!(two.calls.due(now()), []);
    assert_eq!(two.calls.due(after(now(), RESEND_SECONDS)), first);
    assert_eq!(two.calls.due(after(now(), 2 * RESEND_SECONDS)), []);
    assert_eq!(two.calls.due(after(now(), 3 * RESEND_SECONDS)), first);
    two.calls.reachable(two.a.id(), now());
    assert_eq!(two.calls.due(after(now(), 13)), [], "another node came");
    two.calls.reachable(two.b.id(), now());
    assert_eq!(two.calls.due(after(now(), 13)), first);
    assert_eq!(two.calls.deadline(), Some(after(now(), 13 + RESEND_SECONDS)), "and soon once more");
}

#[test]
fn a_call_without_an_answer_ends_at_its_deadline() {
    let mut two = two();
    two.begin(two.wish()).unwrap();
    two.calls.due(now());
    assert_eq!(two.calls.expired(after(now(), 99)), []);
    assert_eq!(two.calls.expired(after(now(), 100)), [(Ticket(1), Err(CallFailure::TooLate))]);
    assert_eq!(two.calls.under_way(), 0);
}

#[test]
fn a_caller_that_forgot_asks_again_with_the_same_key_and_gets_the_same_answer() {
    let mut two = two();
    two.begin(two.wish()).unwrap();
    let first = two.answer(now(), Outcome::Done(json!(7)));
    // The caller crashed. It makes the call anew, at another time.
    two.calls = Calls::new(two.a.key.clone(), two.a.certificate.clone());
    let wish = Call { deadline: after(now(), 500), ..two.wish() };
    two.calls.begin(wish, two.b.id(), &two.house.trust(), after(now(), 200)).unwrap();
    let second = two.answer(after(now(), 200), Outcome::Done(json!("never")));
    assert_eq!(first, second);
    assert_eq!(two.calls.answered(&second).unwrap().1.unwrap().0, json!(7));
}

#[test]
fn answers_of_others_and_about_other_things_are_passed_over() {
    let mut two = two();
    two.begin(two.wish()).unwrap();
    let good = two.answer(now(), Outcome::Done(json!(7)));
    let read = AnswerDoc::verify(&good).unwrap();
    let liar = two.house.node(33, Some(1));
    let mut lie = AnswerDoc { from: liar.id(), ..read.clone() };
    lie.receipt.as_mut().unwrap().executor = liar.id();
    assert_eq!(two.calls.answered(&lie.sign(&liar.key).unwrap()), None, "another node's");
    let other = AnswerDoc { input: Digest::of(b"other"), ..read.clone() };
    assert_eq!(two.calls.answered(&other.sign(&two.b.key).unwrap()), None, "to another input");
    let mut to_another = AnswerDoc { to: liar.id(), ..read.clone() };
    to_another.receipt.as_mut().unwrap().caller = liar.id();
    assert_eq!(two.calls.answered(&to_another.sign(&two.b.key).unwrap()), None, "to another caller");
    let mut forged = good.clone();
    forged.signatures.clear();
    assert_eq!(two.calls.answered(&forged), None, "unsigned");
    let mut dear = read;
    let receipt = dear.receipt.as_mut().unwrap();
    (receipt.unit_price, receipt.amount) = (money(999), money(999));
    let ended = two.calls.answered(&dear.sign(&two.b.key).unwrap()).unwrap();
    assert!(matches!(ended.1, Err(CallFailure::Refused(why)) if why.contains("another price")));
}

fn money(minor: i64) -> echo_core::Money {
    echo_core::Money::new(minor, Currency::EUR)
}

#[test]
fn what_cannot_be_paid_is_not_sent() {
    let mut two = two();
    let with = |edit: fn(&mut crate::Grant)| Call { grant: two.house.grant(&two.a, 1, edit), ..two.wish() };
    let bad = [
        with(|g| g.skills[0].skill = "other".to_owned()),
        with(|g| g.until = at("2027-05-09")),
        Call { grant: two.house.grant(&two.b, 1, |_| {}), ..two.wish() },
        Call { key: "1".to_owned(), ..two.wish() },
        Call { grant: two.b.certificate.clone(), ..two.wish() },
    ];
    for call in bad {
        assert!(matches!(two.begin(call), Err(CallFailure::Invalid(_))));
    }
    let late = Call { deadline: now(), ..two.wish() };
    assert_eq!(two.begin(late), Err(CallFailure::TooLate));
    two.begin(two.wish()).unwrap();
    assert!(matches!(two.begin(two.wish()), Err(CallFailure::Invalid(_))), "it is under way");
}

#[test]
fn so_many_wait_and_no_more() {
    let mut two = two();
    for nth in 0..MAX_UNDER_WAY {
        let key = format!("{nth:08x}-a1b2-7c3d-8e4f-5a6b7c8d9e0f");
        two.begin(Call { key, ..two.wish() }).unwrap();
    }
    assert_eq!(two.begin(two.wish()), Err(CallFailure::Busy(MAX_UNDER_WAY)));
}
