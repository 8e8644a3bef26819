//! Echo asks witnesses to cosign its ledgers' heads (C2SP tlog-witness), and keeps what they say.
//!
//! Knows no HTTP: [`Desk::witness_asks`] says what to send where, [`Desk::witness_answered`] takes what came back and may
//! say to ask once more. One caller does this, one round after the other.

use dossier::LogName;
use echo_core::Digest;
use ledger::Checkpoint;
use store::{Filter, Scope};
use witness::{PolicyWitness, Request};

use crate::{
    Desk, DeskError, Event, Witnesses, Work,
    treasury::Cosigned,
    witness::{seconds, time},
    witness_policy::{Book, policy, put},
    witness_standing::{Standing, id, standing},
};

/// The pause after a first failure, in seconds; each later one is twice as long.
const FIRST_PAUSE: i64 = 60;
/// The longest pause, in seconds.
const MAX_PAUSE: i64 = 3_600;
/// The longest error text that is kept, in characters.
const MAX_WORDS: usize = 300;

/// One request to one witness.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Where to POST it.
    pub url: String,
    /// The body.
    pub body: String,
    log: LogName,
    witness: PolicyWitness,
    head: Checkpoint,
    note: String,
    old: u64,
    again: bool,
}

impl Ask {
    /// Who is asked.
    pub fn witness(&self) -> &str {
        &self.witness.name
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WitnessAnswer {
    /// An answer, cut to [`witness::MAX_ANSWER_BYTES`].
    Status {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
    /// None, for this reason.
    Nothing(String),
}

impl Desk {
    /// What is to be asked now: each witness whose newest cosignature is older than a ledger's head, unless it failed
    /// a moment ago.
    pub async fn witness_asks(&self) -> Result<Vec<Ask>, DeskError> {
        let mut tx = self.store().read().await?;
        let policy = policy(&mut tx, Book::Witnesses).await?;
        let mut asks = Vec::new();
        for log in LogName::ALL {
            let (head, note) = self.log(log).signed_head();
            if head.size == 0 {
                continue;
            }
            for witness in policy.witnesses() {
                let standing = standing(&mut tx, log, &witness.key).await?;
                // Since the start each is asked once at least: what stands here may be from a backup.
                let answered = self.heard().contains(&id(log, &witness.key));
                let seen = answered && standing.size == head.size && standing.root.0 == head.root;
                if seen || standing.next.is_some_and(|next| self.now() < next) {
                    continue;
                }
                // A ledger that was set back: from the start, and the witness will say what it thinks.
                let old = if standing.size <= head.size { standing.size } else { 0 };
                asks.extend(self.ask_of(log, witness, &head, &note, old, false)?);
            }
        }
        Ok(asks)
    }

    /// Forgets pauses after failures, and wakes who asks.
    pub async fn ask_witnesses_now(&self, call: &crate::Call) -> Result<Witnesses, DeskError> {
        call.principal.require(access::Action::ManageTrust)?;
        let mut work = self.work(&call.principal.name).await?;
        for mut standing in work.tx.all::<Standing>(&Scope::All, &Filter::default()).await? {
            if standing.next.take().is_some() {
                work.tx.update(&standing).await?;
            }
        }
        let view = work.witnesses().await?;
        let view = work.finish(call, 200, view).await?;
        self.wake_witnesses();
        Ok(view)
    }

    /// Takes a witness's answer. What it answers is to be asked now.
    pub async fn witness_answered(&self, ask: &Ask, answer: WitnessAnswer) -> Result<Option<Ask>, DeskError> {
        if matches!(answer, WitnessAnswer::Status { .. }) {
            self.heard().insert(id(ask.log, &ask.witness.key));
        }
        match answer {
            WitnessAnswer::Status { status: 200, body } => self.cosigned(ask, &body).await,
            WitnessAnswer::Status { status: 409, body } => self.stale(ask, &body).await,
            WitnessAnswer::Status { status: 422, .. } => {
                let words = format!(
                    "says that the ledger of {} entries does not begin with the one of {} that it cosigned",
                    ask.head.size, ask.old
                );
                self.failed(ask, words, true).await
            }
            WitnessAnswer::Status { status, body } => {
                let said: String = String::from_utf8_lossy(&body)
                    .chars()
                    .map(|c| if c.is_control() { ' ' } else { c })
                    .take(120)
                    .collect();
                let hint = match status {
                    403 | 404 => "; does it know this ledger's verifier key?",
                    _ => "",
                };
                self.failed(ask, format!("answered {status}: {}{hint}", said.trim()), false).await
            }
            WitnessAnswer::Nothing(reason) => self.failed(ask, reason, false).await,
        }
    }

    fn ask_of(
        &self,
        log: LogName,
        witness: &PolicyWitness,
        head: &Checkpoint,
        note: &str,
        old: u64,
        again: bool,
    ) -> Result<Option<Ask>, DeskError> {
        let Some(prefix) = &witness.url else { return Ok(None) };
        let proof = if old == 0 { Vec::new() } else { self.consistency(log, old, head.size)? };
        let body = Request { old, proof, checkpoint: note.to_owned() }.render();
        Ok(Some(Ask {
            url: format!("{prefix}/add-checkpoint"),
            body,
            log,
            witness: witness.clone(),
            head: head.clone(),
            note: note.to_owned(),
            old,
            again,
        }))
    }

    fn consistency(&self, log: LogName, from: u64, to: u64) -> Result<Vec<[u8; 32]>, DeskError> {
        self.log(log).consistency(from, to).map_err(|e| DeskError::Home(e.to_string()))
    }

    async fn cosigned(&self, ask: &Ask, body: &[u8]) -> Result<Option<Ask>, DeskError> {
        let now = seconds(self.now());
        let merged = std::str::from_utf8(body)
            .map_err(|_| witness::MergeError::Malformed)
            .and_then(|lines| witness::merge(&ask.note, lines, std::slice::from_ref(&ask.witness.key), now));
        let (note, added) = match merged {
            Ok(merged) => merged,
            Err(error) => return self.failed(ask, error.to_string(), false).await,
        };
        let mut work = self.work("Echo").await?;
        // Who was removed meanwhile is not heard any more.
        let policy = policy(&mut work.tx, Book::Witnesses).await?;
        if !policy.witnesses().iter().any(|w| w.key == ask.witness.key) {
            return Ok(None);
        }
        let mut standing = standing(&mut work.tx, ask.log, &ask.witness.key).await?;
        if standing.contradiction.is_some() {
            let what = format!("the witness {} cosigns the {} ledger again", ask.witness.name, ask.log);
            work.tell_of_witness(&ask.witness.name, what).await?;
        }
        let at = added.last().map(|a| time(a.at));
        standing = standing.after_cosigning(ask.head.size, Digest(ask.head.root), at);
        put(&mut work.tx, &standing).await?;
        let rules = self.policy_of(&mut work.tx, ask.log).await?;
        let fresh = Cosigned::take(&mut work.tx, ask.log, &ask.head, &note, &rules, now).await?;
        work.commit().await?;
        if fresh {
            self.write_cosigned(ask.log).await;
        }
        Ok(None)
    }

    /// The witness knows another size than was thought.
    async fn stale(&self, ask: &Ask, body: &[u8]) -> Result<Option<Ask>, DeskError> {
        let size = std::str::from_utf8(body)
            .ok()
            .and_then(|text| text.strip_suffix('\n'))
            .and_then(ledger::note::decimal);
        let Some(size) = size else {
            return self.failed(ask, "answered 409 without a size".to_owned(), false).await;
        };
        let (head, note) = self.log(ask.log).signed_head();
        if size > head.size {
            let words = format!(
                "cosigned {size} entries, but the ledger has {}: it was set back, by an old backup perhaps",
                head.size
            );
            return self.failed(ask, words, true).await;
        }
        if size == ask.old {
            // By version 1.0 of the protocol this says that the root is another. Of nothing there is one root.
            let words =
                format!("answered 409 for the size {size} that it knows: it cosigned another history");
            return self.failed(ask, words, size > 0).await;
        }
        self.forgot(ask, size).await?;
        if ask.again {
            return self.failed(ask, "answered 409 twice: somebody else feeds it".to_owned(), false).await;
        }
        self.ask_of(ask.log, &ask.witness, &head, &note, size, true)
    }

    /// Tells when a witness knows less than what it cosigned before: it lost its memory, and with it its worth.
    async fn forgot(&self, ask: &Ask, size: u64) -> Result<(), DeskError> {
        let mut work = self.work("Echo").await?;
        let name = &ask.witness.name;
        let cosigned = standing(&mut work.tx, ask.log, &ask.witness.key).await?.size;
        if size >= cosigned {
            return Ok(());
        }
        tracing::warn!(witness = name, log = %ask.log, size, cosigned, "a witness forgot what it cosigned");
        let what = format!(
            "the witness {name} cosigned {cosigned} entries of the {} ledger and remembers {size}: it lost its memory",
            ask.log
        );
        work.tell_of_witness(name, what).await?;
        work.commit().await
    }

    /// Keeps why a witness did not cosign; `contradicts` when it says that the ledger is not what it was.
    async fn failed(&self, ask: &Ask, words: String, contradicts: bool) -> Result<Option<Ask>, DeskError> {
        let words: String = words.chars().take(MAX_WORDS).collect();
        let name = &ask.witness.name;
        let mut work = self.work("Echo").await?;
        let mut standing = standing(&mut work.tx, ask.log, &ask.witness.key).await?;
        if contradicts {
            tracing::error!(witness = name, log = %ask.log, words, "a witness contradicts a ledger");
            if standing.contradiction.as_ref() != Some(&words) {
                work.tell_of_witness(name, format!("the witness {name} of the {} ledger {words}", ask.log))
                    .await?;
                standing.contradiction = Some(words.clone());
            }
        } else if standing.failures == 0 {
            tracing::warn!(witness = name, log = %ask.log, words, "a witness does not cosign");
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << standing.failures.min(10)).min(MAX_PAUSE);
        standing.failures = standing.failures.saturating_add(1);
        standing.next = Some(work.after(pause));
        standing.error = Some(words);
        put(&mut work.tx, &standing).await?;
        work.commit().await?;
        Ok(None)
    }
}

impl Work<'_> {
    async fn tell_of_witness(&mut self, name: &str, what: String) -> Result<(), DeskError> {
        let event = Event { topic: "witness".to_owned(), id: name.to_owned(), what, at: self.now };
        self.tell(None, &event).await
    }
}
