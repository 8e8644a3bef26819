//! Finding files below a directory.

use crate::{FileKind, MAX_ENTRIES, System, SystemError};

/// How deep a directory rule looks.
const MAX_DEPTH: usize = 16;

/// Calls `visit` with path and name of each file below `dir`, in the order of their names, until it says it is
/// done. Links to directories are not followed; links to files are files. True when it was done; an error, after
/// all that can be seen, when a directory below could not be.
pub(crate) fn files<E: From<SystemError>>(
    system: &dyn System,
    dir: &str,
    visit: &mut dyn FnMut(&str, &str) -> Result<bool, E>,
) -> Result<bool, E> {
    // Depth and path of what is left; the last is next.
    let mut left = vec![(0, dir.trim_end_matches('/').to_owned())];
    let (mut seen, mut unseen) = (0, None);
    while let Some((depth, dir)) = left.pop() {
        let root = if dir.is_empty() { "/" } else { &dir };
        let entries = match system.list_dir(root) {
            Ok(entries) => entries,
            // Gone since its name was read.
            Err(SystemError::Absent(_)) if depth > 0 => continue,
            Err(e) if depth > 0 => {
                unseen = unseen.or(Some(e));
                continue;
            }
            Err(e) => return Err(e.into()),
        };
        seen += entries.len();
        if seen > MAX_ENTRIES || depth > MAX_DEPTH {
            return Err(SystemError::TooLarge(dir).into());
        }
        let mut below = Vec::new();
        for entry in entries {
            let path = format!("{dir}/{}", entry.name);
            match entry.kind {
                FileKind::File | FileKind::Symlink => {
                    if visit(&path, &entry.name)? {
                        return Ok(true);
                    }
                }
                FileKind::Directory => below.push((depth + 1, path)),
                FileKind::Other => {}
            }
        }
        left.extend(below.into_iter().rev());
    }
    unseen.map_or(Ok(false), |e| Err(e.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemorySystem;

    fn names(system: &MemorySystem, dir: &str) -> Result<Vec<String>, SystemError> {
        let mut names = Vec::new();
        files::<SystemError>(system, dir, &mut |path, _| {
            names.push(path.to_owned());
            Ok(false)
        })?;
        Ok(names)
    }

    #[test]
    fn files_come_in_order_those_of_a_directory_before_those_below_it() {
        let system = ["/d/z", "/d/a/2", "/d/a/1", "/d/b/3", "/e/x"]
            .into_iter()
            .fold(MemorySystem::new(), |system, path| system.with_file(path, ""));
        assert_eq!(names(&system, "/d/").unwrap(), ["/d/z", "/d/a/1", "/d/a/2", "/d/b/3"]);
        assert_eq!(names(&system, "/none"), Err(SystemError::Absent("/none".into())));
    }

    #[test]
    fn a_walk_is_bounded_in_depth_and_entries() {
        let deep = format!("{}/x", "/d".repeat(MAX_DEPTH + 3));
        let system = MemorySystem::new().with_file(&deep, "");
        assert!(matches!(names(&system, "/d"), Err(SystemError::TooLarge(_))));
        let wide = (0..=MAX_ENTRIES / 2).fold(MemorySystem::new(), |system, n| {
            system.with_file(&format!("/d/{n}"), "").with_file(&format!("/d/e/{n}"), "")
        });
        assert!(matches!(names(&wide, "/d"), Err(SystemError::TooLarge(_))));
    }
}
