//! What each source of the memory says: closed cases, devices and playbooks; for documents see [`recall_documents`].

use std::collections::{BTreeMap, BTreeSet};

use echo_core::{Digest, Timestamp};
use memory::{Owner, SourceKind};
use store::{Filter, Scope};

use crate::{
    Case, CaseState, ChangeSet, ChangeSetState, Desk, DeskError, Device, Finding, TimelineEntry,
    TimelineKind,
    desk::blocking,
    recall::{Read, Recall, RecallState, memory_error},
    recall_documents,
    witness_policy::put,
};

/// How many findings of a case are remembered by name.
const MAX_FINDINGS: usize = 40;
const DAY_SECONDS: i64 = 24 * 3600;

impl Desk {
    /// Looks for documents and playbooks that are new, other or gone, forgets what has expired, and says again what is
    /// to be cleaned by newer rules.
    pub(crate) async fn tidy_memory(&self) -> Result<(), DeskError> {
        let now = self.now();
        self.memory().expire(now).await.map_err(memory_error)?;
        let mut wanted: BTreeMap<String, Digest> =
            self.playbook_sources().into_iter().map(|(id, read)| (id, read.digest())).collect();
        let folder = recall_documents::folder(self.home());
        wanted.extend(blocking(move || recall_documents::digests(&folder)).await?);
        let mut tx = self.store().write().await?;
        let known = tx.all::<Recall>(&Scope::All, &Filter::default()).await?;
        let held: BTreeMap<&str, &Recall> = known.iter().map(|one| (one.id.as_str(), one)).collect();
        for (id, digest) in &wanted {
            let same = held.get(id.as_str()).is_some_and(|one| is_fresh(one) && one.digest == Some(*digest));
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
                let (folder, id, now) =
                    (recall_documents::folder(self.home()), recall.id.clone(), self.now());
                blocking(move || Ok(recall_documents::read(&folder, &id, now))).await
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
