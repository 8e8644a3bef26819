//! `backup sheet` and `backup key`.

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use ::backup::{RepoKey, Sheet};
use clap::Args;
use durable::Mode;
use echo_core::Mint;
use serde_json::json;
use trust::TrustChain;

use super::{Opening, Which, refused};
use crate::{Failure, out::Out, vault::Counts};

/// What to print.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    which: Which,
    /// How many pages open the repository, and how many there are
    #[arg(long = "pages", default_value = "2/3", value_name = "M/N")]
    pages: Counts,
    /// The new file: a page for a browser when it ends in `.html`, else plain text
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What gives the key.
#[derive(Debug, Args)]
pub struct Key {
    #[command(flatten)]
    opening: Opening,
    /// Print it on the terminal
    #[arg(long)]
    show: bool,
}

impl Arguments {
    /// Writes the sheet.
    pub fn run(&self, home: &Path, out: Out) -> Result<(), Failure> {
        if self.out.symlink_metadata().is_ok() {
            return Err(
                Failure::failed(format!("{} is there already", self.out.display())).hint("name a new file")
            );
        }
        let repo = self.which.open(home, out)?;
        let (key, mint) = (self.which.opening.key(home)?, Mint::system());
        let sheet = Sheet {
            repository: repo.id(),
            place: std::path::absolute(repo.place())?.display().to_string(),
            root: TrustChain::load(home).ok().map(|chain| chain.fingerprint().to_string()),
            at: mint.now(),
            shares: key.split(self.pages.threshold, self.pages.of, &mint).map_err(refused)?,
        };
        let is_page = self.out.extension().is_some_and(|e| e == "html");
        let written = if is_page { sheet.html() } else { sheet.text() }.map_err(refused)?;
        durable::write(&self.out, written.as_bytes(), Mode::Private)?;
        if out.is_json() {
            let names: Vec<String> = sheet.shares.iter().map(vault::Share::name).collect();
            return out.json(&json!({"file": self.out, "pages": names}));
        }
        out.line(&format!(
            "{} has {} pages, any {} of which open the repository",
            self.out.display(),
            self.pages.of,
            self.pages.threshold
        ))?;
        out.line("print it, give each page to another person, then remove the file: pages of an older sheet open it too")
    }
}

impl Key {
    /// Prints the password.
    pub fn run(&self, home: &Path) -> Result<(), Failure> {
        if !self.show && io::stdout().is_terminal() {
            return Err(Failure::usage("this would print the key on the terminal")
                .hint("send it into a file or a program, or say --show"));
        }
        let key: RepoKey = self.opening.key(home)?;
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{}", *key.password())?;
        Ok(stdout.flush()?)
    }
}
