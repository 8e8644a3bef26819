//! Runs one suite with what the command line gave.

use std::{
    cell::{OnceCell, RefCell},
    path::{Path, PathBuf},
    time::Duration,
};

use echo_core::Digest;
use evals::{
    Input, Suite, SuiteName, advice, injection,
    retrieval::{self, Document, Question},
    speed, triage,
};
use memory::Memory;
use models::{ModelRef, Models, Settings};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::{Arguments, documents};
use crate::{Failure, triage::Table};

/// The most bytes of a file of questions.
const MAX_QUESTIONS: u64 = 16 * 1024 * 1024;
/// The most memory that models may hold.
const RESIDENT: u64 = 4 << 30;
/// Models stay loaded for as long as an evaluation takes.
const IDLE: Duration = Duration::from_hours(1);
/// On how many threads a model runs: the figures in bench/RESULTS.md are made with as many.
const THREADS: u32 = 2;

/// What the suites run with.
pub struct Bench<'a> {
    arguments: &'a Arguments,
    runtime: Runtime,
    models: Models,
    inputs: RefCell<Vec<Input>>,
    library: OnceCell<Library>,
}

/// What questions are asked about.
struct Library {
    memory: Memory,
    documents: Vec<Document>,
    _folder: TempDir,
}

impl<'a> Bench<'a> {
    /// Opens the models; without a folder there are none.
    pub fn open(arguments: &'a Arguments) -> Result<Self, Failure> {
        let models = match &arguments.models {
            None => Models::none(),
            Some(folder) => Models::open(settings(folder)).map_err(Failure::failed)?,
        };
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
        Ok(Self { arguments, runtime, models, inputs: RefCell::default(), library: OnceCell::new() })
    }

    /// The models that were asked.
    pub fn models(&self) -> Vec<ModelRef> {
        self.models.text().into_iter().chain(self.models.embedder()).collect()
    }

    /// The files that were read.
    pub fn into_inputs(self) -> Vec<Input> {
        self.inputs.into_inner()
    }

    /// Runs a suite, or says why it cannot be; one that was asked for by name must run.
    pub fn run(&self, name: SuiteName, asked: bool) -> Result<Result<Suite, String>, Failure> {
        let missing = match name {
            SuiteName::Triage if self.arguments.tickets.is_none() => "give tickets with --tickets CSV",
            SuiteName::Speed if self.models().is_empty() => "give models with --models DIR",
            _ => return self.suite(name).map(Ok),
        };
        if asked {
            return Err(Failure::usage(format!("{} cannot run: {missing}", name.as_str())));
        }
        Ok(Err(missing.to_owned()))
    }

    fn suite(&self, name: SuiteName) -> Result<Suite, Failure> {
        match name {
            SuiteName::Triage => self.triage(),
            SuiteName::Retrieval => self.retrieval(),
            SuiteName::Advice => self.advice(),
            SuiteName::Injection => self.injection(),
            SuiteName::Speed => {
                let text = std::str::from_utf8(&self.read(Path::new("ARCHITECTURE.md"))?)
                    .map_err(Failure::failed)?
                    .to_owned();
                self.runtime.block_on(speed::run(&self.models, &text)).map_err(Failure::failed)
            }
        }
    }

    fn triage(&self) -> Result<Suite, Failure> {
        let Some(path) = &self.arguments.tickets else {
            return Err(Failure::usage("give tickets with --tickets CSV"));
        };
        let table = Table::read(path)?;
        self.used(&path.display().to_string(), table.digest);
        let cases = table.labelled(None)?;
        let tickets = triage::Tickets { texts: &cases.texts, truths: &cases.truths, labels: &cases.labels };
        triage::run(&tickets, crate::triage::processor).map_err(Failure::failed)
    }

    fn retrieval(&self) -> Result<Suite, Failure> {
        let questions: Vec<Question> = self.questions("evals/retrieval.jsonl")?;
        let library = self.library()?;
        let asked = retrieval::run(&library.memory, &self.models, &questions, &library.documents);
        self.runtime.block_on(asked).map_err(Failure::failed)
    }

    fn advice(&self) -> Result<Suite, Failure> {
        let questions: Vec<advice::Question> = self.questions("evals/advice.jsonl")?;
        let asked = advice::run(&self.library()?.memory, &self.models, &questions);
        self.runtime.block_on(asked).map_err(Failure::failed)
    }

    fn injection(&self) -> Result<Suite, Failure> {
        let attacks: Vec<injection::Attack> = self.questions("evals/injection.jsonl")?;
        let benign: Vec<injection::Benign> = self.questions("evals/benign.jsonl")?;
        injection::run(&attacks, &benign).map_err(Failure::failed)
    }

    /// The documents in a memory of their own, made for the first suite that asks.
    fn library(&self) -> Result<&Library, Failure> {
        if let Some(library) = self.library.get() {
            return Ok(library);
        }
        let documents = self.documents()?;
        let folder = tempfile::tempdir().map_err(Failure::failed)?;
        let memory = self.runtime.block_on(async {
            let memory = Memory::open(folder.path()).await.map_err(Failure::failed)?;
            let remembered = retrieval::remember(&memory, &self.models, &documents).await;
            remembered.map(|_| memory).map_err(Failure::failed)
        })?;
        Ok(self.library.get_or_init(|| Library { memory, documents, _folder: folder }))
    }

    fn documents(&self) -> Result<Vec<Document>, Failure> {
        let documents = documents::of(&self.arguments.repository)?;
        self.used("documents", retrieval::digest(&documents));
        Ok(documents)
    }

    fn questions<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Failure> {
        let bytes = self.read(Path::new(path))?;
        let text =
            String::from_utf8(bytes).map_err(|_| Failure::failed(format!("{path}: it is not UTF-8")))?;
        evals::parse(&text).map_err(|error| Failure::failed(format!("{path}: {error}")))
    }

    /// A file of the repository, which the figures rest on.
    fn read(&self, path: &Path) -> Result<Vec<u8>, Failure> {
        let at: PathBuf = self.arguments.repository.join(path);
        let bytes = durable::read(&at, MAX_QUESTIONS)?.ok_or_else(|| {
            Failure::failed(format!("there is no file {}", at.display()))
                .hint("run this in Echo's repository, or name it with --repository")
        })?;
        self.used(&path.display().to_string(), Digest::of(&bytes));
        Ok(bytes)
    }

    fn used(&self, name: &str, digest: Digest) {
        let input = Input { name: name.to_owned(), digest };
        let mut inputs = self.inputs.borrow_mut();
        if !inputs.contains(&input) {
            inputs.push(input);
        }
    }
}

fn settings(folder: &Path) -> Settings {
    Settings {
        folder: folder.to_owned(),
        resident_bytes: RESIDENT,
        idle: IDLE,
        threads: THREADS,
        endpoint: None,
    }
}
