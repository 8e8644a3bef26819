//! `PREFIX/bin`: what a person or a unit starts. It says the same for every version, so no update touches it.

use std::{fs, path::Path};

use super::disk::{Disk, relink, replace};
use crate::{BundleError, error::failed};

/// Starts the platform. The `echo_cli` that decides is that of the last system in good health, so that a new one that
/// does not start at all cannot keep the old one from coming back.
const LAUNCHER: &str = r#"#!/bin/sh
# Written by `echo_cli bundle install`: starts the active system, or the one before it when that is given up.
prefix="$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd -P)" || exit 1
exec "$prefix/good/bin/echo_cli" bundle start --prefix "$prefix" -- "$@"
"#;
/// The file of the launcher.
const NAME: &str = "echo_os_prime";
/// Programs that are the active system's own.
const PROGRAMS: [&str; 2] = ["echo_cli", "echo_probe"];

/// Writes what is not there yet.
pub fn write(disk: &dyn Disk, root: &Path) -> Result<(), BundleError> {
    let folder = root.join("bin");
    let at = || failed("write", &folder);
    if !folder.is_dir() {
        disk.folder(&folder).map_err(at())?;
        disk.sync_folder(root).map_err(at())?;
    }
    if fs::read(folder.join(NAME)).ok().as_deref() != Some(LAUNCHER.as_bytes()) {
        replace(disk, &folder, NAME, LAUNCHER.as_bytes(), 0o755).map_err(at())?;
    }
    for program in PROGRAMS {
        relink(disk, &folder, program, &Path::new("../current/bin").join(program)).map_err(at())?;
    }
    Ok(())
}
