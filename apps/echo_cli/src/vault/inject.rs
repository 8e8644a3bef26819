//! `vault inject`: sealed files come to the vault, which stays closed.

use std::path::{Path, PathBuf};

use clap::Args;
use echo_core::{Digest, Mint};
use serde_json::json;
use vault::{MAX_SEALED_BYTES, Name, Sealed};

use super::{
    Which, actor, carry, refused,
    seal::{bring, read},
};
use crate::{
    Failure,
    out::{Colour, Out, printable},
};

/// What to bring.
#[derive(Debug, Args)]
pub struct Inject {
    /// The secret's namespace; a stick and a code say it themselves
    #[arg(long, requires = "file")]
    namespace: Option<Name>,
    /// The secret's name in it
    #[arg(long, requires = "file")]
    name: Option<Name>,
    #[command(flatten)]
    source: Source,
    /// The digest that the sealed file must have, as whoever sealed it said: `sha256:...`
    #[arg(long, conflicts_with = "from")]
    digest: Option<Digest>,
}

/// One of three.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// The sealed file; `-` reads it from standard input
    file: Option<PathBuf>,
    /// A stick: brings every `echo-secrets/NAMESPACE/NAME.age` on it, and says what became of each
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// The file with what a QR code says; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
}

impl Inject {
    /// Brings it.
    pub fn run(&self, vault: &Sealed, out: Out) -> Result<(), Failure> {
        if let Some(stick) = &self.source.from {
            return all(vault, stick, out);
        }
        if let Some(path) = &self.source.text {
            let text = read(path, carry::MAX_TEXT)?;
            let text =
                std::str::from_utf8(&text).map_err(|_| Failure::failed("what was scanned is no text"))?;
            let (which, sealed) = carry::scanned(text)?;
            return bring(vault, &which, &sealed, self.digest.as_ref(), out);
        }
        match (&self.source.file, &self.namespace, &self.name) {
            (Some(file), Some(namespace), Some(name)) => {
                let which = Which { namespace: namespace.clone(), name: name.clone() };
                bring(vault, &which, &read(file, MAX_SEALED_BYTES)?, self.digest.as_ref(), out)
            }
            _ => Err(Failure::usage("say which secret the file is, with --namespace and --name")),
        }
    }
}

/// Brings everything on a stick. One bad file does not keep the others; the command fails when one was refused.
fn all(vault: &Sealed, stick: &Path, out: Out) -> Result<(), Failure> {
    let (mut said, mut bad) = (Vec::new(), 0);
    let found = carry::found(stick)?;
    for carried in &found {
        let Which { namespace, name } = &carried.which;
        let brought = read(&carried.file, MAX_SEALED_BYTES).and_then(|sealed| {
            vault.inject(namespace, name, &sealed, None, &actor(), &Mint::system()).map_err(refused)
        });
        let (mark, words) = match &brought {
            Ok(digest) => (out.paint(Colour::Green, "✓"), digest.to_string()),
            Err(failure) => (out.paint(Colour::Red, "✗"), failure.message.clone()),
        };
        bad += usize::from(brought.is_err());
        if !out.is_json() {
            out.painted(&format!("{mark} {namespace}/{name}: {}", printable(&words)))?;
        }
        said.push(json!({"namespace": namespace, "name": name, "brought": brought.is_ok(), "said": words}));
    }
    if out.is_json() {
        out.json(&said)?;
    } else if found.is_empty() {
        out.line("there is no sealed file on it")?;
    } else if bad < found.len() {
        out.line("what was brought becomes the next version when the vault is opened")?;
    }
    match bad {
        0 => Ok(()),
        bad => Err(Failure::failed(format!("{bad} of {} sealed files were refused", found.len()))),
    }
}
