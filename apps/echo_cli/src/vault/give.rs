//! `vault get`, `wrap` and `unwrap`: how a secret goes out.

use std::path::PathBuf;

use clap::Args;
use durable::Mode;
use echo_core::Mint;
use serde_json::json;
use vault::{MAX_TOKEN_BYTES, Receiver, Sealed, Token};
use zeroize::Zeroizing;

use super::{Opening, Which, actor, bytes, not_on_screen, refused, secret};
use crate::{Failure, out::Out};

/// What to print.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Get {
    #[command(flatten)]
    which: Which,
    /// Which version; the newest without it
    #[arg(long)]
    version: Option<u32>,
    /// Print it on a terminal too
    #[arg(long)]
    show: bool,
    /// Why, for the audit
    #[arg(long, value_name = "WORDS")]
    why: Option<String>,
    #[command(flatten)]
    opening: Opening,
}

/// What to wrap, for whom.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Wrap {
    #[command(flatten)]
    which: Which,
    /// Which version; the newest without it
    #[arg(long)]
    version: Option<u32>,
    /// Who may take it: a playbook, agent or device, by its id
    #[arg(long = "for", value_name = "ID")]
    receiver: Receiver,
    /// For how many seconds it waits, a week at most
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    ttl: u32,
    /// Where to write the token for the receiver; the file must not be there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    opening: Opening,
}

/// What to take.
#[derive(Debug, Args)]
pub struct Unwrap {
    /// The token that `vault wrap` wrote
    token: PathBuf,
    /// Who takes it
    #[arg(long = "for", value_name = "ID")]
    receiver: Receiver,
    /// Print it on a terminal too
    #[arg(long)]
    show: bool,
}

impl Get {
    /// Prints the value.
    pub fn run(&self, sealed: &Sealed) -> Result<(), Failure> {
        not_on_screen(self.show)?;
        let (vault, _) = self.opening.open(sealed)?;
        let who = self.why.as_deref().map_or_else(actor, |why| actor().because(why));
        let value = vault.get(&secret(&self.which, self.version), &who, &Mint::system()).map_err(refused)?;
        bytes(value.expose())
    }
}

impl Wrap {
    /// Writes the token.
    pub fn run(&self, sealed: &Sealed, out: Out) -> Result<(), Failure> {
        if self.out.symlink_metadata().is_ok() {
            return Err(Failure::failed(format!("{} is there already", self.out.display()))
                .hint("choose another name with --out"));
        }
        let (vault, _) = self.opening.open(sealed)?;
        let which = secret(&self.which, self.version);
        let token =
            vault.wrap(&which, &self.receiver, self.ttl, &actor(), &Mint::system()).map_err(refused)?;
        durable::write(&self.out, &token.to_bytes(), Mode::Private)?;
        if out.is_json() {
            return out.json(
                &json!({"id": token.id(), "for": token.receiver, "expires": token.expires, "file": self.out}),
            );
        }
        out.line(&format!(
            "{which} waits for {} until {}; the token is in {}",
            token.receiver,
            token.expires,
            self.out.display()
        ))
    }
}

impl Unwrap {
    /// Takes the secret, and prints it.
    pub fn run(&self, sealed: &Sealed) -> Result<(), Failure> {
        not_on_screen(self.show)?;
        let read = durable::read(&self.token, MAX_TOKEN_BYTES)?.ok_or_else(|| {
            Failure::failed(format!("there is no file {}", self.token.display()))
                .hint("check the path of the token")
        })?;
        let token = Token::parse(&Zeroizing::new(read)).map_err(refused)?;
        let value = sealed.unwrap(&token, &self.receiver, &actor(), &Mint::system()).map_err(refused)?;
        bytes(value.expose())
    }
}
