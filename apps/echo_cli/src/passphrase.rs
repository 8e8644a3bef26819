//! Reads passphrases: from a file or standard input, never from the command line, where everybody would see them.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use clap::Args;
use trust::{Keystore, KeystoreError, Unlock, keystore::MAX_PASSPHRASE};
use zeroize::Zeroizing;

use crate::Failure;

/// The most bytes of a passphrase's file: the passphrase and its line end.
const MAX_FILE: usize = MAX_PASSPHRASE + 2;
/// What stands for standard input.
const STDIN: &str = "-";
/// The permissions that a passphrase's file must not give: any to the group and to others.
const OTHERS: u32 = 0o077;

/// How the keystore of the home is opened.
#[derive(Debug, Default, Args)]
pub struct Opening {
    /// The file with the passphrase that protects the keystore now; `-` reads it from standard input. Needed only
    /// when it is protected by one
    #[arg(long, value_name = "FILE")]
    unlock_file: Option<PathBuf>,
}

impl Opening {
    /// Opens the keystore of `home`. `other` is the command's other passphrase file, when it has one.
    pub fn open(&self, home: &Path, other: Option<&Path>) -> Result<Keystore, Failure> {
        if !Keystore::exists(home) {
            return Err(no_home(home));
        }
        let both = [self.unlock_file.as_deref(), other];
        if both.iter().all(|path| *path == Some(Path::new(STDIN))) {
            return Err(Failure::usage(
                "standard input holds one passphrase, and two are to be read from it",
            )
            .hint("put one of them into a file that only you can read"));
        }
        let unlock = match &self.unlock_file {
            Some(path) => Unlock::Passphrase(read(path)?),
            None => Unlock::KeyFile,
        };
        Keystore::open(home, &unlock).map_err(refused)
    }
}

/// Why a home is none.
pub fn no_home(home: &Path) -> Failure {
    Failure::failed(format!("{} is not a platform's home: it holds no echo.keystore.json", home.display()))
        .hint(
            "name the platform's home with --home DIR, or start `echo_os_prime --home DIR` once to make one",
        )
}

/// Why the keystore does not do something, with the option or command that helps.
pub fn refused(error: KeystoreError) -> Failure {
    let hint = match &error {
        KeystoreError::NeedsPassphrase { .. } => {
            "pass it with --unlock-file FILE, or with `--unlock-file -` on standard input"
        }
        KeystoreError::NeedsKeyFile { .. } => "leave out --unlock-file",
        KeystoreError::UnknownKey(_) => "`echo_cli keystore show` lists them",
        KeystoreError::Away { .. } => "`echo_cli keystore import FILE` brings it back",
        _ => "",
    };
    Failure::failed(error).hint(hint)
}

/// The passphrase in a file, or on standard input for `-`: everything but the line ends at
/// its end, as the platform reads it too.
pub fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    if path == Path::new(STDIN) {
        return text(io::stdin().lock(), "standard input");
    }
    let name = path.display().to_string();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Failure::failed(format!("there is no file {name}"))
            .hint("check the path of the passphrase's file"),
        _ => Failure::failed(format!("cannot read the passphrase in {name}: {error}")),
    };
    let file = File::open(path).map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    // A pipe, such as a shell's `<(...)`, is not there for others to open.
    if about.is_file() && about.mode() & OTHERS != 0 {
        return Err(Failure::failed(format!("{name} holds a passphrase, and others may open it")).hint(format!(
                "say `chmod 600 {name}`, and choose another passphrase if somebody may have read it; or hand it in on \
                 standard input with `-`"
            )));
    }
    text(file, &name)
}

fn text(from: impl Read, name: &str) -> Result<Zeroizing<String>, Failure> {
    // With room for all, so that growing leaves no copies behind.
    let mut read = Zeroizing::new(String::with_capacity(MAX_FILE + 1));
    from.take(MAX_FILE as u64 + 1)
        .read_to_string(&mut read)
        .map_err(|error| Failure::failed(format!("cannot read the passphrase in {name}: {error}")))?;
    if read.len() > MAX_FILE {
        return Err(Failure::failed(format!("{name} is too long for a passphrase"))
            .hint(format!("a passphrase has at most {MAX_PASSPHRASE} bytes: check the path")));
    }
    let length = read.trim_end_matches(['\r', '\n']).len();
    read.truncate(length);
    if read.is_empty() {
        return Err(Failure::failed(format!("there is no passphrase in {name}")).hint("check the path"));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Result<Zeroizing<String>, Failure> {
        text(bytes, "x")
    }

    #[test]
    fn line_ends_at_the_end_are_not_part_of_a_passphrase() {
        for written in ["four old words\n", "four old words\r\n", "four old words", "four old words\n\n"] {
            assert_eq!(*of(written.as_bytes()).unwrap(), "four old words");
        }
        assert_eq!(*of(b" two\nlines \n").unwrap(), " two\nlines ");
    }

    #[test]
    fn what_is_no_passphrase_is_refused() {
        for bad in [&b""[..], b"\n", b"\xff\xfe", &[b'x'; MAX_FILE + 1]] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
        assert_eq!(of(&[b'x'; MAX_PASSPHRASE]).unwrap().len(), MAX_PASSPHRASE);
    }
}
