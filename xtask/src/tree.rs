//! The files of the work tree, as git sees them.

use std::{fs::File, io::Read as _, path::Path, process::Command};

/// The most we read of one file, in bytes. A longer one is data, and no rule here is about data.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// One file of the work tree.
pub struct Entry {
    /// The path from the workspace's root, with `/` between its parts.
    pub path: String,
    /// The text, or nothing when the file is not UTF-8 or longer than [`MAX_FILE_BYTES`].
    pub text: Option<String>,
    /// Whether any execute bit is set.
    pub executable: bool,
}

impl Entry {
    /// What follows the last dot of the file's name, or nothing.
    pub fn ending(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.rsplit_once('.').map_or("", |(_, ending)| ending)
    }
}

/// Every file that is tracked or could be: what git ignores is left out.
///
/// # Errors
/// When git cannot be run here or a file cannot be read.
pub fn entries(root: &Path) -> Result<Vec<Entry>, String> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listing = run(root, "git", &arguments)?;
    let mut paths: Vec<&str> = listing.split('\0').filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut found = Vec::with_capacity(paths.len());
    for path in paths {
        let full = root.join(path);
        // A file removed but not yet staged is still listed; a link or a submodule is not ours to read.
        if full.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            found.push(entry(path, &full)?);
        }
    }
    Ok(found)
}

/// Runs a program in `root` and returns what it printed.
///
/// # Errors
/// When it is missing, fails, or prints something that is not UTF-8.
pub fn run(root: &Path, program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot run {program}: {error}; install it and try again"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program} {} failed: {}", arguments.join(" "), said.trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{program} printed something that is not UTF-8"))
}

/// Reads a text file that must be there.
///
/// # Errors
/// When it is missing, not UTF-8 or longer than [`MAX_FILE_BYTES`].
pub fn read(path: &Path) -> Result<String, String> {
    read_text(path)?.ok_or_else(|| format!("{} is too long or not UTF-8", path.display()))
}

fn entry(path: &str, full: &Path) -> Result<Entry, String> {
    Ok(Entry { path: path.to_owned(), text: read_text(full)?, executable: is_executable(full) })
}

fn read_text(path: &Path) -> Result<Option<String>, String> {
    let cannot = |error| format!("cannot read {}: {error}", path.display());
    let file = File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Ok(None);
    }
    Ok(String::from_utf8(bytes).ok())
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
}

// Elsewhere the bit does not exist, so there is nothing to find fault with.
#[cfg(not(unix))]
fn is_executable(_path: &Path) -> bool {
    true
}
