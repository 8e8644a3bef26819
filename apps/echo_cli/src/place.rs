//! Where things lie when nobody says.

use std::{env, path::PathBuf};

use crate::Failure;

/// The person's own folder, with the session: `--home`, `$ECHO_CLI_HOME`, or `echo-cli` below the XDG
/// configuration folder.
pub fn person(home: Option<PathBuf>) -> Result<PathBuf, Failure> {
    choose(home, "ECHO_CLI_HOME", "XDG_CONFIG_HOME", ".config", "echo-cli")
}

/// The platform's home: `--home`, `$ECHO_HOME`, or `echo` below the XDG data folder.
pub fn platform(home: Option<PathBuf>) -> Result<PathBuf, Failure> {
    choose(home, "ECHO_HOME", "XDG_DATA_HOME", ".local/share", "echo")
}

/// The first of: what was said, the variable, the XDG folder (XDG Base Directory Specification 0.8).
fn choose(
    said: Option<PathBuf>,
    own: &str,
    xdg: &str,
    below_home: &str,
    name: &str,
) -> Result<PathBuf, Failure> {
    let set = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    // The specification says that a relative path in an XDG variable is to be ignored.
    said.or_else(|| set(own))
        .or_else(|| set(xdg).filter(|path| path.is_absolute()).map(|path| path.join(name)))
        .or_else(|| set("HOME").map(|path| path.join(below_home).join(name)))
        .ok_or_else(|| {
            Failure::usage("there is no home folder to work in").hint("choose one with --home DIR")
        })
}
