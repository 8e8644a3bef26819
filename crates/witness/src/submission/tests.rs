use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::test_log::TestLog;

const NOW: u64 = 1_700_000_000;

fn logs(log: &TestLog) -> Policy {
    Policy::default().with_log(&log.vkey(), None).unwrap()
}

fn request(log: &TestLog, old: u64, size: u64) -> Request {
    Request { old, proof: log.consistency(old, size), checkpoint: log.note(size) }
}

fn admit(log: &TestLog, request: &Request) -> Result<Submission, Refusal> {
    Submission::admit(request.render().as_bytes(), &logs(log))
}

fn kept(log: &TestLog, size: u64) -> Kept {
    Kept { size, root: log.root(size), at: NOW }
}

#[test]
fn a_log_that_grows_is_cosigned_at_every_size() {
    let log = TestLog::of(40);
    let witness = Cosigner::new("w.example", SigningKey::from_bytes(&[3; 32])).unwrap();
    for from in 0..=40 {
        for to in from.max(1)..=40 {
            let asked = admit(&log, &request(&log, from, to)).unwrap();
            let before = (from > 0).then(|| kept(&log, from));
            let next = asked.judge(before.as_ref(), NOW + 1).unwrap();
            assert_eq!(next, Kept { at: NOW + 1, ..kept(&log, to) });
            let line = asked.cosign(&witness, next.at);
            let policy = logs(&log).with_witness("w", &witness.key().to_string(), None).unwrap();
            let policy = policy.with_quorum("w").unwrap();
            let shown = asked.cosigned(&logs(&log), &line);
            assert_eq!(policy.evaluate(&shown).unwrap().cosigned[0].at, NOW + 1);
        }
    }
}

#[test]
fn an_empty_log_is_cosigned_with_the_empty_root_alone() {
    let log = TestLog::of(1);
    assert!(admit(&log, &request(&log, 0, 0)).unwrap().judge(None, NOW).is_ok());
    let text = format!("log.example/a\n0\n{}\n", STANDARD.encode([1; 32]));
    let forged = Request { old: 0, proof: Vec::new(), checkpoint: log.sign(&text) };
    let refused = admit(&log, &forged).unwrap().judge(None, NOW).unwrap_err();
    assert_eq!(refused.status(), 422);
}

#[test]
fn another_size_than_the_kept_one_is_told_the_kept_one() {
    let log = TestLog::of(9);
    for (old, before, told) in [(0, Some(5), 5), (4, Some(5), 5), (6, Some(5), 5), (5, None, 0)] {
        let before = before.map(|size| kept(&log, size));
        let refused = admit(&log, &request(&log, old, 9)).unwrap().judge(before.as_ref(), NOW);
        assert_eq!(refused, Err(Refusal::Stale { size: told }), "{old}");
    }
    assert_eq!(Refusal::Stale { size: 5 }.status(), 409);
}

#[test]
fn another_history_is_refused_even_when_the_log_signed_it() {
    let (log, forked) = (TestLog::of(9), TestLog::of(9).forked());
    let before = kept(&log, 5);
    for (old, size) in [(5, 9), (5, 6), (5, 5)] {
        let asked = admit(&log, &request(&forked, old, size)).unwrap();
        assert_eq!(asked.judge(Some(&before), NOW), Err(Refusal::Inconsistent { old, size }));
    }
    let smaller = admit(&log, &request(&log, 3, 4)).unwrap();
    assert_eq!(smaller.judge(Some(&before), NOW), Err(Refusal::Stale { size: 5 }));
}

#[test]
fn a_proof_that_should_not_be_there_is_refused() {
    let log = TestLog::of(9);
    for (old, size) in [(0, 9), (5, 5), (5, 9)] {
        let mut asked = request(&log, old, size);
        asked.proof.push([1; 32]);
        let before = (old > 0).then(|| kept(&log, old));
        let refused = admit(&log, &asked).unwrap().judge(before.as_ref(), NOW).unwrap_err();
        assert_eq!(refused.status(), 422, "{old} {size}");
    }
    let missing = Request { proof: Vec::new(), ..request(&log, 5, 9) };
    assert_eq!(admit(&log, &missing).unwrap().judge(Some(&kept(&log, 5)), NOW).unwrap_err().status(), 422);
}

#[test]
fn who_may_not_ask_is_told_so_before_anything_is_compared() {
    let (log, other) = (TestLog::of(9), TestLog::named("other.example/b", 9));
    assert_eq!(admit(&log, &request(&other, 0, 9)), Err(Refusal::UnknownLog));
    let unsigned =
        Request { checkpoint: log.text(9) + "\n\u{2014} x.example AAAAAAAA\n", ..request(&log, 0, 9) };
    assert_eq!(admit(&log, &unsigned), Err(Refusal::Signature));
    let forged = Request { checkpoint: log.note(9).replacen("\n9\n", "\n8\n", 1), ..request(&log, 0, 9) };
    assert_eq!(admit(&log, &forged), Err(Refusal::Signature));
    let back = Request { old: 10, ..request(&log, 0, 9) };
    assert_eq!(admit(&log, &back), Err(Refusal::Backwards { old: 10, size: 9 }));
    let statuses =
        [Refusal::UnknownLog.status(), Refusal::Signature.status(), admit(&log, &back).unwrap_err().status()];
    assert_eq!(statuses, [404, 403, 400]);
    for checkpoint in
        ["", "\n", "other\n\n", "log.example/a\n9\n", "log.example/a\nx\ny\n\n\u{2014} a AAAA\n"]
    {
        let bad = Request { checkpoint: checkpoint.to_owned(), ..request(&log, 0, 9) };
        let status = admit(&log, &bad).unwrap_err().status();
        assert!([400, 403].contains(&status), "{checkpoint:?}: {status}");
    }
}

#[test]
fn one_of_two_keys_of_a_log_is_enough() {
    let log = TestLog::of(3);
    let old_key = SigningKey::from_bytes(&[78; 32]);
    let both =
        logs(&log).with_log(&ledger::vkey_of("log.example/a", &old_key.verifying_key()), None).unwrap();
    assert!(Submission::admit(request(&log, 0, 3).render().as_bytes(), &both).is_ok());
}

#[test]
fn a_clock_that_went_back_signs_nothing() {
    let log = TestLog::of(9);
    let asked = admit(&log, &request(&log, 5, 9)).unwrap();
    assert_eq!(asked.judge(Some(&kept(&log, 5)), NOW - 1), Err(Refusal::Clock));
}

#[test]
fn what_is_shown_carries_no_strangers_signatures() {
    let log = TestLog::of(3);
    let asked = Request { checkpoint: log.note(3) + "\u{2014} x.example AAAAAAAA\n", ..request(&log, 0, 3) };
    let shown = admit(&log, &asked).unwrap().cosigned(&logs(&log), "\u{2014} w AAAAAAAA\n");
    assert_eq!(shown, log.note(3) + "\u{2014} w AAAAAAAA\n");
}

proptest! {
    #[test]
    fn no_request_makes_the_witness_panic(
        old in 0u64..12, proof in prop::collection::vec(any::<[u8; 32]>(), 0..5), size in 0u64..9, bytes in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        let log = TestLog::of(9);
        let asked = Request { old, proof, checkpoint: log.note(size) };
        if let Ok(asked) = admit(&log, &asked) {
            // Nothing but the right proof leads from what is kept to what is offered.
            let judged = asked.judge(Some(&kept(&log, 5)), NOW);
            prop_assert!(judged.is_err() || (old == 5 && size == 5 && asked.proof.is_empty()));
        }
        let _ = Submission::admit(&bytes, &logs(&log));
    }
}
