//! `vault init`, and how a vault is to be protected.

use std::{path::PathBuf, str::FromStr};

use clap::Args;
use echo_core::Mint;
use serde_json::{Value, json};
use vault::{Protect, Sealed, Share, create_key_file};

use super::{actor, is_stdin, refused};
use crate::{Failure, out::Out, passphrase};

/// What shall open the vault.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    by: By,
}

/// One of three.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct By {
    /// The file with the passphrase, of at least 12 bytes; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Make a key file, an age identity; the file must not be there yet. Keep it off the machine, or hand it in as the
    /// systemd credential `echo.vault`
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Make N shares, any M of which open, and print each once: `2/3`
    #[arg(long, value_name = "M/N")]
    shares: Option<Counts>,
}

/// How many shares open, and how many there are.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    /// How many open.
    pub threshold: u8,
    /// How many there are.
    pub of: u8,
}

impl FromStr for Counts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "write how many open and how many there are, such as 2/3".to_owned();
        let (threshold, of) = text.split_once('/').ok_or_else(bad)?;
        Ok(Self { threshold: threshold.parse().map_err(|_| bad())?, of: of.parse().map_err(|_| bad())? })
    }
}

impl By {
    /// Whether it comes from standard input.
    pub fn is_stdin(&self) -> bool {
        self.passphrase_file.as_deref().is_some_and(is_stdin)
    }

    /// As the vault wants it, and the shares to give away; makes the key file.
    pub fn protect(&self, mint: &Mint) -> Result<(Protect, Vec<Share>), Failure> {
        if let Some(path) = &self.passphrase_file {
            return Ok((Protect::Passphrase(passphrase::read(path)?), Vec::new()));
        }
        if let Some(path) = &self.key_file {
            return Ok((Protect::KeyFile(create_key_file(path, mint).map_err(refused)?), Vec::new()));
        }
        match self.shares {
            Some(Counts { threshold, of }) => Protect::shares(threshold, of, mint).map_err(refused),
            None => Err(Failure::usage("say what shall open the vault")),
        }
    }
}

impl Arguments {
    /// Makes the vault.
    pub fn run(&self, sealed: &Sealed, out: Out) -> Result<(), Failure> {
        if sealed.is_there() {
            return Err(Failure::failed("there is a vault already").hint("`echo_cli vault list` shows it"));
        }
        let mint = Mint::system();
        let (by, shares) = self.by.protect(&mint)?;
        if !out.is_json() {
            print(&shares, out)?;
        }
        let vault = sealed.init(&by, &actor(), &mint).map_err(refused)?;
        let recipient = vault.recipient();
        if out.is_json() {
            // Only now is the recipient known. Should this get lost, the vault that nobody can open is still empty.
            return out.json(&json!({"recipient": recipient, "shares": as_json(&shares)}));
        }
        out.line(&format!("made the vault; secrets are sealed for {recipient}"))?;
        out.line("keep two copies of what opens it, apart from the machine: nobody can restore it")
    }
}

/// Shares as JSON.
pub fn as_json(shares: &[Share]) -> Vec<Value> {
    shares.iter().map(|share| json!({"name": share.name(), "share": share.text().as_str()})).collect()
}

/// Prints each share, once; before they are in force, for nobody could make them again.
pub fn print(shares: &[Share], out: Out) -> Result<(), Failure> {
    for share in shares {
        out.line("")?;
        out.line(&format!("{}:", share.name()))?;
        out.line(&format!("  {}", share.text().as_str()))?;
    }
    if shares.is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.line(
        "give each to another person: they are printed this once. Case, spaces and dashes do not matter",
    )?;
    out.line("they are not in force until this command says so:")
}
