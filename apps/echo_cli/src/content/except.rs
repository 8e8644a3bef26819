//! `content except` and `content exceptions`: files that are used for a while without their author's signature.

use std::path::{Path, PathBuf};

use clap::Args;
use echo_core::{Digest, Mint, Timestamp};
use serde_json::{Value, json};
use trust::{
    KeyRole,
    content::{Admission, MAX_CONTENT},
    exception::{ExceptedKind, Exception, ExceptionError, Exceptions},
};

use super::{admitted, content_of, registry_of};
use crate::{
    Failure,
    out::Out,
    passphrase::{Opening, refused},
};

/// Which file, and on what terms.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file, in `intake`, `playbooks` or `policies` of the home
    file: PathBuf,
    /// Why it cannot be signed now; the ledger keeps a digest of it, the exceptions' file the words
    #[arg(long, value_name = "TEXT", required_unless_present = "remove")]
    reason: Option<String>,
    /// The end: a day such as 2027-01-31 (its beginning, UTC) or a time (RFC 3339); at most 90 days from now
    #[arg(long, value_name = "DATE", required_unless_present = "remove")]
    until: Option<String>,
    /// Who decided it
    #[arg(long, value_name = "NAME", default_value = "operator")]
    by: String,
    /// Take the exception for the file back
    #[arg(long, conflicts_with_all = ["reason", "until"])]
    remove: bool,
    #[command(flatten)]
    opening: Opening,
}

/// Adds or removes an exception.
pub fn run(arguments: &Arguments, home: &Path, out: Out) -> Result<(), Failure> {
    let registry = registry_of(home)?;
    let (kind, name) = place(&arguments.file, home)?;
    let before = match Exceptions::load(home, &registry) {
        Ok(found) => found.map(|(document, _)| document),
        Err(error) => return Err(unloaded(error)),
    };
    let now = Mint::system().now();
    let after = if arguments.remove {
        let missing = || ExceptionError::NotFound(format!("{}/{name}", kind.folder()));
        before.ok_or_else(missing).and_then(|b| b.without(kind, &name, now)).map_err(Failure::failed)?
    } else {
        if matches!(admitted(&arguments.file, &registry, None), Ok(Admission::Signed)) {
            return Err(Failure::failed(format!("{name} is signed, and needs no exception")));
        }
        let bytes = content_of(&arguments.file)?;
        let exception = Exception {
            kind,
            name: name.clone(),
            sha256: Digest::of(&bytes),
            reason: arguments.reason.clone().unwrap_or_default(),
            approved_by: arguments.by.clone(),
            from: now,
            until: end(arguments.until.as_deref().unwrap_or_default())?,
        };
        Exceptions::with(before, exception, now).map_err(Failure::failed)?
    };
    let keystore = arguments.opening.open(home, None)?;
    after.save(home, keystore.signer(KeyRole::Operator).map_err(refused)?).map_err(Failure::failed)?;
    let entry = after.about(kind, &name);
    if out.is_json() {
        return out.json(&json!({"file": arguments.file, "issued": after.issued, "exception": entry}));
    }
    match entry {
        Some(entry) => {
            out.line(&format!("{name} is let in until {}, as {}", entry.until, entry.sha256))?;
            if kind.for_devices() {
                out.line("devices refuse it all the same: they work only with what its author signed")?;
            }
        }
        None => out.line(&format!("{name} needs its author's signature again"))?,
    }
    out.line("the platform reads this when it starts next")
}

/// Lists the exceptions of a home.
pub fn list(home: &Path, out: Out) -> Result<(), Failure> {
    let registry = registry_of(home)?;
    let document = Exceptions::load(home, &registry).map_err(unloaded)?.map(|(document, _)| document);
    let now = Mint::system().now();
    let items: Vec<Value> =
        document.iter().flat_map(|d| &d.entries).map(|entry| item(entry, home, now)).collect();
    out.list(
        &items,
        &[
            ("state", "/state"),
            ("file", "/file"),
            ("until", "/exception/until"),
            ("approved by", "/exception/approved_by"),
            ("reason", "/exception/reason"),
        ],
    )
}

fn item(entry: &Exception, home: &Path, now: Timestamp) -> Value {
    let file = home.join(entry.kind.folder()).join(&entry.name);
    let bytes = durable::read(&file, MAX_CONTENT).ok().flatten();
    let state = if now >= entry.until {
        "over"
    } else if now < entry.from {
        "to come"
    } else if bytes.is_none_or(|bytes| Digest::of(&bytes) != entry.sha256) {
        "other bytes"
    } else {
        "in force"
    };
    json!({"state": state, "file": file, "exception": entry})
}

fn unloaded(error: ExceptionError) -> Failure {
    match error {
        ExceptionError::File(error) => Failure::failed(error),
        error => Failure::unverified(error),
    }
}

/// What kind of content a file of the home is, and its name.
fn place(file: &Path, home: &Path) -> Result<(ExceptedKind, String), Failure> {
    let none = || {
        Failure::usage(format!("{} lies in no folder of {} that may have exceptions", file.display(), home.display()))
            .hint("name a file in `intake`, `playbooks` or `policies` of the platform's home; prices are always signed")
    };
    // The file itself may be gone, for --remove.
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let (folder, home) =
        (folder.canonicalize().map_err(|_| none())?, home.canonicalize().map_err(|_| none())?);
    let kind =
        ExceptedKind::ALL.into_iter().find(|kind| home.join(kind.folder()) == folder).ok_or_else(none)?;
    Ok((kind, file.file_name().ok_or_else(none)?.to_string_lossy().into_owned()))
}

/// The end that a person wrote.
fn end(text: &str) -> Result<Timestamp, Failure> {
    let text = text.trim();
    let day = format!("{text}T00:00:00Z");
    let full = if text.len() == "2027-01-31".len() { &day } else { text };
    full.parse().map_err(|_| {
        Failure::usage(format!("`{}` is not a date", text.chars().take(60).collect::<String>()))
            .hint("write a day such as 2027-01-31, or a time such as 2027-01-31T18:00:00Z")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_day_or_a_time() {
        assert_eq!(end("2027-01-31").unwrap(), end("2027-01-31T00:00:00Z").unwrap());
        assert_eq!(end(" 2027-01-31T02:00:00+02:00 ").unwrap(), end("2027-01-31").unwrap());
        for bad in ["", "tomorrow", "2027-02-30", "31.01.2027", "2027-1-31"] {
            assert!(end(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_content_of_the_home_may_have_exceptions() {
        let home = tempfile::tempdir().unwrap();
        for folder in ["intake", "manifest", "other"] {
            durable::create_folder(&home.path().join(folder)).unwrap();
        }
        let (kind, name) = place(&home.path().join("intake/x.yaml"), home.path()).unwrap();
        assert_eq!((kind, name.as_str()), (ExceptedKind::Intake, "x.yaml"));
        for bad in ["manifest/catalogue.yaml", "other/x.yaml", "x.yaml", "intake/none/x.yaml"] {
            assert!(place(&home.path().join(bad), home.path()).is_err(), "{bad}");
        }
    }
}
