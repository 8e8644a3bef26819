//! One file of the [`Buffer`](crate::Buffer): a pulse a line, oldest first.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use durable::{DurableError, Mode};
use serde::Deserialize;

use crate::{
    pulse::{MAX_SEQ, Pulse},
    set_aside::SetAside,
};

/// The most bytes of a segment; the buffer's largest bound divided by its number of segments.
pub(crate) const MAX_SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// Where the damaged form of a segment is kept: one file for all, so that damage takes bounded space.
const DAMAGED: &str = "damaged.set-aside";

/// What is known of a segment without reading it.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    /// The sequence numbers of its pulses, growing.
    pub(crate) seqs: Vec<u64>,
    /// Its length.
    pub(crate) bytes: u64,
}

/// The only part of a line that opening looks at.
#[derive(Deserialize)]
struct Head {
    seq: u64,
}

impl Segment {
    /// A segment that does not exist yet, to begin with `seq`.
    pub(crate) fn new(folder: &Path, seq: u64) -> Self {
        Self { path: folder.join(format!("{seq:020}.jsonl")), seqs: Vec::new(), bytes: 0 }
    }

    /// Whether `name` is a segment's.
    pub(crate) fn is_name(name: &str) -> bool {
        name.strip_suffix(".jsonl").is_some_and(|digits| digits.len() == 20 && digits.parse::<u64>().is_ok())
    }

    /// Reads what is in the file. Lines that are damaged, or not newer than `after`, are taken out; what was
    /// there is kept beside it, except for the torn last line that a kill or a power cut leaves.
    pub(crate) fn open(path: &Path, after: u64) -> Result<(Self, Option<SetAside>), DurableError> {
        let kept = path.with_file_name(DAMAGED);
        let mut segment = Self { path: path.to_owned(), seqs: Vec::new(), bytes: 0 };
        let bytes = match durable::read(path, MAX_SEGMENT_BYTES) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) => return Ok((segment, Some(SetAside::new(path, &kept, error)))),
        };
        let mut good = Vec::with_capacity(bytes.len());
        let (mut last, mut damaged) = (after, 0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let head = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice::<Head>(line).ok());
            match head.filter(|head| head.seq > last && head.seq <= MAX_SEQ) {
                Some(head) => {
                    last = head.seq;
                    segment.seqs.push(head.seq);
                    good.extend_from_slice(line);
                }
                None if line.ends_with(b"\n") => damaged += 1,
                None => {}
            }
        }
        segment.bytes = good.len() as u64;
        let mut notice = None;
        if damaged > 0 {
            let reason =
                format!("{damaged} damaged or repeated lines; {} good ones were kept", segment.seqs.len());
            notice = Some(SetAside::new(path, &kept, reason));
        }
        if good.len() != bytes.len() {
            durable::write(path, &good, Mode::Private)?;
        }
        Ok((segment, notice))
    }

    /// The last sequence number in it.
    pub(crate) fn last(&self) -> Option<u64> {
        self.seqs.last().copied()
    }

    /// How many pulses it holds that are newer than `floor`.
    pub(crate) fn newer_than(&self, floor: u64) -> usize {
        self.seqs.len() - self.seqs.partition_point(|seq| *seq <= floor)
    }

    /// Opens the file for [`Segment::append`]; makes it when there is none.
    pub(crate) fn open_to_append(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)
    }

    /// Adds a line. When this returns, it survives a power cut; when it fails, the file is as before.
    pub(crate) fn append(&mut self, file: &mut File, seq: u64, line: &[u8]) -> io::Result<()> {
        if let Err(error) = file.write_all(line).and_then(|()| file.sync_data()) {
            // Should this fail too, opening takes the torn line out.
            let _ = file.set_len(self.bytes);
            return Err(error);
        }
        self.bytes += line.len() as u64;
        self.seqs.push(seq);
        Ok(())
    }

    /// Gives pulses newer than `floor` to `take`, oldest first, until it says stop (`false`). Says whether more
    /// may be wanted. Lines that cannot be read are passed over.
    pub(crate) fn each(
        &self,
        floor: u64,
        mut take: impl FnMut(Pulse, usize) -> bool,
    ) -> Result<bool, DurableError> {
        let bytes = durable::read(&self.path, MAX_SEGMENT_BYTES)?.unwrap_or_default();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice::<Pulse>(line) {
                Ok(pulse) => {
                    if pulse.seq > floor && !take(pulse, line.len()) {
                        return Ok(false);
                    }
                }
                Err(error) => {
                    tracing::warn!(file = %self.path.display(), %error, "a line that is not a pulse is passed over");
                }
            }
        }
        Ok(true)
    }
}
