//! Files that go to other nodes and come from them: what the node wants done with them is done here, off the loop.
//!
//! In the mesh's folder: `outbox/` holds what is to be sent and how it ended, `inbox/NODE/NAME` what came.

mod disk;
mod inbox;
mod outbox;
mod size;

use std::{path::PathBuf, sync::Arc};

use echo_core::Mint;
use mesh::bulk::{FileDone, FileJob, Sending};
use tokio::sync::mpsc;

pub(crate) use self::{inbox::Inbox, outbox::Outbox};
pub use self::{
    outbox::FileError,
    size::{Size, SizeError},
};

/// Work on files that is done and that the loop has not looked at.
const MAX_DONE: usize = 64;

/// Where files are, and how much of them is taken.
#[derive(Debug, Clone)]
pub struct FileOptions {
    /// The folder for `outbox` and `inbox`.
    pub folder: PathBuf,
    /// The most bytes that the inbox may hold; 0: no file of another node is taken.
    pub inbox: Size,
}

/// Both boxes.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) outbox: Arc<Outbox>,
    inbox: Arc<Inbox>,
    done: mpsc::Sender<FileDone>,
}

impl Files {
    /// Opens both. What waits to be sent, and where to hear of what was done.
    pub(crate) fn open(
        options: &FileOptions,
        mint: &Mint,
    ) -> Result<(Self, Vec<Sending>, mpsc::Receiver<FileDone>), FileError> {
        let (outbox, waiting) = Outbox::open(&options.folder.join("outbox"), mint.clone())?;
        let inbox = Inbox::open(&options.folder.join("inbox"), options.inbox.0, mint)?;
        let (done, work) = mpsc::channel(MAX_DONE);
        Ok((Self { outbox: Arc::new(outbox), inbox: Arc::new(inbox), done }, waiting, work))
    }

    /// Does a job in its own time. The node bounds how many there are.
    pub(crate) fn begin(&self, job: FileJob) {
        let job = match job {
            FileJob::Close { part } => return self.inbox.close(&part),
            job => job,
        };
        let files = self.clone();
        tokio::spawn(async move {
            let (outbox, inbox) = (Arc::clone(&files.outbox), Arc::clone(&files.inbox));
            match tokio::task::spawn_blocking(move || work(&outbox, &inbox, job)).await {
                // Nobody listens once the node has stopped.
                Ok(Some(done)) => drop(files.done.send(done).await),
                Ok(None) => {}
                Err(why) => tracing::error!(%why, "work on a file broke off: its transfer stands still"),
            }
        });
    }
}

fn work(outbox: &Outbox, inbox: &Inbox, job: FileJob) -> Option<FileDone> {
    Some(match job {
        FileJob::Read { number, id, offset, bytes } => {
            FileDone::Read { number, id, result: outbox.read(&id, offset, bytes) }
        }
        FileJob::End { id, how } => {
            outbox.end(&id, how);
            return None;
        }
        FileJob::Open { number, from, offer } => {
            let part = mesh::bulk::PartKey { from, id: offer.id };
            FileDone::Opened { number, part, result: inbox.begin(part, &offer) }
        }
        FileJob::Write { number, part, offset, bytes } => {
            FileDone::Done { number, part, result: inbox.write(&part, offset, &bytes) }
        }
        FileJob::Deliver { number, part, receipt } => {
            FileDone::Done { number, part, result: inbox.deliver(&part, *receipt) }
        }
        FileJob::Drop { number, part } => {
            inbox.forget(&part);
            FileDone::Done { number, part, result: Ok(()) }
        }
        FileJob::Close { part } => {
            inbox.close(&part);
            return None;
        }
    })
}
