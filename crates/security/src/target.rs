//! Asking one rule of a system.

use crate::{
    FileKind, System, SystemError, pattern::Content, pattern::PatternError, rule::Rule, rule::Target, seen,
    sshd, stat, sysctl, walk,
};

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// It could not be asked here.
    Unknown,
    /// It cannot be asked anywhere.
    Invalid,
}

/// What a rule says, and the value seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ruling {
    pub(crate) truth: Truth,
    pub(crate) seen: String,
}

impl Ruling {
    fn new(holds: bool, seen: impl Into<String>) -> Self {
        Self { truth: if holds { Truth::Holds } else { Truth::Fails }, seen: seen.into() }
    }

    fn unknown(why: &dyn ToString) -> Self {
        Self { truth: Truth::Unknown, seen: why.to_string() }
    }
}

/// Why a question has no answer.
enum Unanswered {
    System(SystemError),
    Pattern(PatternError),
}

impl From<SystemError> for Unanswered {
    fn from(error: SystemError) -> Self {
        Self::System(error)
    }
}

impl From<PatternError> for Unanswered {
    fn from(error: PatternError) -> Self {
        Self::Pattern(error)
    }
}

impl From<Unanswered> for Ruling {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::System(e) => Self::unknown(&e),
            Unanswered::Pattern(e) => Self { truth: Truth::Invalid, seen: e.to_string() },
        }
    }
}

/// Asks the rule, its `not` included. What could not be asked stays so when it is negated.
pub(crate) fn ask(rule: &Rule, system: &dyn System) -> Ruling {
    let answer = match &rule.target {
        Target::File { paths, content: None } => exists(system, paths, FileKind::File),
        Target::File { paths, content: Some(content) } => file_content(system, paths, content),
        Target::Directory { paths, names: None, .. } => exists(system, paths, FileKind::Directory),
        Target::Directory { paths, names: Some(names), content } => {
            directory(system, paths, names, content.as_ref())
        }
        Target::Process(name) => process(system, name),
        Target::Command { argv, content } => command(system, argv, content),
        Target::Registry => Ok(Ruling::unknown(&"there is no Windows registry here")),
    };
    let mut ruling = answer.unwrap_or_else(Ruling::from);
    if rule.negated {
        ruling.truth = match ruling.truth {
            Truth::Holds => Truth::Fails,
            Truth::Fails => Truth::Holds,
            other => other,
        };
    }
    ruling
}

/// Whether one of the paths is there: as a directory, or as anything else.
fn exists(system: &dyn System, paths: &[String], wanted: FileKind) -> Result<Ruling, Unanswered> {
    let mut unseen = None;
    for path in paths {
        match system.metadata(path, true) {
            Ok(found) if (found.kind == FileKind::Directory) == (wanted == FileKind::Directory) => {
                return Ok(Ruling::new(true, format!("{path} exists")));
            }
            Ok(_) | Err(SystemError::Absent(_) | SystemError::WrongKind(_)) => {}
            Err(e) => unseen = Some(graver(unseen, e)),
        }
    }
    match unseen {
        Some(e) => Err(e.into()),
        None => Ok(Ruling::new(
            false,
            match paths {
                [path] => format!("{path} does not exist"),
                _ => format!("none of {} exists", paths.join(", ")),
            },
        )),
    }
}

/// Whether a line of one of the files is as wanted; not answered when none of them can be read.
fn file_content(system: &dyn System, paths: &[String], content: &Content) -> Result<Ruling, Unanswered> {
    let (mut failed, mut unseen) = (None, None);
    for path in paths {
        match system.read_file(path) {
            Ok(text) => match lines(path, &text, content)? {
                ruling if ruling.truth == Truth::Holds => return Ok(ruling),
                ruling => failed = failed.or(Some(ruling)),
            },
            Err(e) => unseen = Some(graver(unseen, e)),
        }
    }
    match (failed, unseen) {
        // A file that is there but could not be read might have held the line.
        (Some(_), Some(e)) if !matches!(e, SystemError::Absent(_)) => Err(e.into()),
        (Some(failed), _) => Ok(failed),
        (None, Some(e)) => Err(e.into()),
        (None, None) => Ok(Ruling::unknown(&"no file is named")),
    }
}

/// Of two reasons, the one that leaves more open: what is absent holds nothing, what cannot be read may.
fn graver(known: Option<SystemError>, new: SystemError) -> SystemError {
    known.filter(|known| !matches!(known, SystemError::Absent(_))).unwrap_or(new)
}

fn directory(
    system: &dyn System,
    paths: &[String],
    names: &Content,
    content: Option<&Content>,
) -> Result<Ruling, Unanswered> {
    let (mut looked, mut matched, mut unseen) = (false, 0, None);
    for dir in paths {
        let mut found = None;
        let walked = walk::files::<Unanswered>(system, dir, &mut |path, name| {
            if !names.holds(name)? {
                return Ok(false);
            }
            matched += 1;
            let Some(content) = content else {
                found = Some(Ruling::new(true, format!("{path} exists")));
                return Ok(true);
            };
            match system.read_file(path) {
                Ok(text) => found = Some(lines(path, &text, content)?).filter(|r| r.truth == Truth::Holds),
                // A link to nothing, or to a directory.
                Err(SystemError::Absent(_) | SystemError::WrongKind(_)) => {}
                Err(e) => unseen = Some(graver(unseen.take(), e)),
            }
            Ok(found.is_some())
        });
        match (walked, found) {
            (Ok(true), Some(found)) => return Ok(found),
            (Ok(_), _) => looked = true,
            (Err(Unanswered::System(e)), _) => unseen = Some(graver(unseen, e)),
            (Err(e), _) => return Err(e),
        }
    }
    match unseen {
        Some(e) if !looked || !matches!(e, SystemError::Absent(_)) => Err(e.into()),
        _ => {
            let place = paths.join(", ");
            Ok(Ruling::new(
                false,
                match (matched, content) {
                    (0, _) => format!("no file of that name below {place}"),
                    (n, _) => format!("no such line in {n} file(s) below {place}"),
                },
            ))
        }
    }
}

fn process(system: &dyn System, name: &Content) -> Result<Ruling, Unanswered> {
    let Some(running) = system.processes() else {
        return Ok(Ruling::unknown(&"no processes to look at"));
    };
    for process in &running {
        if name.holds(process)? {
            return Ok(Ruling::new(true, format!("{process} runs")));
        }
    }
    Ok(Ruling::new(false, "no such process runs"))
}

fn command(system: &dyn System, argv: &[String], content: &Content) -> Result<Ruling, Unanswered> {
    let place = argv.join(" ");
    if let Some(text) = stat::answer(argv, system) {
        // Modes and owners are no secret, whatever the file is.
        return lines("stat", &text?, content);
    }
    if let Some(text) = sysctl::answer(argv, system) {
        return match text.as_str() {
            "" => Ok(Ruling::new(content.holds("")?, "the kernel parameter is not set, or may not be read")),
            text => lines(&place, text, content),
        };
    }
    let output = system.command(argv);
    if place == "sshd -T" && !output.as_ref().is_some_and(|output| output.success) {
        return configured_sshd(system, content);
    }
    match output {
        Some(output) => lines(&place, &output.text, content),
        None => {
            Ok(Ruling::unknown(&format!("{} cannot be run here", argv.first().map_or("it", String::as_str))))
        }
    }
}

/// `sshd -T` where the server cannot be asked. Only about keywords whose value is known: that of others depends
/// on the release.
fn configured_sshd(system: &dyn System, content: &Content) -> Result<Ruling, Unanswered> {
    let text = sshd::answer(system)?;
    let keyword = content.keyword();
    let known = |line: &str| line.split(' ').next() == keyword.as_deref();
    if text.lines().any(known) {
        lines(sshd::CONFIG, &text, content)
    } else {
        Ok(Ruling::unknown(&"sshd cannot be asked here, and its configuration does not say"))
    }
}

/// Whether a line is as wanted: the first such line, or the line that a reader would look at.
fn lines(place: &str, text: &str, content: &Content) -> Result<Ruling, Unanswered> {
    for line in text.lines() {
        if content.holds(line)? {
            return Ok(Ruling::new(true, format!("saw {}", seen::line(place, line))));
        }
    }
    let keyword = content.keyword().unwrap_or_default();
    let mut near = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let single = text.lines().count() == 1;
    let near =
        near.find(|line| single || (!keyword.is_empty() && line.to_ascii_lowercase().contains(&keyword)));
    Ok(Ruling::new(
        false,
        match near {
            Some(line) => format!("saw {}", seen::line(place, line)),
            None => format!("no such line in {place}"),
        },
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::MemorySystem;

    fn system() -> MemorySystem {
        MemorySystem::new()
            .with_file("/etc/a.conf", "# Port 22\nPort 2222\n")
            .with_file("/etc/d/one.conf", "colour = red\n")
            .with_file("/etc/d/deep/two.conf", "colour = blue\n")
            .with_file("/etc/d/readme", "colour = green\n")
            .with_command("lsmod", "cramfs 1 0\nxfs 2 0\n")
            .with_process("sshd")
            .with_sysctl("a.b", "1")
            .with_file("/etc/ssh/sshd_config", "MaxAuthTries 3\n")
    }

    fn ruling(rule: &str) -> Ruling {
        ask(&Rule::parse(rule, &BTreeMap::new()).unwrap(), &system())
    }

    #[test]
    fn every_kind_of_rule_holds_and_fails_and_turns_around() {
        for (holds, fails) in [
            ("f:/etc/a.conf", "f:/etc/none"),
            ("f:/etc/none,/etc/a.conf", "f:/etc/d"),
            ("f:/etc/a.conf -> Port 2222", "f:/etc/a.conf -> Port 22"),
            (r"f:/etc/a.conf -> !r:^# && r:Port", r"f:/etc/a.conf -> !r:^# && r:Port 22$"),
            (
                r"f:/etc/a.conf -> n:^Port (\d+) compare > 1024",
                r"f:/etc/a.conf -> n:^Port (\d+) compare <= 1024",
            ),
            ("f:/etc/none,/etc/a.conf -> r:2222", "f:/etc/none,/etc/a.conf -> r:3333"),
            ("d:/etc/d", "d:/etc/none"),
            ("d:/etc/d/", "d:/etc/a.conf"),
            ("d:/etc/d -> readme", "d:/etc/d -> read"),
            (r"d:/etc/d -> r:^two\.conf$", r"d:/etc/d -> r:^three\.conf$"),
            (r"d:/etc/d -> r:\.conf$ -> r:blue", r"d:/etc/d -> r:\.conf$ -> r:green"),
            ("d:/etc/none,/etc/d -> readme -> colour = green", "d:/etc/none,/etc/d -> readme -> colour"),
            ("p:sshd", "p:telnetd"),
            ("p:r:^ss", "p:ssh"),
            ("c:lsmod -> r:^cramfs", "c:lsmod -> r:^freevxfs"),
            ("c:sysctl a.b -> r:= 1$", "c:sysctl a.c -> r:= 1$"),
            ("c:stat -c %a /etc/a.conf -> 644", "c:stat -c %a /etc/a.conf -> 600"),
            ("c:sshd -T -> r:^maxauthtries 3$", "c:sshd -T -> r:^x11forwarding yes$"),
        ] {
            assert_eq!(ruling(holds).truth, Truth::Holds, "{holds}: {}", ruling(holds).seen);
            assert_eq!(ruling(&format!("not {holds}")).truth, Truth::Fails, "not {holds}");
            assert_eq!(ruling(fails).truth, Truth::Fails, "{fails}: {}", ruling(fails).seen);
            assert_eq!(ruling(&format!("not {fails}")).truth, Truth::Holds, "not {fails}");
        }
    }

    #[test]
    fn what_cannot_be_asked_is_unknown_turned_around_or_not() {
        for rule in [
            "f:/etc/none -> r:x",
            "f:/etc/d -> r:x",
            "d:/etc/none -> r:x",
            "d:/etc/none -> r:x -> r:y",
            "c:no-such-program -> r:x",
            "c:stat -c %a /etc/none -> 600",
            "c:sshd -T -> r:^ciphers.*cbc",
            "c:sshd -T -> r:^auth",
            "r:HKEY_LOCAL_MACHINE -> X",
        ] {
            assert_eq!(ruling(rule).truth, Truth::Unknown, "{rule}");
            assert_eq!(ruling(&format!("not {rule}")).truth, Truth::Unknown, "not {rule}");
        }
        let nothing = Rule::parse("p:sshd", &BTreeMap::new()).unwrap();
        assert_eq!(ask(&nothing, &MemorySystem::new()).truth, Truth::Unknown);
    }

    #[test]
    fn a_file_too_large_to_read_is_never_taken_for_one_without_the_line() {
        let size = usize::try_from(crate::MAX_FILE).unwrap() + 1;
        let system = system().with_file("/etc/d/big.conf", &"x".repeat(size));
        for rule in
            [r"d:/etc/d -> r:\.conf$ -> r:green", "f:/etc/none,/etc/a.conf,/etc/d/big.conf -> r:green"]
        {
            let rule = Rule::parse(rule, &BTreeMap::new()).unwrap();
            assert_eq!(ask(&rule, &system).truth, Truth::Unknown);
        }
        let found = Rule::parse(r"d:/etc/d -> r:\.conf$ -> r:blue", &BTreeMap::new()).unwrap();
        assert_eq!(ask(&found, &system).truth, Truth::Holds);
    }

    #[test]
    fn the_server_itself_is_asked_before_its_configuration() {
        let system = system().with_command("sshd -T", "maxauthtries 9\n");
        let rule = Rule::parse("c:sshd -T -> r:^maxauthtries 9$", &BTreeMap::new()).unwrap();
        assert_eq!(ask(&rule, &system).truth, Truth::Holds);
    }

    #[test]
    fn a_pattern_that_gives_up_makes_the_rule_invalid() {
        let system = MemorySystem::new().with_file("/a", &"a".repeat(500));
        let rule = Rule::parse(r"f:/a -> r:^(a*)*\1b$", &BTreeMap::new()).unwrap();
        assert_eq!(ask(&rule, &system).truth, Truth::Invalid);
    }

    #[test]
    fn the_value_that_decided_is_told() {
        for (rule, seen) in [
            (r"f:/etc/a.conf -> n:^Port (\d+) compare <= 1024", "saw \"Port 2222\""),
            ("c:sysctl a.b -> r:= 2", "saw \"a.b = 1\""),
            ("c:sshd -T -> r:^maxauthtries 4$", "saw \"maxauthtries 3\""),
            (r"d:/etc/d -> r:\.conf$ -> r:green", "no such line in 2 file(s) below /etc/d"),
        ] {
            assert_eq!(ruling(rule).seen, seen, "{rule}");
        }
    }
}
