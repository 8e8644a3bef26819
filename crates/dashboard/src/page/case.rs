//! `/cases/{id}`: everything that hangs under one case.

use std::collections::BTreeMap;

use agents::{
    Trace,
    triage::{Label, language_name},
};
use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
};
use desk::{CaseState, CaseView, ChangeSet, Desk, Finding, SkillCall, TimelineEntry, TimelineKind};
use echo_core::{CaseId, Digest, Id as _};
use serde::Deserialize;

use super::{devices::is_retired, html};
use crate::{
    caller::Visitor,
    diff,
    failure::Failure,
    frame::Frame,
    piece::{self, Action},
    words,
};

#[derive(Template)]
#[template(path = "case.html")]
struct CasePage {
    frame: Frame,
    view: CaseView,
    /// Question and answer, in the form's order.
    answers: Vec<(String, String)>,
    steps: Vec<Action>,
    /// Whether the device was taken out of care, so that nothing can be asked of it.
    retired: bool,
    advice: Vec<Advice>,
    notes: Vec<Note>,
    running: Vec<String>,
    titles: BTreeMap<u32, String>,
    /// What it can be sorted as.
    labels: Vec<Label>,
    close: Option<Action>,
}

/// What the advisor said.
struct Advice {
    question: String,
    said: Said,
    at: echo_core::Timestamp,
    trace: Option<Trace>,
}

/// The parts of an answer that are shown.
#[derive(Deserialize)]
struct Said {
    answer: String,
    #[serde(default)]
    citations: Vec<Citation>,
    #[serde(default)]
    abstained: bool,
    #[serde(default)]
    follow_up: Vec<String>,
    #[serde(default)]
    draft: Option<String>,
}

/// Where a sentence of an answer comes from.
#[derive(Deserialize)]
struct Citation {
    evidence: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    title: String,
    quote: String,
}

/// A remark of a diagnosis.
#[derive(Deserialize)]
struct Note {
    severity: String,
    text: String,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
    Path(id): Path<String>,
) -> Result<Html<String>, Failure> {
    let id: CaseId = id.parse().map_err(|_| Failure::nowhere())?;
    let view = desk.case(&principal, &id).await?;
    let retired = match &view.case.device {
        Some(device) => is_retired(&desk.device(&principal, device).await?),
        None => false,
    };
    let title = format!("Case {}: {}", view.case.number, view.case.title);
    let frame = Frame::new(title, "/cases", principal, desk.now());
    html(&CasePage {
        answers: answers(&desk, &view),
        steps: if frame.may_ask() && !retired { steps(&view) } else { Vec::new() },
        retired,
        advice: advice(&view),
        notes: last_notes(&view.calls),
        running: running(&view.calls),
        titles: titles(&desk, &view.findings),
        labels: desk.triage_labels().iter().cloned().collect(),
        close: if frame.may_close() { close(&view) } else { None },
        frame,
        view,
    })
}

/// What was asked and answered, in the form's order; answers to questions that the form no longer asks come last.
fn answers(desk: &Desk, view: &CaseView) -> Vec<(String, String)> {
    let mut left = view.case.answers.clone();
    let fields = desk.content().forms.get(&view.case.form).map_or(&[][..], |f| &f.fields);
    let mut rows: Vec<_> =
        fields.iter().filter_map(|f| left.remove(&f.id).map(|answer| (f.label.clone(), answer))).collect();
    rows.extend(left.into_iter().map(|(id, answer)| (id.replace('_', " "), answer)));
    rows
}

/// The steps that make sense now; the first is the likeliest.
fn steps(view: &CaseView) -> Vec<Action> {
    let case = &view.case;
    if case.device.is_none() || !matches!(case.state, CaseState::Open | CaseState::Resolved) {
        return Vec::new();
    }
    let ask = |skill: &str, label, hint, done| Action {
        url: format!("/v1/cases/{}/calls", case.id),
        label,
        look: "plain",
        fields: vec![("skill", skill.to_owned())],
        confirm: String::new(),
        hint,
        done,
    };
    let diagnose = ask(
        "diagnostics.probe",
        "Diagnose the device",
        "Measures load, memory, disks and services. Changes nothing.",
        "Asked. The device answers in a moment.",
    );
    let scan = ask(
        "scanner.posture",
        "Scan its security",
        "Compares its settings with the policy. Changes nothing.",
        "Asked. The device answers in a moment.",
    );
    let plan = ask(
        "remediation.plan",
        "Plan a fix",
        "Picks playbooks for the open findings and shows the diff. Changes nothing.",
        "Asked. The device works out the diff.",
    );
    let open = view.findings.iter().any(|f| words::word(&f.state) == "open");
    let scanned = view.calls.iter().any(|c| c.skill.as_str() == "scanner.posture");
    let mut steps = match (open, scanned) {
        (true, _) => vec![plan, scan, diagnose],
        (false, false) => vec![scan, diagnose],
        (false, true) => vec![diagnose, scan],
    };
    steps[0].look = "primary";
    steps
}

fn close(view: &CaseView) -> Option<Action> {
    let case = &view.case;
    matches!(case.state, CaseState::Open | CaseState::Resolved).then(|| Action {
        url: format!("/v1/cases/{}/close", case.id),
        label: "Close the case",
        look: "plain",
        fields: Vec::new(),
        confirm: format!(
            "Close case {} and draw its invoice over {} receipts? A closed case cannot be opened again.",
            case.number,
            view.receipts.len()
        ),
        hint: "Ends the case and draws its invoice.",
        done: "Closed.",
    })
}

/// The answers to a proposed change: yes and no, or only no where the device is `retired` and would never apply it.
fn decision(change: &ChangeSet, retired: bool) -> Vec<Action> {
    let files = change.plan.changes.len();
    let step = |verb: &str, label, look, confirm, hint, done| Action {
        url: format!("/v1/change-sets/{}/{verb}", change.id),
        label,
        look,
        fields: Vec::new(),
        confirm,
        hint,
        done,
    };
    let approve = (!retired).then(|| {
        step(
            "approve",
            "Approve",
            "primary",
            format!(
                "Let the device make exactly these {files} changes ({} risk)? It checks the result and rolls back if \
                 that fails.",
                words::word(&change.plan.risk)
            ),
            "",
            "Approved. The device is applying it.",
        )
    });
    let reject = step("reject", "Reject", "plain", String::new(), "", "Rejected. Nothing was changed.");
    approve.into_iter().chain([reject]).collect()
}

/// What the advisor was asked and said, oldest first. The question stands in the timeline, with the call that answered
/// it; entries of before that was noted come in the order of their calls.
fn advice(view: &CaseView) -> Vec<Advice> {
    let asked = |t: &TimelineEntry| t.title.trim_start_matches("Asked: ").to_owned();
    let (linked, others): (Vec<_>, Vec<_>) =
        view.timeline.iter().filter(|t| t.kind == TimelineKind::Advised).partition(|t| t.link.is_some());
    let linked: BTreeMap<&str, String> =
        linked.into_iter().filter_map(|t| Some((t.link.as_deref()?, asked(t)))).collect();
    let mut others = others.into_iter().map(asked);
    view.calls
        .iter()
        .filter(|c| c.skill.as_str() == "advisory.answer")
        .filter_map(|c| Some((c, serde_json::from_value(c.output.clone()?).ok()?)))
        .map(|(c, said)| Advice {
            question: linked.get(c.id.as_str()).cloned().or_else(|| others.next()).unwrap_or_default(),
            said,
            at: c.finished.unwrap_or(c.started),
            trace: c.trace.clone(),
        })
        .collect()
}

/// The remarks of the newest diagnosis.
fn last_notes(calls: &[SkillCall]) -> Vec<Note> {
    calls
        .iter()
        .rev()
        .filter(|c| c.skill.as_str() == "diagnostics.probe")
        .find_map(|c| serde_json::from_value(c.output.as_ref()?.get("notes")?.clone()).ok())
        .unwrap_or_default()
}

/// The skills that a device works on.
fn running(calls: &[SkillCall]) -> Vec<String> {
    calls
        .iter()
        .filter(|c| words::word(&c.state) == "running" && c.command.is_some())
        .map(|c| c.skill.to_string())
        .collect()
}

/// The titles of the checks that a proof may name.
fn titles(desk: &Desk, findings: &[Finding]) -> BTreeMap<u32, String> {
    let policy = desk.content().policy.policy.checks.iter().map(|c| (c.id, c.title.clone()));
    policy.chain(findings.iter().map(|f| (f.result.check, f.result.title.clone()))).collect()
}

impl CasePage {
    fn title_of(&self, check: u32) -> &str {
        self.titles.get(&check).map_or("a check of an older policy", String::as_str)
    }

    fn label(&self) -> Option<&Label> {
        let own = self.view.case.label()?;
        self.labels.iter().find(|label| label.id == own)
    }

    /// What it is sorted as, for people; a label that is none any more by its id.
    fn label_name(&self) -> &str {
        let id =
            self.view.case.label().or(self.view.case.triage.as_ref().map(|triage| triage.category.as_str()));
        self.label().map_or(id.unwrap_or("not sorted"), |label| label.name.as_str())
    }

    fn queue(&self) -> &'static str {
        let by_triage = self.view.case.triage.as_ref().map_or("general", |triage| triage.route.as_str());
        self.label().map_or(by_triage, |label| label.queue.as_str())
    }

    fn language(&self) -> Option<&'static str> {
        language_name(self.view.case.triage.as_ref()?.language.as_deref()?)
    }

    fn is_proposed(change: &ChangeSet) -> bool {
        words::word(&change.state) == "proposed"
    }

    /// Whether an entry's detail says something new: what was asked, found, answered and proposed stands on the page
    /// already, and a digest stands where it is checked.
    fn has_words(entry: &TimelineEntry) -> bool {
        use TimelineKind::{Advised, Opened, Proposed, Triaged};
        !entry.detail.is_empty()
            && !matches!(entry.kind, Opened | Triaged | Advised | Proposed)
            && entry.detail.parse::<Digest>().is_err()
    }
}
