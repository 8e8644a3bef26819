//! Carries out a command that was accepted.

use device_link::{Command, CommandResult, MAX_RESULT_BYTES, Outcome, RESULT_TYPE, SignedContent, Work};
use durable::DurableError;
use echo_core::{Digest, Mint, RunId, Timestamp};
use observability::Collector;
use playbooks::{RunError, Runner};
use security::{Policy, Report};
use trust::{KeyPair, dsse::Envelope};

use crate::{
    accept::{self, Refusal},
    machine::Machine,
};

/// The longest reason that is sent, in characters (`device_link` refuses longer ones).
const MAX_REASON: usize = 1_900;

/// The most bytes of a posture report, as JSON, that a change is proven with: two of them and the run must fit into
/// one result, and that has to be known before anything is changed.
const MAX_REPORT_BYTES: usize = MAX_RESULT_BYTES / 4;

/// What work is done with.
#[derive(Debug)]
pub(crate) struct Hands {
    machine: Machine,
    runner: Runner,
    collector: Collector,
    mint: Mint,
}

/// Keeps the posture before a change, so that a kill after the change cannot lose it.
pub(crate) type KeepBefore<'a> = &'a mut dyn FnMut(&Report) -> Result<(), DurableError>;

/// An apply order, taken apart.
struct Order<'a> {
    run: &'a RunId,
    plan: &'a Digest,
    playbooks: &'a [SignedContent],
    policy: &'a SignedContent,
}

/// Why there is no other outcome.
enum Trouble {
    Refused(String),
    Failed(String),
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal.to_string())
    }
}

impl From<RunError> for Trouble {
    fn from(error: RunError) -> Self {
        match error {
            RunError::PlanChanged { .. } => Self::Refused(error.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl Hands {
    /// Hands that work on `machine` and journal playbook runs with `runner`.
    pub(crate) fn new(machine: Machine, runner: Runner, mint: Mint) -> Self {
        Self { machine, runner, collector: Collector::new(), mint }
    }

    /// The system that is worked on.
    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// After a kill: takes half-made changes back. The runs' reports then say so.
    pub(crate) fn recover(&self) -> Result<usize, RunError> {
        Ok(self.runner.recover(&self.machine.target())?.len())
    }

    /// Does what `command` says. `before` is the posture that was kept when this command was begun earlier.
    /// Doing it again after a kill gives the same run.
    pub(crate) fn carry_out(
        &mut self,
        command: &Command,
        before: Option<Report>,
        keep: KeepBefore<'_>,
    ) -> Outcome {
        let done = match &command.work {
            Work::Diagnose => self.diagnose(),
            Work::Scan { policy } => self.scan(policy),
            Work::Plan { playbooks } => self.plan(playbooks),
            Work::Apply { run, plan, playbooks, policy, .. } => {
                self.apply(&Order { run, plan, playbooks, policy }, before, keep)
            }
        };
        done.unwrap_or_else(|trouble| match trouble {
            Trouble::Refused(reason) => Outcome::Refused { reason: cut(&reason) },
            Trouble::Failed(reason) => Outcome::Failed { reason: cut(&reason) },
        })
    }

    fn diagnose(&mut self) -> Result<Outcome, Trouble> {
        let diagnosis = observability::diagnose(&mut self.collector, self.mint.now())
            .map_err(|e| Trouble::Failed(e.to_string()))?;
        Ok(Outcome::Diagnosed { diagnosis: Box::new(diagnosis) })
    }

    fn scan(&self, policy: &SignedContent) -> Result<Outcome, Trouble> {
        let policy = accept::policy_of(policy)?;
        self.machine.is_there().map_err(Trouble::Refused)?;
        Ok(Outcome::Scanned { report: Box::new(self.evaluate(&policy)) })
    }

    fn plan(&self, playbooks: &[SignedContent]) -> Result<Outcome, Trouble> {
        let templates = accept::templates(playbooks)?;
        self.machine.is_there().map_err(Trouble::Refused)?;
        let plan = playbooks::plan(&templates, &self.machine.target())
            .map_err(|e| Trouble::Failed(e.to_string()))?;
        Ok(Outcome::Planned { plan: Box::new(plan) })
    }

    fn apply(
        &self,
        order: &Order<'_>,
        before: Option<Report>,
        keep: KeepBefore<'_>,
    ) -> Result<Outcome, Trouble> {
        let templates = accept::templates(order.playbooks)?;
        let policy = accept::policy_of(order.policy)?;
        self.machine.is_there().map_err(Trouble::Refused)?;
        // A run that is over is reported even where no further one would be allowed.
        if self.runner.report(order.run).is_none()
            && let Some(objection) = self.machine.objection()
        {
            return Err(Trouble::Refused(objection.to_owned()));
        }
        let before = if let Some(before) = before {
            before
        } else {
            let before = self.evaluate(&policy);
            if serde_json::to_vec(&before).map_or(usize::MAX, |json| json.len()) > MAX_REPORT_BYTES {
                let why = format!("its report is larger than {MAX_REPORT_BYTES} bytes: use a smaller policy");
                return Err(Refusal::Unusable { name: order.policy.name.clone(), why }.into());
            }
            keep(&before).map_err(|e| Trouble::Failed(format!("nothing was changed: {e}")))?;
            before
        };
        let target = self.machine.target();
        let run = self.runner.apply(order.run, &templates, order.plan, &target, self.mint.now())?;
        let after = self.evaluate(&policy);
        Ok(Outcome::Applied { before: Box::new(before), run: Box::new(run), after: Box::new(after) })
    }

    fn evaluate(&self, policy: &Policy) -> Report {
        security::evaluate(policy, &*self.machine.system(), self.mint.now())
    }
}

/// The signed answer to `command`. An outcome that the platform would not take becomes a failure that says why.
pub(crate) fn answer(
    command: &Command,
    started: Timestamp,
    now: Timestamp,
    outcome: Outcome,
    key: &KeyPair,
) -> Envelope {
    let mut result = CommandResult {
        command: command.id.clone(),
        device: command.device.clone(),
        started,
        // The clock may have been set back in between.
        finished: now.max(started),
        outcome,
    };
    let objection = result.check(command).err().map(|e| e.to_string());
    let (envelope, bytes) = sign(&result, key);
    let objection = objection.or_else(|| {
        (bytes > MAX_RESULT_BYTES).then(|| {
            format!("the result has {bytes} bytes, more than {MAX_RESULT_BYTES}: ask for less at once")
        })
    });
    let Some(reason) = objection else {
        return envelope;
    };
    result.outcome = Outcome::Failed { reason: cut(&reason) };
    sign(&result, key).0
}

/// The signed answer to a command that is not believed.
pub(crate) fn refuse(result: &CommandResult, key: &KeyPair) -> Envelope {
    sign(result, key).0
}

fn sign(result: &CommandResult, key: &KeyPair) -> (Envelope, usize) {
    let envelope =
        Envelope::sign(RESULT_TYPE, result, &[key]).expect("results hold finite numbers and are always JSON");
    let bytes = envelope.payload.len() + 1024;
    (envelope, bytes)
}

/// A reason within its bound.
pub(crate) fn cut(reason: &str) -> String {
    reason.chars().take(MAX_REASON).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use playbooks::RunOutcome;

    use super::*;
    use crate::test_house::{House, at};

    fn hands(root: Option<&Path>, folder: &Path, allow: bool) -> Hands {
        let machine = Machine::new(root, allow).unwrap();
        let runner = Runner::open(&folder.join("runs").join(machine.journal_name())).unwrap();
        Hands::new(machine, runner, Mint::system())
    }

    /// A root with the one file that the test playbook edits.
    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        durable::write(&root.path().join("etc/test.conf"), b"Colour red\n", durable::Mode::Public).unwrap();
        root
    }

    fn text(root: &Path) -> String {
        fs::read_to_string(root.join("etc/test.conf")).unwrap()
    }

    fn reason(outcome: Outcome) -> String {
        match outcome {
            Outcome::Refused { reason } => reason,
            other => panic!("refused nothing: {other:?}"),
        }
    }

    fn planned(hands: &mut Hands, house: &House) -> Digest {
        match hands.carry_out(&house.command(house.plan()), None, &mut |_| Ok(())) {
            Outcome::Planned { plan } => plan.digest(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_main_flow_on_a_root_ends_in_a_better_posture() {
        let (house, root, folder) = (House::new(), root(), tempfile::tempdir().unwrap());
        let mut hands = hands(Some(root.path()), folder.path(), false);
        let digest = planned(&mut hands, &house);
        let command = house.command(house.apply(digest));
        let mut kept = None;
        let outcome = hands.carry_out(&command, None, &mut |before| {
            kept = Some(before.clone());
            Ok(())
        });
        let Outcome::Applied { before, run, after } = &outcome else { panic!("{outcome:?}") };
        assert_eq!((run.outcome, run.plan), (RunOutcome::Applied, digest));
        assert_eq!((before.failed, after.failed, after.passed), (1, 0, 1));
        assert_eq!(kept.as_ref(), Some(&**before));
        assert!(text(root.path()).contains("Colour blue"));
        // Carried out again after a kill: the kept posture before, the same run.
        let again = hands.carry_out(&command, kept, &mut |_| panic!("kept already"));
        let Outcome::Applied { before: b, run: r, .. } = again else { unreachable!() };
        assert_eq!((b, r), (before.clone(), run.clone()));
    }

    #[test]
    fn a_plan_that_changed_is_refused_and_nothing_is_touched() {
        let (house, root, folder) = (House::new(), root(), tempfile::tempdir().unwrap());
        let mut hands = hands(Some(root.path()), folder.path(), false);
        let digest = planned(&mut hands, &house);
        durable::write(&root.path().join("etc/test.conf"), b"Colour green\n", durable::Mode::Public).unwrap();
        let command = house.command(house.apply(digest));
        let reason = reason(hands.carry_out(&command, None, &mut |_| Ok(())));
        assert!(reason.contains("was approved"), "{reason}");
        assert_eq!(text(root.path()), "Colour green\n");
    }

    #[test]
    fn the_running_system_is_not_changed_without_leave() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let mut hands = hands(None, folder.path(), false);
        let command = house.command(house.apply(Digest::of(b"any")));
        let reason = reason(hands.carry_out(&command, None, &mut |_| panic!("nothing is begun")));
        assert!(reason.contains("--allow-live-changes"), "{reason}");
    }

    #[test]
    fn a_root_that_went_away_is_refused_rather_than_scanned_as_empty() {
        let (house, root, folder) = (House::new(), root(), tempfile::tempdir().unwrap());
        let mut hands = hands(Some(root.path()), folder.path(), false);
        drop(root);
        for work in [house.scan(), house.plan(), house.apply(Digest::of(b"any"))] {
            let reason = reason(hands.carry_out(&house.command(work), None, &mut |_| Ok(())));
            assert!(reason.contains("is not there"), "{reason}");
        }
    }

    #[test]
    fn nothing_is_changed_when_the_posture_before_cannot_be_kept() {
        let (house, root, folder) = (House::new(), root(), tempfile::tempdir().unwrap());
        let mut hands = hands(Some(root.path()), folder.path(), false);
        let digest = planned(&mut hands, &house);
        let full = |_: &Report| Err(DurableError::TooLarge { path: "work".into(), limit: 0 });
        let outcome = hands.carry_out(&house.command(house.apply(digest)), None, &mut { full });
        assert!(matches!(&outcome, Outcome::Failed { reason } if reason.contains("nothing was changed")));
        assert_eq!(text(root.path()), "Colour red\n");
    }

    #[test]
    fn an_answer_is_signed_by_the_device_and_within_its_bounds() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let mut hands = hands(None, folder.path(), false);
        let command = house.command(Work::Diagnose);
        let outcome = hands.carry_out(&command, None, &mut |_| Ok(()));
        // The clock was set back while it worked.
        let envelope = answer(&command, at("2027-02-02"), at("2027-02-01"), outcome, &house.device_key);
        let result: CommandResult = envelope.verify(RESULT_TYPE, &[house.device_key.public()], 1).unwrap();
        result.check(&command).unwrap();
        assert!(matches!(result.outcome, Outcome::Diagnosed { .. }));
        let wrong = Outcome::Refused { reason: "x".repeat(5_000) };
        let envelope = answer(&command, at("2027-02-01"), at("2027-02-01"), wrong, &house.device_key);
        let result: CommandResult = envelope.verify(RESULT_TYPE, &[house.device_key.public()], 1).unwrap();
        result.check(&command).unwrap();
        assert!(matches!(result.outcome, Outcome::Failed { .. }));
    }
}
