//! How a sealed secret travels to a machine without a network: on a stick, or as the text of a QR code. It is sealed all
//! the way; whoever finds it on the way learns its name and its length.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ::backup::qr::Qr;
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use durable::Mode;
use vault::{MAX_SEALED_BYTES, Name};

use super::Which;
use crate::Failure;

/// The folder on a stick: `echo-secrets/NAMESPACE/NAME.age`.
pub const FOLDER: &str = "echo-secrets";
/// How the text of a code begins: `echo-sealed:NAMESPACE/NAME:BASE64`.
const PREFIX: &str = "echo-sealed:";
/// The most bytes of such a text.
pub const MAX_TEXT: usize = MAX_SEALED_BYTES * 4 / 3 + 512;
/// The most sealed files that are taken from one stick.
const MAX_ON_A_STICK: usize = 1_000;

/// A sealed secret on its way.
#[derive(Debug)]
pub struct Carried {
    /// Which secret it wants to be.
    pub which: Which,
    /// The sealed file.
    pub file: PathBuf,
}

/// Whether the stick is there.
pub fn plugged_in(stick: &Path) -> Result<(), Failure> {
    if stick.is_dir() {
        return Ok(());
    }
    Err(Failure::failed(format!("there is no folder {}", stick.display()))
        .hint("plug the stick in, and name the folder where it is mounted"))
}

/// Puts a sealed file onto a stick. One that is there already is replaced.
pub fn put(stick: &Path, which: &Which, sealed: &[u8]) -> Result<(), Failure> {
    plugged_in(stick)?;
    let folder = stick.join(FOLDER).join(which.namespace.as_str());
    fs::create_dir_all(&folder)
        .map_err(|error| Failure::failed(format!("cannot make {}: {error}", folder.display())))?;
    Ok(durable::write(&folder.join(format!("{}.age", which.name)), sealed, Mode::Private)?)
}

/// What lies on a stick, by name.
pub fn found(stick: &Path) -> Result<Vec<Carried>, Failure> {
    let folder = stick.join(FOLDER);
    let missing = |error: std::io::Error| {
        Failure::failed(format!("cannot read {}: {error}", folder.display()))
            .hint("plug the stick in; `echo_cli vault seal --stick DIR` puts sealed files onto it")
    };
    let mut all = Vec::new();
    for namespace in fs::read_dir(&folder).map_err(missing)? {
        let namespace = namespace.map_err(missing)?;
        let Some(word) = name_of(namespace.file_name().to_str()) else { continue };
        if !namespace.path().is_dir() {
            continue;
        }
        for file in fs::read_dir(namespace.path()).map_err(missing)? {
            let path = file.map_err(missing)?.path();
            let name = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".age"));
            let Some(name) = name_of(name) else { continue };
            if all.len() == MAX_ON_A_STICK {
                let folder = folder.display();
                return Err(Failure::failed(format!(
                    "{folder} holds more than {MAX_ON_A_STICK} sealed files"
                )));
            }
            all.push(Carried { which: Which { namespace: word.clone(), name }, file: path });
        }
    }
    all.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(all)
}

fn name_of(text: Option<&str>) -> Option<Name> {
    text?.parse().ok()
}

/// A sealed file as a QR code.
pub fn code(which: &Which, sealed: &[u8]) -> Result<Qr, Failure> {
    let text = format!("{PREFIX}{}/{}:{}", which.namespace, which.name, STANDARD_NO_PAD.encode(sealed));
    Qr::new(&text).map_err(Failure::failed)
}

/// What was read from a code.
pub fn scanned(text: &str) -> Result<(Which, Vec<u8>), Failure> {
    let bad = || {
        Failure::failed("this is not what a code of `echo_cli vault seal --qr` says")
            .hint("it begins with `echo-sealed:`; scan it again")
    };
    let rest = text.trim().strip_prefix(PREFIX).ok_or_else(bad)?;
    let (names, body) = rest.split_once(':').ok_or_else(bad)?;
    let (namespace, name) = names.split_once('/').ok_or_else(bad)?;
    let which =
        Which { namespace: namespace.parse().map_err(|_| bad())?, name: name.parse().map_err(|_| bad())? };
    // Whoever pastes it from a message may have broken it into lines.
    let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    Ok((which, STANDARD_NO_PAD.decode(body.trim_end_matches('=')).map_err(|_| bad())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lay(path: &Path, content: impl AsRef<[u8]>) {
        durable::write(path, content.as_ref(), durable::Mode::Private).unwrap();
    }

    fn which() -> Which {
        Which { namespace: "mail".parse().unwrap(), name: "relay.password".parse().unwrap() }
    }

    #[test]
    fn a_code_says_which_secret_and_all_of_its_bytes() {
        let text = format!("{PREFIX}mail/relay.password:{}", STANDARD_NO_PAD.encode([0, 255, 7]));
        let (first, rest) = text.split_at(text.len() - 2);
        let broken = format!(" {first}\n{rest}\n");
        for text in [text, broken] {
            let (read, sealed) = scanned(&text).unwrap();
            assert_eq!((read.name.as_str(), sealed), ("relay.password", vec![0, 255, 7]));
        }
        for bad in ["", "echo-sealed:", "echo-sealed:a/b", "echo-sealed:a/B:AA", "echo-sealed:a/b:?", "age"] {
            assert!(scanned(bad).is_err(), "{bad}");
        }
        assert!(code(&which(), &[7; 5_000]).unwrap_err().to_string().contains("QR code holds"));
    }

    #[test]
    fn a_stick_gives_back_what_was_put_onto_it_and_nothing_else() {
        let stick = tempfile::tempdir().unwrap();
        assert!(found(stick.path()).unwrap_err().to_string().contains("plug the stick in"));
        put(stick.path(), &which(), b"sealed").unwrap();
        let folder = stick.path().join(FOLDER);
        lay(&folder.join("mail/notes.txt"), "x");
        lay(&folder.join("mail/BAD NAME.age"), "x");
        lay(&folder.join("readme"), "x");
        fs::create_dir(folder.join("Trash 1000")).unwrap();
        let all = found(stick.path()).unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(
            (all[0].which.namespace.as_str(), fs::read(&all[0].file).unwrap()),
            ("mail", b"sealed".to_vec())
        );
        assert!(put(&stick.path().join("gone"), &which(), b"sealed").is_err());
    }
}
