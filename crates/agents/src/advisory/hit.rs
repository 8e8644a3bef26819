//! A passage of the memory as evidence.

use memory::{Hit, SourceKind};

use super::{Evidence, EvidenceKind, Retrieved};

impl From<Hit> for Evidence {
    /// A playbook's passage has the playbook's id, so that it does not speak beside the playbook itself.
    fn from(hit: Hit) -> Self {
        let kind = match hit.kind {
            SourceKind::Document => EvidenceKind::Document,
            SourceKind::Case => EvidenceKind::PastCase,
            SourceKind::Playbook => EvidenceKind::Playbook,
            SourceKind::Device => EvidenceKind::Device,
        };
        let id = hit.source.strip_prefix("playbook/").map_or_else(|| hit.chunk.to_string(), str::to_owned);
        let title =
            if hit.heading.is_empty() { hit.title } else { format!("{}: {}", hit.title, hit.heading) };
        let retrieved = Some(Retrieved { coverage: hit.coverage, similarity: hit.similarity });
        Self { id, kind, title, text: hit.text, retrieved }
    }
}
