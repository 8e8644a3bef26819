//! `trust ceremony`: a version of the trust registry that people sign on machines of their own, by way of files.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use durable::Mode;
use echo_core::Mint;
use governance::{Ceremony, MAX_CEREMONY_BYTES, Need, Progress};
use serde_json::json;
use trust::{
    KeyRole,
    keystore::{Kdf, MAX_EXPORTED_BYTES, new_exported, open_exported},
};

use super::{failed, report, rotate, with_house};
use crate::{
    Failure, confirm,
    out::Out,
    passphrase::{self, Opening, refused},
    place,
};

/// The parts of a ceremony.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key of the root on a keeper's machine; hand its public half to the operator
    Key {
        /// Where to write the key; the file must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The file with the passphrase that will protect it; `-` reads it from standard input
        #[arg(long, value_name = "FILE")]
        passphrase_file: PathBuf,
    },
    /// Write the version that waits for signatures to a file, for copies to the keepers
    ///
    /// Takes the rotation under way; the platform must be stopped.
    Begin {
        /// Where to write it; the file must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Propose a version that changes nothing but its dates
        #[arg(long)]
        renew: bool,
        #[command(flatten)]
        opening: Opening,
    },
    /// Show what a ceremony's file proposes, and who has signed it
    Show {
        /// The ceremony's file
        file: PathBuf,
    },
    /// Sign what a ceremony's file proposes, on a machine that needs neither platform nor network
    Sign {
        /// The ceremony's file; the signature is added to it
        file: PathBuf,
        /// The keeper's key: a file of `trust ceremony key` or `keystore export`
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The file with that key's passphrase; `-` reads it from standard input
        #[arg(long, value_name = "FILE")]
        passphrase_file: PathBuf,
        /// Do not ask; for those who have compared the fingerprint before
        #[arg(long)]
        yes: bool,
    },
    /// Bring the signatures of several copies together
    Merge {
        /// The copies; the first one gets the signatures of all
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Add the version to the trust chain, once enough keepers have signed it, and go on with its rotation
    ///
    /// The platform must be stopped.
    Finish {
        /// The ceremony's file
        file: PathBuf,
        #[command(flatten)]
        opening: Opening,
    },
}

impl Command {
    /// Does it.
    pub fn run(&self, said: Option<PathBuf>, out: Out) -> Result<(), Failure> {
        match self {
            Self::Key { out: file, passphrase_file } => key(file, passphrase_file, out),
            Self::Begin { out: file, renew, opening } => {
                begin(&place::platform(said)?, file, *renew, opening, out)
            }
            Self::Show { file } => show(&read(file)?, out),
            Self::Sign { file, key, passphrase_file, yes } => sign(file, key, passphrase_file, *yes, out),
            Self::Merge { files } => merge(files, out),
            Self::Finish { file, opening } => finish(&place::platform(said)?, file, opening, out),
        }
    }
}

fn key(file: &Path, passphrase_file: &Path, out: Out) -> Result<(), Failure> {
    is_new(file)?;
    let passphrase = passphrase::read(passphrase_file)?;
    let (record, bytes) =
        new_exported(KeyRole::Root, &passphrase, Kdf::default(), &Mint::system()).map_err(refused)?;
    durable::write(file, &bytes, Mode::Private)?;
    if out.is_json() {
        return out
            .json(&json!({"role": record.role, "id": record.id, "public": record.public, "file": file}));
    }
    out.line(&format!("wrote the key {} to {}", record.id, file.display()))?;
    out.line(&format!("public key: {}", record.public))?;
    out.line("keep two copies of the file apart from its passphrase, and tell the operator the public key by voice")
}

fn begin(home: &Path, file: &Path, renew: bool, opening: &Opening, out: Out) -> Result<(), Failure> {
    is_new(file)?;
    with_house(home, opening, |house| {
        if renew {
            let renewal = house.renewal().map_err(failed)?;
            return write(file, &renewal, out);
        }
        for mut rotation in house.open_rotations().map_err(failed)? {
            if let Progress::NeedsSignatures { ceremony, .. } = house.run(&mut rotation).map_err(failed)? {
                return write(file, &read(&ceremony)?, out);
            }
        }
        Err(Failure::failed("no rotation waits for signatures")
            .hint("begin one with `echo_cli trust rotate`, or say --renew"))
    })
}

fn write(file: &Path, ceremony: &Ceremony, out: Out) -> Result<(), Failure> {
    durable::write(file, &ceremony.to_json(), Mode::Public)?;
    show(ceremony, out)
}

fn show(ceremony: &Ceremony, out: Out) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(&json!({
            "root": ceremony.root(), "fingerprint": ceremony.fingerprint(), "why": ceremony.why(),
            "rotation": ceremony.rotation(), "changes": ceremony.changes(), "needs": ceremony.needs(),
            "complete": ceremony.is_complete(),
        }));
    }
    out.line(&format!("house of the root {}", ceremony.root()))?;
    if !ceremony.why().is_empty() {
        out.line(&format!("why: {}", ceremony.why()))?;
    }
    for line in ceremony.changes() {
        out.line(&line)?;
    }
    for need in ceremony.needs() {
        out.line(&report::lacking(&need))?;
    }
    out.line(&format!("fingerprint, to compare by voice: {}", spoken(ceremony)))
}

/// The fingerprint in groups of four digits.
fn spoken(ceremony: &Ceremony) -> String {
    let hex = ceremony.fingerprint().hex();
    let groups: Vec<&str> = (0..hex.len()).step_by(4).filter_map(|at| hex.get(at..at + 4)).collect();
    groups.join(" ")
}

fn sign(file: &Path, key: &Path, passphrase_file: &Path, yes: bool, out: Out) -> Result<(), Failure> {
    if !yes {
        confirm::somebody()?;
    }
    let mut ceremony = read(file)?;
    let exported = durable::read(key, MAX_EXPORTED_BYTES as u64)?.ok_or_else(|| {
        Failure::failed(format!("there is no file {}", key.display())).hint("check the path")
    })?;
    let (record, pair) = open_exported(&exported, &passphrase::read(passphrase_file)?)
        .map_err(|error| Failure::failed(format!("{}: {error}", key.display())))?;
    if !yes {
        show(&ceremony, Out::new(false))?;
        confirm::confirm("Does everybody read the same fingerprint, and is every change meant? Sign?")?;
    }
    let added = ceremony.sign(&pair).map_err(failed)?;
    durable::write(file, &ceremony.to_json(), Mode::Public)?;
    if out.is_json() {
        return out.json(&json!({"key": record.id, "added": added, "complete": ceremony.is_complete()}));
    }
    let done = if added { "signed" } else { "signed before" };
    out.line(&format!("{done} with the key {}: {}", record.id, file.display()))
}

fn merge(files: &[PathBuf], out: Out) -> Result<(), Failure> {
    let (first, others) = files.split_first().expect("the command line asks for one file at least");
    let mut merged = read(first)?;
    for other in others {
        let copy = read(other)?;
        merged.merge(&copy).map_err(|error| Failure::failed(format!("{}: {error}", other.display())))?;
    }
    durable::write(first, &merged.to_json(), Mode::Public)?;
    show(&merged, out)
}

fn finish(home: &Path, file: &Path, opening: &Opening, out: Out) -> Result<(), Failure> {
    let ceremony = read(file)?;
    if let Some(need) = ceremony.needs().iter().find(|need: &&Need| !need.is_met()) {
        return Err(Failure::failed(format!("not enough have signed: {}", report::lacking(need)))
            .hint("have the others sign copies, and merge them"));
    }
    with_house(home, opening, |house| {
        if ceremony.rotation().is_some() {
            house.gather(&ceremony).map_err(failed)?;
            if !ceremony.follows(house.chain()) {
                return Err(Failure::failed("the trust registry has changed since this ceremony began")
                    .hint("`echo_cli trust status` says what is waited for now"));
            }
            return rotate::resume(house, out);
        }
        let registry = house.finish(&ceremony).map_err(failed)?;
        if out.is_json() {
            return out.json(&json!({"version": registry.version, "expires": registry.expires}));
        }
        out.line(&format!("version {} is in the chain, good until {}", registry.version, registry.expires))
    })
}

fn read(file: &Path) -> Result<Ceremony, Failure> {
    let bytes = durable::read(file, MAX_CEREMONY_BYTES)?.ok_or_else(|| {
        Failure::failed(format!("there is no file {}", file.display())).hint("check the path")
    })?;
    Ceremony::from_json(&bytes).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))
}

/// Never overwrites: it may be the only copy.
fn is_new(file: &Path) -> Result<(), Failure> {
    if file.symlink_metadata().is_ok() {
        return Err(Failure::failed(format!("{} is there already, and is not overwritten", file.display()))
            .hint("choose another name with --out"));
    }
    Ok(())
}
