//! Which snapshots stay, and which are forgotten.

use echo_core::Timestamp;
use jiff::tz::TimeZone;
use rustic_core::{ForgetGroups, Grouped, KeepOptions, PruneOptions, SnapshotGroupCriterion};
use serde::{Deserialize, Serialize};

use crate::{BackupError, Repo, error::meaning};

/// How many snapshots stay, of each home. A snapshot that any line keeps stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// The newest.
    pub last: u16,
    /// The newest of each of so many days.
    pub daily: u16,
    /// The newest of each of so many weeks.
    pub weekly: u16,
    /// The newest of each of so many months.
    pub monthly: u16,
    /// The newest of each of so many years.
    pub yearly: u16,
}

impl Default for Keep {
    fn default() -> Self {
        Self { last: 3, daily: 7, weekly: 5, monthly: 12, yearly: 10 }
    }
}

/// What was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forgotten {
    /// The ids of the snapshots that are gone.
    pub forgotten: Vec<String>,
    /// How many snapshots stay.
    pub kept: usize,
    /// Bytes that no snapshot needs any more: they are marked now, and taken away by a later run, a day after.
    pub unneeded: u64,
}

impl Repo {
    /// Forgets what `keep` does not keep, and takes away what no snapshot has needed for a day. The newest snapshot stays
    /// always. Somebody who backs up at the same time loses nothing: packs are marked first, and removed a day later.
    pub fn forget(&self, keep: &Keep, now: Timestamp) -> Result<Forgotten, BackupError> {
        let failed = |e| meaning("forget snapshots of", &self.place, &e);
        let all = self.snapshots()?;
        let count = all.len();
        let options = KeepOptions::default()
            .keep_last(i32::from(keep.last.max(1)))
            .keep_daily(i32::from(keep.daily))
            .keep_weekly(i32::from(keep.weekly))
            .keep_monthly(i32::from(keep.monthly))
            .keep_yearly(i32::from(keep.yearly));
        let grouped = Grouped::from_items(all, SnapshotGroupCriterion::default());
        let now = now.to_zoned(TimeZone::UTC);
        let groups = ForgetGroups::from_grouped_snapshots_with_retention(grouped, &options, &now)
            .map_err(|e| failed(*e))?;
        let gone = groups.into_forget_ids();
        if !gone.is_empty() {
            self.open.delete_snapshots(&gone).map_err(|e| failed(*e))?;
        }
        let prune = PruneOptions::default();
        let plan = self.open.prune_plan(&prune).map_err(|e| failed(*e))?;
        let sizes = plan.stats.size_sum();
        let unneeded = sizes.remove + sizes.repackrm + plan.stats.size_unref;
        self.open.prune(&prune, plan).map_err(|e| failed(*e))?;
        let forgotten: Vec<String> = gone.iter().map(|id| id.to_hex().to_string()).collect();
        Ok(Forgotten { kept: count - forgotten.len(), forgotten, unneeded })
    }
}
