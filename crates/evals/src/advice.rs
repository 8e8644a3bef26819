//! Answers with citations, and honest silence: questions that the documents answer, and others that they do not.

use std::time::Instant;

use agents::{Advisor, Engine as _, EngineError, Evidence, advisory};
use memory::{Memory, MemoryError, Query};
use models::{ModelError, Models};
use serde::Deserialize;

use crate::{
    Figure, MAX_MISSES, Suite, SuiteName,
    figure::{percentile, share},
};

/// How many passages are retrieved for a question, as the desk does.
const PASSAGES: usize = 8;

/// A question about the documents.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// As a person would ask.
    pub question: String,
    /// The document that answers; nothing when none does, and the advisor has to say so.
    pub source: Option<String>,
}

/// Why questions could not be put.
#[derive(Debug, thiserror::Error)]
pub enum AdviceError {
    /// The memory failed.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The embedding model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The advisor refused a question.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Puts the questions to the memory and the advisor.
pub async fn run(memory: &Memory, models: &Models, questions: &[Question]) -> Result<Suite, AdviceError> {
    let began = Instant::now();
    let (mut answered, mut cited, mut silent, mut unfounded) = (0, 0, 0, 0);
    let answerable = questions.iter().filter(|question| question.source.is_some()).count();
    let (mut millis, mut misses) = (Vec::new(), Vec::new());
    for question in questions {
        let asked = Instant::now();
        let (evidence, sources) = retrieved(memory, models, &question.question).await?;
        let prepared = advisory::prepare(&question.question, evidence);
        let advice = Advisor.run(&prepared.question)?;
        millis.push(asked.elapsed().as_secs_f64() * 1000.0);
        // A citation that is not word for word in what was retrieved would be an invention.
        let stands = |quote: &str| prepared.question.evidence.iter().any(|one| holds(one, quote));
        unfounded += advice.citations.iter().filter(|citation| !stands(&citation.quote)).count();
        let from = |path: &String| {
            advice
                .citations
                .iter()
                .any(|citation| sources.iter().any(|(id, source)| *id == citation.evidence && source == path))
        };
        let wrong = match &question.source {
            None => !advice.abstained,
            Some(path) => !from(path),
        };
        match &question.source {
            None => silent += usize::from(advice.abstained),
            Some(path) => {
                answered += usize::from(!advice.abstained);
                cited += usize::from(from(path));
            }
        }
        if wrong && misses.len() < MAX_MISSES {
            let got = if advice.abstained { "nothing" } else { &advice.answer };
            misses.push(format!("{}: {}", question.question, got.lines().next().unwrap_or_default()));
        }
    }
    millis.sort_by(f64::total_cmp);
    let figures = vec![
        Figure::higher("answered", share(answered, answerable)),
        Figure::higher("cites_the_right_document", share(cited, answerable)),
        Figure::higher("silent_where_nothing_answers", share(silent, questions.len() - answerable)),
        Figure::lower("unfounded_citations", share(unfounded, 1)),
        Figure::lower("p95_ms", percentile(&millis, 95)),
    ];
    let seconds = began.elapsed().as_secs_f64();
    Ok(Suite { suite: SuiteName::Advice, cases: questions.len(), figures, misses, seconds })
}

fn holds(evidence: &Evidence, quote: &str) -> bool {
    evidence.text.contains(quote) || evidence.title.contains(quote)
}

/// What the memory finds, as evidence, and from which source each piece comes.
async fn retrieved(
    memory: &Memory,
    models: &Models,
    question: &str,
) -> Result<(Vec<Evidence>, Vec<(String, String)>), AdviceError> {
    let vector = match models.embedder() {
        None => None,
        Some(_) => models.embed(vec![question.to_owned()]).await?.vectors.pop(),
    };
    let query =
        Query { customer: None, text: question, vector: vector.as_deref(), kinds: &[], limit: PASSAGES };
    let hits = memory.search(&query).await?;
    let evidence: Vec<(Evidence, String)> = hits
        .into_iter()
        .map(|hit| (hit.source.clone(), hit))
        .map(|(source, hit)| (Evidence::from(hit), source))
        .collect();
    let sources = evidence.iter().map(|(one, source)| (one.id.clone(), source.clone())).collect();
    Ok((evidence.into_iter().map(|(one, _)| one).collect(), sources))
}
