//! What each source of the memory says: closed cases, devices, documents and playbooks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use echo_core::Timestamp;
use memory::{Owner, SourceKind};
use store::{Filter, Scope};

use crate::{
    Case, CaseState, ChangeSet, ChangeSetState, Desk, DeskError, Device, Finding, TimelineEntry,
    TimelineKind,
    desk::blocking,
    recall::{FOLDER, Read, Recall, RecallState, memory_error},
    witness_policy::put,
};

/// Where an operator puts documents, in the memory's folder.
const DOCUMENTS: &str = "documents";
/// The most documents of an operator.
const MAX_DOCUMENTS: usize = 1_000;
/// The most bytes of one.
const MAX_DOCUMENT: u64 = memory::MAX_TEXT_BYTES as u64;
/// How many findings of a case are remembered by name.
const MAX_FINDINGS: usize = 40;
const DAY_SECONDS: i64 = 24 * 3600;

macro_rules! documents {
    ($($path:literal),* $(,)?) => {
        /// What Echo knows about itself: path and text.
        const SHIPPED: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../../", $path)))),*];
    };
}

documents![
    "README.md",
    "ARCHITECTURE.md",
    "docs/a2a.md",
    "docs/advice.md",
    "docs/agent-keys.md",
    "docs/attestations.md",
    "docs/cli.md",
    "docs/erasure.md",
    "docs/ledgers.md",
    "docs/mcp.md",
    "docs/memory.md",
    "docs/mesh.md",
    "docs/models.md",
    "docs/openai.md",
    "docs/rotation.md",
    "docs/settings.md",
    "docs/skills.md",
    "docs/triage.md",
    "docs/trust.md",
    "docs/vault.md",
    "docs/witness.md",
];

impl Desk {
    /// Looks for documents and playbooks that are new, other or gone, forgets what has expired, and says again what is
    /// to be cleaned by newer rules.
    pub(crate) async fn tidy_memory(&self) -> Result<(), DeskError> {
        let now = self.now();
        self.memory().expire(now).await.map_err(memory_error)?;
        let mut wanted = self.playbook_sources();
        let folder = self.home().join(FOLDER).join(DOCUMENTS);
        durable::create_folder(&folder)?;
        wanted.extend(blocking(move || documents(&folder, now)).await?);
        let mut tx = self.store().write().await?;
        let known = tx.all::<Recall>(&Scope::All, &Filter::default()).await?;
        let held: BTreeMap<&str, &Recall> = known.iter().map(|one| (one.id.as_str(), one)).collect();
        for (id, read) in &wanted {
            let same =
                held.get(id.as_str()).is_some_and(|one| is_fresh(one) && one.digest == Some(read.digest()));
            if !same {
                put(&mut tx, &Recall::due(id.clone(), None)).await?;
            }
        }
        for one in &known {
            let shared_and_gone =
                one.customer.is_none() && one.state != RecallState::Gone && !wanted.contains_key(&one.id);
            let other_rules = one.customer.is_some() && one.state == RecallState::Kept && !is_fresh(one);
            if shared_and_gone || other_rules {
                tx.update(&Recall { state: RecallState::Due, ..one.clone() }).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    /// What a source says now; nothing when it is there no more.
    pub(crate) async fn read_source(&self, recall: &Recall) -> Result<Option<Read>, DeskError> {
        match recall.id.split_once('/') {
            Some(("case", id)) => self.case_source(id).await,
            Some(("device", id)) => self.device_source(id, recall.note.as_deref()).await,
            Some(("playbook", _)) => Ok(self.playbook_sources().remove(&recall.id)),
            _ => {
                let (folder, now) = (self.home().join(FOLDER).join(DOCUMENTS), self.now());
                Ok(blocking(move || documents(&folder, now)).await?.remove(&recall.id))
            }
        }
    }

    fn expires(&self, at: Timestamp) -> Option<Timestamp> {
        let millis = i64::from(self.memory_room().keep_days?).saturating_mul(DAY_SECONDS * 1000);
        Some(echo_core::clock::from_millis(at.as_millisecond().saturating_add(millis)))
    }

    /// What a closed case was about, what was found, and what was done.
    async fn case_source(&self, id: &str) -> Result<Option<Read>, DeskError> {
        let mut tx = self.store().read().await?;
        let Some(case) = tx.get::<Case>(&Scope::All, id).await? else { return Ok(None) };
        let Some(closed) = case.closed.filter(|_| case.state == CaseState::Closed) else { return Ok(None) };
        let scope = Scope::Customer(case.customer.clone());
        let under = Filter::under(id);
        let mut text = format!("{}\n", case.text);
        let findings = tx.all::<Finding>(&scope, &under).await?;
        if !findings.is_empty() {
            text.push_str("\n## What was found\n\n");
            let titles: BTreeSet<&str> = findings.iter().map(|one| one.result.title.as_str()).collect();
            titles.into_iter().take(MAX_FINDINGS).for_each(|title| text.extend(["- ", title, "\n"]));
        }
        let changes = tx.all::<ChangeSet>(&scope, &under).await?;
        for change in changes.iter().filter(|one| one.state == ChangeSetState::Applied) {
            let names: Vec<&str> = change.plan.playbooks.iter().map(|one| one.id.as_str()).collect();
            let because = &change.proposal.because;
            text.extend(["\n## What was done\n\n", because, "\nApplied: ", &names.join(", "), ".\n"]);
        }
        let timeline = tx.all::<TimelineEntry>(&scope, &under).await?;
        for entry in timeline.iter().filter(|one| one.kind == TimelineKind::Diagnosed) {
            text.extend(["\n## What was measured\n\n", &entry.detail, "\n"]);
        }
        let owner = Owner::Customer(case.customer.clone());
        let (title, expires) = (case.title, self.expires(closed));
        Ok(Some(Read { kind: SourceKind::Case, owner, title, text, at: closed, expires }))
    }

    /// What a device is, and what was measured last.
    async fn device_source(&self, id: &str, note: Option<&str>) -> Result<Option<Read>, DeskError> {
        let mut tx = self.store().read().await?;
        let Some(device) = tx.get::<Device>(&Scope::All, id).await? else { return Ok(None) };
        let facts = &device.facts;
        let mut text = format!(
            "{} runs {} {} on kernel {}.\n",
            device.name, facts.os_name, facts.os_version, facts.kernel
        );
        if let Some(posture) = &device.posture {
            let (score, failed) = (posture.score.to_string(), posture.failed.to_string());
            text.extend([
                "\nIts last security scan scored ",
                &score,
                " of 100; ",
                &failed,
                " checks failed.\n",
            ]);
        }
        if let Some(note) = note {
            text.extend(["\n## Last diagnosis\n\n", note, "\n"]);
        }
        let (owner, at) = (Owner::Customer(device.customer.clone()), self.now());
        let expires = self.expires(at);
        Ok(Some(Read { kind: SourceKind::Device, owner, title: device.name, text, at, expires }))
    }

    /// The signed playbooks, in words.
    fn playbook_sources(&self) -> BTreeMap<String, Read> {
        let read = |(id, playbook): (&String, &crate::content::Playbook)| {
            let template = &playbook.template;
            let text = format!("{}\n\n## Roll back\n\n{}\n", template.description, template.rollback);
            let (kind, owner, title) = (SourceKind::Playbook, Owner::Shared, template.name.clone());
            let read = Read { kind, owner, title, text, at: self.started(), expires: None };
            (format!("playbook/{id}"), read)
        };
        self.content().playbooks.iter().map(read).collect()
    }
}

/// Whether a source was cleaned by the rules in force.
fn is_fresh(recall: &Recall) -> bool {
    recall.state == RecallState::Kept && recall.rules == hygiene::RULES
}

/// Echo's own documents, and the operator's. One that cannot be read is left out and told.
fn documents(folder: &Path, at: Timestamp) -> Result<BTreeMap<String, Read>, DeskError> {
    let document = |name: String, text: String| {
        let heading = text.lines().find_map(|line| line.strip_prefix("# ")).map(str::trim);
        let title = match heading {
            Some(heading) if !heading.is_empty() => format!("{heading} ({name})"),
            _ => name.clone(),
        };
        let (kind, owner) = (SourceKind::Document, Owner::Shared);
        (format!("document/{name}"), Read { kind, owner, title, text, at, expires: None })
    };
    let mut out: BTreeMap<String, Read> =
        SHIPPED.iter().map(|(path, text)| document((*path).to_owned(), (*text).to_owned())).collect();
    let listed = fs::read_dir(folder)
        .map_err(|e| DeskError::Home(format!("cannot list {}: {e}", folder.display())))?;
    let mut paths: Vec<PathBuf> = listed.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "md" || ending == "txt"));
    paths.sort();
    if paths.len() > MAX_DOCUMENTS {
        tracing::warn!(folder = %folder.display(), "more than {MAX_DOCUMENTS} documents: the first are read");
        paths.truncate(MAX_DOCUMENTS);
    }
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).map(|name| format!("own/{name}"));
        let read = durable::read(&path, MAX_DOCUMENT).map_err(|e| e.to_string());
        let text =
            read.and_then(|bytes| String::from_utf8(bytes.unwrap_or_default()).map_err(|e| e.to_string()));
        match (name, text) {
            (Some(name), Ok(text)) => out.extend([document(name, text)]),
            (_, Ok(_)) => {
                tracing::warn!(path = %path.display(), "the document's name is not UTF-8: it is left out");
            }
            (_, Err(error)) => tracing::warn!(path = %path.display(), error, "the document is left out"),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_echo_ships_speaks_to_a_model() {
        for (path, text) in SHIPPED {
            // An example of a call looks like a call.
            let prose: String = text.split("```").step_by(2).collect();
            let prose: String = prose.split('`').step_by(2).collect();
            let found = hygiene::instructions(&prose);
            assert!(found.is_empty(), "{path}: {:?}", found.iter().map(|one| &one.words).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_document_is_known_by_its_heading_and_a_damaged_one_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            durable::write(&folder.path().join(name), bytes, durable::Mode::Private).unwrap();
        };
        put("vpn.md", b"# Our VPN\n\nUse it.");
        put("bad.txt", b"\xff\xfe");
        put("other.pdf", b"%PDF");
        let found = documents(folder.path(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(found["document/own/vpn.md"].title, "Our VPN (own/vpn.md)");
        assert_eq!(found.len(), SHIPPED.len() + 1);
    }
}
