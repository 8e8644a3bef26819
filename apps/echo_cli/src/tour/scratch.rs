//! A copy of this machine's configuration, small enough to play with: files, folders and links, modes and owners
//! kept, secrets readable by nobody else because the folder above is 0700.

use std::{
    ffi::OsStr,
    fs::{self, Metadata, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Component, Path, PathBuf},
};

use crate::Failure;

/// What is copied, from the root.
const WANTED: [&str; 26] = [
    "etc/ssh",
    "etc/pam.d",
    "etc/apt",
    "etc/cron.d",
    "etc/sysctl.d",
    "etc/security",
    "etc/systemd",
    "etc/default",
    "etc/passwd",
    "etc/group",
    "etc/shadow",
    "etc/gshadow",
    "etc/login.defs",
    "etc/crontab",
    "etc/sudoers",
    "etc/sysctl.conf",
    "etc/issue",
    "etc/issue.net",
    "etc/os-release",
    "etc/motd",
    "etc/hosts",
    "etc/fstab",
    "etc/debian_version",
    "etc/modprobe.d",
    "usr/lib/sysctl.d",
    "usr/lib/os-release",
];
/// The most bytes of one file; a larger one is left out.
const MAX_FILE: u64 = 2 * 1024 * 1024;
/// The most bytes in all; what comes after is left out.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The most files, folders and links in all.
const MAX_THINGS: u64 = 20_000;
/// The deepest folder, counted from the root.
const MAX_DEPTH: usize = 16;

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files.
    pub files: u64,
    /// Links.
    pub links: u64,
    /// Bytes in the files.
    pub bytes: u64,
    /// What could not be read, leads outside, or is too large.
    pub left_out: u64,
    things: u64,
}

/// Copies the configuration of the system below `from` to `to`, which must not be there.
pub fn copy(from: &Path, to: &Path) -> Result<Copied, Failure> {
    durable::create_folder(to)?;
    let mut copied = Copied::default();
    for wanted in WANTED {
        let wanted = Path::new(wanted);
        if fs::symlink_metadata(from.join(wanted)).is_err() {
            continue;
        }
        make_parents(from, to, wanted)?;
        copied.take(from, to, wanted).map_err(|error| {
            Failure::failed(format!("cannot write below {}: {error}", to.display()))
                .hint("free some space, or choose another --home")
        })?;
    }
    Ok(copied)
}

fn make_parents(from: &Path, to: &Path, path: &Path) -> Result<(), Failure> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let mut so_far = PathBuf::new();
    for part in parent.components() {
        so_far.push(part);
        if to.join(&so_far).is_dir() {
            continue;
        }
        durable::create_folder(&to.join(&so_far))?;
        if let Ok(metadata) = fs::metadata(from.join(&so_far)) {
            dress_folder(&to.join(&so_far), &metadata);
        }
    }
    Ok(())
}

impl Copied {
    /// Copies one thing with all below it. An error is one of writing; what cannot be read is left out.
    fn take(&mut self, from: &Path, to: &Path, path: &Path) -> io::Result<()> {
        self.things += 1;
        let Ok(metadata) = fs::symlink_metadata(from.join(path)) else {
            self.left_out += 1;
            return Ok(());
        };
        let kind = metadata.file_type();
        if self.things > MAX_THINGS || path.components().count() > MAX_DEPTH {
            self.left_out += 1;
        } else if kind.is_symlink() {
            self.link(from, to, path)?;
        } else if kind.is_dir() {
            self.folder(from, to, path, &metadata)?;
        } else if kind.is_file() {
            self.file(from, to, path, &metadata)?;
        } else {
            self.left_out += 1;
        }
        Ok(())
    }

    fn link(&mut self, from: &Path, to: &Path, path: &Path) -> io::Result<()> {
        match fs::read_link(from.join(path)) {
            Ok(target) if stays_inside(path, &target) => {
                self.links += 1;
                std::os::unix::fs::symlink(target, to.join(path))
            }
            _ => {
                self.left_out += 1;
                Ok(())
            }
        }
    }

    fn folder(&mut self, from: &Path, to: &Path, path: &Path, metadata: &Metadata) -> io::Result<()> {
        let Ok(listed) = fs::read_dir(from.join(path)) else {
            self.left_out += 1;
            return Ok(());
        };
        fs::create_dir(to.join(path))?;
        let mut names: Vec<_> = listed.filter_map(Result::ok).map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            self.take(from, to, &path.join::<&OsStr>(&name))?;
        }
        dress_folder(&to.join(path), metadata);
        Ok(())
    }

    fn file(&mut self, from: &Path, to: &Path, path: &Path, metadata: &Metadata) -> io::Result<()> {
        let Some(bytes) = read(&from.join(path)).filter(|b| self.bytes + b.len() as u64 <= MAX_BYTES) else {
            self.left_out += 1;
            return Ok(());
        };
        let target = to.join(path);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&target)?;
        file.write_all(&bytes)?;
        own(&target, metadata);
        file.set_permissions(Permissions::from_mode(metadata.mode() & 0o777))?;
        self.files += 1;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// The whole file, unless it cannot be read or is too large.
fn read(path: &Path) -> Option<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(NO_WAIT).open(path).ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= MAX_FILE).then_some(bytes)
}

/// A pipe that took a file's place meanwhile must not be waited for.
const NO_WAIT: i32 = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();

/// The owner and mode of a folder. The copier keeps its own right to go in, so that it can remove it.
fn dress_folder(folder: &Path, metadata: &Metadata) {
    own(folder, metadata);
    // A folder that keeps 0700 is as good for the tour; only a scan of its mode would tell.
    let _ = fs::set_permissions(folder, Permissions::from_mode((metadata.mode() & 0o1777) | 0o700));
}

/// Gives a thing its owner. Only root can, and for everybody else the copy is theirs.
fn own(path: &Path, metadata: &Metadata) {
    let _ = std::os::unix::fs::chown(path, Some(metadata.uid()), Some(metadata.gid()));
}

/// Whether a link at `path` leads to something below the same root by a relative way.
fn stays_inside(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, bytes: &[u8], mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(path)
            .unwrap()
            .write_all(bytes)
            .unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn modes_and_inner_links_are_kept_and_the_rest_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        write(&from.join("etc/ssh/sshd_config"), b"PermitRootLogin yes\n", 0o640);
        write(&from.join("usr/lib/os-release"), b"ID=x\n", 0o644);
        write(&from.join("etc/apt/big"), &vec![0; 2 * 1024 * 1024 + 1], 0o644);
        write(&from.join("etc/other"), b"not wanted", 0o644);
        let link = std::os::unix::fs::symlink::<&str, PathBuf>;
        link("../usr/lib/os-release", from.join("etc/os-release")).unwrap();
        link("/etc/passwd", from.join("etc/apt/absolute")).unwrap();
        link("../../../../etc/passwd", from.join("etc/apt/outside")).unwrap();
        let copied = copy(&from, &to).unwrap();
        assert_eq!((copied.files, copied.links, copied.left_out), (2, 1, 3));
        assert_eq!(fs::read(to.join("etc/os-release")).unwrap(), b"ID=x\n");
        assert_eq!(fs::metadata(to.join("etc/ssh/sshd_config")).unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::metadata(&to).unwrap().mode() & 0o777, 0o700);
        assert!(!to.join("etc/other").exists());
    }

    #[test]
    fn a_link_is_followed_by_its_parts() {
        for (target, inside) in [
            ("../usr/lib/os-release", true),
            ("x/../y", true),
            ("../../x", false),
            ("/etc/x", false),
            ("../x/../../y", false),
        ] {
            assert_eq!(stays_inside(Path::new("etc/os-release"), Path::new(target)), inside, "{target}");
        }
    }
}
