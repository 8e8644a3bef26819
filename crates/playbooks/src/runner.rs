//! Carries out an approved plan so that it is either done and verified, or as if it had never begun.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Instant,
};

use durable::DurableError;
use echo_core::{Digest, RunId, Timestamp};
use rustix::fs::{FlockOperation, flock};

use crate::{
    action::cut,
    dry::{self, Dry},
    journal::{Journal, RunFolder, UndoMark},
    plan::PlanError,
    report::{RunOutcome, RunReport, StepOutcome, StepReport},
    restore::{self, Reach, Trouble},
    target::Target,
    template::Template,
};

/// The most runs that one journal folder may hold; a finished one leaves with [`Runner::forget`].
pub const MAX_RUNS: usize = 10_000;
const LOCK: &str = "lock";

/// Runs playbooks, one at a time, with a journal.
#[derive(Debug)]
pub struct Runner {
    journals: PathBuf,
}

/// Why a run did not happen or did not end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The target is not what was approved. Nothing was changed.
    #[error(
        "the plan is now {found}, but {approved} was approved: the device has changed since; nothing was touched, \
         look at the new plan and approve that"
    )]
    PlanChanged {
        /// The digest that was approved.
        approved: Digest,
        /// The digest of the plan as it would be now.
        found: Digest,
    },
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The journal cannot be written or read. Nothing was changed after that.
    #[error("the journal: {0}")]
    Journal(#[from] DurableError),
    /// A journal file is not what was written.
    #[error("{} is damaged ({why}): restore it from a backup, or undo the run by hand", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The journal folder holds [`MAX_RUNS`].
    #[error("{} holds {MAX_RUNS} runs: forget finished ones first", .0.display())]
    Full(PathBuf),
    /// Another run is under way.
    #[error("another run is under way on this device: try again when it is over")]
    Busy,
    /// The run began before and did not end.
    #[error("{0} began and did not end: recover first")]
    Unfinished(RunId),
    /// Nobody knows the run.
    #[error("{0} is not known on this device: there is nothing to undo")]
    UnknownRun(RunId),
    /// The run changed nothing that still stands.
    #[error("{run} cannot be undone: it ended as {outcome:?}")]
    NotUndoable {
        /// Which run.
        run: RunId,
        /// How it ended.
        outcome: RunOutcome,
    },
    /// Somebody changed a file after the run. Nothing was undone.
    #[error("{path} was changed after {run}: nothing was undone; put the change aside, then undo again")]
    ChangedSince {
        /// Which run.
        run: RunId,
        /// Which file.
        path: String,
    },
    /// A change could not be taken back. The journal is kept for another try.
    #[error("{run} could not be rolled back at {path}: {why}; mend that, then recover")]
    RollbackFailed {
        /// Which run.
        run: RunId,
        /// Where it stopped.
        path: String,
        /// Why.
        why: String,
    },
}

/// One run at a time. Unlocked by word and not by closing: a program that another thread is just starting holds a
/// copy of the file for a moment.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // If this fails, closing the file unlocks it a moment later.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

impl Runner {
    /// Keeps journals in `journal_dir`, which is made when it is missing.
    pub fn open(journal_dir: &Path) -> Result<Self, RunError> {
        durable::create_folder(journal_dir)?;
        Ok(Self { journals: journal_dir.to_owned() })
    }

    /// Carries out the plan of `templates` on `target` if its digest is still `approved`.
    ///
    /// A failed change or verification ends in a report `rolled_back`, not in an error. A run that is over gives
    /// the same report again. `at` is the time it starts.
    pub fn apply(
        &self,
        run: &RunId,
        templates: &[Template],
        approved: &Digest,
        target: &Target,
        at: Timestamp,
    ) -> Result<RunReport, RunError> {
        let _lock = self.lock()?;
        let watch = Instant::now();
        let folder = RunFolder::of(&self.journals, run);
        if let Some(report) = folder.report()? {
            return same_plan(approved, report.plan).map(|()| report);
        }
        if folder.journal()?.is_some() {
            return Err(RunError::Unfinished(run.clone()));
        }
        if self.runs()?.len() >= MAX_RUNS {
            return Err(RunError::Full(self.journals.clone()));
        }
        let dry = dry::dry_run(templates, target)?;
        let digest = dry.plan.digest();
        same_plan(approved, digest)?;
        let is_empty = dry.plan.is_empty();
        let journal = journal_of(run, digest, at, dry);
        if is_empty {
            let report = report(&journal, RunOutcome::NothingToDo, journal.steps.clone(), at, &watch);
            folder.finish(&report)?;
            return Ok(report);
        }
        // A server that already refuses its configuration says nothing about our change to it.
        let may_ask_ssh = restore::ssh_complaint(&journal, target).is_none();
        folder.begin(&journal)?;
        let Err(trouble) = carry_out(&journal, target, may_ask_ssh) else {
            let report = report(&journal, RunOutcome::Applied, journal.steps.clone(), at, &watch);
            folder.finish(&report)?;
            return Ok(report);
        };
        let kept = roll_back(&journal, target, Reach::All)?;
        let steps = steps_after(&journal, Some(&trouble), &kept);
        let report = report(&journal, RunOutcome::RolledBack, steps, at, &watch);
        folder.finish(&report)?;
        folder.clear()?;
        Ok(report)
    }

    /// Takes an applied run back, unless somebody has changed one of its files since.
    pub fn undo(&self, run: &RunId, target: &Target, at: Timestamp) -> Result<RunReport, RunError> {
        let _lock = self.lock()?;
        let folder = RunFolder::of(&self.journals, run);
        let journal = folder.journal()?;
        match (folder.report()?, journal) {
            (None, None) => Err(RunError::UnknownRun(run.clone())),
            (None, Some(_)) => Err(RunError::Unfinished(run.clone())),
            (Some(report), _) if report.outcome == RunOutcome::Undone => Ok(report),
            (Some(report), Some(journal)) if report.outcome == RunOutcome::Applied => {
                if let Some(path) = restore::touched_since(&journal, target).map_err(|t| failed(run, t))? {
                    let run = run.clone();
                    return Err(RunError::ChangedSince { run, path });
                }
                folder.mark_undo(&UndoMark { started: at })?;
                finish_undo(&folder, &journal, target, at)
            }
            (Some(report), _) => Err(RunError::NotUndoable { run: run.clone(), outcome: report.outcome }),
        }
    }

    /// After a crash: rolls unfinished runs back, and finishes unfinished undos. What somebody else has changed
    /// since is kept, and the step's detail says so. Call it before anything else when the device starts.
    pub fn recover(&self, target: &Target) -> Result<Vec<RunReport>, RunError> {
        let _lock = self.lock()?;
        let mut reports = Vec::new();
        for run in self.runs()? {
            let folder = RunFolder::of(&self.journals, &run);
            let Some(journal) = folder.journal()? else {
                continue;
            };
            match (folder.report()?, folder.undo_mark()?) {
                (None, _) => {
                    let kept = roll_back(&journal, target, Reach::OursOnly)?;
                    let steps = steps_after(&journal, None, &kept);
                    let started = journal.started;
                    let report = RunReport {
                        finished: started,
                        ..report(&journal, RunOutcome::RolledBack, steps, started, &Instant::now())
                    };
                    folder.finish(&report)?;
                    folder.clear()?;
                    reports.push(report);
                }
                (Some(report), Some(mark)) if report.outcome == RunOutcome::Applied => {
                    reports.push(finish_undo(&folder, &journal, target, mark.started)?);
                }
                (Some(report), _) if report.outcome != RunOutcome::Applied => folder.clear()?,
                _ => {}
            }
        }
        Ok(reports)
    }

    /// The report of a run that is over; nothing for one that is not, or is not known.
    pub fn report(&self, run: &RunId) -> Option<RunReport> {
        RunFolder::of(&self.journals, run).report().ok().flatten()
    }

    /// Drops the journal and report of a run that is over. It cannot be undone or asked about after that.
    pub fn forget(&self, run: &RunId) -> Result<(), RunError> {
        let _lock = self.lock()?;
        let folder = RunFolder::of(&self.journals, run);
        match folder.report()? {
            Some(_) => folder.remove(),
            None if folder.journal()?.is_some() => Err(RunError::Unfinished(run.clone())),
            None => Err(RunError::UnknownRun(run.clone())),
        }
    }

    fn runs(&self) -> Result<Vec<RunId>, RunError> {
        let failed = |source| DurableError::Io { action: "list", path: self.journals.clone(), source };
        let mut runs = Vec::new();
        for item in fs::read_dir(&self.journals).map_err(failed)?.take(MAX_RUNS + 1) {
            runs.extend(item.map_err(failed)?.file_name().to_str().and_then(|n| n.parse().ok()));
        }
        runs.sort();
        Ok(runs)
    }

    fn lock(&self) -> Result<Lock, RunError> {
        let path = self.journals.join(LOCK);
        let failed = |source: io::Error| DurableError::Io { action: "lock", path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(RunError::Busy),
            Err(e) => Err(failed(e.into()).into()),
        }
    }
}

/// Files first and checked, so that no service is told to read a configuration that is not sound.
fn carry_out(journal: &Journal, target: &Target, may_ask_ssh: bool) -> Result<(), Trouble> {
    restore::make_files(journal, target)?;
    restore::verify_files(journal, target)?;
    if let Some(complaint) = restore::ssh_complaint(journal, target).filter(|_| may_ask_ssh) {
        return Err(complaint);
    }
    restore::act(journal, target)?;
    // A package's own scripts may have been at the files.
    restore::verify_files(journal, target)?;
    restore::verify_actions(journal, target)
}

fn same_plan(approved: &Digest, found: Digest) -> Result<(), RunError> {
    if *approved == found {
        return Ok(());
    }
    let approved = *approved;
    Err(RunError::PlanChanged { approved, found })
}

fn journal_of(run: &RunId, plan: Digest, started: Timestamp, dry: Dry) -> Journal {
    Journal {
        run: run.clone(),
        plan,
        started,
        entries: dry.entries,
        actions: dry.actions,
        steps: dry.steps,
        touches: dry.touches,
    }
}

fn roll_back(journal: &Journal, target: &Target, reach: Reach) -> Result<Vec<Trouble>, RunError> {
    restore::take_back(journal, target, reach).map_err(|t| failed(&journal.run, t))
}

fn finish_undo(
    folder: &RunFolder,
    journal: &Journal,
    target: &Target,
    at: Timestamp,
) -> Result<RunReport, RunError> {
    let watch = Instant::now();
    let kept = roll_back(journal, target, Reach::OursOnly)?;
    let report = report(journal, RunOutcome::Undone, steps_after(journal, None, &kept), at, &watch);
    folder.finish(&report)?;
    folder.clear()?;
    Ok(report)
}

fn failed(run: &RunId, trouble: Trouble) -> RunError {
    RunError::RollbackFailed { run: run.clone(), path: trouble.path, why: trouble.why }
}

/// The steps after everything was taken back: what had changed is restored, and what failed or was kept says why.
fn steps_after(journal: &Journal, trouble: Option<&Trouble>, kept: &[Trouble]) -> Vec<StepReport> {
    let mut steps = journal.steps.clone();
    for (step, touches) in steps.iter_mut().zip(&journal.touches) {
        if step.outcome != StepOutcome::Changed {
            continue;
        }
        step.outcome = StepOutcome::Restored;
        if let Some(t) = trouble.filter(|t| concerns(t, touches)) {
            step.outcome = StepOutcome::Failed;
            step.detail = cut(&format!("{}: {}", t.path, t.why));
        } else if let Some(k) = kept.iter().find(|k| concerns(k, touches)) {
            step.detail = cut(&format!("{}: {}", k.path, k.why));
        }
    }
    steps
}

/// A folder made for a step's file concerns the step too.
fn concerns(trouble: &Trouble, touches: &[String]) -> bool {
    let inside = |path: &String| path.strip_prefix(&trouble.path).is_some_and(|rest| rest.starts_with('/'));
    touches.iter().any(|path| *path == trouble.path || inside(path))
}

fn report(
    journal: &Journal,
    outcome: RunOutcome,
    steps: Vec<StepReport>,
    started: Timestamp,
    watch: &Instant,
) -> RunReport {
    let took = jiff::SignedDuration::try_from(watch.elapsed()).unwrap_or_default();
    let finished = started.checked_add(took).unwrap_or(started);
    RunReport {
        run: journal.run.clone(),
        plan: journal.plan,
        outcome,
        steps,
        started,
        finished: echo_core::clock::from_millis(finished.as_millisecond()).max(started),
    }
}
