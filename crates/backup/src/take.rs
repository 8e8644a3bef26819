//! Puts a copy of a home into a repository.

use std::path::{Path, PathBuf};

use echo_core::Timestamp;
use jiff::tz::TimeZone;
use rustic_core::{BackupOptions, PathList, SnapshotOptions};

use crate::{BackupError, Repo, Snapshot, error::meaning};

/// The word that every snapshot of a home has.
pub const TAG: &str = "echo";
/// Where the home stands in a snapshot.
pub(crate) const ROOT: &str = "/echo";
/// Whose machine it is: the same everywhere, so that a home that moved goes on where it was.
const HOST: &str = "echo";

impl Repo {
    /// Puts `folder` into the repository as it is. Only what the repository does not hold yet is written; every file is read,
    /// so that nothing rests on times of files. A crash leaves what was there, and perhaps packs that nobody refers to, which
    /// [`Repo::forget`] takes away. `label` says whose home it is: snapshots of one label are kept and forgotten together.
    pub fn back_up(
        &self,
        folder: &Path,
        label: &str,
        tags: &[&str],
        at: Timestamp,
    ) -> Result<Snapshot, BackupError> {
        let failed = |e| meaning("back up into", &self.place, &e);
        let mut options = SnapshotOptions::default()
            .label(label.to_owned())
            .host(HOST.to_owned())
            .command("echo_cli backup run".to_owned())
            .time(at.to_zoned(TimeZone::UTC))
            .add_tags(TAG)
            .map_err(|e| failed(*e))?;
        for tag in tags {
            options = options.add_tags(tag).map_err(|e| failed(*e))?;
        }
        let snapshot = options.to_snapshot().map_err(|e| failed(*e))?;
        let mut how = BackupOptions::default().as_path(PathBuf::from(ROOT));
        how.parent_opts.force = true;
        let source = PathList::from_iter([folder]);
        let open = self.again().and_then(rustic_core::Repository::to_indexed_ids).map_err(|e| failed(*e))?;
        let made = open.backup(&how, &source, snapshot).map_err(|e| failed(*e))?;
        Ok(Snapshot::of(&made))
    }
}
