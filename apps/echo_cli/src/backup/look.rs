//! `backup list`, `check` and `forget`.

use std::{path::Path, str::FromStr};

use ::backup::{Keep, Read};
use clap::Args;
use echo_core::Mint;
use serde_json::{Value, json};

use super::{Which, megabytes, refused, settings};
use crate::{
    Failure,
    out::{Colour, Out},
};

/// Of which repository.
#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    which: Which,
}

/// What to check.
#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    which: Which,
    /// How much of the data to read: `none`, so many percent (`10%`), or `all`
    #[arg(long, default_value = "all", value_name = "SHARE")]
    read: Share,
}

/// How much is read.
#[derive(Debug, Clone, Copy)]
struct Share(Read);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = |text: &str| text.strip_suffix('%')?.parse().ok().filter(|p| (1..=100).contains(p));
        match text {
            "none" => Ok(Self(Read::Nothing)),
            "all" => Ok(Self(Read::All)),
            _ => percent(text)
                .map(|p| Self(Read::Percent(p)))
                .ok_or_else(|| "write none, 10% or all".to_owned()),
        }
    }
}

/// What to keep.
#[derive(Debug, Args)]
pub struct Forget {
    #[command(flatten)]
    which: Which,
    /// Keep so many of the newest; without any of these lines `[backup.keep]` of echo.toml, or 3, 7, 5, 12 and 10
    #[arg(long, value_name = "N")]
    last: Option<u16>,
    /// Keep the newest of each of so many days
    #[arg(long, value_name = "N")]
    daily: Option<u16>,
    /// Keep the newest of each of so many weeks
    #[arg(long, value_name = "N")]
    weekly: Option<u16>,
    /// Keep the newest of each of so many months
    #[arg(long, value_name = "N")]
    monthly: Option<u16>,
    /// Keep the newest of each of so many years
    #[arg(long, value_name = "N")]
    yearly: Option<u16>,
}

impl List {
    /// Lists.
    pub fn run(&self, home: &Path, out: Out) -> Result<(), Failure> {
        let all = self.which.open(home, out)?.list().map_err(refused)?;
        if out.is_json() {
            return out.json(&all);
        }
        if all.is_empty() {
            return out.line("the repository holds no snapshot yet: `echo_cli backup run` makes one");
        }
        let rows: Vec<Value> = all
            .iter()
            .map(|s| {
                json!({
                    "id": s.short(), "at": s.at, "home": s.label.get(..15).unwrap_or(&s.label), "files": s.files,
                    "size": megabytes(s.bytes), "added": megabytes(s.added), "tags": s.tags.join(" "),
                })
            })
            .collect();
        let columns =
            ["id", "at", "home", "files", "size", "added", "tags"].map(|name| (name, format!("/{name}")));
        let columns: Vec<(&str, &str)> = columns.iter().map(|(name, path)| (*name, path.as_str())).collect();
        out.list(&rows, &columns)
    }
}

impl Check {
    /// Checks; exit code 3 when something is damaged.
    pub fn run(&self, home: &Path, out: Out) -> Result<(), Failure> {
        let found = self.which.open(home, out)?.check(self.read.0).map_err(refused)?;
        if out.is_json() {
            out.json(&found)?;
        } else {
            for remark in &found.remarks {
                out.line(&format!("remark: {remark}"))?;
            }
            for problem in &found.problems {
                out.painted(&format!("{} {}", out.paint(Colour::Red, "✗"), crate::out::printable(problem)))?;
            }
        }
        if !found.problems.is_empty() {
            return Err(Failure::unverified(format!(
                "the repository is damaged in {} places",
                found.problems.len()
            ))
            .hint("back up into a new repository at once, then restore what you can from this one"));
        }
        if out.is_json() {
            return Ok(());
        }
        out.painted(&format!("{} {} snapshots are sound", out.paint(Colour::Green, "✓"), found.snapshots))
    }
}

impl Forget {
    /// Forgets.
    pub fn run(&self, home: &Path, out: Out) -> Result<(), Failure> {
        let said = [self.last, self.daily, self.weekly, self.monthly, self.yearly];
        let keep = if said.iter().any(Option::is_some) {
            let [last, daily, weekly, monthly, yearly] = said.map(Option::unwrap_or_default);
            Keep { last, daily, weekly, monthly, yearly }
        } else {
            settings(home)?.keep
        };
        let gone = self.which.open(home, out)?.forget(&keep, Mint::system().now()).map_err(refused)?;
        if out.is_json() {
            return out.json(&gone);
        }
        out.line(&format!(
            "forgot {} snapshots, kept {}; {} that nobody needs go a day after they were marked",
            gone.forgotten.len(),
            gone.kept,
            megabytes(gone.unneeded)
        ))
    }
}
