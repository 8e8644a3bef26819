//! What to ask or do to answer better: worked out from what the evidence lacks, by no model.

use std::collections::BTreeSet;

use super::{EvidenceKind, Question, rank};

/// The most follow-up questions of one answer.
const MAX_FOLLOW_UPS: usize = 3;
/// An answer that covers at least this share of the question needs none.
const ENOUGH: f64 = 0.75;
/// The most words that one follow-up asks about.
const MAX_ASKED: usize = 3;

/// Words of questions that a measurement of the device answers.
const MEASURED: &str = "slow disk full memory cpu load hang freeze crash boot reboot hot noise service network internet \
    battery performance lag stuck space ram swap process";
/// Words of questions that a posture scan answers.
const SCANNED: &str = "secure security safe hack hacked virus malware ssh root password login firewall update patch \
    vulnerability encryption permission attack ransomware audit compliance weak";

/// At most [`MAX_FOLLOW_UPS`] questions, the most useful first.
pub(super) fn follow_up(question: &Question, ranked: &rank::Ranked<'_>) -> Vec<String> {
    if !ranked.best.is_empty() && ranked.coverage >= ENOUGH {
        return Vec::new();
    }
    let asked = rank::asked(&question.text);
    let about = |words: &str| rank::words(words).any(|word| asked.contains(&word));
    let kinds: BTreeSet<EvidenceKind> = question.evidence.iter().map(|one| one.kind).collect();
    let mut out = Vec::new();
    if about(MEASURED) && !kinds.contains(&EvidenceKind::Diagnosis) {
        out.push(
            "The device was not measured in this case: shall it be diagnosed (diagnostics.probe)?".to_owned(),
        );
    }
    if about(SCANNED) && !kinds.contains(&EvidenceKind::Finding) && !kinds.contains(&EvidenceKind::Scan) {
        out.push(
            "The device was not scanned in this case: shall its security be scanned (scanner.posture)?"
                .to_owned(),
        );
    }
    if asked.is_empty() || (ranked.best.is_empty() && asked.len() < 2) {
        out.push("What exactly happens, since when, and what does the screen say?".to_owned());
    }
    if !ranked.missing.is_empty() {
        let words: Vec<String> =
            ranked.missing.iter().take(MAX_ASKED).map(|word| format!("\u{201c}{word}\u{201d}")).collect();
        out.push(format!("Nothing known here speaks of {}: can you say more about it?", words.join(", ")));
    }
    out.truncate(MAX_FOLLOW_UPS);
    out
}
