//! What the node has the shell do with files, and what it hears of it.

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use trust::Envelope;

use super::{Declined, FileName, TransferId};
use crate::NodeId;

/// A file that is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The transfer.
    pub id: TransferId,
    /// What the file is called.
    pub name: FileName,
    /// Its bytes: at most [`super::MAX_FILE`].
    pub size: u64,
    /// Its SHA-256.
    pub digest: Digest,
}

/// A file to send, new or from before a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// Whom to.
    pub to: NodeId,
    /// What.
    pub offer: Offer,
    /// When it was asked for.
    pub asked: Timestamp,
}

/// Which file comes in: the sender's name for it alone is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartKey {
    /// Who sends it.
    pub from: NodeId,
    /// Its name for it.
    pub id: TransferId,
}

/// Something to do with a file. Each but [`FileJob::Close`] and [`FileJob::End`] is answered by one [`FileDone`] with its
/// number, whatever comes of it. For one [`PartKey`] one is under way at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum FileJob {
    /// Sender: read a piece, when the file is still what it was.
    Read {
        /// The job.
        number: u64,
        /// Of which transfer.
        id: TransferId,
        /// From where.
        offset: u64,
        /// How many bytes: at most [`super::PIECE`].
        bytes: u64,
    },
    /// Sender: the transfer has ended. Keep how, and forget the file.
    End {
        /// Which.
        id: TransferId,
        /// How.
        how: Closing,
    },
    /// Receiver: get ready to write, at the end of what is there already.
    Open {
        /// The job.
        number: u64,
        /// Who sends.
        from: NodeId,
        /// What.
        offer: Offer,
    },
    /// Receiver: write at the end, durably.
    Write {
        /// The job.
        number: u64,
        /// Of which file.
        part: PartKey,
        /// Where, for the check that nothing is left out.
        offset: u64,
        /// What: at most [`super::WINDOW`] bytes.
        bytes: Vec<u8>,
    },
    /// Receiver: it is whole. Compare its digest with the offer's; keep the receipt and give the file its name, durably and
    /// so that a crash in between does neither twice; or forget it.
    Deliver {
        /// The job.
        number: u64,
        /// Of which file.
        part: PartKey,
        /// The signed receipt: told to nobody before the answer.
        receipt: Box<Envelope>,
    },
    /// Receiver: forget what came of it.
    Drop {
        /// The job.
        number: u64,
        /// Of which file.
        part: PartKey,
    },
    /// Receiver: nothing comes for now; what is there stays.
    Close {
        /// Of which file.
        part: PartKey,
    },
}

/// How a transfer ended at its sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closing {
    /// The receiver has it: its signed [`super::FileReceipt`].
    Delivered(Box<Envelope>),
    /// It was not delivered. Why, for people.
    Failed(String),
    /// Somebody here wanted it no more.
    Cancelled,
}

/// What was there when a file was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// So many bytes: a multiple of [`super::CHUNK`], or the size.
    At(u64),
    /// The whole, delivered before, with its receipt.
    Kept(Box<Envelope>),
}

/// What came of a [`FileJob`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileDone {
    /// A piece; or why there is none, after which the transfer has failed.
    Read {
        /// The job.
        number: u64,
        /// Of which transfer.
        id: TransferId,
        /// The piece, of the length that was asked for.
        result: Result<Vec<u8>, String>,
    },
    /// What was there.
    Opened {
        /// The job.
        number: u64,
        /// Of which file.
        part: PartKey,
        /// Where to go on, or why it is not taken.
        result: Result<Opened, Declined>,
    },
    /// [`FileJob::Write`], [`FileJob::Deliver`] or [`FileJob::Drop`] is done.
    Done {
        /// The job.
        number: u64,
        /// Of which file.
        part: PartKey,
        /// Why not. With [`super::Code::Broken`] nothing of the file is left.
        result: Result<(), Declined>,
    },
}

/// What a node hears about files from its machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileInput {
    /// Send this. Where too many wait already, it ends at once.
    Send(Sending),
    /// Somebody wants this transfer no more, whichever way it goes.
    Cancel(TransferId),
    /// What came of a job.
    Done(FileDone),
}
