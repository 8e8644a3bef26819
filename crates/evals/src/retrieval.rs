//! The right section among the first five: questions over documents, put to the memory that serves customers.

use std::{collections::BTreeSet, time::Instant};

use echo_core::{Digest, Timestamp};
use memory::{Hit, Memory, MemoryError, Owner, Query, Source, SourceKind};
use models::{ModelError, Models};
use serde::Deserialize;

use crate::{
    Figure, MAX_MISSES, Suite, SuiteName,
    figure::{number, percentile, share},
};

/// Among how many hits the right one must be.
const FIRST: usize = 5;
/// How many chunks are turned into vectors at once.
const BATCH: usize = 64;

/// A question, and where its answer stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// As a person would ask.
    pub question: String,
    /// The document that answers.
    pub source: String,
    /// The sections that answer, any of them: the ones that the question was written for.
    pub headings: Vec<String>,
    /// Other sections that answer it fully by themselves, as `docs/evaluation.md` says they were found.
    #[serde(default)]
    pub also: Vec<Place>,
    /// Whether it served to tune the search, or was kept apart.
    pub part: Part,
}

/// Sections of one document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The document.
    pub source: String,
    /// Its sections, any of them.
    pub headings: Vec<String>,
}

/// What a question is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// To tune the search with.
    Dev,
    /// To say how good it is.
    Test,
}

/// Which sections count as an answer.
#[derive(Clone, Copy)]
enum Judged {
    /// Every section that answers.
    All,
    /// Those that the question was written for.
    Strictly,
}

/// A document to find things in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its path in the repository.
    pub path: String,
    /// What it is called.
    pub title: String,
    /// All of it.
    pub text: String,
    /// Whether it is prose or a playbook.
    pub kind: SourceKind,
}

/// Why questions could not be put.
#[derive(Debug, thiserror::Error)]
pub enum RetrievalError {
    /// The memory failed.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The embedding model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A question's answer is not there.
    #[error("`{question}` is said to be answered in {place}, which no document has: mend the question")]
    Nowhere {
        /// Which question.
        question: String,
        /// Where its answer should stand.
        place: String,
    },
}

impl Question {
    /// Where its answer stands: documents, each with its sections.
    fn places(&self, judged: Judged) -> impl Iterator<Item = (&str, &[String])> {
        let also = match judged {
            Judged::All => self.also.as_slice(),
            Judged::Strictly => &[],
        };
        let first = (self.source.as_str(), self.headings.as_slice());
        std::iter::once(first)
            .chain(also.iter().map(|place| (place.source.as_str(), place.headings.as_slice())))
    }
}

/// Remembers the documents and, where `models` has an embedding model, their vectors.
pub async fn remember(
    memory: &Memory,
    models: &Models,
    documents: &[Document],
) -> Result<usize, RetrievalError> {
    let mut chunks = 0;
    for document in documents {
        let source = Source {
            id: document.path.clone(),
            kind: document.kind,
            owner: Owner::Shared,
            title: document.title.clone(),
            text: document.text.clone(),
            at: Timestamp::UNIX_EPOCH,
            expires: None,
        };
        chunks += memory.remember(&source).await?.chunks;
    }
    if let Some(model) = models.embedder() {
        loop {
            let waiting = memory.waiting(&model.name, BATCH).await?;
            if waiting.is_empty() {
                break;
            }
            let (ids, texts): (Vec<_>, Vec<_>) = waiting.into_iter().map(|w| (w.chunk, w.text)).unzip();
            let vectors = models.embed(texts).await?.vectors;
            memory.place(&model.name, ids.into_iter().zip(vectors).collect()).await?;
        }
    }
    Ok(chunks)
}

/// Asks the questions that were kept apart, with words and vectors, and with words alone.
pub async fn run(
    memory: &Memory,
    models: &Models,
    questions: &[Question],
    documents: &[Document],
) -> Result<Suite, RetrievalError> {
    let began = Instant::now();
    check(questions, documents)?;
    let kept: Vec<&Question> = questions.iter().filter(|question| question.part == Part::Test).collect();
    let with_vectors = models.embedder().is_some();
    let (mut first, mut found, mut strictly, mut by_words, mut ranks) = (0, 0, 0, 0, 0.0);
    let (mut millis, mut misses) = (Vec::new(), Vec::new());
    for question in &kept {
        let words = ask(memory, question, None).await?;
        by_words += usize::from(rank(question, &words, Judged::All).is_some());
        let hits = if with_vectors {
            let vector = models.embed(vec![question.question.clone()]).await?.vectors.pop();
            let asked = Instant::now();
            let hits = ask(memory, question, vector.as_deref()).await?;
            millis.push(asked.elapsed().as_secs_f64() * 1000.0);
            hits
        } else {
            words
        };
        strictly += usize::from(rank(question, &hits, Judged::Strictly).is_some());
        match rank(question, &hits, Judged::All) {
            Some(rank) => {
                found += 1;
                first += usize::from(rank == 1);
                ranks += 1.0 / number(rank);
            }
            None if misses.len() < MAX_MISSES => misses.push(missed(question, &hits)),
            None => {}
        }
    }
    millis.sort_by(f64::total_cmp);
    let mut figures = vec![Figure::higher("recall_at_5_words_alone", share(by_words, kept.len()))];
    if with_vectors {
        figures.extend([
            Figure::higher("recall_at_5", share(found, kept.len())),
            Figure::higher("recall_at_5_strict", share(strictly, kept.len())),
            Figure::higher("recall_at_1", share(first, kept.len())),
            Figure::higher("mrr_at_5", ranks / number(kept.len().max(1))),
            Figure::lower("p95_ms", percentile(&millis, 95)),
        ]);
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(Suite { suite: SuiteName::Retrieval, cases: kept.len(), figures, misses, seconds })
}

/// What the answers are looked up in, as one digest: paths and texts in their order.
pub fn digest(documents: &[Document]) -> Digest {
    let mut all = Vec::new();
    for document in documents {
        all.extend_from_slice(document.path.as_bytes());
        all.push(0);
        all.extend_from_slice(document.text.as_bytes());
        all.push(0);
    }
    Digest::of(&all)
}

fn check(questions: &[Question], documents: &[Document]) -> Result<(), RetrievalError> {
    let mut places = BTreeSet::new();
    for document in documents {
        for piece in memory::chunks(&document.title, &document.text)? {
            places.extend(piece.heading.split(" > ").map(|part| (document.path.clone(), part.to_owned())));
            places.insert((document.path.clone(), piece.heading));
        }
    }
    for question in questions {
        for (source, headings) in question.places(Judged::All) {
            for heading in headings {
                if !places.contains(&(source.to_owned(), heading.clone())) {
                    let place = format!("{source} under `{heading}`");
                    return Err(RetrievalError::Nowhere { question: question.question.clone(), place });
                }
            }
        }
    }
    Ok(())
}

async fn ask(
    memory: &Memory,
    question: &Question,
    vector: Option<&[f32]>,
) -> Result<Vec<Hit>, RetrievalError> {
    let query = Query { customer: None, text: &question.question, vector, kinds: &[], limit: FIRST };
    Ok(memory.search(&query).await?)
}

/// The place of the first hit in a section that answers, from 1.
fn rank(question: &Question, hits: &[Hit], judged: Judged) -> Option<usize> {
    let under = |hit: &Hit, heading: &String| {
        hit.heading == *heading || hit.heading.split(" > ").any(|part| part == heading)
    };
    let answers = |hit: &Hit| {
        question.places(judged).any(|(source, headings)| {
            hit.source == source && headings.iter().any(|heading| under(hit, heading))
        })
    };
    hits.iter().position(answers).map(|at| at + 1)
}

fn missed(question: &Question, hits: &[Hit]) -> String {
    let got: Vec<String> = hits.iter().map(|hit| format!("{} / {}", hit.source, hit.heading)).collect();
    format!(
        "{} -> {} / {}; got {}",
        question.question,
        question.source,
        question.headings.join(" or "),
        if got.is_empty() { "nothing".to_owned() } else { got.join("; ") }
    )
}
