//! The papers of calls between nodes: grants, calls, answers with their receipts, words that something is kept, pulses.

use std::sync::OnceLock;

use device_link::{MAX_PULSES_PER_BATCH, PulseBatch};
use echo_core::{Currency, Digest, Money};
use mesh::{
    ACK_TYPE, ANSWER_TYPE, AnswerDoc, CALL_TYPE, CallDoc, GRANT_TYPE, Grant, GrantedSkill, KEPT_TYPE, Kept,
    MeshReceipt, NodeId, NoticeAck, Reply, What, digest_of,
    telemetry::{PULSES_TYPE, check_batch, sign_batch},
    verify_settlement,
};
use observability::{Metrics, Pulse};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use trust::{Envelope, KeyPair, KeyRole};

use crate::house::{SKILL, at, customer, house, now};

/// Grant, call and answer of one piece of work, before anybody signed them.
pub type Papers = (Grant, CallDoc, AnswerDoc);

/// A call that went well.
pub fn papers() -> Papers {
    let (peer, me) = (house().peer.id(), house().me.id());
    let unit_price = Money::new(250, Currency::EUR);
    let (skill, sku, none) = (SKILL.to_owned(), "probe".to_owned(), Digest::of(b""));
    let key = "0197c3f0-a1b2-7c3d-8e4f-5a6b7c8d9e0f".to_owned();
    let grant = Grant {
        id: "grant_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f".parse().expect("an id of our own form"),
        holder: peer,
        case: "case_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f".parse().expect("an id of our own form"),
        customer: customer(1),
        skills: vec![GrantedSkill { skill: skill.clone(), sku: sku.clone(), unit_price }],
        most_calls: 3,
        from: at("2027-05-01"),
        until: at("2027-06-01"),
    };
    let call = CallDoc {
        key: key.clone(),
        from: peer,
        to: me,
        skill: skill.clone(),
        input: json!({"depth": 0.1, "what": "all"}),
        grant: none,
        made: now(),
        deadline: at("2027-05-11"),
    };
    let receipt = MeshReceipt {
        call: none,
        grant: grant.id.clone(),
        customer: grant.customer.clone(),
        case: grant.case.clone(),
        sku,
        skill,
        unit_price,
        amount: unit_price,
        at: now(),
        executor: me,
        caller: peer,
    };
    let answer = AnswerDoc {
        key,
        call: none,
        from: me,
        to: peer,
        reply: Reply::Done(json!({"load": 0.1})),
        input: none,
        output: None,
        receipt: Some(receipt),
        at: now(),
    };
    (grant, call, answer)
}

/// What the peer says besides: of a notice, of what it keeps, of itself.
pub fn others() -> (NoticeAck, Kept, PulseBatch) {
    let (peer, me) = (&house().peer, house().me.id());
    let ack = NoticeAck { notice: Digest::of(b"a notice"), node: peer.id(), at: now() };
    let kept = Kept { from: peer.id(), to: me, what: What::Pulses(7), at: now() };
    let metrics = Metrics {
        cpu_utilization: 0.5,
        load_1: 1.0,
        load_5: 1.0,
        load_15: 1.0,
        memory_total: 1 << 30,
        memory_used: 1 << 29,
        memory_available: 1 << 29,
        swap_total: 0,
        swap_used: 0,
        disks: Vec::new(),
        network: Vec::new(),
        uptime_seconds: 60,
        processes: 100,
    };
    let pulse = |seq| Pulse {
        device: peer.manifest.device.clone(),
        seq,
        at: now(),
        metrics: metrics.clone(),
        facts: None,
    };
    (ack, kept, PulseBatch { pulses: vec![pulse(1), pulse(2)] })
}

/// A paper counts when the one that it names has signed it, and is then signed again just the same. A settlement charges
/// what the grant says.
pub fn check(bytes: &[u8]) {
    if let Ok(envelope) = serde_json::from_slice::<Envelope>(bytes) {
        as_it_came(&envelope);
    }
    calls(bytes);
    words(bytes);
    if let Ok(papers) = serde_json::from_slice::<Papers>(bytes) {
        settle(papers);
    }
}

/// `bytes` as a paper of this type, signed by `key`; none when they are no such paper.
fn paper<T: DeserializeOwned>(kind: &str, bytes: &[u8], key: &KeyPair) -> Option<Envelope> {
    serde_json::from_slice::<T>(bytes).ok().map(|_| Envelope::sign_bytes(kind, bytes, &[key]))
}

/// What the house has signed, and nothing else in its name.
pub fn genuine() -> &'static [Envelope] {
    static GENUINE: OnceLock<Vec<Envelope>> = OnceLock::new();
    GENUINE.get_or_init(|| {
        let (grant, call, answer) = signed(papers()).expect("the papers are sound");
        let (ack, kept, pulses) = others();
        let key = &house().peer.key;
        let sound = "what the peer signs is sound";
        let pulses = sign_batch(&pulses.pulses, key).expect(sound).expect("there are pulses").0;
        vec![grant, call, answer, ack.sign(key).expect(sound), kept.sign(key).expect(sound), pulses]
    })
}

fn as_it_came(envelope: &Envelope) {
    let house = house();
    let ours = |node: &NodeId| house.key_of(node).is_some();
    let believed = Grant::verify(envelope, &house.registry).is_ok()
        || CallDoc::verify(envelope).is_ok_and(|call| ours(&call.from))
        || AnswerDoc::verify(envelope).is_ok_and(|answer| ours(&answer.from))
        || NoticeAck::verify(envelope).is_ok_and(|ack| ours(&ack.node))
        || Kept::verify(envelope, &house.peer.id(), &house.me.id()).is_ok()
        || check_batch(envelope, &house.peer.id()).is_ok();
    let known =
        |good: &Envelope| good.payload == envelope.payload && good.payload_type == envelope.payload_type;
    assert!(!believed || genuine().iter().any(known), "a paper that nobody signed");
}

fn calls(bytes: &[u8]) {
    let house = house();
    let operator = &house.keys[&KeyRole::Operator];
    if let Some(envelope) = paper::<Grant>(GRANT_TYPE, bytes, operator)
        && let Ok(grant) = Grant::verify(&envelope, &house.registry)
    {
        assert!(grant.until > grant.from && grant.skills.iter().all(|skill| skill.unit_price.minor >= 0));
        let again = grant.sign(operator).expect("a grant that counts can be signed");
        assert_eq!(Grant::verify(&again, &house.registry), Ok(grant));
    }
    let key = &house.peer.key;
    if let Some(envelope) = paper::<CallDoc>(CALL_TYPE, bytes, key)
        && let Ok(call) = CallDoc::verify(&envelope)
    {
        assert_eq!(call.from, house.peer.id(), "a call in another's name");
        let again = call.sign(key).expect("a call that counts can be signed");
        assert_eq!(CallDoc::verify(&again), Ok(call));
    }
    if let Some(envelope) = paper::<AnswerDoc>(ANSWER_TYPE, bytes, key)
        && let Ok(answer) = AnswerDoc::verify(&envelope)
    {
        assert_eq!(answer.from, house.peer.id(), "an answer in another's name");
        assert_eq!(answer.receipt.is_some(), matches!(answer.reply, Reply::Done(_)));
        let again = answer.sign(key).expect("an answer that counts can be signed");
        assert_eq!(AnswerDoc::verify(&again), Ok(answer));
    }
}

fn words(bytes: &[u8]) {
    let (me, peer, key) = (house().me.id(), house().peer.id(), &house().peer.key);
    if let Some(envelope) = paper::<NoticeAck>(ACK_TYPE, bytes, key)
        && let Ok(ack) = NoticeAck::verify(&envelope)
    {
        assert_eq!(ack.node, peer, "an acknowledgement in another's name");
        assert_eq!(ack.sign(key).and_then(|again| NoticeAck::verify(&again)), Ok(ack));
    }
    if let Some(envelope) = paper::<Kept>(KEPT_TYPE, bytes, key)
        && let Ok(kept) = Kept::verify(&envelope, &peer, &me)
    {
        assert_eq!((kept.from, kept.to), (peer, me));
        assert!(Kept::verify(&envelope, &me, &peer).is_err());
        assert_eq!(kept.sign(key).and_then(|again| Kept::verify(&again, &peer, &me)), Ok(kept));
    }
    if let Some(envelope) = paper::<PulseBatch>(PULSES_TYPE, bytes, key)
        && let Ok(batch) = check_batch(&envelope, &peer)
    {
        assert!((1..=MAX_PULSES_PER_BATCH).contains(&batch.pulses.len()));
        assert!(batch.pulses.is_sorted_by(|a, b| a.seq < b.seq && a.device == b.device));
        assert!(check_batch(&envelope, &me).is_err(), "pulses in another's name");
    }
}

/// Signs the papers as whom they name, once what each says of the others' digests is true.
pub fn signed((grant, mut call, mut answer): Papers) -> Option<(Envelope, Envelope, Envelope)> {
    let house = house();
    let grant = grant.sign(&house.keys[&KeyRole::Operator]).ok()?;
    call.grant = digest_of(&grant);
    let request = call.sign(house.key_of(&call.from)?).ok()?;
    answer.call = digest_of(&request);
    answer.input = value_digest(&call.input);
    answer.output = match &answer.reply {
        Reply::Done(output) => Some(value_digest(output)),
        Reply::Failed(_) | Reply::Refused(_) => None,
    };
    if let Some(receipt) = &mut answer.receipt {
        receipt.call = answer.call;
    }
    let answer = answer.sign(house.key_of(&answer.from)?).ok()?;
    Some((grant, request, answer))
}

fn value_digest(value: &Value) -> Digest {
    Digest::of(&serde_json::to_vec(value).expect("a value becomes JSON"))
}

fn settle(papers: Papers) {
    let paid_by = papers.0.clone();
    let Some((grant, call, answer)) = signed(papers) else { return };
    let registry = &house().registry;
    let Ok(settlement) = verify_settlement(&answer, &call, &grant, registry, now()) else { return };
    assert_eq!(settlement.grant, paid_by);
    assert_eq!((settlement.call, settlement.request.from), (digest_of(&call), paid_by.holder));
    if let Some(receipt) = settlement.receipt {
        let price = paid_by.of(&settlement.request.skill).map(|granted| granted.unit_price);
        assert_eq!(Some(receipt.amount), price, "another price than was granted");
        assert!(receipt.amount.minor >= 0);
        assert_eq!((receipt.customer, receipt.case), (paid_by.customer, paid_by.case));
        assert_eq!((receipt.caller, receipt.executor), (paid_by.holder, settlement.request.to));
    }
    // Nothing of it can be put in another's place.
    assert!(verify_settlement(&call, &answer, &grant, registry, now()).is_err());
}
