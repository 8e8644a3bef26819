//! Who had what: `audit.jsonl`, one line an access, each line naming the digest of the one before.
//!
//! A line that is written while the vault is open carries a code under the vault's identity, which nobody else can
//! make; the others (a secret brought to a sealed vault, a wrong passphrase) a plain digest. Since each line holds
//! the one before, the newest code covers everything above it. What no chain can show by itself is that its end was
//! cut off: for that, the platform enters the head into its genesis ledger (see `desk`).
//!
//! A line that records a change names the digest of the index after it, and is the moment the change is made (see
//! `change`).

mod line;

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
};

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    VaultError,
    disk::{AUDIT, Disk, failed},
    keys::{AuditKey, Keys},
};

pub(crate) use self::line::Event;
pub use self::line::{Actor, AuditLine, MAX_WORDS, Outcome, What};

/// The most bytes of the audit file: some 150,000 accesses. Then it must be archived.
pub const MAX_AUDIT_BYTES: u64 = 64 * 1024 * 1024;
/// The most bytes of one line.
pub const MAX_LINE: u64 = 4096;
/// The names of archived files, around the number of their last line.
const ARCHIVED: &str = "audit-";
const ARCHIVED_END: &str = ".jsonl";

/// The end of the audit: what the platform enters into its ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditHead {
    /// The number of the last line.
    pub seq: u64,
    /// Its digest.
    pub digest: Digest,
}

/// The audit as read so far, each line checked.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    /// How many bytes of the file are good.
    length: u64,
    head: AuditHead,
    /// The digest of the index after the last change.
    pub index: Option<Digest>,
    /// The identity whose code stands on the newest line that has one.
    pub key: Option<String>,
    /// Whether a torn line stands at the end.
    torn: bool,
    /// Which file was read: another one is there after an archiving.
    inode: Option<u64>,
}

impl Audit {
    /// Before the first line.
    pub fn empty() -> Self {
        let digest = Digest::of(b"echo-vault-audit-v1");
        Self {
            length: 0,
            head: AuditHead { seq: 0, digest },
            index: None,
            key: None,
            torn: false,
            inode: None,
        }
    }

    pub fn head(&self) -> &AuditHead {
        &self.head
    }

    /// Reads on to the end of the file. Codes of the identity in `key` are checked.
    pub fn follow(&mut self, disk: &Disk, key: Option<&AuditKey>) -> Result<(), VaultError> {
        if self.inode.is_none() || self.inode == inode(disk) {
            return self.walk_file(disk, AUDIT, key, &mut |_, _| {});
        }
        // Another file: what was read before must stand in the archived ones.
        let (known, mut held) = (self.head.clone(), false);
        *self = Self::walk_all(disk, key, |line, digest| {
            held |= (line.seq, *digest) == (known.seq, known.digest);
        })?;
        if held { Ok(()) } else { Err(VaultError::tampered(AUDIT, "it was put back or made anew")) }
    }

    /// The whole audit, the archived files first, with each line and its digest.
    pub fn walk_all(
        disk: &Disk,
        key: Option<&AuditKey>,
        mut each: impl FnMut(&AuditLine, &Digest),
    ) -> Result<Self, VaultError> {
        let mut audit = Self::empty();
        for file in archives(disk)? {
            audit.length = 0;
            audit.walk_file(disk, &file, key, &mut each)?;
        }
        audit.length = 0;
        audit.walk_file(disk, AUDIT, key, &mut each)?;
        Ok(audit)
    }

    fn walk_file(
        &mut self,
        disk: &Disk,
        file: &str,
        key: Option<&AuditKey>,
        each: &mut impl FnMut(&AuditLine, &Digest),
    ) -> Result<(), VaultError> {
        let path = disk.path(file);
        let io = |e| VaultError::from(failed("read", &path)(e));
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(VaultError::tampered(AUDIT, "it is missing"));
            }
            Err(error) => return Err(io(error)),
        };
        let about = file.metadata().map_err(io)?;
        self.inode = Some(about.ino());
        if about.len() < self.length {
            return Err(VaultError::tampered(AUDIT, "its end was cut off"));
        }
        file.seek(SeekFrom::Start(self.length)).map_err(io)?;
        let mut reader = BufReader::new(file.take(MAX_AUDIT_BYTES + MAX_LINE));
        self.torn = false;
        let mut text = Vec::new();
        loop {
            text.clear();
            let read = (&mut reader).take(MAX_LINE + 1).read_until(b'\n', &mut text).map_err(io)?;
            if read == 0 {
                return Ok(());
            }
            let Some(line) = text.strip_suffix(b"\n") else {
                return self.torn_end(&text);
            };
            let digest = Digest::of(line);
            let line = self.check(line, key)?;
            each(&line, &digest);
            self.advance(&line, digest, read as u64);
        }
    }

    /// A line without its end: what a crash leaves while it writes. A whole line is never without.
    fn torn_end(&mut self, text: &[u8]) -> Result<(), VaultError> {
        let unfinished = serde_json::from_slice::<serde::de::IgnoredAny>(text).is_err_and(|e| e.is_eof());
        if text.len() as u64 > MAX_LINE || !unfinished {
            return Err(self.broken("it does not end in a line end"));
        }
        self.torn = true;
        Ok(())
    }

    fn check(&self, bytes: &[u8], key: Option<&AuditKey>) -> Result<AuditLine, VaultError> {
        let line: AuditLine = serde_json::from_slice(bytes).map_err(|e| self.broken(&e.to_string()))?;
        if line.to_bytes() != bytes {
            return Err(self.broken("it is not spelled as the vault spells"));
        }
        // The first line of a file may go on from lines that are archived.
        let fresh = self.head.seq == 0 && line.what == What::Archive && line.key.is_some();
        if !fresh && (self.head.seq + 1 != line.seq || self.head.digest != line.previous) {
            return Err(self.broken("it does not follow the line before"));
        }
        // Anybody can write a line without a code, and could put an older index back with it.
        if line.index.is_some() && line.key.is_none() {
            return Err(self.broken("it records a change, and has no code of the vault's identity"));
        }
        let body = AuditLine { check: String::new(), ..line.clone() }.to_bytes();
        let holds = match (&line.key, key) {
            (None, _) => Digest::of(&body).hex() == line.check,
            (Some(tag), Some(key)) if *tag == key.tag => key.mac.holds(&body, &line.check),
            // Of another identity, or nobody can say now: the newest line with our code covers it.
            (Some(_), _) => true,
        };
        if holds { Ok(line) } else { Err(self.broken("its check does not hold")) }
    }

    fn broken(&self, why: &str) -> VaultError {
        VaultError::tampered(AUDIT, format!("line {}: {why}", self.head.seq + 1))
    }

    fn advance(&mut self, line: &AuditLine, digest: Digest, bytes: u64) {
        self.length += bytes;
        self.head = AuditHead { seq: line.seq, digest };
        if line.index.is_some() {
            self.index = line.index;
        }
        if line.key.is_some() {
            self.key.clone_from(&line.key);
        }
    }

    /// Writes a line, durably. When this fails, what it would record must not happen.
    pub fn append(
        &mut self,
        disk: &Disk,
        keys: Option<&Keys>,
        actor: &Actor,
        at: Timestamp,
        event: &Event,
        index: Option<Digest>,
    ) -> Result<(), VaultError> {
        if self.torn {
            self.torn = false;
            let why = "a line that was not finished was cut off".to_owned();
            let repair = Event { why: Some(why), ..Event::granted(What::Repair) };
            // Without a code: who changes the identity must not leave one of it before the change is made.
            self.write(disk, None, &Actor::new("the vault"), at, &repair, None)?;
        }
        self.write(disk, keys, actor, at, event, index)
    }

    /// Begins a new file, whose first line goes on from the last one of the old. Gives back the name of the old.
    pub fn archive(
        &mut self,
        disk: &Disk,
        keys: &Keys,
        actor: &Actor,
        at: Timestamp,
    ) -> Result<String, VaultError> {
        let good = archives(disk)?;
        for left in disk.files("")?.into_iter().filter(|f| archived(f).is_some() && !good.contains(f)) {
            disk.remove(&left)?;
        }
        let name = format!("{ARCHIVED}{:012}{ARCHIVED_END}", self.head.seq);
        disk.link(AUDIT, &name)?;
        let line = self.line(Some(keys), actor, at, &Event::granted(What::Archive), self.index);
        let mut bytes = line.to_bytes();
        let digest = Digest::of(&bytes);
        bytes.push(b'\n');
        disk.put(AUDIT, &bytes)?;
        self.length = 0;
        self.inode = inode(disk);
        self.advance(&line, digest, bytes.len() as u64);
        Ok(name)
    }

    fn write(
        &mut self,
        disk: &Disk,
        keys: Option<&Keys>,
        actor: &Actor,
        at: Timestamp,
        event: &Event,
        index: Option<Digest>,
    ) -> Result<(), VaultError> {
        let line = self.line(keys, actor, at, event, index);
        let mut bytes = line.to_bytes();
        let digest = Digest::of(&bytes);
        bytes.push(b'\n');
        if self.length + bytes.len() as u64 > MAX_AUDIT_BYTES {
            return Err(VaultError::AuditFull);
        }
        disk.append(AUDIT, self.length, &bytes)?;
        self.advance(&line, digest, bytes.len() as u64);
        Ok(())
    }

    /// The next line, with its check.
    fn line(
        &self,
        keys: Option<&Keys>,
        actor: &Actor,
        at: Timestamp,
        event: &Event,
        index: Option<Digest>,
    ) -> AuditLine {
        let Event { what, outcome, secret, receiver, hand_over, why } = event.clone();
        let (namespace, name, version) =
            secret.map_or((None, None, None), |s| (Some(s.namespace), Some(s.name), s.version));
        let mut line = AuditLine {
            seq: self.head.seq + 1,
            at,
            who: actor.who.clone(),
            what,
            namespace,
            name,
            version,
            receiver,
            hand_over,
            outcome,
            why: why.or_else(|| actor.why.clone()),
            index,
            previous: self.head.digest,
            key: keys.map(|keys| keys.audit.tag.clone()),
            check: String::new(),
        };
        let body = line.to_bytes();
        line.check = keys.map_or_else(|| Digest::of(&body).hex(), |keys| keys.audit.mac.code(&body));
        line
    }
}

/// Which file the audit is now.
fn inode(disk: &Disk) -> Option<u64> {
    disk.path(AUDIT).metadata().map(|about| about.ino()).ok()
}

/// The archived files, oldest first. One that a crash left, whose lines the file in force still has, does not count.
fn archives(disk: &Disk) -> Result<Vec<String>, VaultError> {
    let mut first = Vec::new();
    let path = disk.path(AUDIT);
    File::open(&path)
        .and_then(|file| BufReader::new(file.take(MAX_LINE)).read_until(b'\n', &mut first))
        .map_err(failed("read", &path))?;
    let first: AuditLine = serde_json::from_slice(&first)
        .map_err(|e| VaultError::tampered(AUDIT, format!("line 1 of the file: {e}")))?;
    let all = disk.files("")?;
    Ok(all.into_iter().filter(|f| archived(f).is_some_and(|last| last < first.seq)).collect())
}

/// The number of the last line of an archived file, from its name.
fn archived(file: &str) -> Option<u64> {
    file.strip_prefix(ARCHIVED)?.strip_suffix(ARCHIVED_END)?.parse().ok()
}
