//! The files of a home that hold something of a customer: single documents, lines of the logs, what came over the mesh.
//!
//! Removing what is gone already is no fault, so that all of it can be done again after a crash.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use durable::DurableError;
use echo_core::{CustomerId, Id as _};
use serde_json::Value;
use trust::Envelope;

use crate::{DeskError, erasure::Todo};

/// The most bytes of an entry of the mesh's book, and of a line of the logs: more is none of ours.
const MAX_LINE: u64 = 4 * 1024 * 1024;
/// What follows a document's name.
const ENDINGS: [&str; 3] = ["json", "entry", "tlog-proof"];
/// What a log is called while it is written anew.
const ANEW: &str = "anew";

/// Removes everything of a customer that lies in files.
pub(crate) fn wipe(home: &Path, todo: &Todo) -> Result<(), DeskError> {
    for name in &todo.documents {
        for ending in ENDINGS {
            remove(&home.join(format!("ledger/{name}.{ending}")))?;
        }
        remove(&home.join(format!("attestations/{name}.json")))?;
    }
    for folder in ["ledger", "attestations"] {
        durable::sync_folder(&home.join(folder))?;
    }
    for log in files_in(&home.join("logs"))? {
        if log.extension().is_some_and(|ending| ending == "jsonl") {
            without_lines_of(&log, &todo.customer)?;
        }
    }
    // Telemetry that could not be read is anybody's.
    for file in files_in(home)? {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("pulse") && name.ends_with("set-aside") {
            remove(&file)?;
        }
    }
    wipe_mesh(&home.join("mesh"), todo)
}

/// Files that came from the customer's nodes, and calls that they made.
fn wipe_mesh(mesh: &Path, todo: &Todo) -> Result<(), DeskError> {
    for node in &todo.nodes {
        let came = mesh.join("inbox").join(node.short());
        match fs::remove_dir_all(&came) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(cannot("remove", &came, &why)),
            _ => {}
        }
        let named = format!("{node}.").replace(':', "-");
        for folder in ["inbox/.parts", "inbox/.delivered"] {
            for file in files_in(&mesh.join(folder))? {
                if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&named)) {
                    remove(&file)?;
                }
            }
        }
    }
    for entry in files_in(&mesh.join("book"))? {
        let bytes = match durable::read(&entry, MAX_LINE) {
            Err(DurableError::TooLarge { .. }) => Vec::new(),
            read => read?.unwrap_or_default(),
        };
        // One that was set aside cannot be read: it is anybody's.
        let theirs = serde_json::from_slice(&bytes).map_or(true, |entry| names(&entry, &todo.customer));
        if theirs {
            remove(&entry)?;
        }
    }
    Ok(())
}

/// Whether the grant of an entry of the book is the customer's.
fn names(entry: &Value, customer: &CustomerId) -> bool {
    let grant = entry.get("grant").and_then(|grant| serde_json::from_value(grant.clone()).ok());
    grant.is_some_and(|grant: Envelope| owner(&grant).as_deref() == Some(customer.as_str()))
}

/// Whose a signed document says it is.
fn owner(envelope: &Envelope) -> Option<String> {
    let payload = envelope.payload_unchecked().ok()?;
    let document: Value = serde_json::from_slice(&payload).ok()?;
    document.get("customer")?.as_str().map(str::to_owned)
}

/// Writes a log anew without the customer's lines. A line stands for itself: it is signed alone, and its digest is in the
/// genesis ledger, so the others hold as before. A line that was torn by a crash may be anybody's and goes too.
fn without_lines_of(path: &Path, customer: &CustomerId) -> Result<(), DeskError> {
    let goes = |line: &[u8]| match serde_json::from_slice::<Envelope>(line) {
        Ok(envelope) => owner(&envelope).as_deref() == Some(customer.as_str()),
        Err(_) => true,
    };
    let failed = |why: io::Error| cannot("write", path, &why);
    let anew = path.with_extension(ANEW);
    let mut out = BufWriter::new(
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&anew).map_err(failed)?,
    );
    let mut lines = BufReader::new(File::open(path).map_err(failed)?);
    let (mut line, mut gone) = (Vec::new(), false);
    loop {
        line.clear();
        if lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(failed)? == 0 {
            break;
        }
        if goes(&line) {
            gone = true;
        } else {
            out.write_all(&line).map_err(failed)?;
        }
    }
    let out = out.into_inner().map_err(|e| failed(e.into_error()))?;
    out.sync_all().map_err(failed)?;
    if gone {
        fs::rename(&anew, path).map_err(failed)?;
    } else {
        remove(&anew)?;
    }
    Ok(durable::sync_folder(path.parent().unwrap_or(path))?)
}

/// The files of a folder, without those of folders in it; none when there is no such folder.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, DeskError> {
    let entries = match fs::read_dir(folder) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|why| cannot("read", folder, &why))?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|why| cannot("read", folder, &why))?;
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            files.push(entry.path());
        }
    }
    Ok(files)
}

fn remove(path: &Path) -> Result<(), DeskError> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(cannot("remove", path, &why)),
        _ => Ok(()),
    }
}

fn cannot(what: &str, path: &Path, why: &io::Error) -> DeskError {
    DeskError::Home(format!(
        "cannot {what} {}: {why}; the erasure goes on when that is mended",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use trust::KeyPair;

    use super::*;

    fn line(customer: &str) -> String {
        let key = KeyPair::from_secret(&[7; 32]);
        let finding = serde_json::json!({"customer": customer, "result": "x"});
        serde_json::to_string(&Envelope::sign("test", &finding, &[&key]).unwrap()).unwrap() + "\n"
    }

    #[test]
    fn the_lines_of_others_stay_to_the_byte_and_a_torn_one_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("findings-2026-11-23.jsonl");
        let (anna, ben) = (format!("cus_{}", "a".repeat(32)), format!("cus_{}", "b".repeat(32)));
        let others = line(&ben) + &line(&ben);
        let torn = &line(&ben)[..40];
        let text = line(&anna) + &line(&ben) + &line(&anna) + &line(&ben) + torn;
        durable::write(&path, text.as_bytes(), durable::Mode::Private).unwrap();
        without_lines_of(&path, &anna.parse().unwrap()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), others);
        without_lines_of(&path, &anna.parse().unwrap()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), others, "a second time changes nothing");
        assert_eq!(files_in(folder.path()).unwrap(), [path], "nothing lies beside it");
    }
}
