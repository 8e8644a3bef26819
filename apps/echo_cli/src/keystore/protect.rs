//! `keystore protect`.

use std::path::{Path, PathBuf};

use clap::Args;
use echo_core::Mint;
use serde_json::json;
use trust::{Protection, Unlock};

use super::show;
use crate::{
    Failure,
    out::Out,
    passphrase::{self, Opening, refused},
};

/// What protects from now on.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    opening: Opening,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct By {
    /// The file with the new passphrase; `-` reads it from standard input. The key file is removed
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The systemd credential `echo-keystore-key` if there is one, else a fresh HOME/keystore.key
    #[arg(long)]
    key_file: bool,
}

/// Changes the protection.
pub fn run(arguments: &Arguments, home: &Path, out: Out) -> Result<(), Failure> {
    let new = arguments.by.passphrase_file.as_deref();
    let mut keystore = arguments.opening.open(home, new)?;
    let before = keystore.protection();
    let unlock = match new {
        Some(path) => Unlock::Passphrase(passphrase::read(path)?),
        None => Unlock::KeyFile,
    };
    keystore.protect(home, &unlock, &Mint::system()).map_err(refused)?;
    let now = keystore.protection();
    if out.is_json() {
        return out.json(&json!({"home": home, "protection": show::name(now), "before": show::name(before)}));
    }
    out.line(&format!("the keystore is protected by a {} now", show::words(now)))?;
    out.line(
        "copies of the old files still open with what protected them: destroy or keep them accordingly",
    )?;
    match now {
        Protection::KeyFile => Ok(()),
        Protection::Passphrase => out.line(
            "start the platform with `echo_os_prime --passphrase-file FILE` from now on, or with the systemd credential \
             `echo-passphrase`",
        ),
    }
}
