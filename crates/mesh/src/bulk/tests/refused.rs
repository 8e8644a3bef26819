//! What must not be sent or taken is refused, with the reason.

use super::*;

/// A pair whose receiver has accepted a file of `size` bytes, and its link.
fn accepted(size: u64) -> (Pair, Link) {
    let mut pair = Pair::new();
    pair.send(1, size);
    pair.arrive(0);
    pair.work(1);
    let link = pair.link.unwrap();
    (pair, link)
}

fn piece(pair: &mut Pair, link: Link, offset: u64, bytes: u64) -> Took {
    let chunk = Chunk { id: id(1), offset, data: vec![0; usize::try_from(bytes).unwrap()] };
    let sender = pair.ids()[0];
    let took = pair.ends[1].transfers.piece(pair.now, link, sender, &chunk);
    pair.collect(1);
    took
}

#[test]
fn pieces_that_do_not_fit_shut_the_link() {
    for (offset, bytes, why) in
        [(CHUNK, CHUNK, "out of order"), (0, CHUNK - 1, "a length"), (0, CHUNK, ""), (0, 1, "a length")]
    {
        let (mut pair, link) = accepted(2 * CHUNK + 5);
        piece(&mut pair, link, offset, bytes);
        let shut = pair.shut.concat();
        assert!(
            if why.is_empty() { shut.is_empty() } else { shut.contains(why) },
            "{offset} {bytes}: {shut}"
        );
    }
}

#[test]
fn a_sender_that_lied_about_the_size_cannot_send_more() {
    let (mut pair, link) = accepted(CHUNK + 5);
    piece(&mut pair, link, 0, CHUNK);
    piece(&mut pair, link, CHUNK, CHUNK);
    assert!(pair.shut[0].contains("a length"));
    piece(&mut pair, link, CHUNK, 5);
    assert_eq!(pair.shut.len(), 1);
    assert_eq!(piece(&mut pair, link, 2 * CHUNK, 1), Took::Waited);
    assert_eq!(pair.shut.len(), 2, "after its end");
}

#[test]
fn who_sends_more_than_its_credit_is_disconnected() {
    let (mut pair, link) = accepted(2 * WINDOW);
    for nth in 0..WINDOW / CHUNK {
        piece(&mut pair, link, nth * CHUNK, CHUNK);
    }
    assert!(pair.shut.is_empty());
    piece(&mut pair, link, WINDOW, CHUNK);
    assert!(pair.shut[0].contains("credit"));
}

#[test]
fn pieces_that_nobody_waits_for_are_not_taken() {
    let (mut pair, link) = accepted(CHUNK);
    assert_eq!(piece(&mut pair, Link(99), 0, CHUNK), Took::Unasked);
    pair.ends[1].transfers.cancel(pair.now, id(1));
    assert_eq!(piece(&mut pair, link, 0, CHUNK), Took::Unasked);
    assert!(pair.shut.is_empty());
}

#[test]
fn what_has_another_digest_is_sent_once_more_and_then_given_up() {
    let mut pair = Pair::new();
    pair.ends[1].damaged = 1;
    pair.send(1, 2 * WINDOW);
    pair.settle();
    assert!(pair.outcome(1).unwrap().is_ok(), "the receiver's disk was at fault");

    let mut pair = Pair::new();
    let (name, size) = ("x".parse().unwrap(), 10);
    pair.send_as(&Offer { id: id(1), name, size, digest: Digest::of(b"else") }, content(10));
    pair.settle();
    assert_eq!(pair.outcome(1).unwrap(), Err("the receiver does not take it: another digest".to_owned()));
    assert!(pair.ends[1].parts.is_empty() && pair.ends[1].delivered.is_empty());
}

#[test]
fn who_takes_no_files_says_so_and_the_sender_ends() {
    for code in [Code::Off, Code::TooLarge, Code::Name, Code::Cancelled] {
        let mut pair = Pair::new();
        pair.ends[1].ill = Some(code);
        pair.send(1, 5);
        pair.settle();
        assert!(pair.outcome(1).unwrap().unwrap_err().contains("the disk says so"));
    }
}

#[test]
fn names_and_sizes_that_cannot_be_are_refused_at_both_ends() {
    let mut pair = Pair::new();
    let link = pair.link.unwrap();
    let (sender, digest) = (pair.ids()[0], Digest::of(b""));
    for (name, size) in [("../x", 1), (".bashrc", 1), ("x", MAX_FILE + 1)] {
        let say = Say::Offer { id: id(1), name: name.to_owned(), size, digest };
        pair.ends[1].transfers.said(pair.now, link, sender, say);
    }
    pair.collect(1);
    let said: Vec<_> = pair.ways[1].iter().collect();
    assert_eq!(said.len(), 3);
    assert!(said.iter().all(|act| matches!(act, Act::Say(_, Say::Refuse { .. }))));
    assert!(pair.ends[1].jobs.is_empty());

    let offer = Offer { id: id(2), name: "x".parse().unwrap(), size: MAX_FILE + 1, digest };
    pair.send_as(&offer, Vec::new());
    pair.settle();
    assert!(pair.outcome(2).unwrap().unwrap_err().contains("split it"));
}

#[test]
fn the_receiver_takes_no_more_than_its_bounds_from_one_neighbour() {
    let mut pair = Pair::new();
    let (link, sender) = (pair.link.unwrap(), pair.ids()[0]);
    for number in 0..10 {
        let say = Say::Offer { id: id(number), name: "x".to_owned(), size: 1, digest: Digest::of(b"x") };
        pair.ends[1].transfers.said(pair.now, link, sender, say);
    }
    pair.collect(1);
    assert_eq!(pair.ends[1].jobs.len(), MAX_BESIDE);
    let busy =
        |act: &&Act| matches!(act, Act::Say(_, Say::Refuse { declined, .. }) if declined.code == Code::Busy);
    assert_eq!(pair.ways[1].iter().filter(busy).count(), 10 - MAX_BESIDE);
}

#[test]
fn either_side_can_end_it_and_nothing_is_left() {
    for nth in 0..2 {
        for rounds in 0..12 {
            let mut pair = Pair::new();
            pair.send(1, 4 * WINDOW);
            for _ in 0..rounds {
                let _ = pair.arrive(0) | pair.arrive(1) | pair.work(0) | pair.work(1);
            }
            pair.ends[nth].transfers.cancel(pair.now, id(1));
            pair.collect(nth);
            pair.settle();
            let known = nth == 0 || rounds > 0;
            assert_eq!(pair.outcome(1).unwrap().is_err(), known, "{nth} {rounds}");
            assert!(pair.ends[1].parts.is_empty(), "{nth} {rounds}");
        }
    }
}

#[test]
fn what_waits_for_room_at_the_receiver_leaves_nothing_there_when_it_is_cancelled() {
    let mut pair = Pair::new();
    pair.send(1, 4 * WINDOW);
    for _ in 0..8 {
        let _ = pair.arrive(0) | pair.arrive(1) | pair.work(0) | pair.work(1);
    }
    pair.ends[1].ill = Some(Code::NoRoom);
    pair.settle();
    assert_eq!((pair.view(0).stage, pair.ends[1].parts.len()), (Stage::Waiting, 1));
    pair.ends[0].transfers.cancel(pair.now, id(1));
    pair.collect(0);
    pair.settle();
    assert_eq!(pair.outcome(1).unwrap(), Err("cancelled".to_owned()));
    assert!(pair.ends[1].parts.is_empty());
}

#[test]
fn a_file_that_changed_meanwhile_is_not_sent() {
    let mut pair = Pair::new();
    pair.send(1, 4 * WINDOW);
    pair.arrive(0);
    pair.work(1);
    pair.arrive(1);
    pair.ends[0].outbox.clear();
    pair.settle();
    assert_eq!(pair.outcome(1).unwrap(), Err("it is gone".to_owned()));
    assert!(pair.ends[1].parts.is_empty(), "the receiver forgets it");
}

#[test]
fn what_cannot_be_sent_for_a_week_is_given_up() {
    let mut pair = Pair::new();
    pair.cut();
    pair.send(1, 5);
    pair.pass(GIVEN_UP_AFTER.checked_sub(Duration::from_secs(1)).unwrap());
    pair.settle();
    assert_eq!((pair.outcome(1), pair.view(0).why.as_str()), (None, "away"));
    pair.pass(Duration::from_mins(1));
    pair.settle();
    assert!(pair.outcome(1).unwrap().unwrap_err().contains("for a week"));
}

#[test]
fn a_receipt_of_somebody_else_delivers_nothing() {
    let mut pair = Pair::new();
    let offer = pair.send(1, 5);
    let (link, [sender, receiver]) = (pair.link.unwrap(), pair.ids());
    let Offer { id, name, size, digest } = offer;
    let receipt = FileReceipt { id, name, digest, size, from: sender, to: receiver, at: pair.now };
    let key = &pair.ends[1].node.key;
    let other = FileReceipt { digest: Digest::of(b"other"), ..receipt.clone() };
    let forged = receipt.sign(&pair.ends[0].node.key).unwrap();
    for receipt in [forged, other.sign(key).unwrap()] {
        let say = Say::Kept { id, receipt: Box::new(receipt) };
        pair.ends[0].transfers.said(pair.now, link, receiver, say);
        pair.collect(0);
    }
    assert_eq!((pair.shut.len(), pair.outcome(1)), (2, None));
}
