//! The desk itself: everything that a step needs at hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use access::token::Issuer;
use agents::{Admitted, Breaker, Skill};
use dossier::LogName;
use echo_core::{CallId, DeviceId, Digest, Mint, Timestamp};
use ledger::Log;
use models::Models;
use observability::PulseBoard;
use store::Store;
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};
use trust::{KeyPair, KeyRole, Keystore, Registry, TrustChain};
use witness::Cosigner;

use crate::{
    Content, DeskError,
    clock::ClockRoom,
    erasure::ErasureRoom,
    learning::LearningRoom,
    mesh_board::{MeshBoard, MeshRoom},
    network::NetworkRoom,
    recall::MemoryRoom,
    schedule::ScheduleRoom,
    vault::VaultRoom,
};

/// How long kept answers and events stay, in seconds.
const MEMORY_SECONDS: i64 = 7 * 24 * 3600;
/// How long an admission is remembered, in seconds: twice as long as a device has to begin.
const ADMISSION_SECONDS: i64 = 2 * 3600;

/// Where cases are handled. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Desk(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) home: PathBuf,
    pub(crate) mint: Mint,
    pub(crate) store: Store,
    pub(crate) keystore: Keystore,
    pub(crate) chain: TrustChain,
    pub(crate) registry: Registry,
    pub(crate) notices: Vec<trust::Envelope>,
    pub(crate) root: Digest,
    pub(crate) issuer: Issuer,
    pub(crate) genesis: Log,
    pub(crate) aeterna: Log,
    pub(crate) content: Content,
    pub(crate) learning: LearningRoom,
    pub(crate) board: Mutex<PulseBoard>,
    pub(crate) durable_seqs: Mutex<BTreeMap<DeviceId, u64>>,
    pub(crate) gates: Mutex<Gates>,
    pub(crate) draining: AsyncMutex<Entered>,
    pub(crate) changes: watch::Sender<u64>,
    pub(crate) cosigner: Cosigner,
    pub(crate) asking: Notify,
    /// How it stands between which witnesses and ledgers was heard since the start.
    pub(crate) heard: Mutex<BTreeSet<String>>,
    pub(crate) started: Timestamp,
    pub(crate) index_stale: AtomicBool,
    pub(crate) clock: ClockRoom,
    pub(crate) network: NetworkRoom,
    pub(crate) vault: VaultRoom,
    pub(crate) mesh: MeshRoom,
    pub(crate) erasure: ErasureRoom,
    pub(crate) models: Models,
    pub(crate) memory: MemoryRoom,
    pub(crate) schedule: ScheduleRoom,
}

/// Whether the ledgers' outbox was found empty since the start. Until then an entry may be one that a run which was
/// cut off has published already.
#[derive(Debug, Default)]
pub(crate) struct Entered {
    pub(crate) once: bool,
}

/// The breakers, and the calls that were let in and have not ended.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    pub(crate) breakers: BTreeMap<Skill, Breaker>,
    pub(crate) admitted: BTreeMap<CallId, Admitted>,
}

impl Desk {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn heard(&self) -> MutexGuard<'_, BTreeSet<String>> {
        // Nothing panics while it holds the lock half-way through a change.
        self.0.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn erasing(&self) -> &AsyncMutex<()> {
        &self.0.erasure.turn
    }

    pub(crate) fn forgotten(&self) -> MutexGuard<'_, BTreeSet<DeviceId>> {
        self.0.erasure.forgotten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn started(&self) -> Timestamp {
        self.0.started
    }

    pub(crate) fn mint(&self) -> &Mint {
        &self.0.mint
    }

    pub(crate) fn issuer(&self) -> &Issuer {
        &self.0.issuer
    }

    pub(crate) fn learning(&self) -> &LearningRoom {
        &self.0.learning
    }

    pub(crate) fn signer(&self, role: KeyRole) -> Result<&KeyPair, DeskError> {
        self.0.keystore.signer(role).map_err(|e| DeskError::Home(e.to_string()))
    }

    pub(crate) fn board(&self) -> MutexGuard<'_, PulseBoard> {
        self.0.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn gates(&self) -> MutexGuard<'_, Gates> {
        self.0.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn draining(&self) -> &AsyncMutex<Entered> {
        &self.0.draining
    }

    pub(crate) fn changes_sender(&self) -> &watch::Sender<u64> {
        &self.0.changes
    }

    pub(crate) fn vault_room(&self) -> &VaultRoom {
        &self.0.vault
    }

    pub(crate) fn mesh_trouble(&self) -> &watch::Sender<Option<String>> {
        &self.0.mesh.stopped
    }

    pub(crate) fn clock_room(&self) -> &ClockRoom {
        &self.0.clock
    }

    pub(crate) fn network_watch(&self) -> &NetworkRoom {
        &self.0.network
    }

    pub(crate) fn models_room(&self) -> &Models {
        &self.0.models
    }

    pub(crate) fn schedule_room(&self) -> &ScheduleRoom {
        &self.0.schedule
    }

    pub(crate) fn memory_room(&self) -> &MemoryRoom {
        &self.0.memory
    }

    pub(crate) fn mesh_board(&self) -> &MeshBoard {
        &self.0.mesh.board
    }

    pub(crate) fn revocations(&self) -> &watch::Sender<Option<trust::Envelope>> {
        &self.0.mesh.revocations
    }

    pub(crate) fn saving(&self) -> &AsyncMutex<()> {
        &self.0.mesh.saving
    }

    pub(crate) fn cosigner(&self) -> &Cosigner {
        &self.0.cosigner
    }

    /// Returns once somebody wants the witnesses to be asked now.
    pub async fn witnesses_wanted(&self) {
        self.0.asking.notified().await;
    }

    pub(crate) fn wake_witnesses(&self) {
        self.0.asking.notify_one();
    }

    /// Notes that an attestation was entered that the index does not list yet.
    pub(crate) fn index_is_stale(&self) {
        self.0.index_stale.store(true, Ordering::Release);
    }

    /// Whether the index is stale; whoever asks brings it up to date.
    pub(crate) fn take_index_stale(&self) -> bool {
        self.0.index_stale.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn durable_seq(&self, device: &DeviceId) -> u64 {
        let seqs = self.0.durable_seqs.lock().unwrap_or_else(PoisonError::into_inner);
        seqs.get(device).copied().unwrap_or(0)
    }

    pub(crate) fn set_durable_seqs(&self, seqs: BTreeMap<DeviceId, u64>) {
        *self.0.durable_seqs.lock().unwrap_or_else(PoisonError::into_inner) = seqs;
    }

    pub(crate) fn notices_kept(&self) -> &[trust::Envelope] {
        &self.0.notices
    }

    pub(crate) fn chain_versions(&self) -> &[trust::Envelope] {
        self.0.chain.versions()
    }

    pub(crate) fn chain_json(&self) -> Result<serde_json::Value, DeskError> {
        Ok(serde_json::from_slice(&self.0.chain.to_json())?)
    }

    /// The home directory.
    pub fn home(&self) -> &Path {
        &self.0.home
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.0.mint.now()
    }

    /// The trust registry in force.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// The trust chain as its file holds it.
    pub fn trust_chain(&self) -> Vec<u8> {
        self.0.chain.to_json()
    }

    /// The fingerprint of the trust root.
    pub fn root(&self) -> &Digest {
        &self.0.root
    }

    /// The public keys of access tokens (JWKS, RFC 7517).
    pub fn jwks(&self) -> serde_json::Value {
        self.0.issuer.jwks()
    }

    /// What the platform offers.
    pub fn content(&self) -> &Content {
        &self.0.content
    }

    /// One of the two ledgers.
    pub fn log(&self, name: LogName) -> &Log {
        match name {
            LogName::Genesis => &self.0.genesis,
            LogName::Aeterna => &self.0.aeterna,
        }
    }

    /// What is to be done every few seconds: telemetry to disk, commands whose time is over.
    pub async fn tick(&self) -> Result<(), DeskError> {
        self.save_pulses()?;
        self.refresh_index().await;
        self.refresh_revocations().await?;
        self.remember_in_background();
        self.expire_commands().await
    }

    /// What is to be done at a start, and then by the schedule: forget answers and events that nobody will ask for again,
    /// and admissions of calls that never came to be; close the standing cases whose month is over; learn from what was
    /// decided.
    pub async fn tidy(&self) -> Result<(), DeskError> {
        self.bill_standing().await?;
        self.forget_answers().await?;
        self.resume_erasures().await;
        self.tidy_memory().await?;
        self.check_prompt().await;
        self.learn_when_due().await
    }

    /// Forgets old answers, events and admissions; how many answers and events.
    pub(crate) async fn forget_answers(&self) -> Result<(u64, u64), DeskError> {
        let ago = |seconds: i64| {
            echo_core::clock::from_millis(self.now().as_millisecond().saturating_sub(seconds * 1000))
        };
        let forgotten = ago(ADMISSION_SECONDS);
        self.gates().admitted.retain(|_, admitted| admitted.at() > forgotten);
        let before = ago(MEMORY_SECONDS);
        let mut tx = self.store().write().await?;
        let replies = tx.forget_replies(before).await?;
        let events = tx.forget_events(before).await?;
        tx.commit().await?;
        Ok((replies, events))
    }

    /// Stops: telemetry to disk, ledgers and database closed.
    pub async fn close(&self) -> Result<(), DeskError> {
        let saved = self.save_pulses();
        self.refresh_index().await;
        self.0.genesis.close();
        self.0.aeterna.close();
        self.close_memory().await;
        self.0.store.close().await;
        saved
    }
}

/// Does what waits for the disk or the processor beside the tasks, not in them.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeskError> + Send + 'static,
) -> Result<T, DeskError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| DeskError::Internal(e.to_string()))?
}
