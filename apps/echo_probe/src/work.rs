//! Takes commands from the platform, journals them, carries them out, and answers each once.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use device_link::{Command, CommandResult, MAX_COMMAND_BYTES, Outcome};
use durable::DurableError;
use echo_core::{CommandId, DeviceId, Id as _, Mint, Timestamp};
use serde::Deserialize;
use trust::{KeyPair, dsse::Envelope};

use crate::{
    accept::{self, Refusal},
    backoff::Backoff,
    care::TRUST_AGAIN_SECONDS,
    execute::{self, Hands},
    home::{Home, Identity},
    journal::{self, Begun, Entry, Journal},
    mesh::Mesh,
    notice::Notices,
    pin::Pin,
    platform::{Ask, LONG_PATIENCE, Member, PATIENCE, PlatformError},
    stop::Stop,
};

/// How long the platform holds a request for commands.
const WAIT_SECONDS: u64 = 25;
/// The most commands that the platform hands out at once.
const MAX_COMMANDS_AT_ONCE: u64 = 8;
/// The most bytes of its answer.
const MAX_COMMANDS_BYTES: u64 = MAX_COMMANDS_AT_ONCE * (MAX_COMMAND_BYTES as u64) / 3 * 4 + 64 * 1024;
/// The pause when the platform has nothing new to say but did not hold the request.
const PAUSE: Duration = Duration::from_secs(3);

/// The thread that works.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) member: Arc<Member>,
    pub(crate) device: DeviceId,
    pub(crate) key: KeyPair,
    pub(crate) mint: Mint,
    pub(crate) pin: Pin,
    pub(crate) journal: Journal,
    pub(crate) hands: Hands,
    /// Commands that were begun on another root: only a probe on that root can end them.
    pub(crate) stranded: BTreeSet<CommandId>,
    /// When the trust chain was last asked for.
    pub(crate) trust_asked: Option<Timestamp>,
    /// When it was last had.
    pub(crate) trust_had: Option<Timestamp>,
    /// Notices about keys, and the latest time seen.
    pub(crate) notices: Notices,
    /// When the notices were last asked for.
    pub(crate) notices_asked: Option<Timestamp>,
    /// The mesh, where the device is a node of one.
    pub(crate) mesh: Option<Arc<Mesh>>,
    /// Who the device is, and where that is kept.
    pub(crate) papers: Option<Papers>,
    /// When they were last asked for because they do not count.
    pub(crate) papers_asked: Option<Timestamp>,
    /// Whether somebody said since that they do not.
    pub(crate) papers_doubted: bool,
}

/// Who the device is, and where that is kept.
#[derive(Debug)]
pub(crate) struct Papers {
    pub(crate) home: Arc<Home>,
    pub(crate) identity: Identity,
}

/// Why a round ended early.
#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error(transparent)]
    Platform(#[from] PlatformError),
    #[error("a command cannot be journalled: {0}")]
    Journal(#[from] DurableError),
}

#[derive(Deserialize)]
struct Commands {
    #[serde(alias = "commands")]
    items: Vec<Envelope>,
}

/// What a command that is not believed says its id is.
#[derive(Deserialize)]
struct Claimed {
    id: CommandId,
}

impl Worker {
    /// Works until told to stop.
    pub(crate) fn run(&mut self, stop: &Stop) {
        let mut backoff = Backoff::default();
        while !stop.is_stopped() {
            let wait = match self.round(stop) {
                Ok(wait) => {
                    backoff.reset();
                    wait
                }
                Err(why) => {
                    let asked = match &why {
                        WorkError::Platform(e) => e.retry_after(),
                        WorkError::Journal(_) => None,
                    };
                    let wait = backoff.after_failure(asked, &self.mint);
                    tracing::warn!(%why, wait_ms = wait.as_millis(), "no commands for now");
                    wait
                }
            };
            if !wait.is_zero() && stop.wait(wait) {
                return;
            }
        }
    }

    /// Ends what was begun, tells what was answered, then asks for more; how long to pause after that.
    fn round(&mut self, stop: &Stop) -> Result<Duration, WorkError> {
        for id in self.journal.executing() {
            if stop.is_stopped() {
                return Ok(Duration::ZERO);
            }
            let _busy = stop.busy();
            self.carry_on(&id)?;
        }
        // An answer that does not get through must not keep other commands from being done.
        let mut told = Ok(());
        for id in self.journal.answered() {
            told = told.and(self.send(&id));
        }
        self.journal.forget_old(self.mint.now());
        self.look_after_trust();
        let asked = Instant::now();
        let commands = self.poll(if told.is_ok() { WAIT_SECONDS } else { 0 })?;
        if stop.is_stopped() {
            return Ok(Duration::ZERO);
        }
        let mut fresh = false;
        for envelope in &commands {
            fresh |= self.begin(envelope)?;
        }
        if !fresh {
            told?;
        }
        let held = commands.is_empty() && asked.elapsed() > Duration::from_secs(1);
        Ok(if fresh || held { Duration::ZERO } else { PAUSE })
    }

    fn poll(&self, wait: u64) -> Result<Vec<Envelope>, WorkError> {
        let path = format!("/v1/device/commands?wait={wait}");
        let ask = Ask {
            patience: Duration::from_secs(WAIT_SECONDS) + PATIENCE,
            limit: MAX_COMMANDS_BYTES,
            ..Ask::get(&path)
        };
        let answer = self.member.ask(&ask)?;
        let commands: Commands = serde_json::from_slice(&answer).map_err(|e| PlatformError::Away {
            url: self.member.url().to_owned(),
            why: format!("its commands cannot be read: {e}"),
            retry_after: None,
        })?;
        Ok(commands.items)
    }

    /// Verifies a command and journals it as begun, or as refused; whether it was new.
    fn begin(&mut self, envelope: &Envelope) -> Result<bool, WorkError> {
        let Some(id) = claimed_id(envelope) else {
            tracing::warn!("the platform sent something that is not a command: it is passed over");
            return Ok(false);
        };
        if self.journal.knows(&id) {
            return Ok(false);
        }
        if self.journal.is_full() {
            tracing::error!(command = %id, "too many commands are remembered: this one is left alone");
            return Ok(false);
        }
        let now = self.time();
        let entry = match self.accept(envelope) {
            Ok(command) => {
                tracing::info!(command = %command.id, case = %command.case, "begun");
                Entry::Executing(Box::new(Begun {
                    command: envelope.clone(),
                    started: now,
                    root: self.hands.machine().root().map(ToOwned::to_owned),
                    before: None,
                }))
            }
            Err(refusal) => {
                tracing::warn!(command = %id, %refusal, "refused");
                Entry::Answered { result: self.refusal(&id, now, &refusal), until: journal::remembered(now) }
            }
        };
        self.journal.keep(&id, &entry)?;
        Ok(true)
    }

    /// A signature that is not known may be one of a newer registry: that is asked for once.
    fn accept(&mut self, envelope: &Envelope) -> Result<Command, Refusal> {
        let first = self.accept_by_what_is_known(envelope);
        let signature = matches!(first, Err(Refusal::Signature(_) | Refusal::Content(_)));
        if signature && self.trust_is_due(TRUST_AGAIN_SECONDS) && self.renew_trust() {
            return self.accept_by_what_is_known(envelope);
        }
        first
    }

    fn accept_by_what_is_known(&self, envelope: &Envelope) -> Result<Command, Refusal> {
        let now = self.time();
        let registry = self.notices.narrow(&self.pin.registry(now)?, now);
        accept::accept(envelope, &registry, &self.device, now)
    }

    /// The time that everything is judged by: a clock that is set back brings nothing back to life.
    pub(crate) fn time(&self) -> Timestamp {
        self.notices.time(self.mint.now())
    }

    fn refusal(&self, id: &CommandId, now: Timestamp, refusal: &Refusal) -> Envelope {
        let result = CommandResult {
            command: id.clone(),
            device: self.device.clone(),
            started: now,
            finished: now,
            outcome: Outcome::Refused { reason: execute::cut(&refusal.to_string()) },
        };
        execute::refuse(&result, &self.key)
    }

    /// Carries out a command that was begun, also in an earlier life of this program, and journals the answer.
    fn carry_on(&mut self, id: &CommandId) -> Result<(), WorkError> {
        if self.stranded.contains(id) {
            return Ok(());
        }
        let Ok(Some(Entry::Executing(begun))) = self.journal.load(id) else {
            tracing::error!(command = %id, "its journal entry went away: the command is left alone");
            self.stranded.insert(id.clone());
            return Ok(());
        };
        if begun.root.as_deref() != self.hands.machine().root() {
            let root = begun.root.as_deref().map_or("the running system".into(), |r| r.to_string_lossy());
            tracing::warn!(command = %id, %root, "begun on another root: start the probe there to end it");
            self.stranded.insert(id.clone());
            return Ok(());
        }
        let Some(command) =
            begun.command.payload_unchecked().ok().and_then(|p| serde_json::from_slice(&p).ok())
        else {
            tracing::error!(command = %id, "its journal entry is damaged: the command is left alone");
            self.stranded.insert(id.clone());
            return Ok(());
        };
        let command: Command = command;
        let (journal, mut with_before) = (&mut self.journal, begun.clone());
        let outcome = self.hands.carry_out(&command, begun.before, &mut |before| {
            with_before.before = Some(before.clone());
            journal.keep(id, &Entry::Executing(with_before.clone()))
        });
        tracing::info!(command = %id, outcome = kind(&outcome), "carried out");
        let result = execute::answer(&command, begun.started, self.mint.now(), outcome, &self.key);
        let until = journal::remembered(command.expires);
        Ok(self.journal.keep(id, &Entry::Answered { result, until })?)
    }

    /// Sends a kept answer. One that the platform will never take counts as told: sending it again helps nobody.
    fn send(&mut self, id: &CommandId) -> Result<(), WorkError> {
        let (result, until) = match self.journal.load(id) {
            Ok(Some(Entry::Answered { result, until })) => (result, until),
            other => {
                tracing::error!(command = %id, found = ?other.err(), "its answer cannot be read and is not sent");
                return Ok(self
                    .journal
                    .keep(id, &Entry::Done { until: journal::remembered(self.mint.now()) })?);
            }
        };
        let body = serde_json::to_vec(&result).expect("an envelope always becomes JSON");
        let path = format!("/v1/device/commands/{id}/result");
        let ask = Ask { key: Some(id.as_str()), patience: LONG_PATIENCE, ..Ask::post(&path, &body) };
        match self.member.ask(&ask) {
            Ok(_) => tracing::info!(command = %id, "the platform has the answer"),
            Err(PlatformError::Refused { status, why }) => {
                tracing::error!(command = %id, status, %why, "the platform does not take the answer");
            }
            Err(why) if until <= self.mint.now() => {
                tracing::error!(command = %id, %why, "the answer is given up: the command expired a day ago");
            }
            Err(why) => return Err(why.into()),
        }
        Ok(self.journal.keep(id, &Entry::Done { until })?)
    }
}

fn claimed_id(envelope: &Envelope) -> Option<CommandId> {
    let payload = envelope.payload_unchecked().ok()?;
    serde_json::from_slice::<Claimed>(&payload).ok().map(|c| c.id)
}

fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Diagnosed { .. } => "diagnosed",
        Outcome::Scanned { .. } => "scanned",
        Outcome::Planned { .. } => "planned",
        Outcome::Applied { .. } => "applied",
        Outcome::Refused { .. } => "refused",
        Outcome::Failed { .. } => "failed",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use device_link::{RESULT_TYPE, Work};
    use echo_core::{ManualClock, OsEntropy};
    use playbooks::Runner;
    use trust::KeyRole;

    use super::*;
    use crate::{
        address::Address,
        machine::Machine,
        platform::Platform,
        test_house::{House, at},
    };

    /// A worker whose platform is away.
    pub(crate) fn worker(house: &House, folder: &std::path::Path, root: Option<&std::path::Path>) -> Worker {
        let mint = Mint::new(Arc::new(ManualClock::at(at("2027-02-01"))), Arc::new(OsEntropy));
        let machine = Machine::new(root, false).unwrap();
        let runner = Runner::open(&folder.join("runs").join(machine.journal_name())).unwrap();
        let platform = Platform::new(Address::parse("http://127.0.0.1:9", false).unwrap());
        let key = house.device_key.clone();
        let member = Member::new(platform, house.device.clone(), house.root(), key.clone(), mint.clone());
        Worker {
            member: Arc::new(member),
            device: house.device.clone(),
            key,
            pin: Pin::begin(folder.join("chain.json"), house.root(), house.chain(), mint.now()).unwrap(),
            journal: Journal::open(folder.join("work"), mint.now()).unwrap(),
            hands: Hands::new(machine, runner, mint.clone()),
            mint,
            stranded: BTreeSet::new(),
            trust_asked: None,
            trust_had: None,
            notices: Notices::load(folder.join(crate::notice::TRUST)).unwrap(),
            notices_asked: None,
            mesh: None,
            papers: None,
            papers_asked: None,
            papers_doubted: false,
        }
    }

    fn answer_to(worker: &Worker, house: &House, id: &CommandId) -> CommandResult {
        let Ok(Some(Entry::Answered { result, .. })) = worker.journal.load(id) else {
            panic!("{id} has no answer")
        };
        result.verify(RESULT_TYPE, &[house.device_key.public()], 1).unwrap()
    }

    #[test]
    fn an_old_key_is_refused_from_its_day_on_though_no_new_registry_came_and_the_clock_was_set_back() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let mut worker = worker(&house, folder.path(), None);
        let mut command = house.command(Work::Diagnose);
        command.expires = at("2027-12-31");
        let signed = house.sign(&command, KeyRole::Operator);
        let answer = serde_json::json!({"items": [house.notice(at("2027-03-01"))]}).to_string();
        worker.notices.take(answer.as_bytes(), &house.registry(1)).unwrap();
        worker.accept(&signed).unwrap();
        // The device saw the day itself; its clock stands at 1 February all the same.
        worker.notices.saw(at("2027-03-01")).unwrap();
        let refused = worker.accept(&signed).unwrap_err().to_string();
        assert!(refused.contains("revoked on 2027-03-01") && refused.contains("notice_"), "{refused}");
        worker.begin(&signed).unwrap();
        let answer = answer_to(&worker, &house, &command.id);
        assert!(matches!(answer.outcome, Outcome::Refused { .. }));
    }

    #[test]
    fn a_stranger_s_command_is_answered_with_the_reason_and_never_begun() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let mut worker = worker(&house, folder.path(), None);
        let command = house.command(Work::Diagnose);
        let forged = House::with_seed(90).sign(&command, KeyRole::Operator);
        assert!(worker.begin(&forged).unwrap());
        assert!(worker.journal.executing().is_empty());
        let result = answer_to(&worker, &house, &command.id);
        result.check(&command).unwrap();
        assert!(
            matches!(&result.outcome, Outcome::Refused { reason } if reason.contains("not signed as operator"))
        );
    }

    #[test]
    fn a_command_that_is_handed_out_again_is_done_once() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let mut worker = worker(&house, folder.path(), None);
        let command = house.command(Work::Diagnose);
        let envelope = house.sign(&command, KeyRole::Operator);
        assert!(worker.begin(&envelope).unwrap());
        worker.carry_on(&command.id).unwrap();
        assert!(matches!(answer_to(&worker, &house, &command.id).outcome, Outcome::Diagnosed { .. }));
        assert!(!worker.begin(&envelope).unwrap());
        worker.journal.keep(&command.id, &Entry::Done { until: at("2027-02-03") }).unwrap();
        drop(worker);
        assert!(!self::worker(&house, folder.path(), None).begin(&envelope).unwrap());
    }

    #[test]
    fn what_was_begun_on_one_root_is_not_ended_on_another() {
        let (house, folder, root) =
            (House::new(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut there = worker(&house, folder.path(), Some(root.path()));
        let command = house.command(house.scan());
        there.begin(&house.sign(&command, KeyRole::Operator)).unwrap();
        drop(there);
        let mut here = worker(&house, folder.path(), None);
        here.carry_on(&command.id).unwrap();
        assert_eq!(here.journal.executing(), std::slice::from_ref(&command.id));
        drop(here);
        let mut there = worker(&house, folder.path(), Some(root.path()));
        there.carry_on(&command.id).unwrap();
        assert!(matches!(answer_to(&there, &house, &command.id).outcome, Outcome::Scanned { .. }));
    }

    #[test]
    fn what_is_no_command_is_passed_over() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let mut worker = worker(&house, folder.path(), None);
        let junk = Envelope::sign_bytes("text/plain", b"hello", &[&house.device_key]);
        assert!(!worker.begin(&junk).unwrap());
    }
}
