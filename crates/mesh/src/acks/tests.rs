use super::*;
use crate::test_house::{House, at, key};

fn moment(second: i64) -> Timestamp {
    after(at("2027-05-01"), second)
}

fn sent(body: Option<Body>) -> Vec<Digest> {
    let Some(Body::Acks { acks }) = body else { return Vec::new() };
    acks.iter().map(|ack| NoticeAck::verify(ack).unwrap().notice).collect()
}

#[test]
fn an_acknowledgement_is_believed_from_the_node_that_it_names() {
    let house = House::new();
    let (a, b) = (house.node(31, None), house.node(32, Some(1)));
    let ack = NoticeAck { notice: Digest::of(b"notice"), node: a.id(), at: moment(0) };
    assert_eq!(NoticeAck::verify(&ack.sign(&a.key).unwrap()).unwrap(), ack);
    assert!(NoticeAck::verify(&ack.sign(&b.key).unwrap()).is_err());
}

#[test]
fn they_are_sent_until_they_are_kept() {
    let platform = NodeId::of(&key(9).public());
    let mut acks = Acks::default();
    assert_eq!(acks.due(platform, moment(0)), None);
    let notices: Vec<Digest> = (0..20_u8).map(|nth| Digest::of(&[nth])).collect();
    for notice in &notices {
        acks.learned(*notice, &key(31), moment(0));
        acks.learned(*notice, &key(31), moment(0));
    }
    assert_eq!(acks.waiting(), 20);
    let first = sent(acks.due(platform, moment(1)));
    assert_eq!(first.len(), MAX_NEWS);
    assert_eq!(acks.due(platform, moment(2)), None, "they are under way");
    assert_eq!(acks.deadline(), Some(moment(1 + RESEND_SECONDS)));
    assert_eq!(sent(acks.due(platform, moment(1 + RESEND_SECONDS))), first, "nobody answered");
    acks.again();
    assert_eq!(sent(acks.due(platform, moment(32))), first, "a new way is there");
    acks.kept(&first);
    assert_eq!(sent(acks.due(platform, moment(33))).len(), 4);
    acks.kept(&notices);
    assert_eq!((acks.waiting(), acks.deadline(), acks.due(platform, moment(99))), (0, None, None));
}

#[test]
fn no_more_wait_than_notices_are_known() {
    let mut acks = Acks::default();
    for nth in 0..200_u8 {
        acks.learned(Digest::of(&[nth]), &key(31), moment(0));
    }
    assert_eq!(acks.waiting(), MAX_KNOWN_NOTICES);
}
