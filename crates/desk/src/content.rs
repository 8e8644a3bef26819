//! What the platform offers: catalogue, triage labels, intake forms, playbooks, the posture policy. Each file is signed by the
//! playbook author; an unsigned or altered one is refused with the reason.
//!
//! A file that the operator's exception lets in is kept apart from the signed ones: whoever asks for it says what
//! time it is, and does not get it once the exception is over. No device gets it at all. Of the policy there is only
//! one, so an excepted one stays until the platform stops; scans wait for its signature, and once the exception is
//! over the platform does not start again without it.

mod door;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use agents::{Form, PlaybookBrief, drafting, triage::Labels};
use device_link::SignedContent;
use durable::Mode;
use echo_core::Timestamp;
use playbooks::Template;
use revenue::Catalogue;
use scheduler::Schedule;
use security::Policy;
use serde::Serialize;
use trust::{
    KeyPair, Registry, content,
    dsse::Envelope,
    exception::{EXCEPTIONS_FILE, ExceptedKind, Exception, Exceptions},
};

use self::door::Door;
use crate::{
    DeskError,
    schedule::{self, parse_schedule},
};

/// The policy that scans go by.
const POLICY: &str = "echo_linux_baseline.yml";
/// The price list.
const CATALOGUE: &str = "catalogue.yaml";
/// What a local model is told when it phrases a draft.
pub(crate) const PROMPT: &str = "advice_prompt.md";
/// What runs by itself, and when.
const SCHEDULE: &str = "schedule.yaml";
/// What cases are sorted into.
const LABELS: &str = "triage_labels.yaml";

macro_rules! shipped {
    ($($path:literal),* $(,)?) => {
        /// What a new home begins with: path and text.
        const SHIPPED: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../../", $path)))),*];
    };
}

shipped![
    "manifest/catalogue.yaml",
    "manifest/advice_prompt.md",
    "manifest/triage_labels.yaml",
    "intake/cannot-sign-in.yaml",
    "intake/general-help.yaml",
    "intake/security-concern.yaml",
    "intake/slow-computer.yaml",
    "playbooks/automatic-updates.yaml",
    "playbooks/core-dumps.yaml",
    "playbooks/file-permissions.yaml",
    "playbooks/kernel-hardening.yaml",
    "playbooks/login-banner.yaml",
    "playbooks/password-policy.yaml",
    "playbooks/ssh-hardening.yaml",
    "policies/echo_linux_baseline.yml",
];

/// A playbook with its signature.
#[derive(Debug, Clone)]
pub struct Playbook {
    /// The playbook.
    pub template: Template,
    /// Its file and signature, as devices get it.
    pub signed: SignedContent,
}

/// A posture policy with its signature.
#[derive(Debug, Clone)]
pub struct PosturePolicy {
    /// The policy.
    pub policy: Policy,
    /// Its file and signature, as devices get it; nothing when an exception let it in.
    signed: Option<SignedContent>,
}

/// A file that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Which file.
    pub file: PathBuf,
    /// Why, with what to do.
    pub reason: String,
}

/// A file that is used without its author's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Excepted {
    /// Which file.
    pub file: PathBuf,
    /// Why, by whose decision, and until when.
    pub exception: Exception,
}

/// What the platform offers.
#[derive(Debug, Clone)]
pub struct Content {
    /// Plans and prices.
    pub catalogue: Catalogue,
    /// The closed set of labels that cases are sorted into; the shipped one when the home's own is refused.
    pub labels: Labels,
    /// What a local model is told when it phrases a draft; nothing when the home's own is refused, and then none is asked.
    pub prompt: Option<hygiene::Template>,
    /// What runs by itself: the home's own schedule, or the built-in one when there is none or it is refused.
    pub schedule: Schedule,
    /// Signed intake forms by id; see also [`Content::forms_at`].
    pub forms: BTreeMap<String, Form>,
    /// Signed playbooks by id; see also [`Content::playbooks_at`].
    pub playbooks: BTreeMap<String, Playbook>,
    /// The policy that scans go by.
    pub policy: PosturePolicy,
    /// Files that are not used.
    pub refused: Vec<Refused>,
    /// Files that are used by an exception, until it is over.
    pub excepted: Vec<Excepted>,
    excepted_forms: BTreeMap<String, (Form, Exception)>,
    excepted_playbooks: BTreeMap<String, (Template, Exception)>,
    exceptions: Option<(Timestamp, Envelope)>,
}

/// Writes and signs what a new home begins with. A file that is there already is left alone.
pub(crate) fn ship(home: &Path, author: &KeyPair) -> Result<(), DeskError> {
    for (path, text) in SHIPPED {
        let path = home.join(path);
        if let Some(folder) = path.parent() {
            durable::create_folder(folder)?;
        }
        if !path.exists() {
            durable::write(&path, text.as_bytes(), Mode::Public)?;
            content::sign_file(&path, author).map_err(|e| DeskError::Home(e.to_string()))?;
        }
    }
    Ok(())
}

/// The signatures of what a new home begins with, for the genesis ledger.
pub(crate) fn shipped_signatures(author: &KeyPair) -> impl Iterator<Item = (&'static str, Envelope)> {
    SHIPPED.iter().map(move |(path, text)| {
        let name = path.rsplit('/').next().unwrap_or(path);
        (*path, content::sign(name, text.as_bytes(), author))
    })
}

impl Content {
    /// Reads the content of a home. Without a catalogue or a policy there is nothing to sell: those two must hold.
    /// `exceptions` is the document in force, or why it is refused.
    pub(crate) fn load(
        home: &Path,
        registry: &Registry,
        exceptions: Result<Option<(Exceptions, Envelope)>, String>,
        now: Timestamp,
    ) -> Result<Self, DeskError> {
        let mut refused = Vec::new();
        let exceptions = exceptions.unwrap_or_else(|reason| {
            refused.push(Refused { file: home.join(EXCEPTIONS_FILE), reason });
            None
        });
        let mut door = Door {
            home,
            registry,
            exceptions: exceptions.as_ref().map(|(e, _)| e),
            now,
            refused,
            excepted: Vec::new(),
        };
        let catalogue = door.must("manifest", CATALOGUE, None, Catalogue::parse)?.0;
        let labels = door.may("manifest", LABELS, Labels::parse).unwrap_or_else(Labels::builtin);
        let prompt = door.may("manifest", PROMPT, drafting::template);
        let schedule = door.own("manifest", SCHEDULE, |yaml| parse_schedule(yaml, now));
        let (policy, admitted) = door.must("policies", POLICY, Some(ExceptedKind::Policy), Policy::parse)?;
        let policy = PosturePolicy { policy, signed: admitted.ok() };
        let (mut forms, mut excepted_forms) = (BTreeMap::new(), BTreeMap::new());
        for (form, admitted) in door.all(ExceptedKind::Intake, Form::parse)? {
            match admitted {
                Ok(_) => drop(forms.insert(form.id.clone(), form)),
                Err(exception) => drop(excepted_forms.insert(form.id.clone(), (form, exception))),
            }
        }
        let (mut playbooks, mut excepted_playbooks) = (BTreeMap::new(), BTreeMap::new());
        for (template, admitted) in door.all(ExceptedKind::Playbook, Template::parse)? {
            match admitted {
                Ok(signed) => drop(playbooks.insert(template.id.clone(), Playbook { template, signed })),
                Err(exception) => {
                    excepted_playbooks.insert(template.id.clone(), (template, exception));
                }
            }
        }
        let Door { refused, excepted, .. } = door;
        for refused in &refused {
            tracing::warn!(file = %refused.file.display(), reason = %refused.reason, "content refused");
        }
        for Excepted { file, exception: e } in &excepted {
            tracing::warn!(
                file = %file.display(), until = %e.until, approved_by = %e.approved_by, reason = %e.reason,
                "content without its author's signature is used by an exception"
            );
        }
        let exceptions = exceptions.map(|(document, envelope)| (document.issued, envelope));
        Ok(Self {
            catalogue,
            labels,
            prompt,
            schedule: schedule.unwrap_or_else(|| schedule::builtin(now)),
            forms,
            playbooks,
            policy,
            refused,
            excepted,
            excepted_forms,
            excepted_playbooks,
            exceptions,
        })
    }

    /// The exceptions that this was read by: when they were signed, and the document.
    pub(crate) fn exceptions(&self) -> Option<(Timestamp, &Envelope)> {
        self.exceptions.as_ref().map(|(issued, envelope)| (*issued, envelope))
    }

    /// The intake forms that open a case at `now`, the excepted ones among them.
    pub fn forms_at(&self, now: Timestamp) -> impl Iterator<Item = &Form> {
        let excepted = self
            .excepted_forms
            .iter()
            .filter(move |(id, (_, exception))| exception.in_force(now) && !self.forms.contains_key(*id));
        self.forms.values().chain(excepted.map(|(_, (form, _))| form))
    }

    /// The intake form `id`, if it opens a case at `now`.
    pub(crate) fn form_at(&self, id: &str, now: Timestamp) -> Result<&Form, DeskError> {
        if let Some(form) = self.forms_at(now).find(|form| form.id == id) {
            return Ok(form);
        }
        Err(DeskError::invalid(
            "form",
            match self.excepted_forms.get(id) {
                Some((_, over)) => format!(
                    "the form `{id}` was used by an exception that ended on {}: have its author sign it",
                    over.until
                ),
                None => format!("there is no form `{id}`: see GET /v1/intakes"),
            },
        ))
    }

    /// The playbooks that there are at `now`, the excepted ones among them. Devices run the signed ones alone.
    pub fn playbooks_at(&self, now: Timestamp) -> impl Iterator<Item = &Template> {
        let excepted = self
            .excepted_playbooks
            .iter()
            .filter(move |(id, (_, exception))| exception.in_force(now) && !self.playbooks.contains_key(*id));
        self.playbooks.values().map(|p| &p.template).chain(excepted.map(|(_, (template, _))| template))
    }

    /// The policy as devices get it.
    pub(crate) fn signed_policy(&self) -> Result<SignedContent, DeskError> {
        self.policy.signed.clone().ok_or_else(|| not_for_devices("policy", POLICY))
    }

    /// The playbooks in brief, for the remediation agent.
    pub(crate) fn briefs(&self) -> Vec<PlaybookBrief> {
        self.playbooks
            .values()
            .map(|p| PlaybookBrief {
                id: p.template.id.clone(),
                name: p.template.name.clone(),
                version: p.template.version,
                fixes: p.template.fixes.clone(),
                risk: match p.template.risk {
                    playbooks::Risk::Low => agents::Risk::Low,
                    playbooks::Risk::Medium => agents::Risk::Medium,
                    playbooks::Risk::High => agents::Risk::High,
                },
            })
            .collect()
    }

    /// The signed files of playbooks, in the order of their ids.
    pub(crate) fn signed_playbooks(&self, ids: &[String]) -> Result<Vec<SignedContent>, DeskError> {
        ids.iter()
            .map(|id| {
                self.playbooks.get(id).map(|p| p.signed.clone()).ok_or_else(|| {
                    if self.excepted_playbooks.contains_key(id) {
                        return not_for_devices("playbook", id);
                    }
                    DeskError::Conflict(format!("the playbook {id} is not offered any more: plan again"))
                })
            })
            .collect()
    }
}

fn not_for_devices(what: &str, name: &str) -> DeskError {
    DeskError::Conflict(format!(
        "the {what} {name} is used by an exception, and devices work only with what its author signed: have it signed"
    ))
}
