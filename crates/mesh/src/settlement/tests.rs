use echo_core::{Currency, Money};
use serde_json::json;

use super::*;
use crate::{
    Outcome,
    book::{Book, Received},
    test_house::{House, Node, at, call, customer, key, skills},
};

/// What the platform gets from one call that went well.
struct Papers {
    house: House,
    a: Node,
    b: Node,
    grant: Envelope,
    call: Envelope,
    answer: Envelope,
}

fn papers() -> Papers {
    let house = House::new();
    let (a, b) = (house.node(31, Some(1)), house.node(32, Some(1)));
    let grant = house.grant(&a, 1, |_| {});
    let call = call(&a, &b, &grant).sign(&a.key).unwrap();
    let mut book = Book::open(b.key.clone(), skills(), Vec::new(), at("2027-05-10")).book;
    let body = (&call, &a.certificate, &grant);
    let received = book.receive(body, &house.trust(), &b.manifest, at("2027-05-10"));
    assert!(matches!(received, Received::Execute { .. }), "{received:?}");
    let done = Outcome::Done(json!({"load": 0.1}));
    let answer = book.executed(&digest_of(&call), done, at("2027-05-10")).unwrap().answer.unwrap();
    Papers { house, a, b, grant, call, answer }
}

impl Papers {
    fn settle(&self) -> Result<Settlement, DocumentError> {
        verify_settlement(&self.answer, &self.call, &self.grant, &self.house.registry, at("2027-06-20"))
    }

    /// The answer, changed and signed again by its executor.
    fn answered(&mut self, edit: impl FnOnce(&mut AnswerDoc)) -> Result<Settlement, DocumentError> {
        let mut answer: AnswerDoc = ANSWER.claimed(&self.answer).unwrap();
        edit(&mut answer);
        self.answer = answer.sign(&key(answer_seed(&answer, self))).unwrap();
        self.settle()
    }
}

/// The seed of the key of who is said to have answered.
fn answer_seed(answer: &AnswerDoc, papers: &Papers) -> u8 {
    if answer.from == papers.a.id() { 31 } else { 32 }
}

fn receipt(answer: &mut AnswerDoc) -> &mut MeshReceipt {
    answer.receipt.as_mut().unwrap()
}

#[test]
fn a_call_that_went_well_is_settled_with_what_the_grant_says() {
    let papers = papers();
    let settlement = papers.settle().unwrap();
    let receipt = settlement.receipt.unwrap();
    assert_eq!(settlement.call, digest_of(&papers.call));
    assert_eq!(settlement.output, Some(value_digest(&json!({"load": 0.1}))));
    assert_eq!((receipt.amount, receipt.sku.as_str()), (Money::new(250, Currency::EUR), "probe"));
    assert_eq!((receipt.executor, receipt.caller), (papers.b.id(), papers.a.id()));
    assert_eq!((receipt.customer, receipt.case), (customer(1), settlement.grant.case));
}

#[test]
fn every_contradiction_is_found() {
    let refuse = |edit: fn(&mut AnswerDoc)| papers().answered(edit).unwrap_err().to_string();
    assert!(refuse(|a| a.input = Digest::of(b"other")).contains("another input"));
    assert!(refuse(|a| receipt(a).customer = customer(2)).contains("another grant, customer or case"));
    let case = "case_0197c3f0a1b27c3d8e4f5a6b7c8d9e10";
    assert!(
        papers()
            .answered(|a| receipt(a).case = case.parse().unwrap())
            .is_err_and(|e| e.to_string().contains("another grant, customer or case"))
    );
    let grant = "grant_0197c3f0a1b27c3d8e4f5a6b7c8d9e10";
    assert!(papers().answered(|a| receipt(a).grant = grant.parse().unwrap()).is_err());
    assert!(refuse(|a| receipt(a).sku = "other".to_owned()).contains("another skill or SKU"));
    assert!(refuse(|a| receipt(a).skill = "other".to_owned()).contains("another skill or SKU"));
    assert!(refuse(|a| a.key.replace_range(0..1, "1")).contains("another call"));
    assert!(refuse(|a| (a.from, receipt(a).executor) = (a.to, a.to)).contains("other nodes"));
    assert!(
        refuse(|a| {
            (receipt(a).unit_price.minor, receipt(a).amount.minor) = (999, 999);
        })
        .contains("another price")
    );
    assert!(
        refuse(|a| {
            a.call = Digest::of(b"other");
            receipt(a).call = a.call;
        })
        .contains("another call")
    );
    for late in ["2027-04-29", "2027-06-03"] {
        let mut papers = papers();
        let refused = papers.answered(|a| (a.at, receipt(a).at) = (at(late), at(late)));
        assert!(refused.unwrap_err().to_string().contains("did not count"), "{late}");
    }
}

#[test]
fn another_grant_s_or_another_s_call_is_not_settled() {
    let mut papers = papers();
    papers.grant = papers.house.grant(&papers.a, 1, |g| g.most_calls = 2);
    assert!(papers.settle().unwrap_err().to_string().contains("another grant"));

    // A call by somebody who is not the holder, with everything else as it should be.
    let mut papers = self::papers();
    let thief = papers.house.node(33, Some(1));
    papers.call = call(&thief, &papers.b, &papers.grant).sign(&thief.key).unwrap();
    assert!(papers.settle().unwrap_err().to_string().contains("another node than the caller"));

    let mut papers = self::papers();
    papers.grant = crate::test_house::grant(papers.a.id(), 1).sign(&papers.a.key).unwrap();
    assert!(matches!(papers.settle(), Err(DocumentError::Signature { what: "grant", .. })));
}

#[test]
fn what_failed_holds_together_and_charges_nothing() {
    let mut papers = papers();
    let settlement = papers
        .answered(|a| {
            a.reply = crate::Reply::Failed("no".to_owned());
            (a.output, a.receipt) = (None, None);
        })
        .unwrap();
    assert_eq!(settlement.receipt, None);
}
