//! Kernel parameters as they are set at boot, and what `sysctl` would print.
//!
//! Source: `sysctl.d(5)`. Files of `/etc/sysctl.d`, `/run/sysctl.d`, `/usr/local/lib/sysctl.d` and
//! `/usr/lib/sysctl.d` are read in the order of their names; of two with the same name the first directory's
//! counts; of two assignments the later counts; a pattern never beats a plain key. `/etc/sysctl.conf` is read
//! before all of them; distributions that want it last link it as `99-sysctl.conf`.

use std::{collections::BTreeMap, path::Path};

use crate::{FileKind, System};

const FOLDERS: [&str; 4] = ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"];

/// The value that a boot would set; none when no file sets the key.
pub(crate) fn configured<S: System + ?Sized>(system: &S, key: &str) -> Option<String> {
    let key = dotted(key);
    let mut files = BTreeMap::new();
    for folder in FOLDERS {
        for entry in system.list_dir(folder).unwrap_or_default() {
            let named = Path::new(&entry.name).extension() == Some("conf".as_ref());
            if named && matches!(entry.kind, FileKind::File | FileKind::Symlink) {
                let path = format!("{folder}/{}", entry.name);
                files.entry(entry.name).or_insert(path);
            }
        }
    }
    let (mut plain, mut globbed, mut excluded) = (None, None, false);
    for path in std::iter::once("/etc/sysctl.conf").chain(files.values().map(String::as_str)) {
        for line in system.read_file(path).unwrap_or_default().lines() {
            let line = line.trim();
            if line.starts_with(['#', ';']) {
                continue;
            }
            let unmarked = line.strip_prefix('-').unwrap_or(line);
            match unmarked.split_once('=') {
                Some((name, value)) if dotted(name.trim()) == key => plain = Some(value.trim().to_owned()),
                Some((name, value)) if fits(&dotted(name.trim()), &key) => {
                    globbed = Some(value.trim().to_owned());
                }
                Some(_) => {}
                // A key alone behind a minus is kept out of every pattern.
                None => excluded |= line.starts_with('-') && dotted(unmarked.trim()) == key,
            }
        }
    }
    plain.or(globbed.filter(|_| !excluded))
}

/// A key with dots between its parts: when a slash comes first, slashes and dots trade places.
fn dotted(key: &str) -> String {
    match key.find(['.', '/']) {
        Some(at) if key[at..].starts_with('/') => key
            .chars()
            .map(|c| match c {
                '/' => '.',
                '.' => '/',
                c => c,
            })
            .collect(),
        _ => key.to_owned(),
    }
}

/// Whether a pattern (`*` for any text within one part) fits a key.
fn fits(pattern: &str, key: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.split('.'), key.split('.'));
    pattern.contains('*')
        && loop {
            match (patterns.next(), parts.next()) {
                (None, None) => break true,
                (Some(pattern), Some(part)) if part_fits(pattern, part) => {}
                _ => break false,
            }
        }
}

fn part_fits(pattern: &str, part: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == part,
        Some((before, after)) => {
            part.len() >= before.len() + after.len() && part.starts_with(before) && part.ends_with(after)
        }
    }
}

/// Where a key lies below `/proc/sys`; none when it could lead elsewhere.
pub(crate) fn path_of(key: &str) -> Option<String> {
    let key = dotted(key);
    let parts: Vec<_> = key.split('.').map(|part| part.replace('/', ".")).collect();
    let plain = |part: &String| !part.is_empty() && !part.starts_with('.') && !part.contains(['\0', '*']);
    parts.iter().all(plain).then(|| parts.join("/"))
}

/// What `sysctl KEY` prints; none when the command asks for something else. A key that is not set prints nothing.
pub(crate) fn answer(argv: &[String], system: &dyn System) -> Option<String> {
    let (bare, key) = match argv {
        [program, key] if program == "sysctl" && !key.starts_with('-') => (false, key),
        [program, flag, key] if program == "sysctl" && flag == "-n" && !key.starts_with('-') => (true, key),
        _ => return None,
    };
    let value = system.sysctl(key);
    Some(value.map_or(String::new(), |value| {
        if bare { format!("{value}\n") } else { format!("{} = {value}\n", dotted(key)) }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemorySystem;

    #[test]
    fn the_later_name_wins_and_etc_hides_the_same_name_below_usr() {
        let system = MemorySystem::new()
            .with_file("/etc/sysctl.conf", "a.b = 1\n")
            .with_file("/usr/lib/sysctl.d/50-x.conf", "a.b = 2\nc.d = 5\n");
        assert_eq!(configured(&system, "a.b").as_deref(), Some("2"));
        let system = system.with_file("/etc/sysctl.d/50-x.conf", "# a.b = 9\n-a/b=3\n");
        assert_eq!(configured(&system, "a.b").as_deref(), Some("3"));
        assert_eq!(configured(&system, "c.d"), None);
        let system =
            system.with_file("/run/sysctl.d/60-y.conf", "a.b=4").with_file("/etc/sysctl.d/99-no", "a.b=5");
        assert_eq!(configured(&system, "a/b").as_deref(), Some("4"));
    }

    #[test]
    fn a_pattern_sets_what_no_plain_key_sets_and_what_is_not_kept_out() {
        let file =
            "net.ipv4.conf.all.x = 1\nnet.ipv4.conf.*.x = 2\nnet.ipv4.conf.*.y = 3\n-net.ipv4.conf.all.y\n";
        let system = MemorySystem::new().with_file("/usr/lib/sysctl.d/50-default.conf", file);
        let value = |key| configured(&system, key);
        assert_eq!(value("net.ipv4.conf.all.x").as_deref(), Some("1"));
        assert_eq!(value("net.ipv4.conf.eth0.x").as_deref(), Some("2"));
        assert_eq!(value("net.ipv4.conf.eth0.y").as_deref(), Some("3"));
        assert_eq!(value("net.ipv4.conf.all.y"), None);
        assert_eq!(value("net.ipv4.conf.a.b.x"), None);
    }

    #[test]
    fn a_key_never_leads_out_of_proc_sys() {
        assert_eq!(path_of("net.ipv4.ip_forward").unwrap(), "net/ipv4/ip_forward");
        assert_eq!(path_of("net/ipv4/conf/eth0.1/x").unwrap(), "net/ipv4/conf/eth0.1/x");
        for key in ["../../etc/passwd", "a/../../b", "..", "", "a..b", "/etc/passwd"] {
            assert_eq!(path_of(key), None, "{key}");
        }
    }

    #[test]
    fn the_command_prints_key_and_value() {
        let system = MemorySystem::new().with_sysctl("a.b", "1");
        let ask = |line: &str| answer(&crate::words::split(line).unwrap(), &system);
        assert_eq!(ask("sysctl a.b").unwrap(), "a.b = 1\n");
        assert_eq!(ask("sysctl -n a.b").unwrap(), "1\n");
        assert_eq!(ask("sysctl a.c").unwrap(), "");
        assert_eq!(ask("sysctl -a"), None);
        assert_eq!(ask("sysctl a.b a.c"), None);
    }
}
