//! The processes that use the machine most.

use serde::{Deserialize, Serialize};

use crate::{
    bounds::{self, BoundsError, MAX_NAME, clean},
    error::{ObserveError, unreadable},
    procfile,
};

/// The most processes looked at.
const MAX_SCANNED: usize = 100_000;
/// The most accounts looked at for a user's name.
const MAX_ACCOUNTS: usize = 20_000;

/// One process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its name as the kernel keeps it: cut to 15 bytes, except for kernel threads.
    pub name: String,
    /// CPU time since it started (`process.cpu.time`), in seconds.
    pub cpu_seconds: f64,
    /// Memory it holds (`process.memory.usage`), in bytes.
    pub resident_bytes: u64,
    /// Whose it is: the account's name, or its number when it has none.
    pub user: Option<String>,
}

impl Process {
    pub(crate) fn validate(&self) -> Result<(), BoundsError> {
        bounds::text("processes.name", &self.name, MAX_NAME)?;
        bounds::text("processes.user", self.user.as_deref().unwrap_or_default(), MAX_NAME)?;
        let plausible = self.cpu_seconds.is_finite() && self.cpu_seconds >= 0.0;
        bounds::holds("processes.cpu_seconds", "a finite number from 0", plausible)
    }
}

/// At most `limit` processes: half of them those that used most CPU time, then those that hold most memory.
pub(crate) fn top(limit: usize) -> Result<Vec<Process>, ObserveError> {
    let half = limit.div_ceil(2);
    let (mut by_cpu, mut by_memory) = (Vec::new(), Vec::new());
    let all = procfs::process::all_processes().map_err(unreadable("/proc"))?;
    // A process that ends while it is looked at is no error.
    for process in all.take(MAX_SCANNED).flatten() {
        let Some(seen) = look(&process) else { continue };
        keep(&mut by_cpu, &seen, half, |p| p.cpu_ticks);
        // Enough, even when those that used most CPU are also the largest.
        keep(&mut by_memory, &seen, limit, |p| p.resident_pages);
    }
    let mut chosen = by_cpu;
    for process in by_memory {
        if chosen.len() < limit && chosen.iter().all(|other| other.pid != process.pid) {
            chosen.push(process);
        }
    }
    let names = user_names(&chosen);
    Ok(chosen.into_iter().map(|seen| seen.shown(&names)).collect())
}

#[derive(Debug, Clone, PartialEq)]
struct Seen {
    pid: u32,
    name: String,
    cpu_ticks: u64,
    resident_pages: u64,
    uid: Option<u32>,
}

impl Seen {
    fn shown(self, names: &[(u32, String)]) -> Process {
        let ticks_each_second = procfs::ticks_per_second().max(1);
        let hundredths = self.cpu_ticks.saturating_mul(100) / ticks_each_second;
        #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 hundredths of a second")]
        let cpu_seconds = hundredths as f64 / 100.0;
        Process {
            pid: self.pid,
            name: self.name,
            cpu_seconds,
            resident_bytes: self.resident_pages.saturating_mul(procfs::page_size()),
            user: self.uid.map(|uid| {
                let known = names.iter().find(|(number, _)| *number == uid);
                known.map_or_else(|| uid.to_string(), |(_, name)| name.clone())
            }),
        }
    }
}

fn look(process: &procfs::process::Process) -> Option<Seen> {
    let stat = process.stat().ok()?;
    Some(Seen {
        pid: u32::try_from(stat.pid).ok()?,
        name: clean(&stat.comm, MAX_NAME),
        cpu_ticks: stat.utime.saturating_add(stat.stime),
        resident_pages: stat.rss,
        uid: process.uid().ok(),
    })
}

/// Keeps the `limit` largest by `key`, largest first; the earlier one wins a tie.
fn keep(kept: &mut Vec<Seen>, seen: &Seen, limit: usize, key: impl Fn(&Seen) -> u64) {
    let at = kept.partition_point(|other| key(other) >= key(seen));
    if at < limit {
        kept.insert(at, seen.clone());
        kept.truncate(limit);
    }
}

/// The names of the users among `chosen`, from `/etc/passwd` (passwd(5)).
fn user_names(chosen: &[Seen]) -> Vec<(u32, String)> {
    let mut names = Vec::new();
    // Without the file, numbers are shown instead of names.
    let _ = procfile::each_line("/etc/passwd", MAX_ACCOUNTS, |line| {
        if let Some((uid, name)) = account(line)
            && chosen.iter().any(|process| process.uid == Some(uid))
        {
            names.push((uid, clean(name, MAX_NAME)));
        }
        names.len() < chosen.len()
    });
    names
}

fn account(line: &str) -> Option<(u32, &str)> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    let uid = fields.nth(1)?.parse().ok()?;
    Some((uid, name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_top_holds_no_process_twice_and_is_bounded() {
        let top = top(6).unwrap();
        assert!(!top.is_empty() && top.len() <= 6);
        let mut pids: Vec<u32> = top.iter().map(|p| p.pid).collect();
        pids.sort_unstable();
        pids.dedup();
        assert_eq!(pids.len(), top.len());
        for process in &top {
            process.validate().unwrap();
        }
    }

    #[test]
    fn an_account_line_gives_number_and_name() {
        assert_eq!(account("www-data:x:33:33:www-data:/var/www:/bin/sh"), Some((33, "www-data")));
        assert_eq!(account("broken"), None);
        assert_eq!(account("+::nis"), None);
    }

    proptest! {
        #[test]
        fn the_largest_are_kept_in_order(ticks in prop::collection::vec(0_u64..50, 0..40)) {
            let mut kept = Vec::new();
            for &cpu_ticks in &ticks {
                let seen = Seen { pid: 1, name: String::new(), cpu_ticks, resident_pages: 0, uid: None };
                keep(&mut kept, &seen, 5, |p| p.cpu_ticks);
            }
            let mut expected = ticks;
            expected.sort_unstable_by(|a, b| b.cmp(a));
            expected.truncate(5);
            prop_assert_eq!(kept.iter().map(|p| p.cpu_ticks).collect::<Vec<_>>(), expected);
        }
    }
}
