//! File systems on the machine's own disks.
//!
//! Left out: memory file systems, images that are full by nature (squashfs, ISO 9660), and network and FUSE file
//! systems, because asking a server that is gone for its size would block for ever.

use procfs::process::MountInfo;

use crate::{
    bounds::{MAX_NAME, MAX_TEXT, clean},
    error::{ObserveError, unreadable},
    metrics::{Disk, MAX_DISKS},
    procfile,
};

/// The most mounts looked at. A host of many containers has a few thousand.
const MAX_MOUNTS: usize = 20_000;

/// One mount that may be shown.
#[derive(Debug, PartialEq)]
struct Mount {
    /// The file system's own number: the same for every mount of it.
    volume: String,
    path: String,
    device: String,
    fs: String,
}

pub(crate) fn read() -> Result<Vec<Disk>, ObserveError> {
    let mut mounts = Vec::new();
    procfile::each_line("/proc/self/mountinfo", MAX_MOUNTS, |line| {
        take(&mut mounts, line);
        true
    })
    .map_err(unreadable("/proc/self/mountinfo"))?;
    let mut disks: Vec<Disk> = mounts.iter().filter_map(size).collect();
    disks.sort_by(|a, b| a.mount.cmp(&b.mount));
    Ok(disks)
}

/// Adds a mount unless its file system is there under a shorter path (bind mounts) or is not wanted.
fn take(mounts: &mut Vec<Mount>, line: &str) {
    // A line that the parser does not know is not a disk of the usual kind.
    let Ok(info) = MountInfo::from_line(line) else {
        return;
    };
    let mount = Mount {
        volume: info.majmin,
        path: unescape(&info.mount_point.to_string_lossy()),
        device: unescape(&info.mount_source.unwrap_or_default()),
        fs: info.fs_type,
    };
    // A later mount on the same path hides the earlier one.
    mounts.retain(|other| other.path != mount.path);
    if !is_own_disk(&mount) {
        return;
    }
    match mounts.iter().position(|other| other.volume == mount.volume) {
        Some(at) if mount.path.len() < mounts[at].path.len() => mounts[at] = mount,
        None if mounts.len() < MAX_DISKS => mounts.push(mount),
        _ => {}
    }
}

fn is_own_disk(mount: &Mount) -> bool {
    if matches!(mount.fs.as_str(), "squashfs" | "iso9660" | "udf" | "tmpfs" | "ramfs" | "rootfs") {
        return false;
    }
    mount.path == "/" || mount.device.starts_with("/dev/") || matches!(mount.fs.as_str(), "zfs" | "ubifs")
}

fn size(mount: &Mount) -> Option<Disk> {
    let stat = rustix::fs::statvfs(mount.path.as_str()).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
    let total = bytes(stat.f_blocks);
    (total > 0).then(|| Disk {
        mount: clean(&mount.path, MAX_TEXT),
        device: clean(&mount.device, MAX_TEXT),
        fs: clean(&mount.fs, MAX_NAME),
        used: bytes(stat.f_blocks.saturating_sub(stat.f_bfree)),
        total,
        available: bytes(stat.f_bavail).min(total),
    })
}

/// Turns `\040` and its like back into characters: mountinfo writes space, tab, newline and backslash so.
fn unescape(given: &str) -> String {
    let mut out = String::with_capacity(given.len());
    let mut rest = given;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(byte) = code.filter(u8::is_ascii) {
            out.push(char::from(byte));
            rest = &rest[at + 4..];
        } else {
            out.push('\\');
            rest = &rest[at + 1..];
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paths(lines: &[&str]) -> Vec<String> {
        let mut mounts = Vec::new();
        for line in lines {
            take(&mut mounts, line);
        }
        mounts.into_iter().map(|mount| mount.path).collect()
    }

    #[test]
    fn only_own_disks_are_shown_and_each_once() {
        let shown = paths(&[
            "22 27 0:21 / /proc rw,relatime - proc proc rw",
            "27 1 254:1 / / rw - ext4 /dev/vda1 rw",
            "28 27 254:1 /x /srv/bind rw - ext4 /dev/vda1 rw",
            "29 27 7:0 / /snap/core ro - squashfs /dev/loop0 ro",
            "30 27 0:40 / /mnt/nfs rw - nfs4 server:/export rw",
            "31 27 0:41 / /run rw - tmpfs tmpfs rw",
            "32 27 8:1 / /media/My\\040Disk rw - ext4 /dev/sda1 rw",
            "33 27 0:42 / /var/lib/docker/overlay2/x rw - overlay overlay rw",
            "not a mount",
        ]);
        assert_eq!(shown, ["/", "/media/My Disk"]);
    }

    #[test]
    fn a_mount_on_top_hides_what_is_below() {
        let lines = ["27 1 254:1 / /data rw - ext4 /dev/sda1 rw", "28 1 0:40 / /data rw - nfs s:/x rw"];
        assert!(paths(&lines).is_empty());
    }

    #[test]
    fn a_flood_of_disks_is_bounded() {
        let lines: Vec<String> =
            (0..100).map(|i| format!("{i} 1 9:{i} / /d{i} rw - ext4 /dev/sd{i} rw")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(paths(&lines).len(), MAX_DISKS);
    }

    #[test]
    fn escapes_are_undone() {
        assert_eq!(unescape(r"a\040b\134c\"), r"a b\c\");
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in any::<String>(), path in "[\\\\0-7é]{0,12}") {
            take(&mut Vec::new(), &line);
            unescape(&path);
        }
    }
}
