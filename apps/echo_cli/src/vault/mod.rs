//! `vault`: secrets for a platform, sealed anywhere, opened only where it may.

mod carry;
mod change;
mod give;
mod init;
mod inject;
mod seal;
mod show;

pub use init::Counts;

use std::{
    io::{self, IsTerminal as _, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use echo_core::Mint;
use vault::{Actor, Name, Sealed, SecretRef, Unseal, VAULT_FOLDER, Vault, VaultError};

use crate::{Failure, out::Out};

/// What stands for standard input.
const STDIN: &str = "-";

/// What to do with the vault.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the vault of a home, opened by a passphrase, a key file, or some of several shares
    ///
    /// Works before the platform's first start.
    Init(init::Arguments),
    /// Print whom secrets are sealed for; not secret
    Recipient,
    /// List the secrets and their versions, without any value
    List,
    /// List the versions of one secret
    Versions {
        #[command(flatten)]
        which: Which,
    },
    /// Seal a value for a vault, on any machine; reads standard input, writes the sealed file to standard output
    Seal(seal::Arguments),
    /// Bring a sealed file to the vault, which stays closed; it becomes the next version when the vault is opened
    Inject(inject::Inject),
    /// Seal a value on this machine and bring it at once; reads standard input
    Set(seal::Set),
    /// Print a secret's value, as it is, to what is not a terminal
    Get(give::Get),
    /// Remove a version; its number is not used again
    Remove(change::Remove),
    /// Give the vault a new identity, and seal every secret anew
    ///
    /// What opened the vault opens it afterwards too: when somebody may have had that, say `vault protect` with
    /// something new first, then this, then replace the secrets. Sealed files that were made for the old recipient
    /// cannot be brought any more. A running platform must be started again.
    Rotate {
        #[command(flatten)]
        opening: Opening,
    },
    /// Change what opens the vault: another passphrase, a key file, or shares
    Protect(change::Protect),
    /// Open every file, and check that it stands where it says
    Verify {
        #[command(flatten)]
        opening: Opening,
    },
    /// Print who had what, checked line by line
    Audit {
        /// Put the file aside and begin a new one; needs what opens the vault
        #[arg(long, requires = "unlock_file")]
        archive: bool,
        /// The file with what opens the vault; `-` reads it from standard input
        #[arg(long, value_name = "FILE")]
        unlock_file: Option<PathBuf>,
    },
    /// Wrap a secret for one receiver, who can take it once, and not for long
    Wrap(give::Wrap),
    /// Take a wrapped secret: prints the value, as it is, to what is not a terminal
    Unwrap(give::Unwrap),
}

/// Which secret.
#[derive(Debug, Args)]
pub struct Which {
    /// The secret's namespace, such as `mail`
    #[arg(long)]
    namespace: Name,
    /// The secret's name in it, such as `relay-password`
    #[arg(long)]
    name: Name,
}

/// How the vault is opened.
#[derive(Debug, Args)]
pub struct Opening {
    /// The file with what opens the vault: its passphrase, its age identity, or enough of its shares, one a line;
    /// `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    unlock_file: PathBuf,
}

impl Opening {
    /// What is in the file.
    fn read(&self, sealed: &Sealed) -> Result<Unseal, Failure> {
        read_unseal(&self.unlock_file, sealed)
    }

    /// Opens the vault, and gives back what opened it too.
    fn open(&self, sealed: &Sealed) -> Result<(Vault, Unseal), Failure> {
        let by = self.read(sealed)?;
        let vault = sealed.unseal(&by, &actor(), &Mint::system()).map_err(refused)?;
        Ok((vault, by))
    }
}

fn read_unseal(path: &Path, sealed: &Sealed) -> Result<Unseal, Failure> {
    let protection = sealed.protection().map_err(refused)?;
    if is_stdin(path) {
        return Unseal::read_from(io::stdin().lock(), "standard input", &protection).map_err(refused);
    }
    Unseal::read(path, &protection).map_err(refused)
}

impl Command {
    /// Does it, in the platform's home.
    pub fn run(&self, home: &Path, out: Out) -> Result<(), Failure> {
        if let Self::Seal(arguments) = self {
            return arguments.run();
        }
        owned(home, rustix::process::geteuid().as_raw())?;
        let sealed = Sealed::of_home(home);
        match self {
            Self::Seal(_) => Ok(()),
            Self::Init(arguments) => arguments.run(&sealed, out),
            Self::Recipient => show::recipient(&sealed, out),
            Self::List => show::list(&sealed, None, out),
            Self::Versions { which } => show::list(&sealed, Some(which), out),
            Self::Inject(arguments) => arguments.run(&sealed, out),
            Self::Set(arguments) => arguments.run(&sealed, out),
            Self::Get(arguments) => arguments.run(&sealed),
            Self::Remove(arguments) => arguments.run(&sealed, out),
            Self::Rotate { opening } => change::rotate(opening, &sealed, out),
            Self::Protect(arguments) => arguments.run(&sealed, out),
            Self::Verify { opening } => show::verify(opening, &sealed, out),
            Self::Audit { archive: false, .. } => show::audit(&sealed, out),
            Self::Audit { unlock_file, .. } => change::archive(unlock_file.as_deref(), &sealed, out),
            Self::Wrap(arguments) => arguments.run(&sealed, out),
            Self::Unwrap(arguments) => arguments.run(&sealed),
        }
    }
}

/// Refuses where somebody other than `me` owns the vault, or the home that has none yet: the platform could not read
/// what is written here.
fn owned(home: &Path, me: u32) -> Result<(), Failure> {
    let Ok(folder) = std::fs::metadata(home.join(VAULT_FOLDER)).or_else(|_| std::fs::metadata(home)) else {
        return Ok(());
    };
    if folder.uid() == me {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "the vault in {} belongs to the user with the number {}",
        home.display(),
        folder.uid()
    ))
    .hint("run this as the user that the platform runs as, such as by `sudo -u`"))
}

/// Who asks, for the audit.
fn actor() -> Actor {
    Actor::new(&format!("user {}, echo_cli", rustix::process::getuid().as_raw()))
}

/// Whether a path stands for standard input. It is read as it is: a system where somebody else opened it, as with
/// `sudo -u`, does not let it be opened anew.
fn is_stdin(path: &Path) -> bool {
    path == Path::new(STDIN)
}

/// Which secret, and perhaps which version.
fn secret(which: &Which, version: Option<u32>) -> SecretRef {
    SecretRef { namespace: which.namespace.clone(), name: which.name.clone(), version }
}

/// Prints bytes as they are, for another program.
fn bytes(value: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(value)?;
    Ok(stdout.flush()?)
}

/// Refuses to put a secret on a screen that nobody asked for. Said before anything is opened.
fn not_on_screen(show: bool) -> Result<(), Failure> {
    if show || !io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage("this would print the secret on the terminal")
        .hint("send it into a file or a program, or say --show"))
}

/// Why the vault does not do something.
fn refused(error: VaultError) -> Failure {
    match error {
        VaultError::Tampered { .. } => Failure::unverified(error),
        _ => Failure::failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_or_vault_of_somebody_else_is_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let (home, me) = (scratch.path().join("home"), rustix::process::geteuid().as_raw());
        assert!(owned(&home, me + 1).is_ok(), "there is none yet");
        for folder in [home.clone(), home.join(VAULT_FOLDER)] {
            durable::create_folder(&folder).unwrap();
            assert!(owned(&home, me).is_ok());
            let said = owned(&home, me + 1).unwrap_err().to_string();
            assert!(said.contains(&format!("number {me}")), "{said}");
        }
    }
}
