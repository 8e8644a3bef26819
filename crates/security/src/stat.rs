//! What `stat` prints of files, without running it.
//!
//! Source: GNU coreutils manual, "stat invocation".

use crate::{FileKind, Metadata, System, SystemError};

/// The most files in one command.
const MAX_PATHS: usize = 100;

struct Asked<'a> {
    follow: bool,
    /// None: the long form.
    format: Option<&'a str>,
    paths: Vec<&'a str>,
}

/// What the command prints; none when it asks for something not known here. Files that are absent are left out;
/// when no file is there at all, why.
pub(crate) fn answer(argv: &[String], system: &dyn System) -> Option<Result<String, SystemError>> {
    let asked = asked(argv)?;
    let mut text = String::new();
    let mut missing = None;
    for path in asked.paths {
        match system.metadata(path, asked.follow) {
            Ok(found) => {
                let format = asked.format.unwrap_or(LONG);
                text.push_str(&print(format, path, &found, system)?);
                text.push('\n');
            }
            Err(e) => missing = missing.or(Some(e)),
        }
    }
    match missing {
        Some(e) if text.is_empty() => Some(Err(e)),
        _ => Some(Ok(text)),
    }
}

/// The lines of the long form that policies ask about.
const LONG: &str = "  File: %n\n  Size: %s\t%F\nAccess: (%04a/%A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)";

fn asked(argv: &[String]) -> Option<Asked<'_>> {
    let mut words = argv.iter().map(String::as_str);
    if words.next()? != "stat" {
        return None;
    }
    let mut asked = Asked { follow: false, format: None, paths: Vec::new() };
    while let Some(word) = words.next() {
        match word {
            "-L" | "--dereference" => asked.follow = true,
            "-c" | "--format" => asked.format = Some(words.next()?),
            "-Lc" => (asked.follow, asked.format) = (true, Some(words.next()?)),
            word if word.starts_with("--format=") => asked.format = word.strip_prefix("--format="),
            word if word.starts_with('/') && !word.contains(['*', '?', '[']) => asked.paths.push(word),
            _ => return None,
        }
    }
    (1..=MAX_PATHS).contains(&asked.paths.len()).then_some(asked)
}

/// Fills a format in; none when it has a directive not known here.
fn print(format: &str, path: &str, found: &Metadata, system: &dyn System) -> Option<String> {
    let mut text = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let zeros = chars.next_if_eq(&'0').is_some();
        let width = chars.next_if(char::is_ascii_digit).and_then(|c| c.to_digit(10));
        let width = width.map_or(0, |width| width as usize);
        let value = match chars.next()? {
            'a' => format!("{:o}", found.mode),
            'A' => symbolic(found),
            'u' => found.uid.to_string(),
            'U' => name_of(found.uid, "/etc/passwd", system),
            'g' => found.gid.to_string(),
            'G' => name_of(found.gid, "/etc/group", system),
            'n' => path.to_owned(),
            's' => found.size.to_string(),
            'F' => kind(found).to_owned(),
            '%' => "%".to_owned(),
            _ => return None,
        };
        let fill = if zeros { "0" } else { " " };
        text.push_str(&fill.repeat(width.saturating_sub(value.len())));
        text.push_str(&value);
    }
    Some(text)
}

fn kind(found: &Metadata) -> &'static str {
    match found.kind {
        FileKind::File if found.size == 0 => "regular empty file",
        FileKind::File => "regular file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "symbolic link",
        FileKind::Other => "special file",
    }
}

/// The mode as `ls -l` shows it.
fn symbolic(found: &Metadata) -> String {
    let mut text = String::from(match found.kind {
        FileKind::File => '-',
        FileKind::Directory => 'd',
        FileKind::Symlink => 'l',
        FileKind::Other => '?',
    });
    for (shift, special, set, unset) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')]
    {
        let bits = found.mode >> shift;
        text.push(if bits & 4 == 0 { '-' } else { 'r' });
        text.push(if bits & 2 == 0 { '-' } else { 'w' });
        text.push(match (found.mode & special != 0, bits & 1 != 0) {
            (true, true) => set,
            (true, false) => unset,
            (false, true) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// The name of a user or group in the system's own table.
fn name_of(id: u32, table: &str, system: &dyn System) -> String {
    let id = id.to_string();
    let text = system.read_file(table).unwrap_or_default();
    let mut lines = text.lines().map(|line| line.split(':'));
    let name = lines.find_map(|mut fields| {
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    match name {
        Some(name) => name,
        // Zero is root on every Linux, with or without a table.
        None if id == "0" => "root".to_owned(),
        None => "UNKNOWN".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LiveSystem, MemorySystem, words};

    fn ask(line: &str) -> Option<Result<String, SystemError>> {
        let system = MemorySystem::new()
            .with_file("/etc/passwd", "root:x:0:0:::\n")
            .with_file("/etc/group", "root:x:0:\nshadow:x:42:\n")
            .with_file("/etc/shadow", "root:*:::::::\n")
            .with_mode("/etc/shadow", 0o640, 0, 42)
            .with_dir("/tmp")
            .with_mode("/tmp", 0o1777, 0, 7);
        answer(&words::split(line).unwrap(), &system)
    }

    #[test]
    fn formats_are_filled_in() {
        for (line, text) in [
            ("stat -c '%a %u %g' /etc/shadow", "640 0 42\n"),
            ("stat -Lc \"%n %a %u/%U %g/%G\" /etc/shadow", "/etc/shadow 640 0/root 42/shadow\n"),
            ("stat -L --format=%a%%%A /tmp", "1777%drwxrwxrwt\n"),
            ("stat -c '%a %G' /tmp /etc/shadow /none", "1777 UNKNOWN\n640 shadow\n"),
        ] {
            assert_eq!(ask(line).unwrap().unwrap(), text, "{line}");
        }
    }

    #[test]
    fn the_long_form_has_the_access_line() {
        let text = ask("stat /etc/shadow").unwrap().unwrap();
        assert!(
            text.ends_with("\nAccess: (0640/-rw-r-----)  Uid: (    0/    root)   Gid: (   42/  shadow)\n"),
            "{text}"
        );
    }

    #[test]
    fn the_long_form_is_that_of_the_program_itself() {
        let argv = words::split("stat -L /etc").unwrap();
        let own = answer(&argv, &LiveSystem).unwrap().unwrap();
        let Some(real) = LiveSystem.command(&argv).filter(|output| output.success) else {
            return;
        };
        let access = |text: &str| text.lines().find(|line| line.starts_with("Access: (")).unwrap().to_owned();
        assert_eq!(access(&own), access(&real.text));
    }

    #[test]
    fn an_absent_file_is_an_error_and_a_strange_command_no_answer() {
        assert_eq!(ask("stat /none").unwrap(), Err(SystemError::Absent("/none".into())));
        for line in
            ["stat -f /", "stat", "stat -c %Z /tmp", "stat /tmp/*", "ls /tmp", "stat -c", "stat -c % /tmp"]
        {
            assert_eq!(ask(line), None, "{line}");
        }
    }
}
