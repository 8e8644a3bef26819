//! The device's buffer.

use std::{
    collections::VecDeque,
    fs::{self, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use echo_core::DeviceId;
use observability::{Bounds, Buffer, BufferError, MAX_BATCH, MAX_BATCH_BYTES, MAX_SEQ};
use proptest::prelude::*;

use crate::{device, pulse};

const SMALL: Bounds = Bounds { max_bytes: 1 << 20, max_pulses: 64 };

fn open(folder: &Path) -> Buffer {
    Buffer::open(folder, SMALL).unwrap()
}

fn filled(folder: &Path, device: &DeviceId, pulses: u64) -> Buffer {
    let mut buffer = open(folder);
    for _ in 0..pulses {
        let next = buffer.next_seq();
        buffer.push(&pulse(device, next)).unwrap();
    }
    buffer
}

fn seqs(buffer: &Buffer) -> Vec<u64> {
    buffer.batch(MAX_BATCH).unwrap().iter().map(|pulse| pulse.seq).collect()
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .collect();
    paths.sort();
    paths
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn pulses_come_out_as_they_went_in_until_acknowledged() {
    let home = tempfile::tempdir().unwrap();
    let node = device();
    let mut buffer = filled(home.path(), &node, 10);
    assert_eq!(buffer.batch(3).unwrap(), [pulse(&node, 1), pulse(&node, 2), pulse(&node, 3)]);
    buffer.acknowledge(3).unwrap();
    buffer.acknowledge(2).unwrap();
    assert_eq!((buffer.len(), seqs(&buffer)), (7, (4..=10).collect()));
    buffer.acknowledge(u64::MAX).unwrap();
    assert!(buffer.is_empty() && seqs(&buffer).is_empty());
    assert_eq!(buffer.next_seq(), 11);
}

#[test]
fn a_restart_loses_nothing_and_gives_no_number_twice() {
    let home = tempfile::tempdir().unwrap();
    let node = device();
    let mut buffer = filled(home.path(), &node, 10);
    buffer.acknowledge(4).unwrap();
    drop(buffer);
    let mut buffer = open(home.path());
    assert_eq!((seqs(&buffer), buffer.next_seq()), ((5..=10).collect(), 11));
    buffer.acknowledge(10).unwrap();
    drop(buffer);
    let mut buffer = open(home.path());
    assert_eq!((buffer.len(), buffer.next_seq()), (0, 11));
    let error = buffer.push(&pulse(&node, 10)).unwrap_err();
    assert!(matches!(error, BufferError::OutOfOrder { given: 10, next: 11 }), "{error}");
    buffer.push(&pulse(&node, 15)).unwrap();
    assert_eq!((seqs(&buffer), buffer.next_seq()), (vec![15], 16));
}

#[test]
fn a_torn_last_line_is_taken_out_and_the_next_push_is_whole() {
    let home = tempfile::tempdir().unwrap();
    let node = device();
    drop(filled(home.path(), &node, 3));
    append(&segments(home.path())[0], br#"{"device":"dev_0197","seq":4,"at":"20"#);
    let mut buffer = open(home.path());
    assert!(buffer.set_aside().is_empty(), "a torn line is what a kill leaves, not damage");
    assert_eq!((buffer.len(), buffer.next_seq()), (3, 4));
    buffer.push(&pulse(&node, 4)).unwrap();
    drop(buffer);
    assert_eq!(seqs(&open(home.path())), [1, 2, 3, 4]);
}

#[test]
fn every_cut_of_a_segment_leaves_the_whole_lines() {
    let home = tempfile::tempdir().unwrap();
    let node = device();
    drop(filled(home.path(), &node, 3));
    let path = segments(home.path()).remove(0);
    let whole = fs::read(&path).unwrap();
    for cut in (0..whole.len()).step_by(7) {
        durable::write(&path, &whole[..cut], durable::Mode::Private).unwrap();
        let lines = whole[..cut].split(|byte| *byte == b'\n').count() - 1;
        let buffer = open(home.path());
        assert_eq!((buffer.len(), seqs(&buffer).len()), (lines, lines), "cut at {cut}");
    }
}

#[test]
fn damage_in_the_middle_costs_that_line_and_is_set_aside() {
    let home = tempfile::tempdir().unwrap();
    let node = device();
    drop(filled(home.path(), &node, 3));
    let path = segments(home.path()).remove(0);
    let text = fs::read_to_string(&path).unwrap().replacen("\"seq\":2", "\"seq\":}", 1);
    durable::write(&path, text.as_bytes(), durable::Mode::Private).unwrap();
    let buffer = open(home.path());
    assert_eq!(seqs(&buffer), [1, 3]);
    let notice = buffer.set_aside()[0].to_string();
    assert!(notice.contains(path.file_name().unwrap().to_str().unwrap()), "{notice}");
    assert_eq!(fs::read_to_string(home.path().join("damaged.set-aside")).unwrap(), text);
    drop(buffer);
    assert!(open(home.path()).set_aside().is_empty());
}

#[test]
fn rubbish_in_every_file_is_no_refused_start() {
    let home = tempfile::tempdir().unwrap();
    let node = device();
    drop(filled(home.path(), &node, 40));
    for path in segments(home.path()) {
        durable::write(&path, &[0xff, b'\n', 0, b'{', b'\n'], durable::Mode::Private).unwrap();
    }
    durable::write(&home.path().join("state.json"), b"{\"floor\":-1}", durable::Mode::Private).unwrap();
    let mut buffer = open(home.path());
    assert!(buffer.is_empty() && buffer.set_aside().len() > 1);
    let next = buffer.next_seq();
    buffer.push(&pulse(&node, next)).unwrap();
    assert_eq!(buffer.len(), 1);
}

#[test]
fn numbers_beyond_the_bound_in_a_file_are_damage() {
    let home = tempfile::tempdir().unwrap();
    drop(filled(home.path(), &device(), 2));
    append(&segments(home.path())[0], format!("{{\"seq\":{}}}\n", u64::MAX).as_bytes());
    let buffer = open(home.path());
    assert_eq!((buffer.next_seq(), buffer.set_aside().len()), (3, 1));
}

#[test]
fn overflow_drops_the_oldest_and_counts_them() {
    let home = tempfile::tempdir().unwrap();
    let node = device();
    let buffer = filled(home.path(), &node, 200);
    let left = seqs(&buffer);
    assert!(left.len() <= 64 && left.len() >= 56, "{}", left.len());
    assert_eq!(left, (201 - left.len() as u64..=200).collect::<Vec<_>>());
    assert_eq!(buffer.dropped(), 200 - left.len() as u64);
    drop(buffer);
    let buffer = open(home.path());
    assert_eq!((seqs(&buffer), buffer.dropped()), (left.clone(), 200 - left.len() as u64));
}

#[test]
fn the_bound_on_bytes_holds_on_disk() {
    let home = tempfile::tempdir().unwrap();
    let node = device();
    let mut buffer = Buffer::open(home.path(), Bounds { max_bytes: 0, max_pulses: usize::MAX }).unwrap();
    let mut large = pulse(&node, 1);
    large.metrics.disks = vec![large.metrics.disks[0].clone(); 32];
    large.metrics.disks.iter_mut().for_each(|disk| disk.mount = "m".repeat(250));
    for seq in 1..=150 {
        large.seq = seq;
        buffer.push(&large).unwrap();
        let on_disk: u64 = segments(home.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert_eq!(on_disk, buffer.bytes());
        assert!(on_disk <= 1 << 20, "the least bound is 1 MiB");
    }
    assert!(buffer.dropped() > 0 && buffer.len() as u64 + buffer.dropped() == 150);
    let batch = buffer.batch(usize::MAX).unwrap();
    let bytes: usize = batch.iter().map(|pulse| serde_json::to_vec(pulse).unwrap().len()).sum();
    assert!(bytes <= MAX_BATCH_BYTES && batch.len() > 1, "{bytes}");
}

#[test]
fn lowered_bounds_take_effect_at_the_next_opening() {
    let home = tempfile::tempdir().unwrap();
    let node = device();
    let mut buffer = Buffer::open(home.path(), Bounds::default()).unwrap();
    for seq in 1..=100 {
        buffer.push(&pulse(&node, seq)).unwrap();
    }
    drop(buffer);
    let mut buffer = open(home.path());
    // All hundred were in one segment: the grain in which pulses are dropped.
    assert_eq!((buffer.len(), buffer.dropped(), buffer.next_seq()), (0, 100, 101));
    buffer.push(&pulse(&node, 101)).unwrap();
    assert_eq!(seqs(&buffer), [101]);
}

#[test]
fn a_pulse_that_the_platform_would_refuse_is_refused_here() {
    let home = tempfile::tempdir().unwrap();
    let mut buffer = open(home.path());
    let mut bad = pulse(&device(), 1);
    bad.metrics.load_1 = f64::NAN;
    assert!(matches!(buffer.push(&bad), Err(BufferError::Pulse(_))));
    assert!(buffer.is_empty());
}

#[test]
fn a_second_program_is_kept_out() {
    let home = tempfile::tempdir().unwrap();
    let first = open(home.path());
    let error = Buffer::open(home.path(), SMALL).unwrap_err();
    assert!(matches!(error, BufferError::InUse(_)), "{error}");
    drop(first);
    open(home.path());
}

#[test]
fn a_device_that_lost_its_folder_goes_on_from_the_platform_s_number() {
    let home = tempfile::tempdir().unwrap();
    let node = device();
    let mut buffer = open(home.path());
    buffer.skip_to(500).unwrap();
    buffer.skip_to(3).unwrap();
    assert_eq!(buffer.next_seq(), 500);
    drop(buffer);
    let mut buffer = open(home.path());
    buffer.push(&pulse(&node, 500)).unwrap();
    assert_eq!(buffer.next_seq(), 501);
    buffer.skip_to(u64::MAX).unwrap();
    assert_eq!(buffer.next_seq(), MAX_SEQ);
}

#[test]
fn leftovers_of_a_killed_write_are_removed() {
    let home = tempfile::tempdir().unwrap();
    durable::write(&home.path().join(".echo-abc123"), b"half", durable::Mode::Private).unwrap();
    durable::write(&home.path().join("notes.txt"), b"mine", durable::Mode::Private).unwrap();
    drop(open(home.path()));
    assert!(!home.path().join(".echo-abc123").exists() && home.path().join("notes.txt").exists());
}

/// Set for the process that [`a_killed_writer_loses_no_pulse_that_it_reported`] kills.
const WRITER_FOLDER: &str = "ECHO_TEST_WRITER_FOLDER";

#[test]
fn a_killed_writer_loses_no_pulse_that_it_reported() {
    let home = tempfile::tempdir().unwrap();
    let mut reported = 0;
    for round in 1..=3_u64 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "buffer::writer", "--ignored", "--nocapture"])
            .env(WRITER_FOLDER, home.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        for line in lines {
            if let Some(seq) = line.unwrap().strip_prefix("pushed ") {
                reported = seq.parse().unwrap();
                if reported >= round * 60 {
                    break;
                }
            }
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert!(reported >= round * 60, "the writer ended by itself");
    }
    let buffer = Buffer::open(home.path(), Bounds::default()).unwrap();
    let next = buffer.next_seq();
    assert!(next > reported && buffer.dropped() == 0 && buffer.set_aside().is_empty());
    assert_eq!(seqs(&buffer), (1..next).collect::<Vec<_>>());
}

#[test]
#[ignore = "it runs until it is killed: a_killed_writer_loses_no_pulse_that_it_reported starts it"]
fn writer() {
    let folder = std::env::var_os(WRITER_FOLDER).expect("the starter names the folder");
    let mut buffer = Buffer::open(Path::new(&folder), Bounds::default()).unwrap();
    let node = device();
    while buffer.next_seq() < 400 {
        let seq = buffer.next_seq();
        buffer.push(&pulse(&node, seq)).unwrap();
        println!("pushed {seq}");
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push { gap: u64 },
    Acknowledge { back: u64 },
    Restart,
    TornWrite,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0_u64..3).prop_map(|gap| Step::Push { gap }),
        2 => (0_u64..20).prop_map(|back| Step::Acknowledge { back }),
        1 => Just(Step::Restart),
        1 => Just(Step::TornWrite),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever happens, what waits is the newest part of what was pushed and not acknowledged, in order.
    #[test]
    fn order_and_content_survive_everything(steps in prop::collection::vec(step(), 1..120)) {
        let home = tempfile::tempdir().unwrap();
        let node = device();
        let bounds = Bounds { max_bytes: 0, max_pulses: 32 };
        let mut buffer = Some(Buffer::open(home.path(), bounds).unwrap());
        let mut waiting = VecDeque::new();
        let mut dropped = 0;
        for step in steps {
            let open = buffer.as_mut().unwrap();
            match step {
                Step::Push { gap } => {
                    let seq = open.next_seq() + gap;
                    open.push(&pulse(&node, seq)).unwrap();
                    waiting.push_back(seq);
                }
                Step::Acknowledge { back } => {
                    let up_to = (open.next_seq() - 1).saturating_sub(back);
                    open.acknowledge(up_to).unwrap();
                    waiting.retain(|seq| *seq > up_to);
                }
                Step::Restart | Step::TornWrite => {
                    let next = open.next_seq();
                    drop(buffer.take());
                    if let (Step::TornWrite, Some(last)) = (&step, segments(home.path()).last()) {
                        append(last, b"{\"seq\":99999999,\"dev");
                    }
                    buffer = Some(Buffer::open(home.path(), bounds).unwrap());
                    prop_assert_eq!(buffer.as_ref().unwrap().next_seq(), next);
                }
            }
            let open = buffer.as_ref().unwrap();
            while dropped < open.dropped() {
                waiting.pop_front();
                dropped += 1;
            }
            prop_assert!(open.len() <= 32);
            prop_assert_eq!(open.len(), waiting.len());
            prop_assert_eq!(&seqs(open), waiting.make_contiguous());
        }
    }
}
