//! A machine's files under a directory: a mounted image, a backup, a container's root.

use std::{
    collections::VecDeque,
    fs,
    path::{Component, Path, PathBuf},
};

use crate::{Entry, Metadata, System, SystemError, disk};

/// The most symbolic links followed in one path (as in Linux, `path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// The files of a machine that does not run. Commands and processes are unknown; kernel parameters are those it
/// would set at boot.
///
/// Symbolic links are resolved inside of the root, so that `/etc/shadow -> /run/x` never leads to the host's own.
#[derive(Debug, Clone)]
pub struct MountedSystem {
    root: PathBuf,
}

impl MountedSystem {
    /// The system whose `/` is this directory.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where `path` really lies. The last component is followed only when `follow`.
    fn resolve(&self, path: &str, follow: bool) -> Result<PathBuf, SystemError> {
        let mut left: VecDeque<_> = parts(Path::new(path));
        let mut inside: Vec<std::ffi::OsString> = Vec::new();
        let mut links = 0;
        while let Some(part) = left.pop_front() {
            if part == ".." {
                inside.pop();
                continue;
            }
            inside.push(part);
            if left.is_empty() && !follow {
                break;
            }
            let Ok(target) = fs::read_link(self.real(&inside)) else {
                continue;
            };
            links += 1;
            if links > MAX_LINKS {
                return Err(SystemError::Failed {
                    path: path.to_owned(),
                    reason: "too many symbolic links".to_owned(),
                });
            }
            inside.pop();
            if target.is_absolute() {
                inside.clear();
            }
            for part in parts(&target).into_iter().rev() {
                left.push_front(part);
            }
        }
        Ok(self.real(&inside))
    }

    fn real(&self, inside: &[std::ffi::OsString]) -> PathBuf {
        let mut real = self.root.clone();
        real.extend(inside);
        real
    }
}

fn parts(path: &Path) -> VecDeque<std::ffi::OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

impl System for MountedSystem {
    fn read_file(&self, path: &str) -> Result<String, SystemError> {
        disk::read(&self.resolve(path, true)?, path)
    }

    fn metadata(&self, path: &str, follow: bool) -> Result<Metadata, SystemError> {
        // Resolved already: what is still a link at the end is one that must not be followed.
        disk::metadata(&self.resolve(path, follow)?, path, false)
    }

    fn list_dir(&self, path: &str) -> Result<Vec<Entry>, SystemError> {
        disk::list(&self.resolve(path, true)?, path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::FileKind;

    fn tree() -> (tempfile::TempDir, MountedSystem) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc/deep")).unwrap();
        durable::write(&dir.path().join("etc/real"), b"inside\n", durable::Mode::Public).unwrap();
        let system = MountedSystem::new(dir.path().to_owned());
        (dir, system)
    }

    #[test]
    fn links_stay_inside_of_the_root() {
        let (dir, system) = tree();
        for (name, target) in [
            ("etc/absolute", "/etc/real"),
            ("etc/deep/relative", "../real"),
            ("etc/climbing", "../../../../../../etc/real"),
            ("etc/chain", "absolute"),
        ] {
            symlink(target, dir.path().join(name)).unwrap();
            assert_eq!(system.read_file(&format!("/{name}")).unwrap(), "inside\n", "{name}");
        }
        symlink("/etc", dir.path().join("elsewhere")).unwrap();
        assert_eq!(system.read_file("/elsewhere/real").unwrap(), "inside\n");
        assert_eq!(system.read_file("/../../etc/real").unwrap(), "inside\n");
    }

    #[test]
    fn a_link_to_itself_ends() {
        let (dir, system) = tree();
        symlink("loop", dir.path().join("etc/loop")).unwrap();
        assert!(matches!(system.read_file("/etc/loop"), Err(SystemError::Failed { .. })));
        assert_eq!(system.metadata("/etc/loop", false).unwrap().kind, FileKind::Symlink);
    }

    #[test]
    fn a_directory_is_no_file_and_a_file_no_directory() {
        let (_dir, system) = tree();
        assert_eq!(system.read_file("/etc"), Err(SystemError::WrongKind("/etc".into())));
        assert_eq!(system.list_dir("/etc/real"), Err(SystemError::WrongKind("/etc/real".into())));
        assert_eq!(system.read_file("/etc/none"), Err(SystemError::Absent("/etc/none".into())));
        let names: Vec<_> = system.list_dir("/etc").unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["deep", "real"]);
    }

    #[test]
    fn a_file_over_the_bound_is_not_read() {
        let (dir, system) = tree();
        let file = fs::File::create(dir.path().join("etc/big")).unwrap();
        file.set_len(crate::MAX_FILE + 1).unwrap();
        assert_eq!(system.read_file("/etc/big"), Err(SystemError::TooLarge("/etc/big".into())));
    }
}
