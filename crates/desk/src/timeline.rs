//! What happened in a case, in order.

use echo_core::{CaseId, CustomerId, EventId, Id as _, Timestamp};
use serde::{Deserialize, Serialize};
use store::Record;

/// What a line of the timeline is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    /// The case was opened.
    Opened,
    /// Triage read it.
    Triaged,
    /// The device was observed.
    Diagnosed,
    /// The posture was compared.
    Scanned,
    /// A question was answered.
    Advised,
    /// A change was proposed.
    Proposed,
    /// Somebody approved a change.
    Approved,
    /// Somebody rejected a change.
    Rejected,
    /// A change was applied.
    Applied,
    /// A fulfilment proof was attested.
    Proven,
    /// An invoice was drawn.
    Billed,
    /// An invoice was paid.
    Settled,
    /// The case was closed.
    Closed,
    /// Calls between nodes of the mesh were granted.
    Granted,
    /// A skill was called over the mesh.
    Called,
    /// Something did not work.
    Failed,
}

/// One line of a case's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// Its id; ids sort by time.
    pub id: EventId,
    /// Which case.
    pub case: CaseId,
    /// Whose.
    pub customer: CustomerId,
    /// When.
    pub at: Timestamp,
    /// Who did it: a person's name, a device's, or an agent's.
    pub actor: String,
    /// What it is about.
    pub kind: TimelineKind,
    /// One line.
    pub title: String,
    /// More words; may be empty.
    pub detail: String,
    /// The id of what it speaks of: a change set, a proof, an invoice.
    pub link: Option<String>,
}

impl Record for TimelineEntry {
    const KIND: &'static str = "timeline entry";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }

    fn parent(&self) -> Option<&str> {
        Some(self.case.as_str())
    }
}
