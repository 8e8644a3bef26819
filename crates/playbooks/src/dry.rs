//! The dry run: every step on an overlay, then the plan of what differs.

use echo_core::Digest;

use crate::{
    action::{self, Action, cut},
    diff,
    edit::edit,
    mode::FileMode,
    node::Entry,
    overlay::{Overlay, Stop},
    plan::{Change, ChangeKind, MAX_CHANGES, MAX_DIFF, MAX_PLAYBOOKS, Plan, PlanError, PlaybookRef, Skipped},
    report::{StepOutcome, StepReport},
    step::Step,
    target::Target,
    template::{Risk, Template},
};

/// A plan with what it takes to carry it out.
#[derive(Debug)]
pub(crate) struct Dry {
    pub plan: Plan,
    /// The files that differ, by path: folders before what is in them.
    pub entries: Vec<Entry>,
    /// What is not a file, in the order it is done, after the files.
    pub actions: Vec<Action>,
    /// Every step as it would be reported if all went well.
    pub steps: Vec<StepReport>,
    /// For each step, the paths and names it looks after.
    pub touches: Vec<Vec<String>>,
}

#[derive(Debug, Default)]
struct Notes {
    steps: Vec<StepReport>,
    touches: Vec<Vec<String>>,
    actions: Vec<Action>,
}

pub(crate) fn dry_run(templates: &[Template], target: &Target) -> Result<Dry, PlanError> {
    bounded("playbooks", templates.len(), MAX_PLAYBOOKS)?;
    for (at, template) in templates.iter().enumerate() {
        if templates[..at].iter().any(|t| t.id == template.id) {
            return Err(PlanError::Twice(template.id.clone()));
        }
    }
    let mut overlay = Overlay::new(target);
    let mut notes = Notes::default();
    for (template, at, step) in each(templates) {
        notes.edit(&mut overlay, template, at, step)?;
    }
    // Steps that agree change nothing the second time.
    for (template, at, step) in each(templates) {
        if let Ok(true) = edit(&mut overlay, step, &template.id).map(|d| d.changed) {
            return Err(PlanError::Conflict { playbook: template.id.clone(), step: number(at) });
        }
    }
    for (index, (_, _, step)) in each(templates).enumerate() {
        notes.act(&overlay, index, step)?;
    }
    let entries = overlay.into_entries();
    let plan = summed_up(templates, &entries, &notes)?;
    Ok(Dry { plan, entries, actions: notes.actions, steps: notes.steps, touches: notes.touches })
}

fn each(templates: &[Template]) -> impl Iterator<Item = (&Template, usize, &Step)> {
    templates.iter().flat_map(|t| t.steps.iter().enumerate().map(move |(at, step)| (t, at, step)))
}

fn number(at: usize) -> u32 {
    u32::try_from(at + 1).unwrap_or(u32::MAX)
}

fn bounded(what: &'static str, found: usize, limit: usize) -> Result<(), PlanError> {
    if found > limit {
        return Err(PlanError::TooMany { what, found, limit });
    }
    Ok(())
}

impl Notes {
    fn edit(
        &mut self,
        overlay: &mut Overlay<'_>,
        template: &Template,
        at: usize,
        step: &Step,
    ) -> Result<(), PlanError> {
        let (outcome, detail, paths) = match edit(overlay, step, &template.id) {
            Ok(done) if done.changed => (StepOutcome::Changed, done.detail, done.paths),
            Ok(done) => (StepOutcome::Already, done.detail, done.paths),
            Err(Stop::Skip(reason)) => (StepOutcome::Skipped, cut(&reason), Vec::new()),
            Err(Stop::Fail(error)) => return Err(error),
        };
        self.steps.push(StepReport {
            playbook: template.id.clone(),
            step: number(at),
            what: step.describe(),
            outcome,
            detail,
        });
        self.touches.push(paths);
        Ok(())
    }

    /// What a step asks of the running system, once every file is known.
    fn act(&mut self, overlay: &Overlay<'_>, index: usize, step: &Step) -> Result<(), PlanError> {
        let target = overlay.target();
        let wanted = match (step, target.system()) {
            (Step::Sysctl(s), _) => match action::kernel(target, s) {
                Ok(action) => Ok(action),
                Err(why) => {
                    self.steps[index].detail = cut(&why);
                    Ok(None)
                }
            },
            (Step::Package(s), Some(_)) => action::package(target, s),
            (Step::Service(s), Some(system)) => action::service(overlay, system, s),
            (step, None) if step.needs_live() => {
                Err(Stop::Skip("packages and services can be changed on the running system only".to_owned()))
            }
            _ => Ok(None),
        };
        match wanted {
            Ok(None) => {}
            Ok(Some(action)) => {
                self.steps[index].outcome = StepOutcome::Changed;
                self.touches[index].push(action.change().path);
                if !self.actions.contains(&action) {
                    self.actions.push(action);
                }
            }
            Err(Stop::Skip(reason)) => {
                self.steps[index].outcome = StepOutcome::Skipped;
                self.steps[index].detail = cut(&reason);
            }
            Err(Stop::Fail(error)) => return Err(error),
        }
        Ok(())
    }
}

fn summed_up(templates: &[Template], entries: &[Entry], notes: &Notes) -> Result<Plan, PlanError> {
    let mut changes: Vec<Change> = entries.iter().flat_map(changes_of).collect();
    changes.extend(notes.actions.iter().map(Action::change));
    bounded("changes", changes.len(), MAX_CHANGES)?;
    let diff = diff::draw(entries, &notes.actions);
    bounded("bytes of diff", diff.len(), MAX_DIFF)?;
    let skipped = notes.steps.iter().filter(|s| s.outcome == StepOutcome::Skipped);
    Ok(Plan {
        playbooks: templates.iter().map(|t| PlaybookRef { id: t.id.clone(), version: t.version }).collect(),
        changes,
        diff,
        risk: templates.iter().map(|t| t.risk).max().unwrap_or(Risk::Low),
        rollback: templates.iter().map(|t| t.rollback.clone()).collect(),
        skipped: skipped
            .map(|s| Skipped { step: format!("{}/{}", s.playbook, s.step), reason: s.detail.clone() })
            .collect(),
    })
}

fn changes_of(entry: &Entry) -> Vec<Change> {
    let Some(after) = &entry.after else {
        return Vec::new();
    };
    let change = |kind, before: Option<String>, after: String| Change {
        path: entry.path.clone(),
        kind,
        before,
        after: Some(after),
    };
    let mode = |bits| FileMode::new(bits).to_string();
    let digest = |text: &Option<String>| text.as_ref().map(|t| Digest::of(t.as_bytes()).to_string());
    let Some(before) = &entry.before else {
        return match digest(&after.text) {
            Some(digest) => vec![change(ChangeKind::Create, None, digest)],
            None => vec![change(ChangeKind::Folder, None, mode(after.mode))],
        };
    };
    let mut out = Vec::new();
    if let (true, Some(text)) = (before.text != after.text, digest(&after.text)) {
        out.push(change(ChangeKind::Edit, digest(&before.text), text));
    }
    if before.mode != after.mode {
        out.push(change(ChangeKind::Mode, Some(mode(before.mode)), mode(after.mode)));
    }
    if diff::owner(before) != diff::owner(after) {
        out.push(change(ChangeKind::Owner, Some(diff::owner(before)), diff::owner(after)));
    }
    out
}
