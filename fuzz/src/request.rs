//! Requests to a witness (C2SP tlog-witness, `add-checkpoint`), and what it decides.

use ledger::{History, leaf_hash};
use witness::{Kept, Policy, Request, Submission};

/// The longest log whose past is worked out to judge a request, in entries.
const MAX_ENTRIES: u64 = 512;
/// The time of the decision, in POSIX seconds.
const NOW: u64 = 1_800_000_000;

/// A request that reads is written as one that says the same. Once the log has signed its checkpoint, the witness
/// goes on only from the head that it kept.
pub fn check(bytes: &[u8]) {
    let Ok(request) = Request::parse(bytes) else { return };
    assert_eq!(Request::parse(request.render().as_bytes()).as_ref(), Ok(&request));
    let body = request.checkpoint.split_once("\n\n").map_or(request.checkpoint.as_str(), |(body, _)| body);
    let signed = Request { checkpoint: crate::note::signed(&format!("{body}\n")), ..request };
    let vkey = ledger::vkey_of(crate::ORIGIN, &crate::key().verifying_key());
    let logs = Policy::default().with_log(&vkey, None).expect("the key of a log makes a policy");
    if let Ok(asked) = Submission::admit(signed.render().as_bytes(), &logs) {
        judge(&asked);
    }
}

fn judge(asked: &Submission) {
    if asked.judge(None, NOW).is_ok() {
        assert_eq!(asked.old, 0, "a log that nobody knows begins in its middle");
    }
    if !(1..=MAX_ENTRIES).contains(&asked.old) {
        return;
    }
    let mut history = History::default();
    (0..asked.old).for_each(|_| history.push(leaf_hash(b"an entry")));
    let kept = Kept { size: asked.old, root: history.root(), at: NOW };
    if let Ok(next) = asked.judge(Some(&kept), NOW) {
        assert_eq!((next.size, next.root), (asked.checkpoint.size, asked.checkpoint.root));
        assert!(next.size >= kept.size, "the log was set back");
        let other = Kept { root: [1; 32], ..kept.clone() };
        assert!(asked.judge(Some(&other), NOW).is_err(), "it goes on from two histories");
        assert!(asked.judge(Some(&kept), NOW - 1).is_err(), "the time went back");
    }
}
