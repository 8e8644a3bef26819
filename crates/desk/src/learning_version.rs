//! The versions of learned triage: how one comes to be, and how they go.

use agents::triage::Learned;
use dossier::Kind;
use echo_core::{CustomerId, Digest};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope};

use crate::{
    Desk, DeskError,
    desk::blocking,
    learning::Standing,
    learning_examples::TriageFigures,
    learning_shelf::{self as shelf, Drafted, TriageCard, TriageOrigin},
    work::{Owner, Work},
};

/// The most versions that are kept.
pub const KEPT_VERSIONS: usize = 5;

/// A version of learned triage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct VersionRecord {
    id: String,
    pub(crate) card: TriageCard,
    pub(crate) kept: bool,
}

impl VersionRecord {
    pub(crate) fn id_of(version: u64) -> String {
        format!("{version:010}")
    }
}

impl Record for VersionRecord {
    const KIND: &'static str = "triage version";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }

    fn state(&self) -> &str {
        if self.kept { "kept" } else { "dropped" }
    }
}

/// A version before it has its number.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) bytes: Vec<u8>,
    pub(crate) labels: Vec<String>,
    pub(crate) origin: TriageOrigin,
    pub(crate) learned_from: usize,
    pub(crate) held_back: Option<TriageFigures>,
}

impl Desk {
    /// Reads a version, or says why it may not speak.
    pub(crate) async fn read_version(&self, card: TriageCard) -> Result<Result<Learned, String>, DeskError> {
        let desk = self.clone();
        blocking(move || Ok(shelf::read(desk.home(), &card, desk.registry(), &desk.content().labels))).await
    }

    /// Writes, signs, enters and uses a new version. Its files lie there before the database knows of it.
    pub(crate) async fn put_in_force(
        &self,
        actor: &str,
        draft: Draft,
        tell: impl FnOnce(&mut Standing),
    ) -> Result<(), DeskError> {
        let mut work = self.work(actor).await?;
        let version = u64::try_from(work.tx.next("triage version").await?)
            .map_err(|_| DeskError::Internal("a counter is below zero".to_owned()))?;
        let card = TriageCard {
            version,
            model: Digest::of(&draft.bytes),
            bytes: draft.bytes.len() as u64,
            labels: draft.labels,
            origin: draft.origin,
            learned_from: draft.learned_from,
            held_back: draft.held_back,
            made: work.now,
            made_by: actor.to_owned(),
        };
        let envelope = shelf::sign(&card, self.signer(Kind::TriageModel.signer())?)?;
        let drafted = Drafted { bytes: draft.bytes, card: card.clone(), envelope: envelope.clone() };
        let desk = self.clone();
        blocking(move || shelf::put(desk.home(), &drafted)).await?;
        work.record_signed(Kind::TriageModel, &version.to_string(), Owner::default(), envelope).await?;
        work.tx
            .insert(&VersionRecord { id: VersionRecord::id_of(version), card: card.clone(), kept: true })
            .await?;
        let mut standing = work.standing().await?;
        standing.in_force = Some(version);
        tell(&mut standing);
        work.stand(standing).await?;
        let dropped = work.drop_old_versions(version).await?;
        work.commit().await?;
        for version in dropped {
            if let Err(error) = shelf::drop_version(self.home(), version) {
                tracing::warn!(%error, "an old version of learned triage stays on the disk");
            }
        }
        let learned = self.read_version(card).await?.map_err(DeskError::Internal)?;
        self.speak(Some(learned));
        Ok(())
    }

    /// Forgets every version that was learned here, because a case that taught it is to be forgotten. What stays teaches
    /// anew, the next time it is due.
    pub(crate) async fn forget_learned(&self) -> Result<(), DeskError> {
        let _turn = self.learning().busy.lock().await;
        let mut work = self.work("Echo").await?;
        let kept = work.tx.all::<VersionRecord>(&Scope::All, &Filter::in_state("kept")).await?;
        let (learned, brought): (Vec<_>, Vec<_>) =
            kept.into_iter().partition(|record| record.card.origin == TriageOrigin::Learned);
        if learned.is_empty() {
            return Ok(());
        }
        for record in &learned {
            shelf::drop_version(self.home(), record.card.version)?;
            work.tx.update(&VersionRecord { kept: false, ..record.clone() }).await?;
        }
        let mut standing = work.standing().await?;
        let stays = |version: &u64| brought.iter().any(|record| record.card.version == *version);
        standing.in_force = standing.in_force.filter(stays);
        standing.tried = None;
        standing.examples = None;
        "a customer was erased: what was learned is forgotten, and is learned anew"
            .clone_into(&mut standing.said);
        let lexicon_alone = standing.in_force.is_none();
        work.stand(standing).await?;
        work.commit().await?;
        if lexicon_alone {
            self.speak(None);
        }
        Ok(())
    }
}

impl Work<'_> {
    /// Marks the oldest versions beyond those that are kept, but never the one in force; their numbers.
    async fn drop_old_versions(&mut self, in_force: u64) -> Result<Vec<u64>, DeskError> {
        let kept = self.tx.all::<VersionRecord>(&Scope::All, &Filter::in_state("kept")).await?;
        let beyond = kept.len().saturating_sub(KEPT_VERSIONS);
        let mut dropped = Vec::new();
        for mut record in kept.into_iter().filter(|record| record.card.version != in_force).take(beyond) {
            record.kept = false;
            self.tx.update(&record).await?;
            dropped.push(record.card.version);
        }
        Ok(dropped)
    }
}
