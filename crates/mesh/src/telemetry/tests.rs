use echo_core::DeviceId;
use observability::Metrics;
use proptest::prelude::*;

use super::*;
use crate::test_house::{at, key};

fn quiet() -> Metrics {
    Metrics {
        cpu_utilization: 0.1,
        load_1: 0.0,
        load_5: 0.0,
        load_15: 0.0,
        memory_total: 2,
        memory_used: 1,
        memory_available: 1,
        swap_total: 0,
        swap_used: 0,
        disks: Vec::new(),
        network: Vec::new(),
        uptime_seconds: 1,
        processes: 1,
    }
}

fn pulses(seqs: &[u64]) -> Vec<Pulse> {
    let device: DeviceId = "dev_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f".parse().unwrap();
    let pulse = |seq: &u64| Pulse {
        device: device.clone(),
        seq: *seq,
        at: at("2027-05-01"),
        metrics: quiet(),
        facts: None,
    };
    seqs.iter().map(pulse).collect()
}

fn batch(seqs: &[u64]) -> Envelope {
    sign_batch(&pulses(seqs), &key(31)).unwrap().unwrap().0
}

fn device() -> NodeId {
    NodeId::of(&key(31).public())
}

fn moment(second: i64) -> Timestamp {
    after(at("2027-05-01"), second)
}

#[test]
fn a_batch_is_believed_from_its_device_alone() {
    assert_eq!(check_batch(&batch(&[1, 2, 5]), &device()).unwrap().pulses, pulses(&[1, 2, 5]));
    assert!(check_batch(&batch(&[1]), &NodeId::of(&key(32).public())).is_err());
}

#[test]
fn a_batch_out_of_order_of_two_devices_or_empty_is_refused() {
    for seqs in [&[2, 1][..], &[1, 1], &[0], &[]] {
        let signed = KIND.sign(&PulseBatch { pulses: pulses(seqs) }, &key(31)).unwrap();
        assert!(check_batch(&signed, &device()).is_err(), "{seqs:?}");
    }
    let mut two = pulses(&[1, 2]);
    two[1].device = "dev_0197c3f0a1b27c3d8e4f5a6b7c8d9e10".parse().unwrap();
    assert!(check_batch(&KIND.sign(&PulseBatch { pulses: two }, &key(31)).unwrap(), &device()).is_err());
}

#[test]
fn a_batch_takes_as_many_as_it_holds() {
    let seqs: Vec<u64> = (1..=500).collect();
    let (envelope, up_to) = sign_batch(&pulses(&seqs), &key(31)).unwrap().unwrap();
    assert_eq!(up_to, check_batch(&envelope, &device()).unwrap().pulses.last().unwrap().seq);
    assert!((100..=MAX_PULSES_PER_BATCH as u64).contains(&up_to), "{up_to}");
    assert_eq!(sign_batch(&[], &key(31)).unwrap(), None);
}

#[test]
fn one_batch_is_under_way_until_it_is_kept() {
    let platform = NodeId::of(&key(9).public());
    let mut sender = Sender::default();
    assert_eq!(sender.due(platform, moment(0)), None);
    sender.offer(batch(&[1, 2]), 2);
    assert_eq!(sender.due(platform, moment(0)), Some(Body::Pulses { batch: batch(&[1, 2]) }));
    assert_eq!(sender.due(platform, moment(1)), None);
    assert_eq!(sender.deadline(), Some(moment(RESEND_SECONDS)));
    assert!(sender.due(platform, moment(RESEND_SECONDS)).is_some(), "nobody answered");
    sender.again();
    assert!(sender.due(platform, moment(RESEND_SECONDS)).is_some(), "a new way is there");
    assert_eq!(sender.kept(1), Some(1));
    assert_eq!(sender.waiting(), Some(2), "a part of it is not kept yet");
    assert_eq!(sender.kept(2), Some(2));
    assert_eq!((sender.waiting(), sender.deadline()), (None, None));
}

#[test]
fn what_is_kept_never_goes_back_and_may_run_ahead() {
    let mut sender = Sender::default();
    assert_eq!(sender.kept(9), Some(9));
    assert_eq!(sender.kept(9), None);
    assert_eq!(sender.kept(3), None, "a late word changes nothing");
    sender.offer(batch(&[4]), 4);
    assert_eq!(sender.kept(9), None);
    assert_eq!(sender.waiting(), None, "the platform has it already");
}

#[test]
fn a_newer_batch_does_not_hurry_the_one_under_way() {
    let platform = NodeId::of(&key(9).public());
    let mut sender = Sender::default();
    sender.offer(batch(&[1]), 1);
    sender.due(platform, moment(0)).unwrap();
    sender.offer(batch(&[1, 2]), 2);
    assert_eq!(sender.due(platform, moment(1)), None);
    assert_eq!(sender.due(platform, moment(RESEND_SECONDS)), Some(Body::Pulses { batch: batch(&[1, 2]) }));
}

#[test]
fn a_batch_that_was_kept_is_known_when_it_comes_again() {
    let mut receiver = Receiver::default();
    assert_eq!(receiver.received(&batch(&[1, 2]), &device()).unwrap(), Arrived::New);
    assert_eq!(receiver.received(&batch(&[1, 2]), &device()).unwrap(), Arrived::New, "it is not durable yet");
    receiver.kept(device(), 2);
    receiver.kept(device(), 1);
    assert_eq!(receiver.received(&batch(&[1, 2]), &device()).unwrap(), Arrived::Known(2));
    assert_eq!(receiver.received(&batch(&[2, 3]), &device()).unwrap(), Arrived::New);
    assert!(receiver.received(&batch(&[1]), &NodeId::of(&key(32).public())).is_err());
}

#[test]
fn the_larger_the_mesh_the_rarer_the_pulses_of_each() {
    assert_eq!(interval(0), SHORTEST_INTERVAL);
    assert_eq!(interval(200), SHORTEST_INTERVAL);
    assert_eq!(interval(10_000), Duration::from_secs(500));
    assert_eq!(interval(usize::MAX), LONGEST_INTERVAL);
}

proptest! {
    #[test]
    fn it_never_falls_and_keeps_the_mesh_at_its_rate(members in 0_u32..18_000) {
        let interval = |members: u32| interval(members as usize);
        prop_assert!(interval(members) <= interval(members + 1));
        let a_second = f64::from(members) / interval(members).as_secs_f64();
        prop_assert!(a_second <= f64::from(PULSES_A_SECOND) * 1.1, "{a_second}");
    }
}
