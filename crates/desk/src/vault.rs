//! The vault of the home, as the platform uses it: opened at the start when somebody handed in what opens it.
//!
//! The end of the vault's audit is entered into the genesis ledger, at the start and after each access of the
//! platform. At the start the audit must still hold what was entered: one that was cut, edited or put back from an
//! older copy is refused.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use ::vault::{
    Actor, AuditHead, Recipient, Sealed, Secret, SecretRef, Unseal, Vault, VaultError, VersionState,
};
use dossier::Kind;
use echo_core::{CustomerId, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Record, Scope};

use crate::{Desk, DeskError, work::Owner};

/// Who asks, for the vault's audit.
const WHO: &str = "echo_os_prime";

/// Where what opens the vault lies.
#[derive(Debug, Clone)]
pub enum VaultKey {
    /// In a file that only its owner may read.
    File(PathBuf),
    /// In a systemd credential.
    Credential(PathBuf),
}

/// The vault of an open home.
#[derive(Debug)]
pub(crate) struct VaultRoom {
    sealed: Sealed,
    open: OnceLock<Arc<Vault>>,
}

impl VaultRoom {
    pub(crate) fn of_home(home: &Path) -> Self {
        Self { sealed: Sealed::of_home(home), open: OnceLock::new() }
    }
}

/// How the vault stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VaultStatus {
    /// Whether it is open.
    pub open: bool,
    /// Whom secrets are sealed for.
    pub recipient: Recipient,
    /// What opens it, in words.
    pub opened_by: String,
    /// How many versions of secrets there are.
    pub versions: usize,
    /// How many sealed secrets were brought and wait for it to be opened.
    pub waiting: usize,
    /// The end of its audit.
    pub audit: AuditHead,
}

/// What the genesis ledger holds of the vault: the payload of [`Kind::VaultAudit`], and the newest of them as a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnteredAudit {
    /// The vault's first recipient, which is its name for ever.
    vault: Recipient,
    /// The number of the audit's last line.
    seq: u64,
    /// That line's digest.
    digest: Digest,
    /// When it was entered.
    at: Timestamp,
}

impl EnteredAudit {
    /// The document's id: which vault, and which line.
    fn document(&self) -> String {
        let vault: String = self.vault.to_string().chars().skip("age1".len()).take(12).collect();
        format!("vault-{vault}-{}", self.seq)
    }
}

/// The newest end of the audit that was entered.
const NEWEST: &str = "newest";

impl Record for EnteredAudit {
    const KIND: &'static str = "vault audit";

    fn id(&self) -> &str {
        NEWEST
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

impl Desk {
    /// Checks the vault against the ledger, and opens it when `key` says with what.
    pub(crate) async fn open_vault(&self, key: Option<VaultKey>) -> Result<(), DeskError> {
        let entered = self.store().read().await?.get::<EnteredAudit>(&Scope::All, NEWEST).await?;
        let desk = self.clone();
        let there = blocking(move || desk.open_vault_now(entered.as_ref(), key)).await?;
        if there { self.enter_vault_audit().await } else { Ok(()) }
    }

    /// Whether there is a vault.
    fn open_vault_now(
        &self,
        entered: Option<&EnteredAudit>,
        key: Option<VaultKey>,
    ) -> Result<bool, DeskError> {
        let room = self.vault_room();
        if !room.sealed.is_there() {
            return match entered {
                None => Ok(false),
                Some(entered) => Err(DeskError::Home(format!(
                    "vault_v1 is missing, but the genesis ledger holds the end of its audit (line {}): restore the \
                     whole folder from your backup",
                    entered.seq
                ))),
            };
        }
        let born = born(&room.sealed)?;
        let same = entered.filter(|entered| entered.vault == born);
        if let Some(entered) = same {
            let held = room.sealed.audit_digest(entered.seq).map_err(vault_error)?;
            if held != Some(entered.digest) {
                return Err(DeskError::Home(format!(
                    "the audit of vault_v1 was cut, edited or put back: line {} is not the one that the genesis \
                     ledger holds since {}; restore the whole folder from your newest backup, and find out who had \
                     which secret",
                    entered.seq, entered.at
                )));
            }
        }
        let Some(key) = key else {
            if entered.is_some() && same.is_none() {
                return Err(DeskError::Home(
                    "vault_v1 is another vault than the one in the genesis ledger: restore the whole folder from your \
                     backup; if you made a new one, start the platform once with what opens it"
                        .to_owned(),
                ));
            }
            tracing::info!("the vault stays sealed: hand in what opens it with --vault-key-file");
            return Ok(true);
        };
        let vault = self.unseal_vault(&key)?;
        if entered.is_some() && same.is_none() {
            tracing::warn!(%born, "vault_v1 is a new vault; the one in the genesis ledger is gone");
        }
        tracing::info!(recipient = %vault.recipient(), "the vault is open");
        let _ = room.open.set(Arc::new(vault));
        Ok(true)
    }

    fn unseal_vault(&self, key: &VaultKey) -> Result<Vault, DeskError> {
        let sealed = &self.vault_room().sealed;
        let protection = sealed.protection().map_err(vault_error)?;
        let by = match key {
            VaultKey::File(path) => Unseal::read(path, &protection),
            VaultKey::Credential(path) => Unseal::read_credential(path, &protection),
        };
        let actor = Actor::new(WHO).because("start");
        by.and_then(|by| sealed.unseal(&by, &actor, self.mint())).map_err(vault_error)
    }

    /// How the vault stands; nothing when there is none.
    pub async fn vault_status(&self) -> Result<Option<VaultStatus>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let room = desk.vault_room();
            if !room.sealed.is_there() {
                return Ok(None);
            }
            let description = room.sealed.description().map_err(vault_error)?;
            let listing = room.sealed.list().map_err(vault_error)?;
            Ok(Some(VaultStatus {
                open: room.open.get().is_some(),
                recipient: description.recipient,
                opened_by: description.protection.words().to_owned(),
                versions: listing.entries.iter().filter(|e| e.state == VersionState::Live).count(),
                waiting: listing.pending.iter().filter(|p| !p.refused).count(),
                audit: room.sealed.audit_head().map_err(vault_error)?,
            }))
        })
        .await
    }

    /// The newest version of a secret, for the reason `why`, which the audit holds. What the audit says of it is in the
    /// genesis ledger before the secret is given.
    pub async fn vault_secret(&self, namespace: &str, name: &str, why: &str) -> Result<Secret, DeskError> {
        let parse = |field, text: &str| text.parse().map_err(|e| DeskError::invalid(field, e));
        let which = SecretRef::newest(parse("namespace", namespace)?, parse("name", name)?);
        let actor = Actor::new(WHO).because(why);
        let desk = self.clone();
        let got = blocking(move || {
            let vault = desk.vault_room().open.get().cloned().ok_or_else(|| {
                DeskError::Conflict(
                    "the vault is sealed, or there is none: start the platform with --vault-key-file"
                        .to_owned(),
                )
            })?;
            Ok(vault.get(&which, &actor, desk.mint()))
        })
        .await?;
        // A refusal is in the audit as well.
        self.enter_vault_audit().await?;
        got.map_err(vault_error)
    }

    /// Enters the end of the audit into the genesis ledger, when it is a new one.
    async fn enter_vault_audit(&self) -> Result<(), DeskError> {
        let desk = self.clone();
        let (vault, AuditHead { seq, digest }) = blocking(move || {
            let sealed = &desk.vault_room().sealed;
            Ok((born(sealed)?, sealed.audit_head().map_err(vault_error)?))
        })
        .await?;
        let mut work = self.work("Echo").await?;
        let before = work.tx.get::<EnteredAudit>(&Scope::All, NEWEST).await?;
        if before.as_ref().is_some_and(|before| before.vault == vault && before.seq >= seq) {
            return Ok(());
        }
        let newest = EnteredAudit { vault, seq, digest, at: work.now };
        match before {
            Some(_) => work.tx.update(&newest).await?,
            None => work.tx.insert(&newest).await?,
        }
        work.record(Kind::VaultAudit, &newest.document(), Owner::default(), &newest).await?;
        work.commit().await
    }
}

/// The vault's first recipient.
fn born(sealed: &Sealed) -> Result<Recipient, DeskError> {
    let description = sealed.description().map_err(vault_error)?;
    Ok(description.identities.into_iter().next().map_or(description.recipient, |first| first.recipient))
}

/// Files are read and passphrases tried beside the tasks, not in them.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeskError> + Send + 'static,
) -> Result<T, DeskError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| DeskError::Internal(e.to_string()))?
}

fn vault_error(error: VaultError) -> DeskError {
    match error {
        VaultError::NotFound(which) => DeskError::not_found("secret", &which),
        other => DeskError::Home(other.to_string()),
    }
}
