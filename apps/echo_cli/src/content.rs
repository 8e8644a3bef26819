//! `content`: signs what the operator edits, and says what a platform would refuse.

mod except;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use echo_core::Mint;
use serde_json::{Value, json};
use trust::{
    KeyRole, Keystore, Registry, TrustChain,
    content::{self, Admission, MAX_CONTENT, MAX_SIGNATURE_FILE, Offered},
    exception::{ExceptedKind, Exceptions},
};

use crate::{
    Failure,
    out::Out,
    passphrase::{Opening, no_home, refused},
};

/// The folders of a home that hold signed content.
const FOLDERS: [&str; 4] = ["manifest", "policies", "intake", "playbooks"];
/// The most files of one folder.
const MAX_FILES: usize = 500;

/// What to do with content.
#[derive(Debug, Subcommand)]
pub enum Content {
    /// Sign an edited playbook, intake form, policy or catalogue with the home's playbook author key
    Sign {
        /// The file; its signature is written beside it, as FILE.sig
        file: PathBuf,
        #[command(flatten)]
        opening: Opening,
    },
    /// Check the signature of every content file of the home
    ///
    /// Needs no secret, and so no --unlock-file where a passphrase protects the keys.
    Check,
    /// Let an unsigned or edited intake form, playbook or policy in for a while, by an exception that the operator signs
    ///
    /// The exception is for the exact bytes of the file, and ends by itself. The platform reads it when it starts next,
    /// and enters it into the genesis ledger. Devices refuse a playbook or policy that its author has not signed, with
    /// an exception too.
    Except(except::Arguments),
    /// List the exceptions
    Exceptions,
}

impl Content {
    /// Does it, in the platform's home.
    pub fn run(&self, home: &Path, out: Out) -> Result<(), Failure> {
        match self {
            Self::Sign { file, opening } => sign(home, file, opening, out),
            Self::Check => check(home, out),
            Self::Except(arguments) => except::run(arguments, home, out),
            Self::Exceptions => except::list(home, out),
        }
    }
}

fn sign(home: &Path, file: &Path, opening: &Opening, out: Out) -> Result<(), Failure> {
    let keystore = opening.open(home, None)?;
    let author = keystore.signer(KeyRole::PlaybookAuthor).map_err(refused)?;
    content::sign_file(file, author).map_err(Failure::failed)?;
    let signature = content::signature_path(file);
    if out.is_json() {
        return out.json(&json!({"file": file, "signature": signature, "key": author.id().as_str()}));
    }
    out.line(&format!(
        "signed {}: {}; the platform reads it when it starts next",
        file.display(),
        signature.display()
    ))
}

fn check(home: &Path, out: Out) -> Result<(), Failure> {
    let registry = registry_of(home)?;
    let (exceptions, refused) = match Exceptions::load(home, &registry) {
        Ok(found) => (found.map(|(document, _)| document), None),
        Err(error) => (None, Some(error)),
    };
    let mut items = Vec::new();
    for folder in FOLDERS {
        items.extend(check_folder(&home.join(folder), &registry, exceptions.as_ref())?);
    }
    let bad = items.iter().filter(|item| item.get("holds") == Some(&Value::Bool(false))).count();
    out.list(
        &items,
        &[("holds", "/holds"), ("file", "/file"), ("by exception until", "/until"), ("why not", "/reason")],
    )?;
    if let Some(error) = refused {
        return Err(Failure::unverified(error));
    }
    if bad == 0 {
        return Ok(());
    }
    Err(Failure::unverified(format!("{bad} of {} files do not hold", items.len()))
        .hint("sign a file that you changed yourself with `echo_cli content sign FILE`; restore the others"))
}

/// The trust registry in force in a platform's home.
pub fn registry_of(home: &Path) -> Result<Registry, Failure> {
    if !Keystore::exists(home) {
        return Err(no_home(home));
    }
    let chain = TrustChain::load(home).map_err(Failure::failed)?;
    chain.verify(&chain.fingerprint(), Mint::system().now()).map_err(Failure::unverified)
}

fn check_folder(
    folder: &Path,
    registry: &Registry,
    exceptions: Option<&Exceptions>,
) -> Result<Vec<Value>, Failure> {
    let listed = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => {
            listed.map_err(|error| Failure::failed(format!("cannot list {}: {error}", folder.display())))?
        }
    };
    let mut paths: Vec<PathBuf> = listed
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml"))
        .take(MAX_FILES)
        .collect();
    paths.sort();
    let one = |path: &PathBuf| match admitted(path, registry, exceptions) {
        Ok(Admission::Signed) => json!({"file": path, "holds": true}),
        Ok(Admission::Excepted(e)) => {
            json!({"file": path, "holds": true, "until": e.until, "exception": e})
        }
        Err(failure) => json!({"file": path, "holds": false, "reason": failure.message}),
    };
    Ok(paths.iter().map(one).collect())
}

/// The bytes of a content file that must be there.
fn content_of(path: &Path) -> Result<Vec<u8>, Failure> {
    durable::read(path, MAX_CONTENT)?
        .ok_or_else(|| Failure::failed(format!("there is no file {}", path.display())).hint("check the path"))
}

/// By what the platform would take the file at `path` now.
fn admitted(path: &Path, registry: &Registry, exceptions: Option<&Exceptions>) -> Result<Admission, Failure> {
    let bytes = content_of(path)?;
    let signature = durable::read(&content::signature_path(path), MAX_SIGNATURE_FILE)?.unwrap_or_default();
    let part =
        |part: Option<&std::ffi::OsStr>| part.map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = part(path.parent().and_then(Path::file_name));
    let offered = Offered {
        kind: ExceptedKind::ALL.into_iter().find(|kind| kind.folder() == folder),
        name: &part(path.file_name()),
        bytes: &bytes,
        signature: &signature,
    };
    content::admit(offered, registry, exceptions, Mint::system().now()).map_err(Failure::unverified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_keys_is_no_home_and_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let out = Out::new(true);
        let failure =
            sign(folder.path(), &folder.path().join("x.yaml"), &Opening::default(), out).unwrap_err();
        assert!(failure.hint.contains("--home"), "{failure}");
        assert!(check(folder.path(), out).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
