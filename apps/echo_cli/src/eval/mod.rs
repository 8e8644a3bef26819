//! `eval`: how good the agents are, in figures, and whether a change made them worse.

mod documents;
mod paper;
mod suites;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use echo_core::Mint;
use evals::{Figure, Floors, Report, Short, Suite, SuiteName};
use serde_json::json;

use self::suites::Bench;
use crate::{Failure, out, out::Out, passphrase::Opening, triage::note};

/// The most bytes of the file of floors.
const MAX_FLOORS: u64 = 64 * 1024;

/// What to evaluate, and with what.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Run this suite alone; may be given several times
    #[arg(long = "suite", value_name = "NAME")]
    suites: Vec<Wanted>,
    /// Echo's repository, with its `docs`, `playbooks` and `evals`
    #[arg(long, value_name = "DIR", default_value = ".")]
    repository: PathBuf,
    /// The models: a folder that `scripts/models` or `echo_cli model add` filled. Without it, agents run without models
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Tickets with known topics, for the suite `triage`: a CSV with the columns `Document` and `Topic_group`
    #[arg(long, value_name = "CSV")]
    tickets: Option<PathBuf>,
    /// The least figures that pass; without it, `evals/floors.json` of the repository
    #[arg(long, value_name = "FILE")]
    floors: Option<PathBuf>,
    /// Write the report here, signed with the attestor key of the platform's home
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write the report without a signature
    #[arg(long, requires = "report")]
    unsigned: bool,
    #[command(flatten)]
    opening: Opening,
}

/// A suite's name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wanted {
    Triage,
    Retrieval,
    Advice,
    Injection,
    Speed,
}

impl From<Wanted> for SuiteName {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Triage => Self::Triage,
            Wanted::Retrieval => Self::Retrieval,
            Wanted::Advice => Self::Advice,
            Wanted::Injection => Self::Injection,
            Wanted::Speed => Self::Speed,
        }
    }
}

/// Runs the suites, prints the figures, writes the report. A figure below its floor is a failure.
pub fn run(arguments: &Arguments, home: Option<PathBuf>, out: Out) -> Result<(), Failure> {
    let floors = floors_of(arguments)?;
    let bench = Bench::open(arguments)?;
    let wanted: Vec<SuiteName> = arguments.suites.iter().copied().map(SuiteName::from).collect();
    let mut found = Vec::new();
    for name in SuiteName::ALL {
        if !wanted.is_empty() && !wanted.contains(&name) {
            continue;
        }
        match bench.run(name, wanted.contains(&name))? {
            Ok(suite) => {
                if !out.is_json() {
                    print(&suite, out)?;
                }
                found.push(suite);
            }
            Err(reason) => note(&format!("{}: not run: {reason}", name.as_str())),
        }
    }
    let report = Report {
        program: env!("CARGO_PKG_VERSION").to_owned(),
        at: Mint::system().now(),
        models: bench.models(),
        inputs: bench.into_inputs(),
        suites: found,
    };
    let short = floors.hold(&report).map_err(Failure::failed)?;
    if let Some(path) = &arguments.report {
        let key = if arguments.unsigned { None } else { Some(paper::key(home, &arguments.opening)?) };
        paper::write(path, &report, key.as_ref())?;
        note(&format!("wrote {}", path.display()));
    }
    if out.is_json() {
        out.json(&json!({"report": report, "short": short}))?;
    }
    passed(&report, &short)
}

fn floors_of(arguments: &Arguments) -> Result<Floors, Failure> {
    let own = arguments.repository.join("evals/floors.json");
    let path: &Path = arguments.floors.as_deref().unwrap_or(&own);
    let bytes = durable::read(path, MAX_FLOORS)?.ok_or_else(|| {
        Failure::failed(format!("there is no file {}", path.display()))
            .hint("run this in Echo's repository, or name it with --repository")
    })?;
    Floors::parse(&bytes).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}

fn print(suite: &Suite, out: Out) -> Result<(), Failure> {
    out.line(&format!("{}: {} cases in {:.1} s", suite.suite.as_str(), suite.cases, suite.seconds))?;
    let rows: Vec<Vec<String>> = suite.figures.iter().map(row).collect();
    for line in out::table(&["figure", "value"], &rows) {
        out.line(&line)?;
    }
    for miss in &suite.misses {
        note(&format!("  missed: {}", out::printable(miss)));
    }
    out.line("")
}

fn row(figure: &Figure) -> Vec<String> {
    vec![figure.name.clone(), format!("{:.4}", figure.value)]
}

fn passed(report: &Report, short: &[Short]) -> Result<(), Failure> {
    if report.suites.is_empty() {
        return Err(Failure::failed("no suite was run")
            .hint("give --tickets and --models, and run it in Echo's repository"));
    }
    let [first, ..] = short else { return Ok(()) };
    let name = first.suite.as_str();
    Err(Failure::unverified(format!(
        "{} of the figures fall short, {name}.{} first: {:.4}, and the limit is {:.4}",
        short.len(),
        first.figure,
        first.value,
        first.limit
    ))
    .hint("the change made an agent worse: mend it, or say in evals/floors.json why less is enough"))
}
