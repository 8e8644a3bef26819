//! What `sshd -T` prints, worked out from the configuration where the server itself cannot be asked.
//!
//! Source: `sshd_config(5)` of OpenSSH 9: the first value of a keyword counts; `Include` reads other files in its
//! place; what follows `Match` holds for some connections only and is left out, as `sshd -T` does.

use std::collections::BTreeMap;

use crate::{System, SystemError};

/// Where the configuration begins.
pub(crate) const CONFIG: &str = "/etc/ssh/sshd_config";
/// How deep files include files (`SERVCONF_MAX_DEPTH`).
const MAX_DEPTH: usize = 16;
/// The most files read.
const MAX_FILES: usize = 256;

/// Keywords that may be given several times, each adding to the others.
const REPEATED: [&str; 5] = ["port", "listenaddress", "hostkey", "subsystem", "setenv"];

/// The same for keywords that take many words, each printed on its own line.
const LISTS: [&str; 5] = ["acceptenv", "allowusers", "denyusers", "allowgroups", "denygroups"];

/// Times, which are printed in seconds.
const TIMES: [&str; 2] = ["logingracetime", "clientaliveinterval"];

/// What holds when nothing is said, as OpenSSH 9.2 prints it for an empty file. Lists of algorithms are left out:
/// they change with each release.
const DEFAULTS: [(&str, &str); 24] = [
    ("permitrootlogin", "without-password"),
    ("permitemptypasswords", "no"),
    ("maxauthtries", "6"),
    ("maxsessions", "10"),
    ("maxstartups", "10:30:100"),
    ("x11forwarding", "no"),
    ("x11uselocalhost", "yes"),
    ("logingracetime", "120"),
    ("clientaliveinterval", "0"),
    ("clientalivecountmax", "3"),
    ("ignorerhosts", "yes"),
    ("ignoreuserknownhosts", "no"),
    ("hostbasedauthentication", "no"),
    ("passwordauthentication", "yes"),
    ("pubkeyauthentication", "yes"),
    ("gssapiauthentication", "no"),
    ("permituserenvironment", "no"),
    ("allowtcpforwarding", "yes"),
    ("allowagentforwarding", "yes"),
    ("gatewayports", "no"),
    ("strictmodes", "yes"),
    ("usepam", "no"),
    ("loglevel", "INFO"),
    ("banner", "none"),
];

/// The settings, a line each, keywords in lower case; why not when there is no configuration.
pub(crate) fn answer(system: &dyn System) -> Result<String, SystemError> {
    let text = system.read_file(CONFIG)?;
    let mut settings =
        Settings { system, lines: Vec::new(), single: BTreeMap::new(), files: 0, unseen: None };
    settings.read(&text, 0);
    if let Some(e) = settings.unseen {
        return Err(e);
    }
    let mut out: Vec<String> = settings.lines;
    for (key, value) in DEFAULTS {
        settings.single.entry(key.to_owned()).or_insert_with(|| value.to_owned());
    }
    out.extend(settings.single.into_iter().map(|(key, value)| format!("{key} {value}")));
    Ok(out.join("\n"))
}

struct Settings<'a> {
    system: &'a dyn System,
    lines: Vec<String>,
    single: BTreeMap<String, String>,
    files: usize,
    /// An included file that is there but could not be read: what it says is unknown.
    unseen: Option<SystemError>,
}

impl Settings<'_> {
    fn read(&mut self, text: &str, depth: usize) {
        for line in text.lines() {
            let Some((key, value)) = setting(line) else {
                continue;
            };
            match key.as_str() {
                "match" => return,
                "include" if depth < MAX_DEPTH => {
                    for pattern in value.split_whitespace() {
                        self.include(pattern.trim_matches('"'), depth + 1);
                    }
                }
                "include" => {}
                key if LISTS.contains(&key) => {
                    self.lines.extend(value.split_whitespace().map(|word| format!("{key} {word}")));
                }
                key if REPEATED.contains(&key) => self.lines.push(format!("{key} {value}")),
                // Added to or taken from defaults that depend on the release.
                _ if value.starts_with(['+', '-', '^']) => {}
                key => {
                    let value = effective(key, &value);
                    self.single.entry(key.to_owned()).or_insert(value);
                }
            }
        }
    }

    /// Reads the files that fit a pattern, in the order of their names; only the last part may hold `*` and `?`.
    fn include(&mut self, pattern: &str, depth: usize) {
        let path = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/ssh/{pattern}") };
        let Some((folder, name)) = path.rsplit_once('/') else {
            return;
        };
        let names: Vec<_> = if name.contains(['*', '?']) {
            let entries = self.seen(self.system.list_dir(folder)).unwrap_or_default();
            // As in a shell, a pattern does not find hidden files.
            let names = entries.into_iter().map(|entry| entry.name).filter(|n| !n.starts_with('.'));
            names.filter(|n| fits(name.as_bytes(), n.as_bytes())).collect()
        } else {
            vec![name.to_owned()]
        };
        for name in names {
            self.files += 1;
            if self.files > MAX_FILES {
                return;
            }
            if let Some(text) = self.seen(self.system.read_file(&format!("{folder}/{name}"))) {
                self.read(&text, depth);
            }
        }
    }

    /// What was read; a reason other than absence is kept.
    fn seen<T>(&mut self, read: Result<T, SystemError>) -> Option<T> {
        match read {
            Ok(found) => return Some(found),
            Err(SystemError::Absent(_) | SystemError::WrongKind(_)) => {}
            Err(e) => self.unseen = self.unseen.take().or(Some(e)),
        }
        None
    }
}

/// Keyword in lower case and value of a line; none for comments and blanks.
fn setting(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let end = line.find(|c: char| c.is_whitespace() || c == '=')?;
    let (key, value) = line.split_at(end);
    if key.is_empty() || key.starts_with('#') {
        return None;
    }
    let value = value.trim_start_matches(|c: char| c.is_whitespace() || c == '=');
    // A comment may follow a value (since 8.5).
    let value = value.split(" #").next().unwrap_or_default().trim();
    let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
    Some((key.to_ascii_lowercase(), value.to_owned()))
}

/// The value as the server prints it.
fn effective(key: &str, value: &str) -> String {
    match (key, value.to_ascii_lowercase().as_str()) {
        ("permitrootlogin", "prohibit-password") => "without-password".to_owned(),
        (key, time) if TIMES.contains(&key) => seconds(time).map_or(time.to_owned(), |s| s.to_string()),
        (_, word @ ("yes" | "no" | "none")) => word.to_owned(),
        (_, "true") => "yes".to_owned(),
        (_, "false") => "no".to_owned(),
        _ => value.to_owned(),
    }
}

/// A time such as `90`, `2m` or `1h30m` in seconds.
fn seconds(time: &str) -> Option<u64> {
    let (mut total, mut number) = (0_u64, None::<u64>);
    for c in time.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(digit.into())?);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    total.checked_add(number.unwrap_or(0))
}

/// Whether a name fits a pattern of `*` and `?`.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    // Where the last star stood, and how much of the name it has eaten.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, n));
            p += 1;
        } else if pattern.get(p).is_some_and(|&c| c == b'?' || c == name[n]) {
            (p, n) = (p + 1, n + 1);
        } else if let Some((at, eaten)) = star {
            star = Some((at, eaten + 1));
            (p, n) = (at + 1, eaten + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemorySystem;

    fn printed(config: &str) -> Vec<String> {
        let system = MemorySystem::new()
            .with_file(CONFIG, config)
            .with_file("/etc/ssh/sshd_config.d/20-b.conf", "MaxAuthTries 2\nX11Forwarding=yes\n")
            .with_file("/etc/ssh/sshd_config.d/10-a.conf", "MaxAuthTries 3\nMatch User x\nBanner /x\n")
            .with_file("/etc/ssh/sshd_config.d/README", "UsePAM yes\n");
        let text = answer(&system).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn says(config: &str, line: &str) {
        let lines = printed(config);
        assert!(lines.iter().any(|l| l == line), "{config:?} does not print {line}: {lines:?}");
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        says("", "permitrootlogin without-password");
        says("# PermitRootLogin yes\n", "permitrootlogin without-password");
    }

    #[test]
    fn the_first_value_counts_whatever_its_case_and_quotes() {
        says("permitROOTlogin \"no\"\nPermitRootLogin yes\n", "permitrootlogin no");
        says("PermitRootLogin=prohibit-password # why\n", "permitrootlogin without-password");
        says("X11Forwarding Yes\n", "x11forwarding yes");
    }

    #[test]
    fn included_files_stand_in_their_place_in_the_order_of_their_names() {
        let include = "Include /etc/ssh/sshd_config.d/*.conf\n";
        says(&format!("{include}MaxAuthTries 6\n"), "maxauthtries 3");
        says(&format!("MaxAuthTries 5\n{include}"), "maxauthtries 5");
        says("Include sshd_config.d/2?-b.conf\n", "x11forwarding yes");
        says(include, "usepam no");
        says(include, "x11forwarding yes");
        says(include, "banner none");
    }

    #[test]
    fn what_follows_match_is_left_out() {
        says("Match Address 10.0.0.0/8\nPermitRootLogin yes\n", "permitrootlogin without-password");
    }

    #[test]
    fn times_are_in_seconds_and_lists_add_up() {
        says("LoginGraceTime 1m\n", "logingracetime 60");
        says("LoginGraceTime 1h30\n", "logingracetime 3630");
        says("LoginGraceTime 1x\n", "logingracetime 1x");
        says("Port 22\nPort 2222\n", "port 2222");
        says("Port 22\nPort 2222\n", "port 22");
        says("AllowUsers a b\nAllowUsers c\n", "allowusers b");
        says("AllowUsers a b\nAllowUsers c\n", "allowusers c");
    }

    #[test]
    fn files_that_include_themselves_end() {
        let system =
            MemorySystem::new().with_file(CONFIG, "Include /etc/ssh/*\nInclude /etc/ssh/*\nPort 1\n");
        assert!(answer(&system).unwrap().contains("port 1"));
    }

    #[test]
    fn an_included_file_that_cannot_be_read_leaves_everything_open() {
        let system = MemorySystem::new()
            .with_file(CONFIG, "Include a.conf\nInclude none.conf\nPort 1\n")
            .with_file("/etc/ssh/a.conf", &"#".repeat(usize::try_from(crate::MAX_FILE).unwrap() + 1));
        assert_eq!(answer(&system).unwrap_err(), SystemError::TooLarge("/etc/ssh/a.conf".into()));
        assert!(answer(&system.without("/etc/ssh/a.conf")).is_ok());
    }

    #[test]
    fn what_changes_a_default_is_not_taken_for_the_value() {
        assert!(!printed("Ciphers -3des-cbc\n").iter().any(|line| line.starts_with("ciphers")));
        says("Ciphers aes256-ctr\n", "ciphers aes256-ctr");
    }

    #[test]
    fn without_a_configuration_there_is_no_answer() {
        assert_eq!(answer(&MemorySystem::new()).unwrap_err(), SystemError::Absent(CONFIG.into()));
    }

    #[test]
    fn stars_and_question_marks_fit() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.bak", false),
            ("a*b*c", "aXbXbc", true),
            ("?", "", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
