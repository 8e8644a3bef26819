//! The middle: a case is opened and triaged, the machine is observed, scanned and talked about.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Tour, progress::Told};
use crate::{Failure, answer};

/// How long the device may take for one look.
const BOUND: Duration = Duration::from_mins(1);
/// What the customer writes.
const WORRY: &str = include_str!("../../../../intake/examples/ssh-worry.txt");
/// What the advisor is asked.
const QUESTION: &str = "Which findings are the most serious, and why do they matter?";
/// How many findings, notes or lines of an answer are shown.
const SHOWN: usize = 5;
/// How wide a line of an answer is, in characters.
const WIDTH: usize = 100;

/// Opens the case.
pub fn open(tour: &mut Tour) -> Result<Told, Failure> {
    let body = json!({
        "customer": tour.customer,
        "device": tour.device,
        "form": "security-concern",
        "answers": {
            "what_happened": WORRY.trim(),
            "reachable": "Yes, from anywhere",
            "still_in_use": "yes",
            "may_scan": "yes",
        },
    });
    let view = tour.api()?.post("/v1/cases", &body)?;
    tour.case = answer::owned(&view, "/case/id")?;
    let shown = |pointer| answer::shown(&view, pointer);
    let percent = answer::decimal(&view, "/case/triage/confidence")? * 100.0;
    let words: Vec<String> = answer::list(&view, "/case/triage/because")?
        .iter()
        .take(2 * SHOWN)
        .map(|because| answer::shown(because, "/word"))
        .collect();
    Ok(Told::new(format!(
        "case {}: {}, {} severity, to {}, {percent:.0} % sure",
        shown("/case/number"),
        shown("/case/triage/category"),
        shown("/case/triage/severity"),
        shown("/case/triage/route"),
    ))
    .with([format!("because of: {}", words.join(", "))]))
}

/// Lets the device observe itself.
pub fn diagnose(tour: &mut Tour) -> Result<Told, Failure> {
    let call = tour.ask(&json!({"skill": "diagnostics.probe"}), BOUND)?;
    let mib = |pointer| answer::number(&call, pointer).map(|bytes| bytes.div_euclid(1 << 20));
    let line = format!(
        "{}, kernel {}, {} of {} MiB in use, load {:.2}",
        answer::shown(&call, "/output/facts/hostname"),
        answer::shown(&call, "/output/facts/kernel"),
        mib("/output/metrics/memory_used")?,
        mib("/output/metrics/memory_total")?,
        answer::decimal(&call, "/output/metrics/load_1")?,
    );
    let notes = answer::list(&call, "/output/notes")?;
    Ok(Told::new(line).with(
        notes
            .iter()
            .take(SHOWN)
            .map(|note| format!("{}: {}", answer::shown(note, "/severity"), answer::shown(note, "/text"))),
    ))
}

/// Compares the configuration with the policy.
pub fn scan(tour: &mut Tour) -> Result<Told, Failure> {
    tour.ask(&json!({"skill": "scanner.posture"}), BOUND)?;
    let device = tour.api()?.get(&format!("/v1/devices/{}", tour.device))?;
    let (passed, failed) =
        (answer::number(&device, "/posture/passed")?, answer::number(&device, "/posture/failed")?);
    let view = tour.case_view()?;
    let mut findings: Vec<&Value> = answer::list(&view, "/findings")?.iter().collect();
    findings.sort_by_key(|finding| rank(&answer::shown(finding, "/result/severity")));
    let line = format!(
        "{failed} of {} checks failed, score {}",
        passed + failed,
        answer::number(&device, "/posture/score")?
    );
    Ok(Told::new(line).with(findings.iter().take(SHOWN).map(|finding| {
        format!("{}: {}", answer::shown(finding, "/result/severity"), answer::shown(finding, "/result/title"))
    })))
}

/// The gravest first.
fn rank(severity: &str) -> usize {
    ["critical", "high", "medium", "low"].iter().position(|known| *known == severity).unwrap_or(usize::MAX)
}

/// Asks the advisor about the findings.
pub fn ask(tour: &mut Tour) -> Result<Told, Failure> {
    let call = tour.ask(&json!({"skill": "advisory.answer", "question": QUESTION}), BOUND)?;
    let cited = answer::list(&call, "/output/citations")?.len();
    let text = answer::text(&call, "/output/answer")?;
    let mut lines = vec![QUESTION.to_owned()];
    lines.extend(text.lines().take(SHOWN).flat_map(wrapped));
    Ok(Told::new(format!("an answer that cites {cited} of the case's papers")).with(lines))
}

/// A line as several of at most [`WIDTH`] characters, broken between words.
fn wrapped(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split_whitespace() {
        match lines.last_mut() {
            Some(last) if last.is_empty() => last.push_str(word),
            Some(last) if last.chars().count() + 1 + word.chars().count() <= WIDTH => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_answers_break_between_words() {
        let text = "word ".repeat(50);
        let lines = wrapped(&text);
        assert!(lines.len() > 1 && lines.iter().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(lines.join(" "), text.trim());
    }

    #[test]
    fn the_gravest_findings_come_first() {
        let mut all = ["low", "unheard of", "critical", "medium", "high"];
        all.sort_by_key(|severity| rank(severity));
        assert_eq!(all, ["critical", "high", "medium", "low", "unheard of"]);
    }
}
