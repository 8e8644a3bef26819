mod town;

use echo_core::Digest;
use proptest::prelude::*;

use self::town::{Town, id};
use super::{test_log::TestLog, *};
use crate::{
    event::Event,
    test_house::{GENESIS, House},
};

fn cosign(ledger: &TestLog, old: u64, size: u64) -> Word {
    let proof = if old == 0 { Vec::new() } else { ledger.consistency(old, size) };
    let request = ::witness::Request { old, proof, checkpoint: ledger.note(size) }.render();
    Word::Cosign { request }
}

fn fork(town: &Town, size: u64) -> ForkProof {
    let (one, other) = (TestLog::of(&town.house, size), TestLog::of(&town.house, size).forked(1));
    ForkProof { origin: GENESIS.to_owned(), note_a: one.note(size), note_b: other.note(size) }
}

#[test]
fn neighbours_cosign_each_newer_head_and_who_was_away_catches_up() {
    let mut town = Town::of(&[None, Some(1), Some(2)]);
    town.join(0, 1);
    let ledger = TestLog::of(&town.house, 5);
    town.keeps(0, ledger);
    assert_eq!(town.cosigned, [(0, 1, 5)]);
    town.grows(0, 9);
    assert_eq!(town.cosigned.last(), Some(&(0, 1, 9)));
    town.part(0, 1);
    town.grows(0, 21);
    town.join(0, 2);
    town.join(0, 1);
    town.pass(1);
    assert_eq!(town.cosigned[2..], [(0, 2, 21), (0, 1, 21)]);
    assert!(town.events.is_empty() && town.faults.is_empty(), "{:?} {:?}", town.events, town.faults);
    let view = town.nodes[0].view();
    assert_eq!(view.cosigners.iter().map(|c| c.size).collect::<Vec<_>>(), [21, 21]);
    let quiet = town.said.len();
    town.pass(600);
    assert_eq!(town.said.len(), quiet, "an idle ledger says nothing");
}

#[test]
fn no_cosignature_leaves_before_it_is_durable() {
    let mut town = Town::of(&[None, Some(1)]);
    town.stuck = true;
    town.join(0, 1);
    let ledger = TestLog::of(&town.house, 5);
    town.keeps(0, ledger);
    town.pass(60);
    assert!(town.cosigned.is_empty());
    assert!(!town.said.iter().any(|(_, _, word)| matches!(
        word,
        Word::Cosigned { answer: CosignAnswer::Line(_), .. } | Word::Heads { .. }
    )));
    town.nodes[1].kept(town.now, GENESIS, 5);
    town.pass(1);
    assert!(matches!(&town.said.last().unwrap().2, Word::Cosigned { answer: CosignAnswer::Line(_), .. }));
}

#[test]
fn after_a_restart_no_other_history_is_cosigned() {
    let mut town = Town::of(&[None, Some(1), None]);
    town.join(0, 1);
    let ledger = TestLog::of(&town.house, 5);
    town.keeps(0, ledger);
    town.restart(1, Vec::new());
    assert_eq!(town.cosigned_size(1), Some(5));
    town.join(2, 1);
    let other = TestLog::of(&town.house, 8).forked(2);
    town.keeps(2, other);
    town.pass(30);
    assert!(town.cosigned.iter().all(|known| *known == (0, 1, 5)), "{:?}", town.cosigned);
    let view = town.nodes[1].view();
    assert_eq!((view.suspicions[0].smaller.0, view.suspicions[0].larger.0), (5, 8));
    assert!(town.events.iter().any(|(nth, event)| *nth == 1 && matches!(event, Event::Suspected { .. })));
    town.restart(1, Vec::new());
    assert_eq!(town.nodes[1].view().suspicions.len(), 1, "a suspicion outlives a restart");
    town.grows(0, 6);
    assert_eq!(town.cosigned_size(1), Some(6), "what grew from the known head is cosigned on");
}

#[test]
fn a_split_view_is_found_when_two_witnesses_meet_and_known_everywhere() {
    let mut town = Town::of(&[None, Some(1), Some(1), None, Some(1), None]);
    let (one, other) = (TestLog::of(&town.house, 7), TestLog::of(&town.house, 7).forked(3));
    town.join(0, 1);
    town.join(3, 2);
    town.keeps(0, one);
    town.keeps(3, other);
    town.join(2, 4);
    assert_eq!((town.forks(), town.cosigned_size(1), town.cosigned_size(2)), (vec![], Some(7), Some(7)));
    town.join(1, 2);
    assert_eq!(town.forks(), [0, 1, 2, 3, 4], "the platforms, too");
    town.join(4, 5);
    assert_eq!(town.forks(), [0, 1, 2, 3, 4, 5], "and who joins later");
    let errors = |nth| {
        let forked = |(of, event): &&(usize, Event)| *of == nth && matches!(event, Event::Forked { .. });
        town.events.iter().filter(forked).count()
    };
    assert!((0..6).all(|nth| errors(nth) == 1), "once each");
    let forked = town.nodes[5].view().forks[0].clone();
    assert_eq!((forked.size, forked.origin.as_str()), (7, GENESIS));
    let before = town.cosigned.len();
    town.grows(0, 9);
    town.grows(3, 10);
    assert_eq!(town.cosigned.len(), before, "it is cosigned no more");
    town.restart(4, Vec::new());
    assert!(!town.nodes[4].view().forks.is_empty(), "for ever");
    let proof = town.disks[4][0].fork.clone().unwrap();
    assert_eq!(proof.verify(&town.house.registry), Ok(forked), "and anybody can check it");
}

#[test]
fn heads_that_are_suspected_travel_until_somebody_has_the_proof() {
    // The first two are the operator's and have two histories; those who cosigned 7 entries of each never meet.
    let mut town = Town::of(&[None, None, Some(1), Some(1), Some(1)]);
    let (one, other) = (TestLog::of(&town.house, 7), TestLog::of(&town.house, 7).forked(3));
    town.join(0, 2);
    town.keeps(0, one);
    town.join(1, 4);
    town.keeps(1, other);
    town.join(0, 3);
    town.grows(0, 9);
    town.part(0, 2);
    assert_eq!((town.cosigned_size(3), town.cosigned_size(4), town.forks()), (Some(9), Some(7), vec![]));
    // Between these two there are 9 entries of one history and 7 of the other; the first knows 7 of both once it is told.
    town.join(3, 4);
    town.pass(60);
    assert_eq!(town.forks(), [0, 1, 3, 4]);
    town.join(2, 3);
    assert_eq!(town.forks(), [0, 1, 2, 3, 4]);
}

#[test]
fn two_heads_of_two_sizes_are_suspected_when_the_ledger_shows_no_growth() {
    let mut town = Town::of(&[None, Some(1), Some(1), None]);
    town.join(0, 1);
    town.join(3, 2);
    let (one, other) = (TestLog::of(&town.house, 7), TestLog::of(&town.house, 9).forked(3));
    town.keeps(0, one);
    town.keeps(3, other);
    town.join(1, 2);
    town.pass(40);
    assert!(town.forks().is_empty());
    let suspicious: Vec<usize> =
        (0..4).filter(|nth| !town.nodes[*nth].view().suspicions.is_empty()).collect();
    assert!(suspicious.contains(&2), "the second platform's ledger does not begin with 7: {suspicious:?}");
}

#[test]
fn witnesses_at_two_sizes_of_one_history_raise_nothing() {
    let mut town = Town::of(&[None, Some(1), Some(1)]);
    town.join(0, 1);
    let ledger = TestLog::of(&town.house, 7);
    town.keeps(0, ledger);
    town.part(0, 1);
    town.grows(0, 13);
    town.join(0, 2);
    town.restart(2, Vec::new());
    town.join(1, 2);
    town.pass(60);
    assert!(town.events.is_empty() && town.faults.is_empty(), "{:?} {:?}", town.events, town.faults);
    let asked = town.said.iter().filter(|(_, _, word)| matches!(word, Word::Prove { from: 7, to: 13, .. }));
    assert_eq!(asked.count(), 1, "the ledger was asked, and has shown it");
    assert!((0..3).all(|nth| town.nodes[nth].view().suspicions.is_empty()));
}

#[test]
fn a_keeper_that_has_just_started_is_not_taken_for_one_without_a_proof() {
    let mut town = Town::of(&[None, Some(1), Some(1)]);
    let ledger = TestLog::of(&town.house, 5);
    town.join(0, 1);
    town.keeps(0, ledger);
    town.part(0, 1);
    town.join(0, 2);
    town.grows(0, 9);
    town.restart(0, Vec::new());
    town.part(0, 2);
    town.join(0, 1);
    town.join(1, 2);
    town.pass(20);
    assert!(town.said.iter().any(|(_, to, word)| *to == 0 && matches!(word, Word::Prove { .. })));
    let ledger = TestLog::of(&town.house, 9);
    town.keeps(0, ledger);
    town.pass(40);
    assert!(town.events.is_empty() && town.faults.is_empty(), "{:?} {:?}", town.events, town.faults);
    assert_eq!(town.cosigned_size(1), Some(9));
}

#[test]
fn a_ledger_that_was_set_back_is_suspected_by_its_own_keeper() {
    let mut town = Town::of(&[None, Some(1)]);
    town.join(0, 1);
    let ledger = TestLog::of(&town.house, 9);
    town.keeps(0, ledger);
    town.restart(0, Vec::new());
    let older = TestLog::of(&town.house, 4);
    town.keeps(0, older);
    town.pass(240);
    let view = town.nodes[0].view();
    assert_eq!((view.suspicions[0].smaller.0, view.suspicions[0].larger.0), (4, 9));
    assert_eq!(town.cosigned_size(1), Some(9), "and nothing smaller is cosigned");
    let newest = TestLog::of(&town.house, 9);
    town.keeps(0, newest);
    town.pass(1_300);
    assert!(town.nodes[0].view().suspicions.is_empty(), "the newest backup ends it");
    assert!(town.disks[0][0].suspicion.is_none());
    let cleared = town.events.iter().filter(|(_, event)| matches!(event, Event::Cleared { .. }));
    assert_eq!(cleared.count(), 1);
}

#[test]
fn a_head_that_comes_before_its_keeper_knows_it_is_no_alarm() {
    let mut town = Town::of(&[None, Some(1), Some(1)]);
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        town.join(one, other);
    }
    let (ledger, newer) = (TestLog::of(&town.house, 5), TestLog::of(&town.house, 9));
    town.keeps(0, ledger);
    // A device reads the newest head from the operator's public pages.
    for nth in [0, 1] {
        town.hear(nth, 2, Word::Heads { notes: vec![newer.head(), newer.note(0)] });
    }
    town.pass(60);
    town.grows(0, 9);
    town.pass(300);
    assert!(town.events.is_empty() && town.faults.is_empty(), "{:?} {:?}", town.events, town.faults);
    assert!(town.nodes.iter().all(|node| node.view().suspicions.is_empty()));
    town.hear(1, 2, Word::Heads { notes: vec![newer.note(0)] });
    town.pass(300);
    assert!(town.events.is_empty(), "every ledger begins with the empty one");
}

#[test]
fn a_keeper_that_shows_nothing_is_suspected() {
    let mut town = Town::of(&[None, Some(1), Some(1)]);
    town.join(0, 1);
    town.join(1, 2);
    let (ledger, other) = (TestLog::of(&town.house, 9), TestLog::of(&town.house, 7).forked(3));
    town.hear(1, 0, cosign(&ledger, 0, 9));
    town.hear(1, 2, Word::Heads { notes: vec![other.head()] });
    town.pass(60);
    assert!(town.events.is_empty(), "it may have just started: {:?}", town.events);
    town.pass(180);
    let view = town.nodes[1].view();
    assert_eq!((view.suspicions[0].smaller.0, view.suspicions[0].larger.0), (7, 9));
    town.keeps(0, ledger);
    town.pass(1_300);
    assert_eq!(town.nodes[1].view().suspicions.len(), 1, "what it shows now is no proof");
}

#[test]
fn a_bad_proof_of_a_known_head_is_refused_and_no_suspicion() {
    let mut town = Town::of(&[None, Some(1)]);
    town.join(0, 1);
    let ledger = TestLog::of(&town.house, 5);
    town.hear(1, 0, cosign(&ledger, 0, 5));
    let request =
        ::witness::Request { old: 5, proof: ledger.consistency(3, 5), checkpoint: ledger.note(5) }.render();
    town.hear(1, 0, Word::Cosign { request });
    assert!(matches!(&town.said.last().unwrap().2, Word::Cosigned { answer: CosignAnswer::Refused(_), .. }));
    assert!(town.nodes[1].view().suspicions.is_empty());
}

#[test]
fn no_ledger_that_was_cosigned_is_forgotten_for_others() {
    let mut town = Town::of(&[None, Some(1)]);
    town.join(0, 1);
    let ledger = TestLog::of(&town.house, 5);
    town.hear(1, 0, cosign(&ledger, 0, 5));
    let others = |count: usize| (0..count).map(|n| Remembered::nothing(&format!("echo.test/old/{n}")));
    town.disks[1] = others(MAX_REMEMBERED - 1).chain(town.disks[1].clone()).collect();
    town.restart(1, Vec::new());
    assert_eq!(town.cosigned_size(1), Some(5));
    town.hear(1, 0, cosign(&ledger, 5, 6));
    assert_eq!(town.cosigned_size(1), Some(6));
    town.disks[1] = others(MAX_REMEMBERED).collect();
    town.restart(1, Vec::new());
    town.hear(1, 0, cosign(&ledger, 0, 5));
    assert_eq!(town.cosigned_size(1), None, "nor is one cosigned that could not be remembered");
    assert!(matches!(&town.said.last().unwrap().2, Word::Cosigned { answer: CosignAnswer::Refused(_), .. }));
}

#[test]
fn a_memory_that_contradicts_its_own_note_is_damaged() {
    let mut town = Town::of(&[None, Some(1)]);
    town.join(0, 1);
    let ledger = TestLog::of(&town.house, 5);
    town.hear(1, 0, cosign(&ledger, 0, 5));
    town.disks[1][0].head.as_mut().unwrap().size = 1;
    town.restart(1, Vec::new());
    assert_eq!(town.nodes[1].view().damaged, [Digest::of(GENESIS.as_bytes())]);
    town.hear(1, 0, cosign(&ledger, 1, 6));
    assert_eq!(town.cosigned_size(1), None);
    assert!(town.events.iter().any(|(_, event)| matches!(event, Event::Forgotten { .. })));
    assert!(!town.events.iter().any(|(_, event)| matches!(event, Event::Suspected { .. })));
}

#[test]
fn forged_proofs_and_heads_change_nothing() {
    let mut town = Town::of(&[None, Some(1), Some(1)]);
    town.join(1, 2);
    let (good, forged) = (TestLog::of(&town.house, 5), TestLog::of(&town.house, 5).forged());
    let proof = fork(&town, 5);
    for bad in [
        ForkProof { note_b: proof.note_a.clone(), ..proof.clone() },
        ForkProof { note_b: good.note(6), ..proof.clone() },
        ForkProof { note_b: forged.note(5), ..proof.clone() },
        ForkProof { note_b: String::new(), ..proof.clone() },
        ForkProof { note_b: proof.note_b.replace("\n5\n", "\n6\n"), ..proof.clone() },
    ] {
        assert!(bad.verify(&town.house.registry).is_err(), "{bad:?}");
        town.hear(1, 2, Word::Forks { proofs: vec![bad] });
    }
    let faults = town.faults.len();
    assert!(faults >= 4, "{:?}", town.faults);
    town.hear(1, 2, Word::Heads { notes: vec![forged.note(5)] });
    assert_eq!(town.faults.len(), faults + 1);
    let unknown = good.note(5).replace(GENESIS, "echo.test/other");
    town.hear(1, 2, Word::Heads { notes: vec![unknown.clone()] });
    let elsewhere =
        ForkProof { origin: "echo.test/other".to_owned(), note_a: unknown.clone(), note_b: unknown };
    town.hear(1, 2, Word::Forks { proofs: vec![elsewhere] });
    assert_eq!(town.faults.len(), faults + 1, "a ledger that is not known here is nobody's fault");
    assert!(town.forks().is_empty() && town.disks.iter().all(Vec::is_empty));
    town.hear(1, 2, Word::Forks { proofs: vec![proof] });
    assert_eq!(town.forks(), [1], "the good one is believed");
}

#[test]
fn only_known_ledgers_of_the_operators_nodes_are_cosigned() {
    let mut town = Town::of(&[None, Some(1), Some(1)]);
    town.join(0, 1);
    town.join(1, 2);
    let ledger = TestLog::of(&town.house, 5);
    town.hear(1, 2, cosign(&ledger, 0, 5));
    assert_eq!(town.faults.len(), 1, "a customer's node keeps no ledger");
    let stranger = cosign(&TestLog::of(&town.house, 5).forged(), 0, 5);
    town.hear(1, 0, stranger);
    assert_eq!(town.faults.len(), 2);
    let Word::Cosign { request } = cosign(&ledger, 0, 5) else { panic!() };
    town.hear(1, 0, Word::Cosign { request: request.replace(GENESIS, "echo.test/other") });
    assert!(matches!(&town.said.last().unwrap().2, Word::Cosigned { answer: CosignAnswer::Refused(_), .. }));
    assert_eq!(town.cosigned_size(1), None);
    town.hear(1, 0, cosign(&ledger, 0, 5));
    assert_eq!(town.cosigned_size(1), Some(5));
}

#[test]
fn a_damaged_memory_cosigns_nothing_and_says_so() {
    let mut town = Town::of(&[None, Some(1)]);
    town.join(0, 1);
    let ledger = TestLog::of(&town.house, 5);
    town.keeps(0, ledger);
    let disk = town.disks[1].clone();
    town.restart(1, vec![Digest::of(GENESIS.as_bytes())]);
    town.grows(0, 6);
    assert_eq!((town.cosigned_size(1), town.cosigned.len()), (None, 1));
    assert!(town.events.iter().any(|(nth, event)| *nth == 1 && matches!(event, Event::Forgotten { .. })));
    assert!(town.events.iter().any(|(nth, event)| *nth == 0 && event.to_string().contains("damaged")));
    assert_eq!(town.disks[1], disk, "what is on the disk stays for a person to look at");
}

#[test]
fn a_flood_costs_no_signatures_and_no_memory() {
    let mut town = Town::of(&[None, Some(1)]);
    town.join(0, 1);
    let forged = cosign(&TestLog::of(&town.house, 5).forged(), 0, 5);
    for _ in 0..10_000 {
        town.nodes[1].heard(town.now, id(0), forged.clone());
        town.nodes[1].heard(town.now, id(0), Word::Prove { origin: "x".to_owned(), from: 1, to: 2 });
    }
    town.run();
    let (burst, _) = WORDS;
    assert!(town.faults.len() + town.said.len() <= usize::try_from(burst).unwrap());
    let ledger = TestLog::of(&town.house, 90);
    town.pass(60);
    for size in 1..=90 {
        town.ledgers[0] = Some(TestLog::of(&town.house, size));
        town.nodes[0].own_head(town.now, &ledger.note(size));
        town.pass(1);
    }
    let asked = town.said.iter().filter(|(from, _, word)| *from == 0 && matches!(word, Word::Cosign { .. }));
    assert!(asked.count() <= 10, "one head in ten seconds");
}

#[test]
fn who_never_answers_is_asked_less_and_less() {
    let mut town = Town::of(&[None, Some(1)]);
    town.stuck = true;
    town.join(0, 1);
    let ledger = TestLog::of(&town.house, 5);
    town.keeps(0, ledger);
    town.pass(3_600);
    let asked = town.said.iter().filter(|(from, ..)| *from == 0).count();
    assert!((5..=14).contains(&asked), "{asked} times in an hour");
    let told = town.events.iter().filter(|(_, event)| matches!(event, Event::NotTaken { .. })).count();
    assert_eq!(told, 1, "and people hear of it once");
}

#[test]
fn of_many_neighbours_each_has_its_turn() {
    let mut town = Town::of(&[&[None][..], &[Some(1); MAX_ASKED + 6]].concat());
    (1..town.nodes.len()).for_each(|nth| town.join(0, nth));
    let ledger = TestLog::of(&town.house, 5);
    town.keeps(0, ledger);
    assert_eq!(town.cosigned.len(), MAX_ASKED);
    for size in 6..=20 {
        town.now = crate::room::after(town.now, Duration::from_mins(10));
        let ledger = TestLog::of(&town.house, size);
        town.keeps(0, ledger);
    }
    let left_out = (1..town.nodes.len()).filter(|nth| town.cosigned_size(*nth).is_none());
    assert_eq!(left_out.count(), 0);
    assert!(town.faults.is_empty() && town.events.is_empty(), "{:?} {:?}", town.faults, town.events);
}

#[test]
fn a_nodes_cosignature_verifies_under_its_did_key_alone() {
    let key = id(1).witness_key();
    assert_eq!(key.name(), id(1).to_string());
    assert_eq!(key.to_string().parse(), Ok(key.clone()));
    let ledger = TestLog::of(&House::new(), 3);
    let text = ledger::note::split(&ledger.note(3)).unwrap().0.to_owned();
    let line = cosigner(&town::key(1)).cosign(&text, 1_800_000_000);
    let merge = |keys: &[WitnessKey]| ::witness::merge(&ledger.note(3), &line, keys, 1_800_000_000);
    assert!(merge(&[key]).is_ok());
    assert!(merge(&[id(2).witness_key()]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_words_upset_a_node(
        words in proptest::collection::vec((0_u8..6, "\\PC{0,80}", any::<u64>(), 0_u64..12), 0..30),
    ) {
        let mut town = Town::of(&[None, Some(1)]);
        town.join(0, 1);
        let ledger = TestLog::of(&town.house, 6);
        town.keeps(0, ledger);
        for (kind, text, big, size) in words {
            let origin = if size % 2 == 0 { GENESIS.to_owned() } else { text.clone() };
            let proof = Some(vec![Digest::of(text.as_bytes()); usize::try_from(size).unwrap()]);
            let word = match kind {
                0 => Word::Cosign { request: format!("old {size}\n\n{text}") },
                1 => Word::Cosigned { origin, answer: CosignAnswer::Stale(big % 10) },
                2 => Word::Cosigned { origin, answer: CosignAnswer::Line(text) },
                3 => Word::Prove { origin, from: big % 8, to: size },
                4 => Word::Proof { origin, from: big % 8, to: size, proof },
                _ => Word::Heads { notes: vec![text] },
            };
            town.hear(usize::from(kind % 2), usize::from(1 - kind % 2), word);
        }
        prop_assert!(town.forks().is_empty());
        prop_assert!(town.cosigned.iter().all(|(_, _, size)| *size <= 6));
    }
}
