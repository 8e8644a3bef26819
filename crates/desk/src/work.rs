//! One unit of work: what changes, what is owed to the ledgers, what is told, in one commit.

use dossier::Kind;
use echo_core::{CaseId, CustomerId, Digest, Id, Timestamp};
use serde::Serialize;
use store::{Scope, Tx};
use trust::dsse::Envelope;

use crate::{Call, Desk, DeskError, DocumentRecord, Event, TimelineEntry, TimelineKind, case::Case};

/// A transaction with the desk's tools around it. Dropped without [`Work::finish`], it changes nothing.
#[derive(Debug)]
pub struct Work<'d> {
    /// The database's transaction.
    pub(crate) tx: Tx,
    /// The desk.
    pub(crate) desk: &'d Desk,
    /// One time for the whole unit of work.
    pub(crate) now: Timestamp,
    /// Who does it, for the timeline.
    pub(crate) actor: String,
    /// Whether it signed that the clock was set.
    pub(crate) clock_set: bool,
}

impl Desk {
    /// Begins a unit of work in the name of `actor`.
    pub(crate) async fn work(&self, actor: &str) -> Result<Work<'_>, DeskError> {
        let tx = self.store().write().await?;
        Ok(Work { tx, desk: self, now: self.mint().now(), actor: actor.to_owned(), clock_set: false })
    }
}

impl Work<'_> {
    /// A fresh id.
    pub(crate) fn id<I: Id>(&self) -> I {
        self.desk.mint().id()
    }

    /// Signs `payload` by the role that its kind demands, keeps it, and owes its entry to the kind's ledger.
    pub(crate) async fn record<T: Serialize>(
        &mut self,
        kind: Kind,
        id: &str,
        owner: Owner<'_>,
        payload: &T,
    ) -> Result<Digest, DeskError> {
        let key = self.desk.signer(kind.signer())?;
        let envelope = Envelope::sign(kind.payload_type(), payload, &[key])?;
        self.record_signed(kind, id, owner, envelope).await
    }

    /// Keeps a document that is signed already, and owes its entry to the kind's ledger.
    pub(crate) async fn record_signed(
        &mut self,
        kind: Kind,
        id: &str,
        owner: Owner<'_>,
        envelope: Envelope,
    ) -> Result<Digest, DeskError> {
        let at = self.entry_time(kind.log()).await?;
        let document = DocumentRecord::new(kind, id, owner, envelope, at)?;
        self.tx.insert(&document).await?;
        self.tx.owe(kind.log().as_str(), &document.leaf, &document.entry).await?;
        Ok(document.digest)
    }

    /// Adds a line to the case's timeline, and tells it to everybody who watches.
    pub(crate) async fn note(
        &mut self,
        case: &Case,
        kind: TimelineKind,
        title: impl Into<String>,
        detail: impl Into<String>,
        link: Option<&str>,
    ) -> Result<(), DeskError> {
        let entry = TimelineEntry {
            id: self.id(),
            case: case.id.clone(),
            customer: case.customer.clone(),
            at: self.now,
            actor: self.actor.clone(),
            kind,
            title: title.into(),
            detail: detail.into(),
            link: link.map(str::to_owned),
        };
        self.tx.insert(&entry).await?;
        let event =
            Event { topic: "case".to_owned(), id: case.id.to_string(), what: entry.title, at: self.now };
        self.tell(Some(&case.customer), &event).await
    }

    /// Tells an event to those who may see what belongs to `customer`.
    pub(crate) async fn tell(
        &mut self,
        customer: Option<&CustomerId>,
        event: &Event,
    ) -> Result<(), DeskError> {
        self.tx.emit(customer, self.now, &serde_json::to_string(event)?).await?;
        Ok(())
    }

    /// Commits, enters what is owed into the ledgers, and keeps the answer under the caller's key.
    pub(crate) async fn finish<T: Serialize>(
        mut self,
        call: &Call,
        status: u16,
        answer: T,
    ) -> Result<T, DeskError> {
        if let Some((key, reply)) = call.kept(status, &serde_json::to_string(&answer)?) {
            self.tx.keep_reply(call.caller(), &key, &reply, self.now).await?;
        }
        self.commit().await?;
        Ok(answer)
    }

    /// Commits and enters what is owed into the ledgers; keeps no answer (because it holds a secret, or because
    /// nobody asked).
    pub(crate) async fn commit(self) -> Result<(), DeskError> {
        let (desk, now, clock_set) = (self.desk, self.now, self.clock_set);
        self.tx.commit().await?;
        if clock_set {
            Self::clock_is_set(desk, now);
        }
        desk.changed();
        desk.drain().await
    }

    /// The case, if `scope` may see it.
    pub(crate) async fn case(&mut self, scope: &Scope, id: &CaseId) -> Result<Case, DeskError> {
        self.tx.get(scope, id.as_str()).await?.ok_or_else(|| DeskError::not_found("case", id.as_str()))
    }
}

/// Whose a document is, and which case it belongs to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Owner<'a> {
    /// Whose; nothing for the operator's own.
    pub(crate) customer: Option<&'a CustomerId>,
    /// What it hangs under: a case, or a device for its manifest.
    pub(crate) parent: Option<&'a str>,
}

impl<'a> Owner<'a> {
    /// A document of a case.
    pub(crate) fn case(case: &'a Case) -> Self {
        Self { customer: Some(&case.customer), parent: Some(case.id.as_str()) }
    }
}
