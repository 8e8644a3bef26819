//! `vault seal` and `set`: how a secret comes in. Neither opens the vault.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use durable::Mode;
use echo_core::{Digest, Mint};
use serde_json::json;
use vault::{MAX_VALUE, Recipient, Sealed, Secret};
use zeroize::Zeroizing;

use super::{Which, actor, bytes, carry, is_stdin, refused};
use crate::{Failure, out::Out};

/// What to seal.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Arguments {
    /// Whom to seal for: what `vault recipient` prints on the machine with the vault
    #[arg(long, value_name = "AGE1")]
    recipient: Recipient,
    #[command(flatten)]
    which: Which,
    /// Only as this version; without it, as the next one
    #[arg(long)]
    version: Option<u32>,
    #[command(flatten)]
    value: Value,
    #[command(flatten)]
    to: To,
}

/// Where the sealed file goes; to standard output without any of these.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct To {
    /// Into this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Onto a stick or into another folder, where `vault inject --from` finds it
    #[arg(long, value_name = "DIR")]
    stick: Option<PathBuf>,
    /// Onto the terminal, as a QR code; `vault inject --text` takes what a phone or scanner reads from it
    #[arg(long)]
    qr: bool,
    /// Into this file, as a QR code in SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// A value.
#[derive(Debug, Args)]
pub struct Value {
    /// The file with the value, byte for byte; standard input without it
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// What to seal and bring.
#[derive(Debug, Args)]
pub struct Set {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    value: Value,
}

impl Value {
    fn read(&self) -> Result<Secret, Failure> {
        if self.file.is_none() && io::stdin().is_terminal() {
            return Err(Failure::usage("the value would be typed on the screen")
                .hint("hand it in on standard input, or name a file"));
        }
        let path = self.file.as_deref().unwrap_or_else(|| Path::new(super::STDIN));
        Secret::new(std::mem::take(&mut *read(path, MAX_VALUE)?)).map_err(refused)
    }
}

/// A bounded file, or standard input. One byte more than the bound is read, which whoever takes it refuses.
pub(super) fn read(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error| Failure::failed(format!("cannot read {}: {error}", path.display()));
    // With room for all, so that growing leaves no copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(limit + 1));
    let bound = limit as u64 + 1;
    if is_stdin(path) {
        io::stdin().lock().take(bound).read_to_end(&mut content).map_err(failed)?;
    } else {
        File::open(path).map_err(failed)?.take(bound).read_to_end(&mut content).map_err(failed)?;
    }
    Ok(content)
}

impl Arguments {
    /// Seals.
    pub fn run(&self) -> Result<(), Failure> {
        let To { out, stick, qr, svg } = &self.to;
        let is_said = out.is_some() || stick.is_some() || svg.is_some() || *qr;
        if !is_said && io::stdout().is_terminal() {
            return Err(Failure::usage("a sealed file is not for a terminal")
                .hint("say --out FILE, --stick DIR, --qr or --svg FILE"));
        }
        let Which { namespace, name } = &self.which;
        // Before somebody types a secret for nothing.
        stick.as_deref().map_or(Ok(()), carry::plugged_in)?;
        let value = self.value.read()?;
        let sealed =
            vault::seal(&self.recipient, namespace, name, self.version, &value, Mint::system().now())
                .map_err(refused)?;
        if let Some(path) = out {
            return Ok(durable::write(path, &sealed, Mode::Private)?);
        }
        if let Some(stick) = stick {
            return carry::put(stick, &self.which, &sealed);
        }
        if let Some(path) = svg {
            let image = carry::code(&self.which, &sealed)?.svg();
            return Ok(durable::write(path, image.as_bytes(), Mode::Private)?);
        }
        if *qr {
            return bytes(format!("{}\n", carry::code(&self.which, &sealed)?.text()).as_bytes());
        }
        bytes(&sealed)
    }
}

impl Set {
    /// Seals and brings.
    pub fn run(&self, vault: &Sealed, out: Out) -> Result<(), Failure> {
        let Which { namespace, name } = &self.which;
        let recipient = vault.recipient().map_err(refused)?;
        let value = self.value.read()?;
        let sealed =
            vault::seal(&recipient, namespace, name, None, &value, Mint::system().now()).map_err(refused)?;
        bring(vault, &self.which, &sealed, None, out)
    }
}

pub(super) fn bring(
    vault: &Sealed,
    Which { namespace, name }: &Which,
    sealed: &[u8],
    expected: Option<&Digest>,
    out: Out,
) -> Result<(), Failure> {
    let digest =
        vault.inject(namespace, name, sealed, expected, &actor(), &Mint::system()).map_err(refused)?;
    if out.is_json() {
        return out.json(&json!({"namespace": namespace, "name": name, "digest": digest}));
    }
    out.line(&format!("{namespace}/{name} waits in the vault ({digest}); it becomes the next version when the vault is opened"))
}
