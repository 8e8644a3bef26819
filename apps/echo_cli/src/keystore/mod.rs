//! `keystore`: the signing keys of a platform's home, while the platform is stopped.

mod offline;
mod protect;
pub mod show;

use std::path::{Path, PathBuf};

use clap::{
    Args, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use trust::KeyRole;

use crate::{
    Failure,
    out::Out,
    passphrase::{self, Opening},
    stopped::Stopped,
};

/// What to do with the keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the keys, where their secrets are, and what protects them
    ///
    /// Needs no secret, and therefore says what the file says: that nobody changed it is checked when it is opened.
    Show,
    /// Change what the keystore is protected by: a passphrase, or a key file
    ///
    /// All secrets are sealed anew. Copies of the old files still open with what protected them.
    #[command(after_help = STOPPED)]
    Protect(protect::Arguments),
    /// Write the active key of a role to a file of its own, under its own passphrase
    ///
    /// The keystore keeps the key; `keystore remove` takes it out.
    #[command(after_help = STOPPED)]
    Export {
        #[command(flatten)]
        which: Role,
        /// Where to write it; the file must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        passphrase: Exported,
        #[command(flatten)]
        opening: Opening,
    },
    /// Take the secret of an exported key out of the keystore; its record stays, and says where the file is
    ///
    /// Asks for the file and its passphrase, so that no key goes that could not come back. Copies of the keystore
    /// from before, such as backups, still hold the secret.
    #[command(after_help = STOPPED)]
    Remove {
        #[command(flatten)]
        which: Role,
        /// The file that `keystore export` wrote
        #[arg(long, value_name = "FILE")]
        exported: PathBuf,
        #[command(flatten)]
        passphrase: Exported,
        /// Where the file is kept from now on, such as "safe in the office"
        #[arg(long, value_name = "WORDS")]
        place: String,
        #[command(flatten)]
        opening: Opening,
    },
    /// Bring the secret of an exported key back
    #[command(after_help = STOPPED)]
    Import {
        /// The file that `keystore export` wrote
        file: PathBuf,
        #[command(flatten)]
        passphrase: Exported,
        #[command(flatten)]
        opening: Opening,
    },
}

/// What is said below the help of the commands that open the keystore.
const STOPPED: &str = "The platform must be stopped, and cannot start meanwhile: this holds the lock \
    HOME/genesis_ledger/.lock.\nRun it as the user that the platform runs as.";

/// A role.
#[derive(Debug, Args)]
pub struct Role {
    /// What the key signs
    #[arg(value_name = "ROLE", value_parser = role_parser())]
    role: KeyRole,
}

/// The passphrase of an exported key.
#[derive(Debug, Args)]
pub struct Exported {
    /// The file with the exported key's passphrase; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    passphrase_file: PathBuf,
}

/// Reads a role by its name.
pub fn role_parser() -> impl TypedValueParser<Value = KeyRole> {
    PossibleValuesParser::new(KeyRole::ALL.map(KeyRole::as_str)).try_map(|name| {
        KeyRole::ALL.into_iter().find(|role| role.as_str() == name).ok_or("there is no such role")
    })
}

impl Command {
    /// Does it, in the platform's home.
    pub fn run(&self, home: &Path, out: Out) -> Result<(), Failure> {
        // Kept to the end: the platform must not read the keys while they change.
        let _stopped = match self {
            Self::Show => return show::run(home, out),
            _ => Stopped::hold(home)?,
        };
        match self {
            Self::Show => Ok(()),
            Self::Protect(arguments) => protect::run(arguments, home, out),
            Self::Export { which, out: file, passphrase: Exported { passphrase_file }, opening } => {
                let keystore = opening.open(home, Some(passphrase_file))?;
                offline::export(&keystore, which.role, file, &passphrase::read(passphrase_file)?, out)
            }
            Self::Remove { which, exported, passphrase: Exported { passphrase_file }, place, opening } => {
                let mut keystore = opening.open(home, Some(passphrase_file))?;
                let file = offline::File::open(exported, passphrase::read(passphrase_file)?)?;
                offline::remove(&mut keystore, which.role, &file, place, out)
            }
            Self::Import { file, passphrase: Exported { passphrase_file }, opening } => {
                let mut keystore = opening.open(home, Some(passphrase_file))?;
                let file = offline::File::open(file, passphrase::read(passphrase_file)?)?;
                offline::import(&mut keystore, &file, out)
            }
        }
    }
}
