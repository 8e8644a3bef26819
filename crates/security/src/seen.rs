//! What a reason may show of what was seen.

use std::sync::LazyLock;

use fancy_regex::Regex;

use crate::report::cut;

/// The most characters of a line that a reason shows.
const MAX_SHOWN: usize = 160;

/// Locations whose every line may be a secret.
const PRIVATE: [&str; 16] = [
    "shadow",
    "opasswd",
    "secret",
    "token",
    "credential",
    "private",
    ".pem",
    ".key",
    "id_rsa",
    "id_ed25519",
    "id_ecdsa",
    "_key",
    "netrc",
    "htpasswd",
    "keytab",
    "auth.conf",
];

/// Lines that look like they carry one: an assignment to a name that says so, a crypt(5) or GRUB hash, a
/// password in an address, a key's armour.
static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?ix) (passw(or)?d | passphrase | secret | token | api[-_]?key | credential | community | psk) \w* ['\x22]? \s* [=:]
        | \$ [0-9a-z]{1,12} \$
        | pbkdf2
        | :// [^/\s@]* : [^/\s@]* @
        | -----BEGIN",
    )
    .expect("the pattern is a constant that the tests compile")
});

/// The line, quoted and cut; or that it is not shown.
pub(crate) fn line(location: &str, line: &str) -> String {
    let place = location.to_ascii_lowercase();
    let secret = PRIVATE.iter().any(|word| place.contains(word)) || SECRET.is_match(line).unwrap_or(true);
    if secret {
        return "a line that is not shown, it may hold a secret".to_owned();
    }
    let mut shown: String = line.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cut(&mut shown, MAX_SHOWN);
    format!("\"{shown}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_shown() {
        for seen in ["PermitEmptyPasswords yes", "PASS_MAX_DAYS 99999", "root:x:0:0:root:/root:/bin/bash"] {
            assert_eq!(line("/etc/login.defs", seen), format!("\"{seen}\""));
        }
        assert_eq!(line("/etc/issue", " Debian\t\u{1b}[1m "), "\"Debian  [1m\"");
        assert_eq!(line("/etc/issue", &"x".repeat(1_000)).chars().count(), MAX_SHOWN + 2);
    }

    #[test]
    fn secrets_are_not() {
        for (place, seen) in [
            ("/etc/shadow", "root::1:0:99999:7:::"),
            ("getent shadow root", "x"),
            ("/etc/ssh/ssh_host_rsa_key", "x"),
            ("/etc/app.conf", "db_password = hunter2"),
            ("/etc/app.conf", "\"token\": \"hunter2\""),
            ("/etc/passwd", "root:$6$salt$hunter2:0:0::/root:/bin/sh"),
            ("/etc/passwd", "root:$y$j9T$salt$hunter2:0:0::/root:/bin/sh"),
            ("/boot/grub/grub.cfg", "password_pbkdf2 root grub.pbkdf2.sha512.hunter2"),
            ("/etc/apt/sources.list", "deb https://me:hunter2@example.org/ stable main"),
        ] {
            assert!(!line(place, seen).contains(seen), "{place} {seen}");
            assert!(!line(place, seen).contains("hunter2"), "{place} {seen}");
        }
    }
}
