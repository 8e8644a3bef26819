//! What a policy may ask of a machine.

use crate::sysctl;

/// The most bytes of one file; a longer one is not read at all, because half a file gives half an answer.
pub const MAX_FILE: u64 = 1024 * 1024;
/// The most entries that one directory rule looks at.
pub const MAX_ENTRIES: usize = 10_000;
/// The most bytes of a command's output.
pub const MAX_OUTPUT: u64 = 1024 * 1024;

/// What an entry of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device, a pipe, a socket.
    Other,
}

/// Who may do what with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// The permission bits, set-id and sticky bits included (`0o7777`).
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Bytes.
    pub size: u64,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name alone.
    pub name: String,
    /// What it is; a symbolic link is not followed.
    pub kind: FileKind,
}

/// What a command wrote to its standard output and error, in the order written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOutput {
    /// The text; bytes that are not UTF-8 replaced.
    pub text: String,
    /// It ended with status 0.
    pub success: bool,
}

/// Why a file or a directory was not seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SystemError {
    /// There is none.
    #[error("{0} does not exist")]
    Absent(String),
    /// It may not be read.
    #[error("{0} may not be read: scan as root")]
    Denied(String),
    /// Over [`MAX_FILE`] or [`MAX_ENTRIES`].
    #[error("{0} is larger than a scan reads")]
    TooLarge(String),
    /// A directory where a file is wanted, or the reverse.
    #[error("{0} is not of the kind the rule wants")]
    WrongKind(String),
    /// Anything else.
    #[error("{path} cannot be read ({reason}): look at the disk")]
    Failed {
        /// Which path.
        path: String,
        /// What the operating system says.
        reason: String,
    },
}

/// A machine to ask, or what stands for one.
///
/// Paths are absolute and `/`-separated. Every method is bounded in bytes, entries and time.
pub trait System: Send + Sync {
    /// A whole regular file as text, at most [`MAX_FILE`] bytes; bytes that are not UTF-8 replaced.
    fn read_file(&self, path: &str) -> Result<String, SystemError>;

    /// Mode and owner, of a link's target when `follow`.
    fn metadata(&self, path: &str, follow: bool) -> Result<Metadata, SystemError>;

    /// The names in a directory, sorted, at most [`MAX_ENTRIES`]; names that are not UTF-8 left out.
    fn list_dir(&self, path: &str) -> Result<Vec<Entry>, SystemError>;

    /// Runs a program without a shell; none where nothing can be run, or the program is missing, or it took too
    /// long.
    fn command(&self, argv: &[String]) -> Option<CommandOutput> {
        let _ = argv;
        None
    }

    /// The names of the running processes; none where nothing runs.
    fn processes(&self) -> Option<Vec<String>> {
        None
    }

    /// A kernel parameter, key with dots; none when it is not set. Where no kernel runs: the value that
    /// `sysctl.d(5)` would set at boot.
    fn sysctl(&self, key: &str) -> Option<String> {
        sysctl::configured(self, key)
    }
}
