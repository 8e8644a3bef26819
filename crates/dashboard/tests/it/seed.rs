//! A house with something in every list: cases in every state, findings, a proof, bills, telemetry.

use std::{collections::BTreeMap, path::Path};

use agents::Skill;
use desk::{AskSkill, Call, Desk, NewPayment, OpenCase, Opened};
use device_link::PulseBatch;
use echo_core::{CaseId, CustomerId};
use observability::{Collector, Metrics, Pulse};

use crate::device::{Device, House, open};

/// How many points of telemetry a device has sent.
const PULSES: u32 = 240;

/// What there is to look at.
#[derive(Debug)]
#[allow(dead_code, reason = "the example needs none of it")]
pub struct Seeded {
    pub customer: CustomerId,
    pub device: echo_core::DeviceId,
    /// Closed, proven and paid.
    pub settled: CaseId,
    /// With a change that waits for a decision.
    pub waiting: CaseId,
}

/// Opens a home and signs its operator in.
#[allow(dead_code, reason = "the tests use a temporary home")]
pub async fn found_at(home: &Path) -> House {
    let Opened { desk, sign_in } = open(home).await;
    let tokens = desk.sign_in(&sign_in.secret).await.unwrap();
    let operator = desk.authenticate(&tokens.access_token).await.unwrap();
    House { folder: tempfile::tempdir().unwrap(), desk, operator }
}

pub async fn fill(house: &House) -> Seeded {
    let desk = &house.desk;
    let call = house.call();
    let other = house.customer("Harbour Clinic").await;
    let laptop = Device::enrol(house, &other).await;
    let waiting = worry(desk, &call, &other, Some(&laptop)).await;
    planned(house, &laptop, &waiting).await;
    slow(desk, &call, &other).await;
    let billed = slow(desk, &call, &other).await;
    desk.close_case(&call, &billed).await.unwrap();

    let customer = house.customer("Miller's bakery").await;
    let device = Device::enrol(house, &customer).await;
    beat(desk, &device);
    let settled = worry(desk, &call, &customer, Some(&device)).await;
    planned(house, &device, &settled).await;
    let view = desk.case(&house.operator, &settled).await.unwrap();
    desk.approve(&call, &view.change_sets[0].id).await.unwrap();
    assert_eq!(device.work(desk).await, 1);
    let question = Some("How do I secure SSH on this machine?".to_owned());
    desk.ask(&call, &settled, AskSkill { skill: Skill::AdvisoryAnswer, question }).await.unwrap();
    let closed = desk.close_case(&call, &settled).await.unwrap();
    let invoice = closed.invoice.unwrap().invoice;
    let payment = NewPayment { amount: invoice.total, reference: "bank statement 7".to_owned() };
    desk.pay(&call, &invoice.id, payment).await.unwrap();
    Seeded { customer, device: device.id, settled, waiting }
}

/// Diagnosed, scanned and planned, so that a change waits.
async fn planned(house: &House, device: &Device, case: &CaseId) {
    for skill in [Skill::DiagnosticsProbe, Skill::ScannerPosture, Skill::RemediationPlan] {
        house.desk.ask(&house.call(), case, AskSkill { skill, question: None }).await.unwrap();
        assert_eq!(device.work(&house.desk).await, 1, "{skill}");
    }
}

async fn worry(desk: &Desk, call: &Call, customer: &CustomerId, device: Option<&Device>) -> CaseId {
    let text = include_str!("../../../../intake/examples/ssh-worry.txt");
    let open = OpenCase {
        customer: Some(customer.clone()),
        device: device.map(|d| d.id.clone()),
        form: "security-concern".to_owned(),
        answers: answers(&[("what_happened", text), ("may_scan", "yes")]),
    };
    desk.open_case(call, open).await.unwrap().case.id
}

async fn slow(desk: &Desk, call: &Call, customer: &CustomerId) -> CaseId {
    let open = OpenCase {
        customer: Some(customer.clone()),
        device: None,
        form: "slow-computer".to_owned(),
        answers: answers(&[
            ("what_happened", "The till freezes for a minute whenever we print. The disk is nearly full."),
            ("when_slow", "With one program only"),
            ("may_probe", "yes"),
        ]),
    };
    desk.open_case(call, open).await.unwrap().case.id
}

fn answers(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(field, answer)| ((*field).to_owned(), (*answer).to_owned())).collect()
}

/// Two hours of telemetry: a machine with a busy half hour.
fn beat(desk: &Desk, device: &Device) {
    let sample = Collector::new().sample().unwrap();
    let now = desk.now().as_millisecond();
    let pulses: Vec<Pulse> = (0..PULSES)
        .map(|n| Pulse {
            device: device.id.clone(),
            seq: u64::from(n) + 1,
            at: echo_core::clock::from_millis(now - i64::from(PULSES - 1 - n) * 30_000),
            metrics: metrics(&sample, f64::from(n)),
            facts: None,
        })
        .collect();
    for batch in pulses.chunks(device_link::MAX_PULSES_PER_BATCH) {
        desk.accept_pulses(&device.principal, PulseBatch { pulses: batch.to_vec() }).unwrap();
    }
}

/// The sample as it might have been at point `n`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "made-up numbers need no exactness"
)]
fn metrics(sample: &Metrics, n: f64) -> Metrics {
    let busy = (-((n - 130.0) / 25.0).powi(2)).exp();
    let cpu = (0.08 + 0.7 * busy + 0.03 * (n * 1.7).sin().abs()).min(1.0);
    let used = sample.memory_total as f64 * (0.31 + 0.2 * busy + 0.005 * (n / 5.0).sin());
    let mut metrics = sample.clone();
    metrics.cpu_utilization = cpu;
    metrics.load_1 = 4.0 * cpu;
    metrics.memory_used = used as u64;
    metrics.memory_available = sample.memory_total - metrics.memory_used;
    for nic in &mut metrics.network {
        nic.rx_bytes = (n * 2.0e6 + 3.0e8 * busy.min(n / 240.0)) as u64;
        nic.tx_bytes = (n * 4.0e5) as u64;
    }
    metrics
}
