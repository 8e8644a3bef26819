//! `bundle status`, `bundle health`, `bundle rollback`.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use bundle::{BundleError, Chunks as _, Kind, Prefix, SlotName, Standing, State, StateError, Tree};
use clap::Args;
use echo_core::Mint;
use serde_json::json;

use super::{refused, told::size};
use crate::{
    Failure,
    out::{Out, table},
};

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which installation.
#[derive(Debug, Args)]
pub struct Where {
    /// The folder of the installation; without it, the one that this program runs from
    #[arg(long, value_name = "DIR", env = "ECHO_PREFIX")]
    prefix: Option<PathBuf>,
}

/// Going back.
#[derive(Debug, Args)]
pub struct Rollback {
    #[command(flatten)]
    at: Where,
    /// Why, for people; it is kept
    #[arg(long, default_value = "said so on the command line")]
    reason: String,
}

impl Where {
    /// The folder.
    pub fn folder(&self) -> Result<PathBuf, Failure> {
        // PREFIX/slots/a/bin/echo_cli
        let own = || {
            let program = env::current_exe().ok()?;
            let slot = program.ancestors().nth(2)?;
            (slot.parent()?.file_name()? == "slots")
                .then(|| program.ancestors().nth(4).map(Path::to_owned))?
        };
        self.prefix.clone().or_else(own).ok_or_else(|| {
            Failure::usage("this program runs from no installation").hint("name one with --prefix DIR")
        })
    }

    /// The installation, which must be there.
    pub fn open(&self) -> Result<Prefix, Failure> {
        let folder = self.folder()?;
        if Prefix::read_state(&folder).map_err(refused)?.is_none() {
            return Err(refused(BundleError::State(StateError::Nothing(folder))));
        }
        Prefix::open(&folder).map_err(refused)
    }
}

/// Says what is installed. Works beside whoever changes it.
pub fn status(at: &Where, out: Out) -> Result<(), Failure> {
    let folder = at.folder()?;
    let Some(state) = Prefix::read_state(&folder).map_err(refused)? else {
        return Err(refused(BundleError::State(StateError::Nothing(folder))));
    };
    if out.is_json() {
        return out.json(&json!({"prefix": folder, "state": state}));
    }
    let rows: Vec<Vec<String>> = state
        .slots
        .iter()
        .map(|(name, slot)| {
            let active = if *name == state.active { "active" } else { "" };
            vec![
                name.to_string(),
                slot.version.to_string(),
                active.to_owned(),
                stands(&state, *name),
                slot.installed.to_string(),
            ]
        })
        .collect();
    table(&["slot", "version", "", "stands", "installed"], &rows)
        .iter()
        .try_for_each(|line| out.line(line))?;
    out.line(&format!("nothing below {} is installed; trust root {}", state.floor, state.root))?;
    for event in &state.events {
        let why = if event.why.is_empty() { String::new() } else { format!(" ({})", event.why) };
        out.line(&format!("{}  {} {}{why}", event.at, event.what, event.version))?;
    }
    Ok(())
}

fn stands(state: &State, name: SlotName) -> String {
    match state.slots.get(&name).map(|slot| &slot.standing) {
        Some(Standing::Good) => "in good health".to_owned(),
        Some(Standing::Trial { tries }) => format!("on trial, starts left: {tries}"),
        Some(Standing::Failed { why }) => format!("given up: {why}"),
        None => "-".to_owned(),
    }
}

/// Checks the active system, and holds it to be good.
pub fn health(at: &Where, out: Out) -> Result<(), Failure> {
    let prefix = at.open()?;
    let mut ran = Vec::new();
    let mut works = |tree: &Tree, folder: &Path| {
        for file in tree.head().manifest.files.iter().filter(|file| file.kind == Kind::Program) {
            ran.push(version_of(&folder.join(&file.path))?);
        }
        Ok(())
    };
    let health = prefix.health(&mut works, Mint::system().now()).map_err(|error| {
        refused(error).hint("start again, or go back with `echo_cli bundle rollback`; it is given up by itself after three starts")
    })?;
    if out.is_json() {
        return out.json(&json!({"health": health, "programs": ran}));
    }
    out.line(&format!(
        "version {} in slot {} is in good health: {} files ({}) are as they were signed; {}",
        health.version,
        health.slot,
        health.checked.files,
        size(health.checked.bytes),
        ran.join(", "),
    ))
}

/// Runs a program once; what it says of its version.
fn version_of(program: &Path) -> Result<String, BundleError> {
    let broken = |why: String| BundleError::Damaged { name: program.display().to_string(), at: 0, why };
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| broken(format!("it does not start: {error}")))?;
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(20)),
            _ => {
                // It is given up either way.
                let _ = child.kill().and_then(|()| child.wait());
                return Err(broken(format!("it does not say its version within {} s", PATIENCE.as_secs())));
            }
        }
    };
    let output = child.wait_with_output().map_err(|error| broken(error.to_string()))?;
    let said: String = String::from_utf8_lossy(&output.stdout).trim().chars().take(80).collect();
    if !status.success() {
        return Err(broken(format!("asked for its version, it ends with {status}")));
    }
    if said.is_empty() {
        return Err(broken("asked for its version, it says nothing".to_owned()));
    }
    Ok(said)
}

/// Goes back.
pub fn roll_back(arguments: &Rollback, out: Out) -> Result<(), Failure> {
    let prefix = arguments.at.open()?;
    let launch = prefix.roll_back(&arguments.reason, Mint::system().now()).map_err(refused)?;
    if out.is_json() {
        return out.json(&launch);
    }
    let given_up = launch.given_up.map(|version| version.to_string()).unwrap_or_default();
    out.line(&format!(
        "version {} is active again, in slot {}; {given_up} was given up",
        launch.version, launch.slot
    ))?;
    out.line("stop the platform and start it again, so that it is the one that runs")
}
