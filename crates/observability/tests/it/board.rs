//! The platform's board.

use std::{fs, path::Path};

use observability::{
    Accepted, HostFacts, MAX_NODES, MAX_POINTS, ONLINE_FOR_SECONDS, Presence, Pulse, PulseBoard,
};

use crate::{at, device, pulse};

fn overwrite(path: &Path, text: &str) {
    durable::write(path, text.as_bytes(), durable::Mode::Private).unwrap();
}

#[test]
fn a_pulse_is_taken_once_and_only_in_order() {
    let home = tempfile::tempdir().unwrap();
    let mut board = PulseBoard::open(home.path()).unwrap();
    let node = device();
    assert_eq!(board.highest_seq(&node), 0);
    assert_eq!(board.accept(pulse(&node, 2)), Accepted::Fresh);
    assert_eq!(board.accept(pulse(&node, 2)), Accepted::Duplicate);
    assert_eq!(board.accept(pulse(&node, 1)), Accepted::Duplicate);
    assert_eq!(board.accept(pulse(&node, 5)), Accepted::Fresh);
    assert_eq!(board.highest_seq(&node), 5);
    assert_eq!(board.current(&node).unwrap().seq, 5);
    assert_eq!(board.history(&node).len(), 2);
    assert_eq!(board.accept(pulse(&device(), 1)), Accepted::Fresh, "another node counts for itself");
}

#[test]
fn a_pulse_out_of_bounds_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut board = PulseBoard::open(home.path()).unwrap();
    let node = device();
    let mut bad = pulse(&node, 1);
    bad.metrics.cpu_utilization = f64::NAN;
    assert!(matches!(board.accept(bad), Accepted::Refused(_)));
    assert!(board.current(&node).is_none() && !board.is_dirty());
}

#[test]
fn presence_depends_on_when_the_platform_heard_it() {
    let home = tempfile::tempdir().unwrap();
    let mut board = PulseBoard::open(home.path()).unwrap();
    let node = device();
    assert_eq!(board.presence(&node, at(0)), Presence::Never);
    // Its own clock is an hour slow.
    board.accept_at(pulse(&node, 1), at(3_600));
    assert_eq!(board.presence(&node, at(3_600 + ONLINE_FOR_SECONDS)), Presence::Online);
    assert_eq!(board.presence(&node, at(3_601 + ONLINE_FOR_SECONDS)), Presence::Stale);
    assert_eq!(board.presence(&node, at(1)), Presence::Stale, "a time far in the future says nothing");
    assert_eq!(board.last_heard(&node), Some(at(3_600)));
}

#[test]
fn the_last_facts_hold_until_new_ones_come() {
    let home = tempfile::tempdir().unwrap();
    let mut board = PulseBoard::open(home.path()).unwrap();
    let node = device();
    let facts = HostFacts::collect().unwrap();
    board.accept(Pulse { facts: Some(facts.clone()), ..pulse(&node, 1) });
    board.accept(pulse(&node, 2));
    assert_eq!(board.current(&node).unwrap().facts, Some(facts));
}

#[test]
fn a_saved_board_opens_again_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let mut board = PulseBoard::open(home.path()).unwrap();
    let node = device();
    for seq in 1..=3 {
        board.accept(pulse(&node, seq));
    }
    assert!(board.is_dirty());
    board.save().unwrap();
    assert!(!board.is_dirty());
    let mut again = PulseBoard::open(home.path()).unwrap();
    assert_eq!(again.current(&node), board.current(&node));
    assert_eq!(again.history(&node), board.history(&node));
    assert_eq!(again.history(&node).len(), 3);
    assert_eq!(again.last_heard(&node), Some(at(3)));
    assert_eq!(again.accept(pulse(&node, 3)), Accepted::Duplicate);
    assert!(again.set_aside().is_empty() && !again.is_dirty());
}

#[test]
fn the_history_is_bounded_and_the_oldest_point_goes_first() {
    let home = tempfile::tempdir().unwrap();
    let mut board = PulseBoard::open(home.path()).unwrap();
    let node = device();
    let last = MAX_POINTS as u64 + 5;
    for seq in 1..=last {
        board.accept(pulse(&node, seq));
    }
    let history = board.history(&node);
    assert_eq!(history.len(), MAX_POINTS);
    assert_eq!((history[0].at, history[MAX_POINTS - 1].at), (at(6), at(last)));
    assert_eq!((history[0].rx_bytes, history[0].tx_bytes), (6_000, 60));
}

#[test]
fn the_node_that_was_silent_longest_makes_room() {
    let home = tempfile::tempdir().unwrap();
    let mut board = PulseBoard::open(home.path()).unwrap();
    let nodes: Vec<_> = (0..=MAX_NODES).map(|_| device()).collect();
    for (i, node) in nodes.iter().enumerate() {
        board.accept_at(pulse(node, 1), at(1_000 + i as u64));
    }
    assert_eq!(board.all().count(), MAX_NODES);
    assert_eq!(board.presence(&nodes[0], at(1_000)), Presence::Never);
    assert!(board.history(&nodes[0]).is_empty());
    let newcomer = device();
    board.accept_at(pulse(&newcomer, 1), at(0));
    assert_eq!(board.highest_seq(&newcomer), 1, "the newcomer itself is never the one that goes");
}

#[test]
fn a_damaged_file_is_set_aside_and_the_board_starts() {
    let damaged =
        ["", "{", "[]", r#"{"version":9,"nodes":{}}"#, r#"{"version":1,"nodes":{"x":1}}"#, "\u{0}\u{0}"];
    for text in damaged {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pulse.json");
        overwrite(&path, text);
        overwrite(&home.path().join("pulse_history.json"), text);
        let mut board = PulseBoard::open(home.path()).unwrap();
        assert_eq!(board.set_aside().len(), 2, "{text}");
        assert!(board.set_aside()[0].to_string().contains("pulse.json"), "{}", board.set_aside()[0]);
        assert_eq!(fs::read_to_string(home.path().join("pulse.json.set-aside")).unwrap(), text);
        board.accept(pulse(&device(), 1));
        board.save().unwrap();
        assert!(PulseBoard::open(home.path()).unwrap().set_aside().is_empty());
    }
}

#[test]
fn a_damaged_history_costs_no_current_state() {
    let home = tempfile::tempdir().unwrap();
    let mut board = PulseBoard::open(home.path()).unwrap();
    let node = device();
    board.accept(pulse(&node, 7));
    board.save().unwrap();
    let path = home.path().join("pulse_history.json");
    let text = fs::read_to_string(&path).unwrap().replace("\"cpu\"", "\"gpu\"");
    overwrite(&path, &text);
    let board = PulseBoard::open(home.path()).unwrap();
    assert_eq!(board.highest_seq(&node), 7);
    assert!(board.history(&node).is_empty());
    assert!(board.set_aside()[0].reason.contains("columns"), "{:?}", board.set_aside());
}

#[test]
fn a_forgotten_node_is_gone_for_good() {
    let home = tempfile::tempdir().unwrap();
    let mut board = PulseBoard::open(home.path()).unwrap();
    let node = device();
    board.accept(pulse(&node, 1));
    board.save().unwrap();
    board.forget(&node);
    board.save().unwrap();
    let board = PulseBoard::open(home.path()).unwrap();
    assert!(board.current(&node).is_none() && board.history(&node).is_empty());
}
