//! `attestation sign` and `attestation join`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use trust::{
    KeyPair, KeyRole,
    keystore::{MAX_EXPORTED_BYTES, open_exported},
};

use super::{file, read};
use crate::{
    Failure,
    out::Out,
    passphrase::{self, Opening, refused},
    place,
};

/// What stands for the keystore of the home.
const HOME: &str = "home";

/// What to sign, and with which key.
#[derive(Debug, Args)]
pub struct Sign {
    /// The attestation: a DSSE envelope with an in-toto statement
    file: PathBuf,
    /// An exported attestor key (`keystore export attestor`), or `home` for the one in the home's keystore
    #[arg(long, value_name = "FILE|home")]
    key: PathBuf,
    /// The file with the exported key's passphrase; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Where to write the attestation with your signature; without it, back to the file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    opening: Opening,
}

/// What to bring together.
#[derive(Debug, Args)]
pub struct Join {
    /// The attestation that gets the signatures
    file: PathBuf,
    /// Copies of it with other signatures
    #[arg(required = true, num_args = 1..=16)]
    others: Vec<PathBuf>,
    /// Where to write the attestation with all signatures; without it, back to the file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Sign {
    /// Signs.
    pub fn run(&self, home: Option<PathBuf>, out: Out) -> Result<(), Failure> {
        let (mut envelope, about) = file::open(&self.file)?;
        let key = if self.key == Path::new(HOME) {
            let home = place::platform(home)?;
            self.opening.open(&home, None)?.signer(KeyRole::Attestor).map_err(refused)?.clone()
        } else {
            self.exported()?
        };
        let added = envelope.add_signature(&key).map_err(Failure::failed)?;
        if added {
            file::save(&envelope, &self.file, self.out.as_deref())?;
        }
        let signatures = envelope.signatures.len();
        if out.is_json() {
            return out.json(&json!({
                "key": key.id(), "added": added, "signatures": signatures, "attestation": about,
            }));
        }
        if !added {
            return out.line(&format!("the key {} has signed it already; nothing was written", key.id()));
        }
        out.line(&format!(
            "signed the statement {} with the attestor key {}; signatures in all: {signatures}",
            about["statement"].as_str().unwrap_or("?"),
            key.id()
        ))
    }

    fn exported(&self) -> Result<KeyPair, Failure> {
        let Some(passphrase_file) = &self.passphrase_file else {
            return Err(Failure::usage("the exported key has a passphrase")
                .hint("pass it with --passphrase-file FILE, or with `-` on standard input"));
        };
        let bytes = read(&self.key, MAX_EXPORTED_BYTES as u64)?;
        let (record, key) = open_exported(&bytes, &passphrase::read(passphrase_file)?)
            .map_err(|error| Failure::failed(format!("{}: {error}", self.key.display())))?;
        if record.role != KeyRole::Attestor {
            return Err(Failure::usage(format!(
                "{} holds a {} key, and attestations are signed with an attestor key",
                self.key.display(),
                record.role
            )));
        }
        Ok(key)
    }
}

impl Join {
    /// Brings the signatures together.
    pub fn run(&self, out: Out) -> Result<(), Failure> {
        let (mut envelope, about) = file::open(&self.file)?;
        let mut added = 0;
        for path in &self.others {
            let (other, _) = file::open(path)?;
            added += envelope
                .merge(&other)
                .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
        }
        if added > 0 {
            file::save(&envelope, &self.file, self.out.as_deref())?;
        }
        let signatures = envelope.signatures.len();
        if out.is_json() {
            return out.json(&json!({"added": added, "signatures": signatures, "attestation": about}));
        }
        out.line(&format!("signatures added: {added}; in all: {signatures}"))
    }
}
