//! What a program does with files.

use std::path::PathBuf;

use mesh::{
    Input, NodeId,
    bulk::{FileInput, TransferId, TransferView},
};
use tokio::sync::oneshot;
use trust::Envelope;

use crate::{Daemon, FileError, daemon::Command};

impl Daemon {
    /// Puts a file into the outbox, for a node. It goes when there is a link, also after a restart. The digest is taken
    /// before this returns.
    pub async fn send_file(&self, path: PathBuf, to: NodeId) -> Result<TransferId, FileError> {
        let outbox = self.files.outbox.clone();
        let added = tokio::task::spawn_blocking(move || outbox.add(&path, to)).await;
        let sending = added.map_err(|_| FileError::Stopped)??;
        let id = sending.offer.id;
        let input = Command::Input(Box::new(Input::File(FileInput::Send(sending))));
        self.commands.send(input).await.map_err(|_| FileError::Stopped)?;
        Ok(id)
    }

    /// Every transfer: those from here that have ended, the oldest first, then those that have not.
    pub async fn transfers(&self) -> Result<Vec<TransferView>, FileError> {
        let live = self.live_transfers().await?;
        Ok(merged(self.files.outbox.views(), live))
    }

    async fn live_transfers(&self) -> Result<Vec<TransferView>, FileError> {
        let (told, listen) = oneshot::channel();
        self.commands.send(Command::Transfers(told)).await.map_err(|_| FileError::Stopped)?;
        listen.await.map_err(|_| FileError::Stopped)
    }

    /// Ends a transfer, whichever way it goes. Whether it was under way.
    pub async fn cancel_transfer(&self, id: TransferId) -> Result<bool, FileError> {
        let live = self.live_transfers().await?.iter().any(|view| view.id == id);
        let input = Command::Input(Box::new(Input::File(FileInput::Cancel(id))));
        self.commands.send(input).await.map_err(|_| FileError::Stopped)?;
        Ok(live)
    }

    /// The receiver's signed receipt for a file that was delivered: a [`mesh::FileReceipt`].
    pub fn file_receipt(&self, id: &TransferId) -> Option<Envelope> {
        self.files.outbox.receipt(id)
    }
}

/// What the outbox knows with what the node knows. Where one has ended since the node was asked its end counts; where the
/// node knows it no more its end is being written down.
fn merged(mut views: Vec<TransferView>, live: Vec<TransferView>) -> Vec<TransferView> {
    for view in live {
        match views.iter_mut().find(|known| known.id == view.id && known.way == view.way) {
            Some(known) if known.stage.is_end() => {}
            Some(known) => *known = view,
            None => views.push(view),
        }
    }
    views
}

#[cfg(test)]
mod tests {
    use mesh::bulk::{Stage, Way};
    use trust::KeyPair;

    use super::*;

    fn view(number: u8, way: Way, stage: Stage, done: u64) -> TransferView {
        TransferView {
            id: TransferId([number; 16]),
            way,
            node: NodeId::of(&KeyPair::from_secret(&[1; 32]).public()),
            name: "a".parse().unwrap(),
            digest: echo_core::Digest::of(b"a"),
            size: 5,
            done,
            rate: 0,
            stage,
            why: String::new(),
            since: echo_core::Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn each_transfer_is_shown_once_and_no_other_hides_it() {
        let ended = view(1, Way::Out, Stage::Delivered, 5);
        let ending = view(2, Way::Out, Stage::Waiting, 0);
        let goes = view(3, Way::Out, Stage::Moving, 3);
        let comes = view(1, Way::In, Stage::Moving, 1);
        let known = vec![ended.clone(), ending.clone(), view(3, Way::Out, Stage::Waiting, 0)];
        let live = vec![view(1, Way::Out, Stage::Moving, 4), goes.clone(), comes.clone()];
        assert_eq!(merged(known, live), [ended, ending, goes, comes]);
    }
}
