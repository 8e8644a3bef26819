//! What of a home is copied, and how: everything, but for what is named here with its reason.

/// The file of a home with what opens its backups.
pub const KEY_FILE: &str = "backup.key";
/// How the name of a copy under way begins, in the home itself.
pub const STAGING_PREFIX: &str = ".backup-";
/// The most files of a home.
pub const MAX_FILES: usize = 1_000_000;
/// The most folders inside one another.
pub const MAX_DEPTH: usize = 16;

/// What is left out, and why. A `*` stands for any letters.
pub const LEFT_OUT: [Left; 9] = [
    Left { pattern: KEY_FILE, why: "it opens the backups: on paper it is of use, inside of them it is not" },
    Left { pattern: ".backup-*", why: "a copy under way" },
    Left { pattern: ".echo-*", why: "a file under way" },
    Left { pattern: "*/.echo-*", why: "a file under way" },
    Left { pattern: "*.lock", why: "a lock, which is made anew" },
    Left { pattern: "*/.lock", why: "a lock, which is made anew" },
    Left { pattern: "*.db-shm", why: "SQLite makes it anew" },
    Left { pattern: "vault_v1/attempts.json", why: "wrong passphrases of the last ten minutes" },
    Left { pattern: "mesh/*.sock", why: "a socket of a running platform" },
];

/// What never changes once it has its name: a second name for it is as good as a copy.
const LASTING: [&str; 2] = ["*_ledger/tile/*", "models/*"];

/// Copied again when something changed meanwhile: its files belong together.
const OF_ONE_MOMENT: [&str; 4] = ["genesis_ledger", "aeterna_ledger", "vault_v1", "governance"];

/// Something that is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Which files, by their paths below the home; a `*` stands for any letters.
    pub pattern: &'static str,
    /// Why.
    pub why: &'static str,
}

/// How a file is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Byte by byte.
    Copy,
    /// By a second name where the file system can.
    Link,
    /// Not at all.
    Leave(&'static str),
}

/// How the file at `path` below a home is copied.
pub fn how(path: &str) -> How {
    if let Some(left) = LEFT_OUT.iter().find(|left| fits(left.pattern, path)) {
        return How::Leave(left.why);
    }
    if LASTING.iter().any(|pattern| fits(pattern, path)) { How::Link } else { How::Copy }
}

/// Whether what lies directly below the home at `name` must be of one moment.
pub(crate) fn is_of_one_moment(name: &str) -> bool {
    OF_ONE_MOMENT.contains(&name)
}

/// Whether `path` is `pattern`, in which a `*` stands for any letters.
fn fits(pattern: &str, path: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == path };
    let Some(mut rest) = path.strip_prefix(before) else { return false };
    let mut parts: Vec<&str> = after.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_is_copied() {
        for path in ["echo.db", "vault_v1/index.json", "memory/documents/x.md", "anything/new", "a.locked"] {
            assert_eq!(how(path), How::Copy, "{path}");
        }
    }

    #[test]
    fn locks_keys_and_things_under_way_stay() {
        for path in [
            "backup.key",
            "genesis_ledger/.lock",
            "federated_attestation_index.lock",
            ".backup-Ab3/echo.db",
            "manifest/.echo-x1",
            "memory/memory.db-shm",
        ] {
            assert!(matches!(how(path), How::Leave(_)), "{path}");
        }
    }

    #[test]
    fn tiles_and_models_are_not_written_twice() {
        assert_eq!(how("genesis_ledger/tile/0/000"), How::Link);
        assert_eq!(how("models/small.gguf"), How::Link);
        assert_eq!(how("genesis_ledger/checkpoint"), How::Copy);
    }
}
