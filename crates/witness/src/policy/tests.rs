use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::{Cosigner, merge, test_log::TestLog};

fn witness(number: u8) -> Cosigner {
    Cosigner::new(&format!("w{number}.example"), SigningKey::from_bytes(&[number; 32])).unwrap()
}

fn vkey(number: u8) -> String {
    witness(number).key().to_string()
}

/// The example of tlog-policy: two of three X and any of three Y.
fn example(log: &TestLog) -> String {
    let mut text = format!("# a comment\n\tlog {} https://log.example/\n\n", log.vkey());
    for number in 1..=6 {
        let name = if number <= 3 { format!("X{number}") } else { format!("Y{}", number - 3) };
        text = format!("{text}  witness {name}\t{}\n", vkey(number));
    }
    text + "group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\ngroup X-and-Y all X-witnesses Y-witnesses\n\
            quorum X-and-Y\n"
}

#[test]
fn the_example_of_the_specification_asks_for_two_x_and_one_y() {
    let log = TestLog::of(5);
    let policy = Policy::parse(&example(&log)).unwrap();
    let head = log.note(5);
    for (who, enough) in [
        (&[][..], false),
        (&[1, 2], false),
        (&[1, 4], false),
        (&[4, 5, 6], false),
        (&[1, 3, 6], true),
        (&[1, 2, 3, 4, 5, 6], true),
    ] {
        let signed =
            who.iter().fold(head.clone(), |note, number| note + &log.cosigned(5, &witness(*number), 7));
        let taken = policy.evaluate(&signed);
        assert_eq!(taken.is_ok(), enough, "{who:?}: {taken:?}");
        if let Ok(taken) = taken {
            assert_eq!((taken.checkpoint.size, taken.cosigned.len()), (5, who.len()));
        }
    }
}

#[test]
fn a_wrong_cosignature_of_a_known_witness_refuses_the_checkpoint() {
    let log = TestLog::of(5);
    let policy = Policy::parse(&example(&log)).unwrap();
    let signed = log.note(5) + &log.cosigned(4, &witness(1), 7);
    assert_eq!(policy.evaluate(&signed), Err(Unaccepted::Cosignature("X1".to_owned())));
    let stranger = log.note(5) + &log.cosigned(4, &witness(9), 7);
    assert!(matches!(policy.evaluate(&stranger), Err(Unaccepted::Quorum { .. })));
}

#[test]
fn one_witness_who_signs_twice_counts_once() {
    let log = TestLog::of(5);
    let policy = Policy::parse(&example(&log)).unwrap();
    let head = log.note(5) + &log.cosigned(5, &witness(4), 7);
    let twice = head + &log.cosigned(5, &witness(1), 7) + &log.cosigned(5, &witness(1), 8);
    assert!(matches!(policy.evaluate(&twice), Err(Unaccepted::Quorum { .. })));
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let (log, other) = (TestLog::of(5), TestLog::named("other.example/b", 5));
    let policy = Policy::default().with_log(&log.vkey(), None).unwrap();
    assert!(policy.evaluate(&log.note(5)).is_ok());
    assert!(matches!(policy.evaluate(&other.note(5)), Err(Unaccepted::UnknownLog(_))));
    let forged = log.note(5).replacen("\n5\n", "\n6\n", 1);
    assert!(matches!(policy.evaluate(&forged), Err(Unaccepted::Log(_))));
}

#[test]
fn a_policy_reads_back() {
    let policy = Policy::parse(&example(&TestLog::of(1))).unwrap();
    assert_eq!(Policy::parse(&policy.to_string()), Ok(policy));
    assert_eq!(Policy::default().to_string(), "quorum none\n");
}

#[test]
fn what_the_specification_forbids_is_refused() {
    let (one, two) = (vkey(1), vkey(2));
    let both = format!("witness a {one}\nwitness b {two}\n");
    for bad in [
        String::new(),
        both.clone(),
        format!("{both}quorum c\n"),
        format!("quorum a\n{both}"),
        format!("{both}quorum a\nquorum b\n"),
        format!("{both}group g 0 a b\nquorum g\n"),
        format!("{both}group g 3 a b\nquorum g\n"),
        format!("{both}group g 02 a b\nquorum g\n"),
        format!("{both}group g all\nquorum none\n"),
        format!("{both}group g any a a\nquorum g\n"),
        format!("{both}group g any a\ngroup h any a b\nquorum h\n"),
        format!("{both}group g any none\nquorum none\n"),
        format!("{both}group g any g\nquorum none\n"),
        format!("{both}group a any b\nquorum none\n"),
        format!("witness none {one}\nquorum none\n"),
        format!("witness a {one}\nwitness b {one}\nquorum none\n"),
        format!("witness a {}\nquorum none\n", TestLog::of(1).vkey()),
        format!("log {one}\nquorum none\n"),
        "quorum none\r\n".to_owned(),
        "Quorum none\n".to_owned(),
        "quorum none none\n".to_owned(),
        "quorum none\u{0}\n".to_owned(),
        format!("{}\nquorum none\n", "#".repeat(MAX_POLICY_BYTES)),
    ] {
        assert!(Policy::parse(&bad).is_err(), "{bad}");
    }
}

#[test]
fn edits_obey_the_rules_of_the_file() {
    let two = Policy::default().with_witness("a", &vkey(1), Some("https://a.example")).unwrap();
    let two = two.with_witness("b", &vkey(2), None).unwrap();
    let group = Group { name: "g".to_owned(), threshold: 2, members: vec!["a".to_owned(), "b".to_owned()] };
    let grouped = two.with_group(&group).unwrap().with_quorum("g").unwrap();
    assert_eq!(grouped.quorum(), Some("g"));
    assert!(matches!(grouped.without("a"), Err(PolicyError::Undefined(_))));
    assert!(matches!(grouped.without("g"), Err(PolicyError::Undefined(_))));
    assert!(matches!(grouped.without("x"), Err(PolicyError::Unknown(_))));
    let free = grouped.with_quorum("none").unwrap().without("g").unwrap();
    assert_eq!(free, two);
    assert!(two.with_witness("c d", &vkey(3), None).is_err());
    assert!(two.with_witness("", &vkey(3), None).is_err());
    assert!(two.with_witness("c", &vkey(3), Some("x\nquorum none")).is_err());
    assert!(two.with_quorum("none\nlog x").is_err());
    assert!(two.with_witness("a", &vkey(3), None).is_err());
}

#[test]
fn a_two_of_three_group_is_met_by_any_two() {
    let log = TestLog::of(3);
    let mut policy = Policy::default().with_log(&log.vkey(), None).unwrap();
    for number in 1..=3 {
        policy = policy.with_witness(&format!("n{number}"), &vkey(number), None).unwrap();
    }
    let members = (1..=3).map(|n| format!("n{n}")).collect();
    let group = Group { name: "two".to_owned(), threshold: 2, members };
    let policy = policy.with_group(&group).unwrap().with_quorum("two").unwrap();
    let keys: Vec<_> = (1..=3).map(|n| witness(n).key().clone()).collect();
    for (first, second) in [(1, 2), (1, 3), (2, 3)] {
        let (one, _) = merge(&log.note(3), &log.cosigned(3, &witness(first), 9), &keys, 9).unwrap();
        assert!(policy.evaluate(&one).is_err());
        let (both, _) = merge(&one, &log.cosigned(3, &witness(second), 9), &keys, 9).unwrap();
        assert!(policy.evaluate(&both).is_ok());
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}", lines in "((log|witness|group|quorum)( [ a-z0-9+=/]{0,12}){0,4}\n){0,6}") {
        let _ = Policy::parse(&text);
        let _ = Policy::parse(&lines);
        let _ = Policy::default().evaluate(&text);
    }

    #[test]
    fn an_edit_is_refused_or_reads_back(name in "\\PC{0,12}", url in "\\PC{0,12}") {
        if let Ok(policy) = Policy::default().with_witness(&name, &vkey(1), Some(&url)) {
            prop_assert_eq!(Policy::parse(&policy.to_string()), Ok(policy));
        }
    }
}
