//! `backup init` and `backup run`.

use std::path::{Path, PathBuf};

use ::backup::{BackupError, Repo, RepoKey, Staging};
use clap::Args;
use echo_core::Mint;
use serde_json::json;
use trust::TrustChain;

use super::{Which, megabytes, refused, settings};
use crate::{Failure, out::Out, passphrase::no_home, stopped::Stopped};

/// Where to.
#[derive(Debug, Args)]
pub struct Init {
    /// The folder for the repository: on another disk, a stick, a share. It is made; the folder above must be there
    #[arg(long, value_name = "DIR")]
    place: PathBuf,
}

/// What to back up.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    which: Which,
    /// A word for the snapshot; can be said again
    #[arg(long = "tag", value_name = "WORD")]
    tags: Vec<String>,
}

impl Init {
    /// Makes repository and key.
    pub fn run(&self, home: &Path, out: Out) -> Result<(), Failure> {
        if !home.is_dir() {
            return Err(no_home(home));
        }
        let path = RepoKey::path(home);
        let (key, is_new) = match RepoKey::read(&path) {
            Ok(key) => (key, false),
            Err(BackupError::NoKey(_)) => (RepoKey::generate(&Mint::system()), true),
            Err(error) => return Err(refused(error)),
        };
        // The key is kept before anything is locked with it.
        if is_new {
            key.save(&path).map_err(refused)?;
        }
        let repo = Repo::init(&self.place, &key).map_err(refused)?;
        let place = std::path::absolute(repo.place())?;
        if out.is_json() {
            return out.json(
                &json!({"repository": repo.id(), "place": place, "key_file": path, "new_key": is_new}),
            );
        }
        out.line(&format!("{} holds a repository now; {} opens it", place.display(), path.display()))?;
        out.line("the key is part of no backup: print the recovery sheet with `echo_cli backup sheet --out FILE.html`")?;
        if settings(home)?.place.is_none() {
            out.line(&format!(
                "for backups by the platform itself, write into {}:",
                home.join(super::SETTINGS).display()
            ))?;
            out.line(&format!("[backup]\nplace = {:?}", place.display().to_string()))?;
        }
        Ok(())
    }
}

impl Run {
    /// Backs a stopped home up.
    pub fn run(&self, home: &Path, out: Out) -> Result<(), Failure> {
        let repo = self.which.open(home, out)?;
        let _stopped = Stopped::hold(home).map_err(|failure| {
            if failure.message.contains(" is running (") {
                return failure.hint("`echo_cli schedule run backup` has it back itself up");
            }
            failure
        })?;
        let chain = TrustChain::load(home).map_err(Failure::failed)?;
        let mut staging = Staging::begin(home).map_err(refused)?;
        staging.rest().map_err(refused)?;
        let tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        let now = Mint::system().now();
        let made =
            repo.back_up(staging.folder(), &chain.fingerprint().to_string(), &tags, now).map_err(refused)?;
        let copied = staging.copied();
        if out.is_json() {
            return out.json(&json!({"snapshot": made, "copied": copied}));
        }
        out.line(&format!(
            "snapshot {}: {} files, {}, of which {} were new",
            made.short(),
            made.files,
            megabytes(made.bytes),
            megabytes(made.added)
        ))?;
        copied
            .skipped
            .iter()
            .try_for_each(|path| out.line(&format!("left out, for it is no ordinary file: {path}")))
    }
}
