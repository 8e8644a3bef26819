//! `model bench`.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use models::{Chat, Embedded, Message, ModelRef, Models, Settings, Speaker};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::{Failure, out::Out};

/// The prompt when no file is said: a ticket, and what to do with it.
const PROMPT: &str = include_str!("bench.txt");
/// The most bytes of a prompt's or the sentences' file.
const MAX_FILE: u64 = 8 << 20;
/// Sentences when no file is said: the prompt's lines, again and again.
const SENTENCES: usize = 200;
/// The most sentences that are asked at once.
const AT_ONCE: usize = 512;

/// What to measure with.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The text model; the first one when not said
    #[arg(long)]
    model: Option<String>,
    /// A file with the prompt
    #[arg(long, value_name = "FILE")]
    prompt: Option<PathBuf>,
    /// How many tokens to generate
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(2..=1024))]
    tokens: u32,
    /// A file with the sentences to embed, one a line
    #[arg(long, value_name = "FILE")]
    sentences: Option<PathBuf>,
    /// Threads to compute on; one for each core but one when not said
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
    /// How often each thing is measured; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=50))]
    runs: u8,
}

/// What is printed as JSON.
#[derive(Serialize)]
struct Report {
    threads: u32,
    text: Option<Text>,
    embedding: Option<Embedding>,
}

/// A text model's figures.
#[derive(Serialize)]
struct Text {
    model: ModelRef,
    /// Milliseconds until the file was checked, loaded, and had answered with one token.
    load_ms: f64,
    prompt_tokens: u32,
    prompt_per_second: f64,
    completion_tokens: u32,
    generated_per_second: f64,
}

/// An embedding model's figures.
#[derive(Serialize)]
struct Embedding {
    model: ModelRef,
    load_ms: f64,
    sentences: usize,
    tokens: u32,
    sentences_per_second: f64,
    /// Milliseconds for one sentence alone: the median.
    one_ms: f64,
}

/// Measures and prints.
pub fn run(arguments: &Arguments, folder: PathBuf, out: Out) -> Result<(), Failure> {
    let defaults = Settings::new(folder);
    let settings = Settings { threads: arguments.threads.unwrap_or(defaults.threads), ..defaults };
    let threads = settings.threads;
    let models = Models::open(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(Failure::failed)?;
    let report = runtime.block_on(async {
        let text = match models.text() {
            Some(_) => Some(text(&models, arguments).await?),
            None => None,
        };
        let embedding = match models.embedder() {
            Some(_) => Some(embedding(&models, arguments).await?),
            None => None,
        };
        Ok::<_, Failure>(Report { threads, text, embedding })
    })?;
    if report.text.is_none() && report.embedding.is_none() {
        // The error says whether the models or the engine are missing.
        runtime.block_on(models.embed(vec![String::new()]))?;
    }
    report.print(out)
}

async fn text(models: &Models, arguments: &Arguments) -> Result<Text, Failure> {
    let prompt = match &arguments.prompt {
        Some(path) => read(path)?,
        None => PROMPT.to_owned(),
    };
    let chat = |max_tokens: u32| Chat {
        messages: vec![Message { speaker: Speaker::User, content: prompt.clone() }],
        max_tokens,
        temperature: 0.0,
        top_p: 1.0,
        seed: 1,
        stop: Vec::new(),
        budget_millis: models::limits::MAX_BUDGET,
    };
    let name = arguments.model.as_deref();
    let began = Instant::now();
    let loaded = models.chat(name, chat(1), None).await?;
    let load_ms = millis(began);
    let (mut prompts, mut generated, mut completion_tokens) = (Vec::new(), Vec::new(), 0);
    for _ in 0..arguments.runs {
        let (send, mut pieces) = mpsc::channel(1024);
        let began = Instant::now();
        let first = async {
            let first = pieces.recv().await.map(|_| Instant::now());
            while pieces.recv().await.is_some() {}
            first
        };
        let (said, first) = tokio::join!(models.chat(name, chat(arguments.tokens), Some(send)), first);
        let (said, ended) = (said?, Instant::now());
        let first = first
            .ok_or_else(|| Failure::failed("the model ended before its first word: try another prompt"))?;
        prompts.push(f64::from(said.prompt_tokens) / (first - began).as_secs_f64());
        generated.push(f64::from(said.completion_tokens.saturating_sub(1)) / (ended - first).as_secs_f64());
        completion_tokens = said.completion_tokens;
    }
    Ok(Text {
        model: loaded.model,
        load_ms,
        prompt_tokens: loaded.prompt_tokens,
        prompt_per_second: median(prompts),
        completion_tokens,
        generated_per_second: median(generated),
    })
}

async fn embedding(models: &Models, arguments: &Arguments) -> Result<Embedding, Failure> {
    let sentences: Vec<String> = match &arguments.sentences {
        Some(path) => read(path)?.lines().map(str::to_owned).collect(),
        None => PROMPT
            .lines()
            .filter(|line| !line.is_empty())
            .cycle()
            .take(SENTENCES)
            .map(str::to_owned)
            .collect(),
    };
    let one = sentences.first().cloned().ok_or_else(|| Failure::usage("the file holds no sentence"))?;
    let began = Instant::now();
    let Embedded { model, .. } = models.embed(vec![one.clone()]).await?;
    let load_ms = millis(began);
    let (mut rates, mut ones, mut tokens) = (Vec::new(), Vec::new(), 0);
    for _ in 0..arguments.runs {
        let began = Instant::now();
        tokens = 0;
        for some in sentences.chunks(AT_ONCE) {
            tokens += models.embed(some.to_vec()).await?.tokens;
        }
        rates.push(
            f64::from(u32::try_from(sentences.len()).unwrap_or(u32::MAX)) / began.elapsed().as_secs_f64(),
        );
        let began = Instant::now();
        models.embed(vec![one.clone()]).await?;
        ones.push(millis(began));
    }
    let (sentences_per_second, one_ms) = (median(rates), median(ones));
    Ok(Embedding { model, load_ms, sentences: sentences.len(), tokens, sentences_per_second, one_ms })
}

impl Report {
    fn print(&self, out: Out) -> Result<(), Failure> {
        if out.is_json() {
            return out.json(self);
        }
        if let Some(text) = &self.text {
            out.line(&format!(
                "{}: {:.1} tokens/s read ({} of them), {:.1} tokens/s written ({}), loaded in {:.0} ms",
                text.model.name,
                text.prompt_per_second,
                text.prompt_tokens,
                text.generated_per_second,
                text.completion_tokens,
                text.load_ms
            ))?;
        }
        if let Some(embedding) = &self.embedding {
            out.line(&format!(
                "{}: {:.1} sentences/s ({} of {} tokens), one alone in {:.1} ms, loaded in {:.0} ms",
                embedding.model.name,
                embedding.sentences_per_second,
                embedding.sentences,
                embedding.tokens,
                embedding.one_ms,
                embedding.load_ms
            ))?;
        }
        out.line(&format!("on {} threads", self.threads))
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let bytes = durable::read(path, MAX_FILE)?;
    let bytes = bytes.ok_or_else(|| Failure::failed(format!("there is no {}", path.display())))?;
    String::from_utf8(bytes).map_err(|_| Failure::failed(format!("{} is not UTF-8 text", path.display())))
}

fn millis(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
