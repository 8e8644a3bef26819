//! Advisory: answers a question with quotes from what is known, and says so when nothing bears on it.
//!
//! What is known is the case's own evidence, and what retrieval found in documents, past cases and devices. Retrieval
//! always finds something; it is quoted only where it holds what the question is about.

mod follow_up;
mod hit;
mod prepare;
pub(crate) mod rank;

use serde::{Deserialize, Serialize};

pub use self::prepare::{Prepared, prepare};
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
/// The case's evidence must bear on at least this share of the question's words.
pub const ABSTAIN_BELOW: f64 = 0.25;
/// What retrieval found must hold at least this share of the question's rare words.
pub const RETRIEVED_COVERAGE: f64 = 0.6;
/// Or be at least so near to the question in meaning (cosine), and hold [`NEAR_COVERAGE`].
pub const NEAR: f32 = 0.45;
/// The share of the question's rare words that a passage near in meaning must hold.
pub const NEAR_COVERAGE: f64 = 0.25;
/// Or be so near that it counts without any of its words.
pub const VERY_NEAR: f32 = 0.6;
/// The most characters of a title in an answer.
const MAX_TITLE_CHARS: usize = 120;

const NOTHING_BEARS: &str =
    "Nothing that is known here bears on the question. Please ask a technician, or ask in other words.";

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
        /// A passage of a document.
        Document = "document",
        /// A case that was closed.
        PastCase = "past_case",
        /// What is remembered of a device.
        Device = "device",
    }
}

/// A question about a case, with all that may be said in answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// What was asked.
    pub text: String,
    /// The case's evidence; among equals the first is preferred.
    pub evidence: Vec<Evidence>,
}

/// One thing that is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// How well retrieval found it; nothing for the case's own evidence.
    #[serde(default)]
    pub retrieved: Option<Retrieved>,
}

/// How well retrieval found a passage.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retrieved {
    /// The share of the question's rare words, 0 to 1, that it holds.
    pub coverage: f64,
    /// How near it is to the question in meaning (cosine); nothing without an embedding model.
    pub similarity: Option<f32>,
}

impl Retrieved {
    /// Whether it bears on the question, and is no mere neighbour.
    pub fn bears(&self) -> bool {
        let near = self.similarity.unwrap_or(0.0);
        self.coverage >= RETRIEVED_COVERAGE
            || (near >= NEAR && self.coverage >= NEAR_COVERAGE)
            || near >= VERY_NEAR
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
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
    /// What to ask or do to answer better, from what the evidence lacks.
    #[serde(default)]
    pub follow_up: Vec<String>,
    /// A reply for a technician to edit; nobody sends it as it is.
    #[serde(default)]
    pub draft: Option<String>,
}

/// Where a sentence of an answer comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Citation {
    /// The id of the evidence.
    pub evidence: String,
    /// What kind of thing speaks.
    #[serde(default)]
    pub kind: Option<EvidenceKind>,
    /// Its title: for a document, its name and the headings that lead to the passage.
    #[serde(default)]
    pub title: String,
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
        let follow_up = follow_up::follow_up(question, &ranked);
        if ranked.best.is_empty() {
            return Ok(Advice {
                answer: NOTHING_BEARS.to_owned(),
                citations: Vec::new(),
                confidence,
                abstained: true,
                follow_up,
                draft: None,
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
        let answer = lines.join("\n");
        Ok(Advice { answer, citations, confidence, abstained: false, follow_up, draft: None })
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
    Citation {
        evidence: hit.evidence.id.clone(),
        kind: Some(hit.evidence.kind),
        title: title(hit.evidence),
        quote: shorten(hit.quote, MAX_QUOTE_CHARS).to_owned(),
    }
}

/// The title on one line, cut to [`MAX_TITLE_CHARS`].
fn title(evidence: &Evidence) -> String {
    let title = evidence.title.split_whitespace().collect::<Vec<_>>().join(" ");
    shorten(&title, MAX_TITLE_CHARS).to_owned()
}

/// One line: what speaks, what it says, and the citation's number.
fn sentence(evidence: &Evidence, quote: &str, number: usize) -> String {
    let speaker = match evidence.kind {
        EvidenceKind::Finding => "The finding",
        EvidenceKind::Diagnosis => "The diagnosis",
        EvidenceKind::Playbook => "The playbook",
        EvidenceKind::Triage => "Triage",
        EvidenceKind::Scan => "The scan",
        EvidenceKind::Document => "The document",
        EvidenceKind::PastCase => "The earlier case",
        EvidenceKind::Device => "What is known of the device",
    };
    let title = title(evidence);
    if title.is_empty() || title == quote {
        format!("{speaker} says: \u{201c}{quote}\u{201d} [{number}].")
    } else {
        format!("{speaker} \u{201c}{title}\u{201d} says: \u{201c}{quote}\u{201d} [{number}].")
    }
}

#[cfg(test)]
mod tests;
