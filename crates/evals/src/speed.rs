//! What the local models cost in time: a prompt and its answer, and sentences turned into vectors.

use std::time::Instant;

use models::{Chat, Message, ModelError, Models, Speaker};

use crate::{
    Figure, Suite, SuiteName,
    figure::{number, percentile},
};

/// How often the prompt is asked.
const ROUNDS: usize = 3;
/// The most tokens of an answer.
const ANSWER: u32 = 64;
/// How many sentences are turned into vectors.
const SENTENCES: usize = 128;
/// The most milliseconds for one answer.
const PATIENCE: u64 = 120_000;

/// Asks each kind of model that is here. `text` is what the prompt and the sentences are taken from.
pub async fn run(models: &Models, text: &str) -> Result<Suite, ModelError> {
    let began = Instant::now();
    let (mut cases, mut figures) = (0, Vec::new());
    if models.text().is_some() {
        figures.extend(chat(models, text).await?);
        cases += ROUNDS;
    }
    if models.embedder().is_some() {
        let sentences: Vec<String> = text
            .split_terminator(['.', '\n'])
            .map(str::trim)
            .filter(|sentence| sentence.split_whitespace().count() > 3)
            .take(SENTENCES)
            .map(str::to_owned)
            .collect();
        // The first question loads the model.
        models.embed(vec!["ready".to_owned()]).await?;
        let asked = Instant::now();
        let made = models.embed(sentences).await?.vectors.len();
        figures.push(Figure::higher("sentences_per_s", number(made) / asked.elapsed().as_secs_f64()));
        cases += made;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(Suite { suite: SuiteName::Speed, cases, figures, misses: Vec::new(), seconds })
}

async fn chat(models: &Models, text: &str) -> Result<Vec<Figure>, ModelError> {
    let prompt: String = text.split_whitespace().take(200).collect::<Vec<_>>().join(" ");
    let chat = Chat {
        messages: vec![Message {
            speaker: Speaker::User,
            content: format!("Say in two sentences what this is about: {prompt}"),
        }],
        max_tokens: ANSWER,
        temperature: 0.0,
        top_p: 1.0,
        seed: 1,
        stop: Vec::new(),
        budget_millis: PATIENCE,
    };
    let (mut millis, mut tokens) = (Vec::new(), 0);
    for _ in 0..=ROUNDS {
        let asked = Instant::now();
        let answer = models.chat(None, chat.clone(), None).await?;
        millis.push(asked.elapsed().as_secs_f64() * 1000.0);
        tokens = answer.prompt_tokens + answer.completion_tokens;
    }
    // The first question loads the model.
    let loaded = millis.remove(0);
    millis.sort_by(f64::total_cmp);
    let median = percentile(&millis, 50);
    Ok(vec![
        Figure::lower("first_answer_ms", loaded),
        Figure::lower("answer_ms", median),
        Figure::lower("answer_tokens", f64::from(tokens)),
        Figure::higher("tokens_per_s", f64::from(tokens) * 1000.0 / median.max(1.0)),
    ])
}
