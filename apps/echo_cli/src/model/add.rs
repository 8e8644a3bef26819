//! `model add`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use echo_core::{Digest, Mint};
use models::{About, ModelError, Shelf};

use super::{SHOWN, shown};
use crate::{Failure, out::Out};

/// How long a model may take to load and to answer with one token.
const TRIAL: Duration = Duration::from_mins(10);
/// How often the trial is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// The most bytes of what the trial says that are shown.
const MAX_SAID: usize = 2000;

/// Which file, and what is known about it.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The GGUF file
    file: PathBuf,
    /// What it shall be called; after the file when not said
    #[arg(long)]
    name: Option<String>,
    /// Its licence, such as `Apache-2.0`
    #[arg(long)]
    licence: Option<String>,
    /// Where it came from
    #[arg(long)]
    source: Option<String>,
    /// The SHA-256 that it must have: 64 hexadecimal digits, `sha256:` before them or not
    #[arg(long, value_name = "DIGEST", value_parser = digest)]
    sha256: Option<Digest>,
}

fn digest(given: &str) -> Result<Digest, String> {
    let digits = given.strip_prefix("sha256:").unwrap_or(given);
    format!("sha256:{digits}").parse().map_err(|error: echo_core::digest::DigestError| error.to_string())
}

/// Adds and prints the card.
pub fn run(arguments: &Arguments, folder: &Path, out: Out) -> Result<(), Failure> {
    let mut shelf = Shelf::open(folder)?;
    attempt(&arguments.file)?;
    let about = About {
        name: arguments.name.clone(),
        licence: arguments.licence.clone(),
        source: arguments.source.clone(),
        sha256: arguments.sha256,
    };
    let card = shelf.add(&arguments.file, &about, Mint::system().now())?;
    out.one(&shown(&card), &SHOWN)
}

/// Loads the model in a process of its own: whatever a hostile file does there, this one and the platform go on.
fn attempt(file: &Path) -> Result<(), Failure> {
    let bad = |reason: String| ModelError::Unfit { path: file.to_owned(), reason };
    let here =
        std::env::current_exe().map_err(|e| Failure::failed(format!("cannot find this program: {e}")))?;
    let mut child = Command::new(here)
        .args(["model", "try"])
        .arg(file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| Failure::failed(format!("cannot try the model: {e}")))?;
    let said = child.stderr.take().map(|stderr| thread::spawn(move || read(stderr)));
    let began = Instant::now();
    let status = loop {
        if let Some(status) =
            child.try_wait().map_err(|e| Failure::failed(format!("cannot try the model: {e}")))?
        {
            break status;
        }
        if began.elapsed() > TRIAL {
            // It may have ended by itself meanwhile.
            let _ = child.kill();
            let _ = child.wait();
            return Err(bad(format!("it did not answer within {} minutes", TRIAL.as_secs() / 60)).into());
        }
        thread::sleep(LOOK);
    };
    if status.success() {
        return Ok(());
    }
    let said = said.and_then(|said| said.join().ok()).unwrap_or_default();
    // Without the engine the header's check is all there is.
    if status.code() == Some(1) && said.contains(&ModelError::NoEngine.to_string()) {
        return Ok(());
    }
    match status.code() {
        Some(_) => Err(Failure::failed(said.trim_start_matches("error: ").trim_end())),
        None => Err(bad(format!(
            "it ended the process that tried it ({status}): its weights are not what they should be"
        ))
        .into()),
    }
}

fn read(from: impl std::io::Read) -> String {
    let mut said = Vec::new();
    let mut from = from;
    let mut step = [0; 1024];
    // All of it is read, so that the child never waits; the beginning is kept.
    while let Ok(read @ 1..) = from.read(&mut step) {
        let keep = read.min(MAX_SAID.saturating_sub(said.len()));
        said.extend_from_slice(&step[..keep]);
    }
    String::from_utf8_lossy(&said).into_owned()
}
