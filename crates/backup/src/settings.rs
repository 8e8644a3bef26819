//! `[backup]` of `echo.toml`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Keep;

/// `[backup]` of `echo.toml`: where a home's backups are, and how many stay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The folder with the repository; below the home when it is relative. Nothing is backed up without it.
    pub place: Option<PathBuf>,
    /// How many snapshots stay.
    pub keep: Keep,
}
