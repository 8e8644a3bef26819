//! The fix: planned as a diff, approved, applied by the device, proven.

use std::time::Duration;

use serde_json::json;

use super::{Tour, progress::Told, wait_for_call};
use crate::{
    Failure, answer,
    change::{DiffSize, playbooks},
};

/// How long the device may take to plan.
const PLAN_BOUND: Duration = Duration::from_mins(1);
/// How long the device may take to apply and verify.
const APPLY_BOUND: Duration = Duration::from_mins(2);
/// How many lines of the diff are shown.
const SHOWN: usize = 20;

/// Plans the fix.
pub fn plan(tour: &mut Tour) -> Result<Told, Failure> {
    let call = tour.ask(&json!({"skill": "remediation.plan"}), PLAN_BOUND)?;
    let id = answer::owned(&call, "/change_set").map_err(|_| {
        Failure::failed("no change was proposed")
            .hint("no playbook fixes what the scan found: see `echo_cli case show`")
    })?;
    tour.change.clone_from(&id);
    let change = tour.api()?.get(&format!("/v1/change-sets/{id}"))?;
    let diff = answer::text(&change, "/plan/diff")?;
    let mut lines = vec![format!("playbooks: {}", playbooks(&change))];
    lines.extend(diff.lines().take(SHOWN).map(|line| format!("  {line}")));
    let rest = diff.lines().count().saturating_sub(SHOWN);
    if rest > 0 {
        lines.push(format!("  ... {rest} more lines: `echo_cli change show {id} --diff`"));
    }
    Ok(Told::new(format!("{}, risk {}", DiffSize::of(diff), answer::shown(&change, "/proposal/risk")))
        .with(lines))
}

/// Approves the plan, and waits for the device to carry it out.
pub fn apply(tour: &mut Tour) -> Result<Told, Failure> {
    let api = tour.api()?;
    let change = api.post(&format!("/v1/change-sets/{}/approve", tour.change), &json!({}))?;
    wait_for_call(api, answer::text(&change, "/apply_call")?, APPLY_BOUND, &|| tour.stop.check())?;
    let view = tour.case_view()?;
    let steps = answer::list(&view, "/proofs/0/report/steps")?;
    let count = |outcome: &str| {
        steps.iter().filter(|step| answer::text(step, "/outcome").is_ok_and(|found| found == outcome)).count()
    };
    Ok(Told::new(format!(
        "{}: {} steps changed something, {} were well, {} left out",
        answer::shown(&view, "/proofs/0/report/outcome"),
        count("changed"),
        count("already"),
        count("skipped")
    )))
}

/// Reads the fulfilment proof.
pub fn proof(tour: &mut Tour) -> Result<Told, Failure> {
    let view = tour.case_view()?;
    let number = |pointer| answer::number(&view, pointer);
    let (before, after) =
        (number("/proofs/0/fulfilment/before/score")?, number("/proofs/0/fulfilment/after/score")?);
    let fixed = answer::list(&view, "/proofs/0/fulfilment/fixed")?.len();
    if fixed == 0 || after <= before {
        return Err(Failure::failed(format!(
            "the score went from {before} to {after} with {fixed} checks fixed"
        )));
    }
    let left = answer::list(&view, "/proofs/0/fulfilment/still_failing")?.len();
    Ok(Told::new(format!("score {before} -> {after}, {fixed} checks fixed, {left} left"))
        .with([answer::shown(&view, "/proofs/0/id")]))
}
