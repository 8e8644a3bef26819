//! `backup restore`.

use std::path::{Path, PathBuf};

use ::backup::{BackupError, Held, RepoKey, verify_home};
use clap::Args;
use memory::Memory;
use serde_json::json;
use store::Store;

use super::{Which, megabytes, refused};
use crate::{
    Failure,
    out::{Colour, Out},
};

/// What to bring back, and where to.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which snapshot: its id, the beginning of it, or `latest`
    #[arg(default_value = "latest")]
    snapshot: String,
    /// The new home: a folder that is empty or not there yet
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[command(flatten)]
    which: Which,
}

impl Arguments {
    /// Brings it back beside its place, checks it there, and then puts it in.
    pub fn run(&self, home: &Path, out: Out) -> Result<(), Failure> {
        let key = self.which.opening.key(home)?;
        let repo = self.which.open(home, out)?;
        let (restored, arrival) = repo.bring(&self.snapshot, &self.to).map_err(refused)?;
        let folder = arrival.folder();
        let mut held = verify_home(folder, restored.snapshot.at).map_err(refused)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        held.extend(runtime.block_on(databases(folder))?);
        // Backups go on as before.
        key.save(&RepoKey::path(folder)).map_err(refused)?;
        arrival.settle().map_err(refused)?;
        if out.is_json() {
            return out.json(&json!({"restored": restored, "home": self.to, "held": held}));
        }
        for Held { what, found } in &held {
            out.painted(&format!(
                "{} {what}: {}",
                out.paint(Colour::Green, "✓"),
                crate::out::printable(found)
            ))?;
        }
        out.line(&format!(
            "{} is the home of {}: {} files, {}",
            self.to.display(),
            restored.snapshot.at,
            restored.files,
            megabytes(restored.bytes)
        ))?;
        out.line("what happened after that time is not in it; if the old platform went on, stop it for good before you start this one")
    }
}

/// Opens the databases and reads all of them.
async fn databases(home: &Path) -> Result<Vec<Held>, Failure> {
    let unsound = |what: &str, fault: &str| refused(BackupError::Unsound(format!("the {what}: {fault}")));
    if !home.join("echo.db").exists() {
        return Err(unsound("database", "it is not there"));
    }
    let store = Store::open(&home.join("echo.db")).await.map_err(|e| unsound("database", &e.to_string()))?;
    let mut found = vec![("database", store.faults().await.map_err(Failure::failed)?)];
    store.close().await;
    if home.join("memory/memory.db").exists() {
        let memory =
            Memory::open(&home.join("memory")).await.map_err(|e| unsound("memory", &e.to_string()))?;
        found.push(("memory", memory.faults().await.map_err(Failure::failed)?));
        memory.close().await;
    }
    found
        .into_iter()
        .map(|(what, faults)| match faults.first() {
            None => Ok(Held::new(what, "every page and index is sound".to_owned())),
            Some(fault) => Err(unsound(what, fault)),
        })
        .collect()
}
