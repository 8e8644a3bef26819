//! `content`: signs what the operator edits, and says what a platform would refuse.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use echo_core::Mint;
use serde_json::{Value, json};
use trust::{KeyRole, Keystore, Registry, TrustChain, content};

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
}

impl Content {
    /// Does it, in the platform's home.
    pub fn run(&self, home: &Path, out: Out) -> Result<(), Failure> {
        match self {
            Self::Sign { file, opening } => sign(home, file, opening, out),
            Self::Check => check(home, out),
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
    if !Keystore::exists(home) {
        return Err(no_home(home));
    }
    let chain = TrustChain::load(home).map_err(Failure::failed)?;
    let registry = chain.verify(&chain.fingerprint(), Mint::system().now()).map_err(Failure::unverified)?;
    let mut items = Vec::new();
    for folder in FOLDERS {
        items.extend(check_folder(&home.join(folder), &registry)?);
    }
    let bad = items.iter().filter(|item| item.get("holds") == Some(&Value::Bool(false))).count();
    out.list(&items, &[("holds", "/holds"), ("file", "/file"), ("why not", "/reason")])?;
    if bad == 0 {
        return Ok(());
    }
    Err(Failure::unverified(format!("{bad} of {} files do not hold", items.len()))
        .hint("sign a file that you changed yourself with `echo_cli content sign FILE`; restore the others"))
}

fn check_folder(folder: &Path, registry: &Registry) -> Result<Vec<Value>, Failure> {
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
    let one = |path: &PathBuf| match content::read_verified(path, registry, KeyRole::PlaybookAuthor) {
        Ok(_) => json!({"file": path, "holds": true}),
        Err(error) => json!({"file": path, "holds": false, "reason": error.to_string()}),
    };
    Ok(paths.iter().map(one).collect())
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
