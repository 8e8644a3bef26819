//! The end: one file proves the case where nobody knows the platform.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use durable::Mode;
use serde_json::Value;
use trust::TrustChain;

use super::{Tour, program::run, progress::Told};
use crate::{Failure, answer};

/// The exit code of a file that is not verified.
const NOT_VERIFIED: i32 = 3;
/// The most bytes of a verifier key.
const MAX_VKEY: u64 = 4 * 1024;

/// Exports the case.
pub fn export(tour: &mut Tour) -> Result<Told, Failure> {
    let bytes = tour.api()?.get_bytes(&format!("/v1/cases/{}/export", tour.case))?;
    let path = tour.exported();
    durable::write(&path, &bytes, Mode::Private)?;
    Ok(Told::new(format!("{} KiB", bytes.len().div_ceil(1024))).with([path.display().to_string()]))
}

/// Verifies the export in an empty home with no environment, and that a changed byte is noticed.
pub fn verify(tour: &mut Tour) -> Result<Told, Failure> {
    let chain = TrustChain::load(&tour.home).map_err(Failure::failed)?;
    let root = chain.fingerprint().to_string();
    let second = tour.folder.join("second");
    if second.exists() {
        fs::remove_dir_all(&second)
            .map_err(|error| Failure::failed(format!("cannot empty {}: {error}", second.display())))?;
    }
    durable::create_folder(&second)?;
    let mut bytes = durable::read(&tour.exported(), dossier::MAX_BYTES as u64)?.unwrap_or_default();
    let (whole, changed) = (second.join("case.json"), second.join("changed.json"));
    durable::write(&whole, &bytes, Mode::Private)?;
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
    durable::write(&changed, &bytes, Mode::Private)?;

    let output = run("echo_cli verify", &mut elsewhere(&second, &whole, &root)?)?;
    let report: Value = serde_json::from_slice(&output.stdout).map_err(Failure::failed)?;
    let checks = answer::list(&report, "/report/checks")?;
    let refused = elsewhere(&second, &changed, &root)?.output().map_err(Failure::failed)?;
    if refused.status.code() != Some(NOT_VERIFIED) {
        return Err(Failure::unverified(format!(
            "a file with one changed byte was not refused: {}",
            refused.status
        )));
    }
    Ok(Told::new(format!("{} checks held; one changed byte refused", checks.len())).with(
        checks.iter().map(|check| {
            format!("✓ {:<11} {}", answer::shown(check, "/what"), answer::shown(check, "/detail"))
        }),
    ))
}

/// This program's `verify`, as if on a machine that has never seen the platform.
fn elsewhere(home: &Path, file: &Path, root: &str) -> Result<Command, Failure> {
    let own = std::env::current_exe().map_err(Failure::failed)?;
    let mut command = Command::new(own);
    command.args(["verify", "--json", "--root", root]).arg(file);
    command.env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null());
    Ok(command)
}

/// Stops the children, and looks over the ledgers that they leave behind.
pub fn stop(tour: &mut Tour) -> Result<Told, Failure> {
    for child in [&mut tour.probe, &mut tour.platform] {
        let Some(mut program) = child.take() else { continue };
        if !program.stop() {
            return Err(Failure::failed(format!("{} had to be killed", program.name())));
        }
    }
    let mut sizes = Vec::new();
    for name in ["genesis", "aeterna"] {
        let dir = tour.home.join(format!("{name}_ledger"));
        let vkey = durable::read(&dir.join("log.vkey"), MAX_VKEY)?.unwrap_or_default();
        let vkey = String::from_utf8_lossy(&vkey);
        let report = ledger::fsck(&dir, vkey.trim()).map_err(Failure::unverified)?;
        sizes.push(format!("{name} {}", report.size));
    }
    Ok(Told::new(format!("both ledgers sound: {} entries", sizes.join(", "))))
}

impl Tour {
    /// Where the case is exported to.
    fn exported(&self) -> PathBuf {
        self.folder.join("case.json")
    }
}
