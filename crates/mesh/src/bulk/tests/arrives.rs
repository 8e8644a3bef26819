//! What is sent arrives: whole, once, whatever happens in between.

use proptest::prelude::*;

use super::*;

#[test]
fn files_of_every_size_arrive_with_a_receipt() {
    for size in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, WINDOW, 3 * WINDOW + 7] {
        let mut pair = Pair::new();
        let offer = pair.send(1, size);
        pair.settle();
        assert_eq!(pair.ends[1].delivered, [(offer.name.clone(), content(size))]);
        let receipt = pair.outcome(1).unwrap().unwrap();
        assert_eq!((receipt.digest, receipt.size, receipt.name), (offer.digest, size, offer.name));
        assert!(pair.ends.iter().all(|end| end.transfers.views(pair.now).is_empty()));
    }
}

#[test]
fn a_slow_receiver_is_sent_no_more_than_its_credit() {
    let mut pair = Pair::new();
    pair.send(1, 4 * WINDOW);
    while pair.arrive(0)
        | pair.arrive(1)
        | pair.work(0)
        | matches!(pair.ends[1].jobs.front(), Some(FileJob::Open { .. }))
    {
        if matches!(pair.ends[1].jobs.front(), Some(FileJob::Open { .. })) {
            pair.work(1);
        }
    }
    assert_eq!(pair.ends[0].transfers.views(pair.now)[0].done, 0);
    assert_eq!(pair.ends[1].jobs.len(), 1, "one thing at a time is written");
    assert_eq!(pair.ends[0].jobs.len(), 0, "nothing more is read");
    pair.settle();
    assert!(pair.outcome(1).unwrap().is_ok());
}

#[test]
fn four_at_a_time_go_to_one_neighbour_and_share_its_window() {
    let mut pair = Pair::new();
    for number in 1..=6 {
        pair.send(number, 2 * WINDOW);
    }
    let views = pair.ends[0].transfers.views(pair.now);
    let begun = views.iter().filter(|view| view.stage != Stage::Waiting).count();
    assert_eq!(begun, MAX_BESIDE);
    pair.settle();
    assert!((1..=6).all(|number| pair.outcome(number).unwrap().is_ok()));
    assert_eq!(pair.ends[1].delivered.len(), 6);
}

#[test]
fn a_full_disk_is_waited_out() {
    let mut pair = Pair::new();
    pair.send(1, 3 * WINDOW);
    for _ in 0..20 {
        pair.arrive(0);
        pair.arrive(1);
        pair.work(0);
        pair.work(1);
    }
    pair.ends[1].ill = Some(Code::NoRoom);
    pair.settle();
    assert_eq!(pair.outcome(1), None);
    let view = pair.view(0);
    assert_eq!((view.stage, view.why.as_str()), (Stage::Waiting, "the disk says so"));
    let there = pair.ends[1].parts.values().next().unwrap().1.len();
    assert!(there > 0, "what was written stays");
    pair.ends[1].ill = None;
    pair.pass(ASK_AGAIN);
    pair.settle();
    assert!(pair.outcome(1).unwrap().is_ok());
}

#[test]
fn a_receiver_that_falls_silent_is_asked_anew() {
    let mut pair = Pair::new();
    pair.send(1, CHUNK);
    pair.ways[0].clear();
    pair.settle();
    assert_eq!(pair.outcome(1), None);
    pair.pass(STALLED);
    pair.settle();
    assert!(pair.outcome(1).unwrap().is_ok());
}

/// What may come between.
#[derive(Debug, Clone, Copy)]
enum Step {
    Arrive(usize),
    Work(usize),
    Cut,
    Join,
    Restart(usize),
    /// The receiver's machine loses what its disk had not yet: so many bytes.
    Torn(usize),
    /// The sender asks once more.
    Again,
    Full,
    Pass,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        40 => (0_usize..2).prop_map(Step::Arrive),
        40 => (0_usize..2).prop_map(Step::Work),
        3 => Just(Step::Cut),
        12 => Just(Step::Join),
        1 => (0_usize..2).prop_map(Step::Restart),
        1 => (0_usize..100_000).prop_map(Step::Torn),
        1 => Just(Step::Again),
        1 => Just(Step::Full),
        2 => Just(Step::Pass),
    ]
}

fn take(pair: &mut Pair, step: Step) {
    match step {
        Step::Arrive(nth) => drop(pair.arrive(nth)),
        Step::Work(nth) => drop(pair.work(nth)),
        Step::Cut => pair.cut(),
        Step::Join if pair.link.is_none() => pair.join(),
        Step::Join => {}
        Step::Restart(nth) => pair.restart(nth),
        Step::Torn(bytes) => {
            for (_, there) in pair.ends[1].parts.values_mut() {
                there.truncate(there.len().saturating_sub(bytes));
            }
            pair.restart(1);
        }
        Step::Again => {
            let offer =
                pair.ways[0].iter().find(|act| matches!(act, Act::Say(_, Say::Offer { .. }))).cloned();
            pair.ways[0].extend(offer);
        }
        Step::Full => pair.ends[1].ill = pair.ends[1].ill.is_none().then_some(Code::NoRoom),
        Step::Pass => {
            // A link that is not dead drains in that time.
            while pair.arrive(0) {}
            pair.pass(Duration::from_secs(20));
        }
    }
    if !std::mem::take(&mut pair.shut).is_empty() {
        pair.cut();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn wherever_it_is_cut_a_file_arrives_exactly_and_once(
        sizes in proptest::collection::vec(0..30 * CHUNK, 1..4),
        steps in proptest::collection::vec(step(), 0..400),
    ) {
        let mut pair = Pair::new();
        for (number, size) in (1..).zip(&sizes) {
            pair.send(number, *size);
        }
        for step in steps {
            take(&mut pair, step);
        }
        pair.ends[1].ill = None;
        pair.cut();
        pair.join();
        for _ in 0..3 {
            pair.settle();
            pair.pass(STALLED);
        }
        let mut arrived: Vec<Vec<u8>> = pair.ends[1].delivered.iter().map(|(_, bytes)| bytes.clone()).collect();
        let mut sent: Vec<Vec<u8>> = sizes.iter().map(|size| content(*size)).collect();
        arrived.sort();
        sent.sort();
        prop_assert!(arrived == sent, "{} files arrived", arrived.len());
        for number in (1..).take(sizes.len()) {
            prop_assert!(matches!(pair.outcome(number), Some(Ok(_))), "{:?}", pair.outcome(number));
        }
        prop_assert!(pair.ends[1].parts.is_empty());
    }
}
