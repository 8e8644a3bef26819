//! Advisory: answers a question with quotes from a case's evidence, and says so when nothing bears on it.

mod rank;

use serde::{Deserialize, Serialize};

use crate::{
    engine::{Engine, EngineError, bound},
    named::named,
    skill::Skill,
    text::shorten,
};

/// The most bytes of a question.
pub const MAX_QUESTION_BYTES: usize = 4 * 1024;
/// The most pieces of evidence.
pub const MAX_EVIDENCE: usize = 500;
/// The most bytes of one piece of evidence, its title included.
pub const MAX_EVIDENCE_BYTES: usize = 16 * 1024;
/// The most pieces that one answer quotes.
pub const MAX_CITATIONS: usize = 5;
/// The most characters of one quote.
pub const MAX_QUOTE_CHARS: usize = 300;
/// The answer must bear on at least this share of the question's words.
pub const ABSTAIN_BELOW: f64 = 0.25;
/// The most characters of a title in an answer.
const MAX_TITLE_CHARS: usize = 120;

const NOTHING_BEARS: &str =
    "Nothing in this case's evidence bears on the question. Please ask a technician, or ask in other words.";

named! {
    /// What kind of thing speaks.
    EvidenceKind, "kind of evidence" {
        /// A posture result that needs attention.
        Finding = "finding",
        /// What a probe measured.
        Diagnosis = "diagnosis",
        /// A playbook.
        Playbook = "playbook",
        /// What triage found.
        Triage = "triage",
        /// A posture scan.
        Scan = "scan",
    }
}

/// A question about a case, with all that may be said in answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// What was asked.
    pub text: String,
    /// The case's evidence; among equals the first is preferred.
    pub evidence: Vec<Evidence>,
}

/// One thing that is known about a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The id of the finding, scan or the like.
    pub id: String,
    /// What kind of thing it is.
    pub kind: EvidenceKind,
    /// In a few words.
    pub title: String,
    /// All of it.
    pub text: String,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advice {
    /// One sentence a line, each ending with the number of its citation, `[1]` being the first.
    pub answer: String,
    /// Where each sentence comes from.
    pub citations: Vec<Citation>,
    /// The share of the question's words, 0 to 1, that the quoted evidence bears on.
    pub confidence: f64,
    /// Whether nothing bears on the question.
    pub abstained: bool,
}

/// Where a sentence of an answer comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Citation {
    /// The id of the evidence.
    pub evidence: String,
    /// A part of its text or title, word for word.
    pub quote: String,
}

/// The advisory engine: ranks evidence by the words it shares with the question, and quotes it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Advisor;

impl Engine for Advisor {
    type Input = Question;
    type Output = Advice;

    fn skill(&self) -> Skill {
        Skill::AdvisoryAnswer
    }

    fn run(&self, question: &Question) -> Result<Advice, EngineError> {
        check(question)?;
        let ranked = rank::rank(question);
        let confidence = (ranked.coverage * 1_000.0).round() / 1_000.0;
        if ranked.best.is_empty() || confidence < ABSTAIN_BELOW {
            return Ok(Advice {
                answer: NOTHING_BEARS.to_owned(),
                citations: Vec::new(),
                confidence,
                abstained: true,
            });
        }
        let citations: Vec<Citation> = ranked.best.iter().map(|hit| cite(hit)).collect();
        let lines: Vec<String> = ranked
            .best
            .iter()
            .zip(&citations)
            .enumerate()
            .map(|(at, (hit, citation))| sentence(hit.evidence, &citation.quote, at + 1))
            .collect();
        Ok(Advice { answer: lines.join("\n"), citations, confidence, abstained: false })
    }
}

fn check(question: &Question) -> Result<(), EngineError> {
    let skill = Skill::AdvisoryAnswer;
    bound(skill, "the question", question.text.len(), MAX_QUESTION_BYTES, "bytes")?;
    bound(skill, "the evidence", question.evidence.len(), MAX_EVIDENCE, "items")?;
    for one in &question.evidence {
        let bytes = one.id.len() + one.title.len() + one.text.len();
        bound(skill, "a piece of evidence", bytes, MAX_EVIDENCE_BYTES, "bytes")?;
    }
    Ok(())
}

fn cite(hit: &rank::Hit<'_>) -> Citation {
    Citation { evidence: hit.evidence.id.clone(), quote: shorten(hit.quote, MAX_QUOTE_CHARS).to_owned() }
}

/// One line: what speaks, what it says, and the citation's number.
fn sentence(evidence: &Evidence, quote: &str, number: usize) -> String {
    let speaker = match evidence.kind {
        EvidenceKind::Finding => "The finding",
        EvidenceKind::Diagnosis => "The diagnosis",
        EvidenceKind::Playbook => "The playbook",
        EvidenceKind::Triage => "Triage",
        EvidenceKind::Scan => "The scan",
    };
    let title = evidence.title.split_whitespace().collect::<Vec<_>>().join(" ");
    let title = shorten(&title, MAX_TITLE_CHARS);
    if title.is_empty() || title == quote {
        format!("{speaker} says: \u{201c}{quote}\u{201d} [{number}].")
    } else {
        format!("{speaker} \u{201c}{title}\u{201d} says: \u{201c}{quote}\u{201d} [{number}].")
    }
}

#[cfg(test)]
mod tests;
