//! What the platform offers: catalogue, intake forms, playbooks, the posture policy. Each file is signed by the
//! playbook author; an unsigned or altered one is refused with the reason.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use agents::{Form, PlaybookBrief};
use device_link::SignedContent;
use durable::Mode;
use playbooks::Template;
use revenue::Catalogue;
use security::Policy;
use serde::Serialize;
use trust::{KeyPair, KeyRole, Registry, content, dsse::Envelope};

use crate::DeskError;

/// The most files of one folder that are read.
const MAX_FILES: usize = 500;
/// The most bytes of one content file.
const MAX_BYTES: u64 = 2 * 1024 * 1024;
/// The policy that scans go by.
const POLICY: &str = "echo_linux_baseline.yml";
/// The price list.
const CATALOGUE: &str = "catalogue.yaml";

macro_rules! shipped {
    ($($path:literal),* $(,)?) => {
        /// What a new home begins with: path and text.
        const SHIPPED: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../../", $path)))),*];
    };
}

shipped![
    "manifest/catalogue.yaml",
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
    /// Its file and signature, as devices get it.
    pub signed: SignedContent,
}

/// A file that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Which file.
    pub file: PathBuf,
    /// Why, with what to do.
    pub reason: String,
}

/// What the platform offers.
#[derive(Debug, Clone)]
pub struct Content {
    /// Plans and prices.
    pub catalogue: Catalogue,
    /// Intake forms by id.
    pub forms: BTreeMap<String, Form>,
    /// Playbooks by id.
    pub playbooks: BTreeMap<String, Playbook>,
    /// The policy that scans go by.
    pub policy: PosturePolicy,
    /// Files that are not used.
    pub refused: Vec<Refused>,
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
    pub(crate) fn load(home: &Path, registry: &Registry) -> Result<Self, DeskError> {
        let mut refused = Vec::new();
        let catalogue = must(home, "manifest", CATALOGUE, registry, Catalogue::parse)?.0;
        let (policy, signed) = must(home, "policies", POLICY, registry, Policy::parse)?;
        let forms = all(home, "intake", registry, Form::parse, &mut refused)?
            .into_iter()
            .map(|(form, _)| (form.id.clone(), form))
            .collect();
        let playbooks = all(home, "playbooks", registry, Template::parse, &mut refused)?
            .into_iter()
            .map(|(template, signed)| (template.id.clone(), Playbook { template, signed }))
            .collect();
        for refused in &refused {
            tracing::warn!(file = %refused.file.display(), reason = %refused.reason, "content refused");
        }
        Ok(Self { catalogue, forms, playbooks, policy: PosturePolicy { policy, signed }, refused })
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
                    DeskError::Conflict(format!("the playbook {id} is not offered any more: plan again"))
                })
            })
            .collect()
    }
}

fn must<T, E: std::fmt::Display>(
    home: &Path,
    folder: &str,
    name: &str,
    registry: &Registry,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<(T, SignedContent), DeskError> {
    read(&home.join(folder).join(name), registry, &parse).map_err(|refused| {
        DeskError::Home(format!(
            "{}: {}. Nothing works without this file: restore it, or delete it and start again to get the shipped one",
            refused.file.display(),
            refused.reason
        ))
    })
}

fn all<T, E: std::fmt::Display>(
    home: &Path,
    folder: &str,
    registry: &Registry,
    parse: impl Fn(&str) -> Result<T, E>,
    refused: &mut Vec<Refused>,
) -> Result<Vec<(T, SignedContent)>, DeskError> {
    let folder = home.join(folder);
    let listed = fs::read_dir(&folder)
        .map_err(|e| DeskError::Home(format!("cannot list {}: {e}", folder.display())))?;
    let mut paths: Vec<PathBuf> = listed
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml"))
        .collect();
    paths.sort();
    if paths.len() > MAX_FILES {
        return Err(DeskError::Home(format!("{} holds more than {MAX_FILES} files", folder.display())));
    }
    let mut read_ones = Vec::new();
    for path in paths {
        match read(&path, registry, &parse) {
            Ok(one) => read_ones.push(one),
            Err(why) => refused.push(why),
        }
    }
    Ok(read_ones)
}

fn read<T, E: std::fmt::Display>(
    path: &Path,
    registry: &Registry,
    parse: &impl Fn(&str) -> Result<T, E>,
) -> Result<(T, SignedContent), Refused> {
    let refused = |reason: String| Refused { file: path.to_owned(), reason };
    let bytes = durable::read(path, MAX_BYTES)
        .map_err(|e| refused(e.to_string()))?
        .ok_or_else(|| refused("the file is missing".to_owned()))?;
    let signature = durable::read(&content::signature_path(path), content::MAX_SIGNATURE_FILE)
        .map_err(|e| refused(e.to_string()))?
        .unwrap_or_default();
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    content::verify(&name, &bytes, &signature, registry, KeyRole::PlaybookAuthor)
        .map_err(|e| refused(e.to_string()))?;
    let signature = serde_json::from_slice(&signature).map_err(|e| refused(e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8 text".to_owned()))?;
    let parsed = parse(&text).map_err(|e| refused(e.to_string()))?;
    Ok((parsed, SignedContent { name, text, signature }))
}
