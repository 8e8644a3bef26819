//! Calls that two nodes made while the platform was out of reach: charged once, and only what was granted.

use std::{slice, sync::Arc};

use agents::Skill;
use desk::{CaseState, DeskError, GrantRecord, GrantState, NewGrant, SkillCallState, TimelineKind};
use dossier::Kind;
use echo_core::{
    CaseId, Clock as _, CustomerId, Digest, ManualClock, Mint, OsEntropy, SystemClock, Timestamp,
};
use mesh::{AnswerDoc, CallDoc, MeshReceipt, NodeId, Reply, digest_of};
use serde_json::{Value, json};
use trust::Envelope;

use crate::{
    device::{Device, House},
    flow::worry,
};

/// A house with two devices of one customer and a case that names the first.
struct Scene {
    house: House,
    customer: CustomerId,
    caller: Device,
    executor: Device,
    case: CaseId,
}

/// The three papers of a call.
type Papers = [Envelope; 3];

fn node(device: &Device) -> NodeId {
    NodeId::of(&device.key().public())
}

fn value_digest(value: &Value) -> Digest {
    Digest::of(&serde_json::to_vec(value).unwrap())
}

impl Scene {
    async fn set() -> Self {
        Self::at(House::found().await).await
    }

    async fn at(house: House) -> Self {
        let customer = house.customer("Anna").await;
        let caller = Device::enrol(&house, &customer).await;
        let executor = Device::enrol(&house, &customer).await;
        let open = worry(&customer, Some(&caller));
        let case = house.desk.open_case(&house.call(), open).await.unwrap().case.id;
        Self { house, customer, caller, executor, case }
    }

    fn new_grant(&self, calls: u32) -> NewGrant {
        NewGrant { holder: node(&self.caller), skills: vec![Skill::DiagnosticsProbe], calls, hours: 24 }
    }

    async fn grant(&self, calls: u32) -> GrantRecord {
        self.house.desk.grant(&self.house.call(), &self.case, self.new_grant(calls)).await.unwrap()
    }

    fn now(&self) -> Timestamp {
        self.house.desk.now()
    }

    /// A call with its answer, number `n`, as the two devices would make it.
    fn papers(&self, grant: &GrantRecord, n: u8, reply: Reply) -> Papers {
        self.papers_by(grant, n, reply, &self.executor)
    }

    fn papers_by(&self, grant: &GrantRecord, n: u8, reply: Reply, executor: &Device) -> Papers {
        let call = CallDoc {
            key: format!("00000000-0000-7000-8000-0000000000{n:02x}"),
            from: node(&self.caller),
            to: node(executor),
            skill: "diagnostics.probe".to_owned(),
            input: json!({"n": n}),
            grant: grant.digest,
            made: self.now(),
            deadline: grant.grant.until,
        };
        let envelope = call.sign(self.caller.key()).unwrap();
        let (name, at) = (digest_of(&envelope), self.now());
        let granted = &grant.grant.skills[0];
        let done = match &reply {
            Reply::Done(output) => Some(value_digest(output)),
            _ => None,
        };
        let receipt = done.map(|_| MeshReceipt {
            call: name,
            grant: grant.grant.id.clone(),
            customer: self.customer.clone(),
            case: self.case.clone(),
            sku: granted.sku.clone(),
            skill: granted.skill.clone(),
            unit_price: granted.unit_price,
            amount: granted.unit_price,
            at,
            executor: call.to,
            caller: call.from,
        });
        let answer = AnswerDoc {
            key: call.key.clone(),
            call: name,
            from: call.to,
            to: call.from,
            input: value_digest(&call.input),
            output: done,
            reply,
            receipt,
            at,
        };
        [answer.sign(executor.key()).unwrap(), envelope, grant.envelope.clone()]
    }

    fn done(&self, grant: &GrantRecord, n: u8) -> Papers {
        self.papers(grant, n, Reply::Done(json!({"fine": true})))
    }

    async fn bring(&self, by: &Device, papers: &[Papers]) -> Result<Vec<Digest>, DeskError> {
        let of = |at: usize| papers.iter().map(|p| p[at].clone()).collect::<Vec<_>>();
        self.house.desk.settle_mesh(&node(by), &of(0), &of(1), &of(2)).await
    }

    async fn grant_now(&self) -> GrantRecord {
        self.house.desk.grants(&self.house.operator, &self.case).await.unwrap().items.remove(0)
    }

    /// How many receipts for diagnoses the case has, and how many refusals its timeline shows.
    async fn counts(&self) -> (usize, usize) {
        let view = self.house.desk.case(&self.house.operator, &self.case).await.unwrap();
        let receipts = view.receipts.iter().filter(|r| r.receipt.skill == "diagnostics.probe").count();
        (receipts, view.timeline.iter().filter(|entry| entry.kind == TimelineKind::Failed).count())
    }
}

#[tokio::test]
async fn a_call_is_charged_once_whoever_brings_it_and_stands_on_the_bill() {
    let scene = Scene::set().await;
    let grant = scene.grant(2).await;
    assert_eq!(Kind::MeshGrant.payload_type(), mesh::GRANT_TYPE);
    let papers = scene.done(&grant, 1);
    let name = digest_of(&papers[1]);
    assert_eq!(scene.bring(&scene.executor, &[papers.clone(), papers.clone()]).await.unwrap(), [name]);
    assert_eq!(scene.bring(&scene.executor, slice::from_ref(&papers)).await.unwrap(), [name], "known");
    assert_eq!(
        scene.bring(&scene.caller, slice::from_ref(&papers)).await.unwrap(),
        [name],
        "by the other one"
    );
    let (again, second) = ([papers], [scene.done(&grant, 2)]);
    let (one, two) = tokio::join!(scene.bring(&scene.executor, &second), scene.bring(&scene.caller, &again));
    one.unwrap();
    two.unwrap();
    assert_eq!(scene.counts().await, (2, 0));
    let now = scene.grant_now().await;
    assert_eq!((now.used, now.refused, now.state), (2, 0, GrantState::Used));

    let closed = scene.house.desk.close_case(&scene.house.call(), &scene.case).await.unwrap();
    let receipt = closed.receipts.iter().find(|r| r.receipt.skill == "diagnostics.probe").unwrap();
    assert_eq!(receipt.receipt.device.as_ref(), Some(&scene.executor.id));
    assert_eq!(receipt.receipt.unit_price, grant.prices[0].unit_price);
    let call = closed.calls.iter().find(|call| call.receipt.as_ref() == Some(&receipt.receipt.id)).unwrap();
    assert_eq!(
        (call.state, call.output.as_ref()),
        (SkillCallState::Done, None),
        "what is no diagnosis is not kept"
    );
    let lines = &closed.invoice.as_ref().unwrap().invoice.lines;
    assert_eq!(lines.len(), 3, "triage and two diagnoses");
    let file = scene.house.desk.export_case(&scene.house.operator, &scene.case).await.unwrap();
    dossier::verify(&file, scene.house.desk.root()).unwrap();
    let view =
        scene.house.desk.document(&scene.house.operator, Kind::MeshGrant, &grant.grant.id.to_string()).await;
    assert_eq!(view.unwrap().document.envelope, grant.envelope);
}

#[tokio::test]
async fn more_calls_than_were_granted_are_refused_for_good_and_shown() {
    let scene = Scene::set().await;
    let grant = scene.grant(1).await;
    let papers: Vec<Papers> = (1..=3).map(|n| scene.done(&grant, n)).collect();
    assert_eq!(scene.bring(&scene.executor, &papers).await.unwrap().len(), 3, "none is to be brought again");
    assert_eq!(scene.counts().await, (1, 2));
    assert_eq!(scene.grant_now().await.refused, 2);
    let many: Vec<Papers> = (4..=15).map(|n| scene.done(&grant, n)).collect();
    for batch in many.chunks(4) {
        scene.bring(&scene.executor, batch).await.unwrap();
    }
    let more: Vec<Papers> = (16..=30).map(|n| scene.done(&grant, n)).collect();
    scene.bring(&scene.executor, &more).await.unwrap();
    assert_eq!(scene.counts().await, (1, 16), "a flood does not fill the timeline");
}

#[tokio::test]
async fn work_that_failed_is_shown_and_costs_nothing() {
    let scene = Scene::set().await;
    let grant = scene.grant(1).await;
    let failed = scene.papers(&grant, 1, Reply::Failed("the disk was full".to_owned()));
    let refused = scene.papers(&grant, 2, Reply::Refused("busy".to_owned()));
    assert_eq!(scene.bring(&scene.executor, &[failed, refused]).await.unwrap().len(), 2);
    assert_eq!(scene.counts().await, (0, 1));
    assert_eq!(scene.grant_now().await.used, 0);
    scene.bring(&scene.executor, &[scene.done(&grant, 3)]).await.unwrap();
    assert_eq!(scene.counts().await, (1, 1), "the grant still pays for a call that is done");
}

#[tokio::test]
async fn papers_that_do_not_hold_together_charge_nothing() {
    let scene = Scene::set().await;
    let grant = scene.grant(5).await;
    let other = scene.house.customer("Ben").await;
    let stranger = Device::enrol(&scene.house, &other).await;
    let good = scene.done(&grant, 1);
    let swapped = [scene.done(&grant, 2)[0].clone(), good[1].clone(), good[2].clone()];
    scene.bring(&scene.executor, &[swapped]).await.unwrap();
    let by_stranger = scene.papers_by(&grant, 3, Reply::Done(json!(1)), &stranger);
    scene.bring(&scene.executor, &[by_stranger]).await.unwrap();
    assert_eq!(scene.counts().await, (0, 1), "only what was rightly signed is shown");
    // Another customer's device cannot even show that it knows of the grant.
    scene.bring(&stranger, &[scene.done(&grant, 4)]).await.unwrap();
    assert_eq!(scene.counts().await, (0, 1));
    let mut forged = scene.done(&grant, 5);
    forged[2] = Envelope::sign(mesh::GRANT_TYPE, &grant.grant, &[stranger.key()]).unwrap();
    scene.bring(&scene.executor, &[forged]).await.unwrap();
    assert_eq!(scene.counts().await.0, 0);
    scene.house.desk.retire_device(&scene.house.call(), &stranger.id).await.unwrap();
    let gone = scene.bring(&stranger, &[scene.done(&grant, 6)]).await;
    assert!(matches!(gone, Err(DeskError::NotFound { .. })), "{gone:?}");
}

#[tokio::test]
async fn bad_papers_of_a_call_do_not_keep_the_true_ones_out() {
    let scene = Scene::set().await;
    let grant = scene.grant(5).await;
    let bad_of = |good: &Papers, n: u8| {
        // Somebody who saw call and grant, with another answer of the executor, and with one that they signed themselves.
        let mut forged = scene.papers(&grant, n, Reply::Done(json!({"fine": false})));
        let payload = forged[0].payload_unchecked().unwrap();
        forged[0] = Envelope::sign_bytes(mesh::ANSWER_TYPE, &payload, &[scene.caller.key()]);
        let swapped = scene.done(&grant, n + 100)[0].clone();
        [[forged[0].clone(), good[1].clone(), good[2].clone()], [swapped, good[1].clone(), good[2].clone()]]
    };
    let good = scene.done(&grant, 1);
    let name = digest_of(&good[1]);
    assert_eq!(scene.bring(&scene.caller, &bad_of(&good, 1)).await.unwrap(), [name]);
    assert_eq!(scene.counts().await, (0, 0));
    assert_eq!(scene.bring(&scene.executor, slice::from_ref(&good)).await.unwrap(), [name]);
    assert_eq!(scene.counts().await, (1, 0));
    scene.bring(&scene.caller, &bad_of(&good, 1)).await.unwrap();
    scene.bring(&scene.caller, &[good]).await.unwrap();
    assert_eq!(scene.counts().await, (1, 0), "charged once");

    let second = scene.done(&grant, 2);
    let [one, two] = bad_of(&second, 2);
    let name = digest_of(&second[1]);
    assert_eq!(
        scene.bring(&scene.executor, &[one, two, second]).await.unwrap(),
        [name],
        "in one request too"
    );
    assert_eq!(scene.counts().await, (2, 0));
    let now = scene.grant_now().await;
    assert_eq!((now.used, now.refused), (2, 0));
}

#[tokio::test]
async fn grants_that_have_ended_leave_room_for_others() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let scene = Scene::at(House::found_by(Mint::new(clock.clone(), Arc::new(OsEntropy))).await).await;
    let new = || NewGrant { hours: 1, ..scene.new_grant(1) };
    for _ in 0..100 {
        scene.house.desk.grant(&scene.house.call(), &scene.case, new()).await.unwrap();
    }
    let refused = scene.house.desk.grant(&scene.house.call(), &scene.case, new()).await;
    assert!(matches!(refused, Err(DeskError::Conflict(_))), "{refused:?}");
    clock.advance_millis(3_600_000);
    scene.house.desk.grant(&scene.house.call(), &scene.case, new()).await.unwrap();
}

#[tokio::test]
async fn what_comes_after_the_bill_is_not_charged() {
    let scene = Scene::set().await;
    let grant = scene.grant(5).await;
    let late = scene.done(&grant, 1);
    let closed = scene.house.desk.close_case(&scene.house.call(), &scene.case).await.unwrap();
    assert_eq!(closed.case.state, CaseState::Closed);
    scene.bring(&scene.executor, &[late]).await.unwrap();
    assert_eq!(scene.counts().await, (0, 1));
    let refused = scene.house.desk.grant(&scene.house.call(), &scene.case, scene.new_grant(1)).await;
    assert!(matches!(refused, Err(DeskError::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn a_grant_is_for_ones_own_devices_and_within_the_plan() {
    let scene = Scene::set().await;
    let other = scene.house.customer("Ben").await;
    let stranger = Device::enrol(&scene.house, &other).await;
    let foreign = NewGrant { holder: node(&stranger), ..scene.new_grant(1) };
    let refused = scene.house.desk.grant(&scene.house.call(), &scene.case, foreign).await;
    assert!(matches!(refused, Err(DeskError::NotFound { .. })), "{refused:?}");
    let by_other = desk::Call::by(scene.house.person_of(&other));
    let refused = scene.house.desk.grant(&by_other, &scene.case, scene.new_grant(1)).await;
    assert!(matches!(refused, Err(DeskError::NotFound { .. })), "{refused:?}");
    let by_device = desk::Call::by(scene.caller.principal.clone());
    let refused = scene.house.desk.grant(&by_device, &scene.case, scene.new_grant(1)).await;
    assert!(matches!(refused, Err(DeskError::Denied(_))), "{refused:?}");
    let twice = NewGrant { skills: vec![Skill::DiagnosticsProbe; 2], ..scene.new_grant(1) };
    let refused = scene.house.desk.grant(&scene.house.call(), &scene.case, twice).await;
    assert!(matches!(refused, Err(DeskError::Invalid { .. })), "{refused:?}");
    let grant = scene.grant(3).await;
    let held = scene.house.desk.held_grants(&scene.caller.principal).await.unwrap();
    assert_eq!(held.items, [grant.envelope]);
    assert!(scene.house.desk.held_grants(&scene.executor.principal).await.unwrap().items.is_empty());
}
