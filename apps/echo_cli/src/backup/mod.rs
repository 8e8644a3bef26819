//! `backup`: copies of a platform's home that come back.

mod bring;
mod look;
mod make;
mod sheet;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ::backup::{BackupError, Repo, RepoKey, Settings, Step, Tell, silent};
use clap::{Args, Subcommand};
use vault::Share;
use zeroize::Zeroizing;

use crate::{Failure, ledgers::text, out::Out};

/// The most bytes of `echo.toml`, and of a file with shares.
const MAX_FILE: u64 = 64 * 1024;
/// The platform's settings, in its home.
const SETTINGS: &str = "echo.toml";

/// What to do with backups.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a repository in a folder, and the home's key to it
    ///
    /// The repository is restic's: with the key, `restic` restores it without Echo.
    Init(make::Init),
    /// Back the home up; a running platform does it by itself, see `echo_cli schedule run backup`
    Run(make::Run),
    /// List what a repository holds, newest first
    List(look::List),
    /// Check that everything that the snapshots need is there and sound
    Check(look::Check),
    /// Bring a home back into an empty folder, and check its ledgers, databases and trust chain
    Restore(bring::Arguments),
    /// Forget snapshots that are not to be kept, and free what only they needed
    Forget(look::Forget),
    /// Write the recovery sheet: pages to print, enough of which open the repository without the home
    Sheet(sheet::Arguments),
    /// Print the repository's password from its shares or the home's key, for `restic`
    Key(sheet::Key),
}

/// Where the repository is, and what opens it.
#[derive(Debug, Args)]
pub struct Which {
    /// The folder with the repository; without it what `[backup] place` in the home's echo.toml says
    #[arg(long, value_name = "DIR")]
    place: Option<PathBuf>,
    #[command(flatten)]
    opening: Opening,
}

/// What opens a repository.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Opening {
    /// The file with the key; without it the home's `backup.key`
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The file with enough shares of a recovery sheet, one a line; `-` reads them from standard input
    #[arg(long, value_name = "FILE")]
    shares: Option<PathBuf>,
}

impl Opening {
    fn key(&self, home: &Path) -> Result<RepoKey, Failure> {
        match (&self.shares, &self.key_file) {
            (Some(path), _) => shares(path),
            (None, Some(path)) => RepoKey::read(path).map_err(refused),
            (None, None) => RepoKey::read(&RepoKey::path(home)).map_err(refused),
        }
    }
}

impl Which {
    fn place(&self, home: &Path) -> Result<PathBuf, Failure> {
        match &self.place {
            Some(place) => Ok(place.clone()),
            None => settings(home)?.place.map(|place| home.join(place)).ok_or_else(|| {
                Failure::usage("nobody said where the repository is").hint(format!(
                    "say --place DIR, or write into {}: [backup] and below it place = \"DIR\"",
                    home.join(SETTINGS).display()
                ))
            }),
        }
    }

    fn open(&self, home: &Path, out: Out) -> Result<Repo, Failure> {
        let (place, key) = (self.place(home)?, self.opening.key(home)?);
        Repo::open_told(&place, &key, tell(out)).map_err(refused)
    }
}

impl Command {
    /// Does it, with the platform's home.
    pub fn run(&self, home: &Path, out: Out) -> Result<(), Failure> {
        match self {
            Self::Init(arguments) => arguments.run(home, out),
            Self::Run(arguments) => arguments.run(home, out),
            Self::List(arguments) => arguments.run(home, out),
            Self::Check(arguments) => arguments.run(home, out),
            Self::Restore(arguments) => arguments.run(home, out),
            Self::Forget(arguments) => arguments.run(home, out),
            Self::Sheet(arguments) => arguments.run(home, out),
            Self::Key(arguments) => arguments.run(home),
        }
    }
}

/// `[backup]` of the home's settings.
fn settings(home: &Path) -> Result<Settings, Failure> {
    let path = home.join(SETTINGS);
    let Some(bytes) = durable::read(&path, MAX_FILE)? else { return Ok(Settings::default()) };
    let bad = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", path.display()));
    let read = std::str::from_utf8(&bytes).map_err(|e| bad(&e))?;
    let mut all: toml::Table = read.parse().map_err(|e| bad(&e))?;
    match all.remove("backup") {
        Some(own) => own.try_into().map_err(|e| bad(&e)),
        None => Ok(Settings::default()),
    }
}

/// The key that the shares in a file give back.
fn shares(path: &Path) -> Result<RepoKey, Failure> {
    let read = Zeroizing::new(if path == Path::new("-") {
        io::read_to_string(io::Read::take(io::stdin().lock(), MAX_FILE))?
    } else {
        text(path, MAX_FILE, "write the shares of the recovery sheet into it, one a line")?
    });
    let lines = read.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let shares: Result<Vec<Share>, _> = lines.map(str::parse).collect();
    RepoKey::join(&shares.map_err(Failure::failed)?).map_err(refused)
}

/// Shows on a terminal how far it is.
fn tell(out: Out) -> Tell {
    if out.is_json() || !io::stderr().is_terminal() {
        return silent();
    }
    let shown = AtomicU64::new(u64::MAX);
    Arc::new(move |Step { what, done, of }| {
        let Some(of) = of else { return };
        let percent = (done.saturating_mul(100) / of.max(1)).min(100);
        if shown.swap(percent, Ordering::Relaxed) != percent {
            // Whoever closed the terminal does not want to see it.
            let _ = write!(
                io::stderr().lock(),
                "\r\u{1b}[K{what} {percent} %{}",
                if done >= of { "\r\u{1b}[K" } else { "" }
            );
        }
    })
}

/// Bytes for people: in megabytes, of a million.
fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

/// Why it was not done.
fn refused(error: BackupError) -> Failure {
    match error {
        BackupError::Unsound(_) => Failure::unverified(error),
        _ => Failure::failed(error),
    }
}
