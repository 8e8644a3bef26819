//! Erasing a customer: what goes, what stays and why, and the signed word that it was done.
//!
//! One transaction forgets the rows and keeps an [`ErasureRecord`] that says what is left to do: files, memory, the free
//! pages of the database. Each of that can be done again, so that a crash anywhere is continued at the next start.

use std::{collections::BTreeSet, sync::Mutex};

use access::{Action, Principal};
use echo_core::{CustomerId, DeviceId, Digest};
use mesh::NodeId;
use serde::{Deserialize, Serialize};
use store::{Filter, Owned, Record, Scope, Tx};
use tokio::sync::Mutex as AsyncMutex;

use crate::{
    Call, Desk, DeskError, EraseCustomer, Erased, ErasureState, ErasureView, Work,
    desk::blocking,
    erasure_files,
    erasure_view::{is_money, name_of, plan, stays},
    recall::memory_error,
};

/// What the desk needs at hand for erasures.
#[derive(Debug, Default)]
pub(crate) struct ErasureRoom {
    /// Held by whoever finishes erasures, and by whoever keeps something of a customer apart from the database.
    pub(crate) turn: AsyncMutex<()>,
    /// Devices that were erased since the start: what they sent before is not taken any more.
    pub(crate) forgotten: Mutex<BTreeSet<DeviceId>>,
}

/// What is left to do after the records are gone. It names the customer, so it goes as soon as that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Todo {
    pub(crate) customer: CustomerId,
    pub(crate) devices: Vec<DeviceId>,
    pub(crate) nodes: Vec<NodeId>,
    /// The names of the documents that lie as single files in `ledger/` and `attestations/`.
    pub(crate) documents: Vec<String>,
    /// Whether learned triage may have learned from a case of theirs.
    pub(crate) taught: bool,
}

/// An erasure as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ErasureRecord {
    /// By the digest of whom.
    id: String,
    pub(crate) erased: Erased,
    pub(crate) attestation: String,
    /// How many there were of this customer, with this one.
    pub(crate) times: u32,
    pub(crate) stage: Stage,
    pub(crate) todo: Option<Todo>,
}

/// What is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Stage {
    /// Files and memory.
    Files,
    /// The free pages of the database.
    Pages,
    /// Nothing.
    Done,
}

impl Stage {
    fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Pages => "pages",
            Self::Done => "done",
        }
    }
}

impl Record for ErasureRecord {
    const KIND: &'static str = "erasure";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }

    fn state(&self) -> &str {
        self.stage.as_str()
    }
}

impl ErasureRecord {
    pub(crate) fn new(erased: Erased, times: u32, todo: Todo) -> Self {
        let id = record_id(&erased.customer);
        let attestation = match times {
            1 => format!("erasure-{}", &id[..32]),
            times => format!("erasure-{}-{times}", &id[..32]),
        };
        Self { id, erased, attestation, times, stage: Stage::Files, todo: Some(todo) }
    }

    /// That of a customer, when there was one.
    pub(crate) async fn of(tx: &mut Tx, subject: &Digest) -> Result<Option<Self>, DeskError> {
        Ok(tx.get(&Scope::All, &record_id(subject)).await?)
    }

    fn view(self) -> ErasureView {
        let state = if self.stage == Stage::Done { ErasureState::Erased } else { ErasureState::Erasing };
        ErasureView {
            state,
            goes: self.erased.records.clone(),
            stays: stays(self.erased.kept_invoices > 0),
            obstacles: Vec::new(),
            notes: Vec::new(),
            attestation: Some(self.attestation),
            erased: Some(self.erased),
        }
    }
}

fn record_id(subject: &Digest) -> String {
    subject.hex()
}

impl Desk {
    /// What erasing a customer would do, or what it did. `keep_invoices` as in [`EraseCustomer`].
    ///
    /// # Errors
    /// [`DeskError::NotFound`] when there is and was no such customer.
    pub async fn erasure(
        &self,
        principal: &Principal,
        id: &CustomerId,
        keep_invoices: bool,
    ) -> Result<ErasureView, DeskError> {
        principal.require(Action::EraseCustomer)?;
        let mut tx = self.store().read().await?;
        let owned = tx.owned(id).await?;
        if owned.iter().all(is_money) {
            let known = ErasureRecord::of(&mut tx, &self.erased_digest(id)).await?;
            if let Some(record) = known {
                return Ok(record.view());
            }
        }
        plan(&mut tx, id, &owned, keep_invoices).await
    }

    /// Erases a customer: every record of theirs, what others' records say of them, the files, what is remembered of
    /// them. Nodes are revoked first, and an attestation of digests and numbers is entered into the genesis ledger. No
    /// answer is kept: a second erasure changes nothing, and says when the first one was.
    ///
    /// # Errors
    /// [`DeskError::Invalid`] when the name is not the customer's, [`DeskError::Conflict`] when an invoice is unpaid and
    /// invoices do not stay.
    pub async fn erase_customer(
        &self,
        call: &Call,
        id: &CustomerId,
        ask: &EraseCustomer,
    ) -> Result<ErasureView, DeskError> {
        call.principal.require(Action::EraseCustomer)?;
        let mut work = self.work(&call.principal.name).await?;
        let owned = work.tx.owned(id).await?;
        let before = ErasureRecord::of(&mut work.tx, &self.erased_digest(id)).await?;
        let nothing_left = owned.is_empty() || (ask.keep_invoices && owned.iter().all(is_money));
        if before.is_some() && nothing_left {
            drop(work);
        } else {
            work.begin_erasure(call, id, ask, &owned, before).await?;
            let committed = work.commit().await;
            // Committed it is even when the ledger is behind.
            self.refresh_revocations().await?;
            committed?;
        }
        // In a task of its own: a caller that goes away does not stop it half-way.
        let desk = self.clone();
        let finished = tokio::spawn(async move { desk.finish_erasures().await });
        finished.await.map_err(|e| DeskError::Internal(e.to_string()))??;
        self.erasure(&call.principal, id, ask.keep_invoices).await
    }

    /// Does what begun erasures left to do, one after the other.
    pub(crate) async fn finish_erasures(&self) -> Result<(), DeskError> {
        let _turn = self.erasing().lock().await;
        let mut tx = self.store().read().await?;
        let open = tx.all::<ErasureRecord>(&Scope::All, &Filter::in_state(Stage::Files.as_str())).await?;
        drop(tx);
        for mut record in open {
            if let Some(todo) = record.todo.take() {
                self.forget_stragglers(&todo.customer, record.erased.kept_invoices > 0).await?;
                self.wipe(todo).await?;
            }
            record.stage = Stage::Pages;
            self.keep_stage(&record).await?;
        }
        let mut tx = self.store().read().await?;
        let unswept = tx.all::<ErasureRecord>(&Scope::All, &Filter::in_state(Stage::Pages.as_str())).await?;
        drop(tx);
        if unswept.is_empty() {
            return Ok(());
        }
        self.store().scrub().await?;
        for mut record in unswept {
            record.stage = Stage::Done;
            self.keep_stage(&record).await?;
        }
        Ok(())
    }

    /// The same at a start and every hour. What cannot be done is said in the log and in the health, and nobody's work
    /// waits for it.
    pub(crate) async fn resume_erasures(&self) {
        if let Err(error) = self.finish_erasures().await {
            tracing::error!(%error, "an erasure is not finished: it is tried again in an hour and at the next start");
        }
    }

    /// How many erasures are not finished.
    pub(crate) async fn unfinished_erasures(&self) -> Result<u64, DeskError> {
        let mut tx = self.store().read().await?;
        let mut open = 0;
        for stage in [Stage::Files, Stage::Pages] {
            open += tx.count::<ErasureRecord>(&Scope::All, &Filter::in_state(stage.as_str())).await?;
        }
        Ok(open)
    }

    async fn keep_stage(&self, record: &ErasureRecord) -> Result<(), DeskError> {
        let mut tx = self.store().write().await?;
        tx.update(record).await?;
        Ok(tx.commit().await?)
    }

    /// What a request that was under way meanwhile may still have kept.
    async fn forget_stragglers(&self, id: &CustomerId, keep_invoices: bool) -> Result<(), DeskError> {
        let mut tx = self.store().write().await?;
        tx.forget_owned(id, |owned| keep_invoices && is_money(owned)).await?;
        Ok(tx.commit().await?)
    }

    /// Everything outside of the database.
    async fn wipe(&self, todo: Todo) -> Result<(), DeskError> {
        self.forget_pulses(&todo.devices).await?;
        self.mesh_board().forget(&todo.customer);
        self.write_node_registry().await?;
        self.memory().forget_customer(&todo.customer).await.map_err(memory_error)?;
        if todo.taught {
            self.forget_learned().await?;
        }
        let desk = self.clone();
        // While nobody publishes: a document whose record was read before it went could still become a file.
        let _quiet = self.draining().lock().await;
        blocking(move || erasure_files::wipe(desk.home(), &todo)).await
    }

    async fn forget_pulses(&self, devices: &[DeviceId]) -> Result<(), DeskError> {
        {
            let mut board = self.board();
            let mut forgotten = self.forgotten();
            for device in devices {
                board.forget(device);
                forgotten.insert(device.clone());
            }
        }
        let desk = self.clone();
        blocking(move || desk.save_pulses()).await
    }

    /// What stands for a customer's id when nothing else of them is left.
    pub(crate) fn erased_digest(&self, id: &CustomerId) -> Digest {
        Digest::of(format!("echo erasure v1\n{}\n{id}\n", self.root()).as_bytes())
    }
}

impl Work<'_> {
    /// Forgets the records, once the name was written out and nothing stands in the way.
    async fn begin_erasure(
        &mut self,
        call: &Call,
        id: &CustomerId,
        ask: &EraseCustomer,
        owned: &[Owned],
        before: Option<ErasureRecord>,
    ) -> Result<(), DeskError> {
        if name_of(&mut self.tx, id).await? != ask.confirm.trim() {
            let reason =
                "write the customer's name as it stands in the list of customers: nothing was erased";
            return Err(DeskError::invalid("confirm", reason));
        }
        if before.as_ref().is_some_and(|before| before.todo.is_some()) {
            let why = "the erasure before this one is not finished: the platform's log says why; try again when it is";
            return Err(DeskError::Conflict(why.to_owned()));
        }
        let planned = plan(&mut self.tx, id, owned, ask.keep_invoices).await?;
        if !planned.obstacles.is_empty() {
            return Err(DeskError::Conflict(planned.obstacles.join("; ")));
        }
        let times = before.map_or(0, |before| before.times) + 1;
        self.forget_customer(id, ask, &call.principal, owned, times).await
    }
}
