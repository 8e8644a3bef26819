//! The steps a playbook may take. There is no step that runs a command of the author's choice.

use serde::{Deserialize, Serialize};

use crate::{accept::Accept, mode::FileMode};

/// The most bytes of any single text in a step (a line, a value, a description).
pub const MAX_TEXT: usize = 4_000;
/// The most bytes of a file that a step writes whole.
pub const MAX_CONTENT: usize = 64 * 1024;
/// The most bytes of a path.
pub const MAX_PATH: usize = 512;
const MAX_DESCRIBED: usize = 200;

/// One typed step. In YAML a step is a map with one key, the kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A line is in a file, or is not.
    FileLine(FileLine),
    /// A key of a configuration file has a value.
    ConfigKey(ConfigKey),
    /// A kernel setting has a value, at the next start and (on a live system) now.
    Sysctl(Sysctl),
    /// A file or folder has a mode and an owner.
    Permission(Permission),
    /// A file has exactly this content.
    FileContent(FileContent),
    /// A package is installed, or is not. Live systems only.
    Package(Package),
    /// A service runs, is off, or reads its configuration again. Live systems only.
    Service(Service),
}

/// When a step applies at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Always: a missing file, and the folders above it, are made.
    #[default]
    Always,
    /// Only when the step's file is there.
    Exists,
    /// Only when the folder of the step's file is there.
    FolderExists,
}

/// Whether something is to be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It is there.
    #[default]
    Present,
    /// It is not there.
    Absent,
}

/// See [`Step::FileLine`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileLine {
    /// The file, from the root.
    pub path: String,
    /// The line, without its end. Blanks between words do not count when lines are compared.
    pub line: String,
    /// A line that begins with these words is replaced in place; without one the line is appended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Whether the line is to be there.
    #[serde(default)]
    pub state: Presence,
    /// When the step applies.
    #[serde(default)]
    pub when: When,
}

/// See [`Step::ConfigKey`].
///
/// A key that is set is changed in place and keeps its spacing and trailing comment; else the line goes below a
/// commented default (`#Key value`); else to the end of the section, of the global part, or of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigKey {
    /// The file, from the root.
    pub path: String,
    /// The key.
    pub key: String,
    /// The value that is written when the one found is not accepted.
    pub value: String,
    /// What stands between key and value on a new line. Blanks and `=` are both understood when reading.
    #[serde(default = "blank")]
    pub separator: String,
    /// The `[section]` the key belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// What a comment starts with.
    #[serde(default = "hash")]
    pub comment: String,
    /// The global part ends before the first line that starts with this word (`Match` in `sshd_config`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Whether keys match whatever their case.
    #[serde(default)]
    pub ignore_case: bool,
    /// Which present values may stay.
    #[serde(default)]
    pub accept: Accept,
    /// A folder whose `*.conf` files win over this file: where one sets the key to a value that is not accepted,
    /// it is changed there too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop_ins: Option<String>,
    /// When the step applies.
    #[serde(default)]
    pub when: When,
}

/// See [`Step::Sysctl`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sysctl {
    /// The key, with dots.
    pub key: String,
    /// The value.
    pub value: String,
    /// The drop-in file that sets it at start, such as `/etc/sysctl.d/60-echo-hardening.conf`. Where a file that
    /// is read later sets the key to a value that is not accepted, it is changed there too (sysctl.d(5)).
    pub file: String,
    /// Which present values may stay.
    #[serde(default)]
    pub accept: Accept,
}

/// See [`Step::Permission`]. A path that is not there is skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// The file or folder, from the root.
    pub path: String,
    /// Its mode.
    pub mode: FileMode,
    /// Whether a mode with fewer bits may stay; bits beyond `mode` are then taken away and none is added.
    #[serde(default)]
    pub or_stricter: bool,
    /// Its owner, by the target's own `/etc/passwd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its group, by the target's own `/etc/group`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// See [`Step::FileContent`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileContent {
    /// The file, from the root.
    pub path: String,
    /// The whole content.
    pub content: String,
    /// The mode of the file when it has to be made; one that is there keeps its own.
    #[serde(default = "readable")]
    pub mode: FileMode,
    /// A file that is there is replaced only if it contains one of these texts, whatever their case, so that a
    /// person's own good content stays. None: it is always replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub if_contains: Vec<String>,
    /// When the step applies.
    #[serde(default)]
    pub when: When,
}

/// See [`Step::Package`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The package (Debian policy, section 5.6.7).
    pub name: String,
    /// Whether it is to be installed.
    #[serde(default)]
    pub state: Presence,
}

/// See [`Step::Service`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The unit's names on different systems; the first that the system knows is taken.
    pub names: Vec<String>,
    /// What becomes of it.
    pub action: ServiceAction,
    /// Only when the plan changes this file; required for `reload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What becomes of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceAction {
    /// Started now and at every start.
    Enabled,
    /// Stopped now and not started again.
    Disabled,
    /// Reads its configuration again, if it runs.
    Reload,
}

impl Step {
    /// The step in a few words, for reports.
    pub fn describe(&self) -> String {
        let mut words = self.words();
        if let Some((end, _)) = words.char_indices().nth(MAX_DESCRIBED) {
            words.truncate(end);
            words.push('…');
        }
        words
    }

    fn words(&self) -> String {
        match self {
            Self::FileLine(s) if s.state == Presence::Absent => format!("`{}` not in {}", s.line, s.path),
            Self::FileLine(s) => format!("`{}` in {}", s.line, s.path),
            Self::ConfigKey(s) => format!("{} {} in {}", s.key, s.value, s.path),
            Self::Sysctl(s) => format!("{} = {}", s.key, s.value),
            Self::Permission(s) => format!("mode {} of {}", s.mode, s.path),
            Self::FileContent(s) => format!("content of {}", s.path),
            Self::Package(s) => format!("package {} {}", s.name, word(&s.state)),
            Self::Service(s) => format!("service {} {}", s.names.join(" or "), word(&s.action)),
        }
    }

    /// Whether the step only makes sense on the system that is running.
    pub(crate) fn needs_live(&self) -> bool {
        matches!(self, Self::Package(_) | Self::Service(_))
    }

    /// What is wrong with the step, if anything is.
    pub(crate) fn fault(&self) -> Option<String> {
        match self {
            Self::FileLine(s) => path_fault(&s.path)
                .or_else(|| line_fault("line", &s.line))
                .or_else(|| s.replaces.as_deref().and_then(|r| line_fault("replaces", r))),
            Self::ConfigKey(s) => s.fault(),
            Self::Sysctl(s) => path_fault(&s.file)
                .or_else(|| line_fault("value", &s.value))
                .or_else(|| (!is_sysctl(&s.key)).then(|| "`key` is not a sysctl key".to_owned()))
                .or_else(|| s.accept.fault().map(str::to_owned)),
            Self::Permission(s) => path_fault(&s.path)
                .or_else(|| s.owner.as_deref().and_then(|o| name_fault("owner", o)))
                .or_else(|| s.group.as_deref().and_then(|g| name_fault("group", g))),
            Self::FileContent(s) => path_fault(&s.path).or_else(|| s.fault()),
            Self::Package(s) => name_fault("name", &s.name),
            Self::Service(s) => s.fault(),
        }
    }
}

impl ConfigKey {
    fn fault(&self) -> Option<String> {
        let one_word = !self.key.contains(char::is_whitespace) && !self.key.contains('=');
        path_fault(&self.path)
            .or_else(|| line_fault("key", &self.key))
            .or_else(|| line_fault("value", &self.value))
            .or_else(|| line_fault("comment", &self.comment))
            .or_else(|| self.section.as_deref().and_then(|t| line_fault("section", t)))
            .or_else(|| self.before.as_deref().and_then(|t| line_fault("before", t)))
            .or_else(|| self.drop_ins.as_deref().and_then(path_fault))
            .or_else(|| self.accept.fault().map(str::to_owned))
            .or_else(|| (!one_word).then(|| "`key` must be one word without `=`".to_owned()))
            .or_else(|| {
                (!matches!(self.separator.trim(), "" | "=") || !line_fault_free(&self.separator))
                    .then(|| "`separator` must be blanks, or `=` with blanks around it".to_owned())
            })
    }
}

impl FileContent {
    fn fault(&self) -> Option<String> {
        if self.content.len() > MAX_CONTENT {
            return Some(format!("`content` has more than {MAX_CONTENT} bytes"));
        }
        if self.content.contains('\0') {
            return Some("`content` holds a zero byte".to_owned());
        }
        if self.if_contains.len() > 64 {
            return Some("`if_contains` has more than 64 texts".to_owned());
        }
        self.if_contains.iter().find_map(|t| line_fault("if_contains", t)).or_else(|| {
            let low = self.content.to_lowercase();
            self.if_contains.iter().any(|t| low.contains(&t.to_lowercase())).then(|| {
                "`content` itself holds a text of `if_contains`: it would be replaced for ever".to_owned()
            })
        })
    }
}

impl Service {
    fn fault(&self) -> Option<String> {
        if self.names.is_empty() || self.names.len() > 8 {
            return Some("`names` must have 1 to 8 names".to_owned());
        }
        if self.action == ServiceAction::Reload && self.after.is_none() {
            return Some("`reload` needs `after`: the file whose change asks for it".to_owned());
        }
        self.names
            .iter()
            .find_map(|n| name_fault("names", n))
            .or_else(|| self.after.as_deref().and_then(path_fault))
    }
}

fn path_fault(path: &str) -> Option<String> {
    (!is_path(path)).then(|| {
        format!(
            "`{}` is not a path a playbook may name: write it from the root, without `.` or `..`, in plain letters, \
             outside of /proc, /sys and /dev",
            path.chars().take(80).collect::<String>()
        )
    })
}

/// Whether `path` is absolute, normal, plain ASCII, and not in a folder that the kernel makes.
pub(crate) fn is_path(path: &str) -> bool {
    let Some(inside) = path.strip_prefix('/') else {
        return false;
    };
    path.len() <= MAX_PATH
        && !matches!(inside.split('/').next(), Some("proc" | "sys" | "dev"))
        && inside.split('/').all(is_file_name)
}

/// Whether `name` is a file's name in plain letters.
pub(crate) fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..")
        && name.len() <= 255
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+@:".contains(&b))
}

fn line_fault_free(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TEXT && !text.chars().any(|c| c.is_control() && c != '\t')
}

fn line_fault(what: &str, text: &str) -> Option<String> {
    (!line_fault_free(text) || text.trim().len() != text.len())
        .then(|| format!("`{what}` must be one line of 1 to {MAX_TEXT} bytes without blanks around it"))
}

/// A name that is handed to a program: nothing that could read as an option or a path.
fn name_fault(what: &str, name: &str) -> Option<String> {
    let plain = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= 128
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-+@".contains(&b));
    (!plain).then(|| format!("`{what}` is not a plain name"))
}

fn is_sysctl(key: &str) -> bool {
    key.len() <= 128
        && key.contains('.')
        && key.split('.').all(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        })
}

fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn blank() -> String {
    " ".to_owned()
}

fn hash() -> String {
    "#".to_owned()
}

fn readable() -> FileMode {
    FileMode::new(0o644)
}
