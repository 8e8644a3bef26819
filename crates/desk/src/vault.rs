//! The vault of the home, as the platform uses it: opened at the start when somebody handed in what opens it.
//!
//! The end of the vault's audit is entered into the genesis ledger, at the start and after each access of the
//! platform. At the start the audit must still hold what was entered: one that was cut, edited or put back from an
//! older copy is refused.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use ::vault::{
    Actor, AuditHead, Description, Protection, Recipient, Sealed, Secret, SecretRef, Standing, Unseal, Vault,
    VaultError, VersionState,
};
use dossier::Kind;
use echo_core::{CustomerId, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Record, Scope};

use crate::{Desk, DeskError, desk::blocking, work::Owner};

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
    open: OnceLock<OpenVault>,
}

#[derive(Debug)]
struct OpenVault {
    vault: Vault,
    /// Its first recipient, which is its name for ever.
    born: Recipient,
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

/// What the ledger is to hold of the vault: its first recipient, and the end of its audit.
type Found = (Recipient, AuditHead);

impl Desk {
    /// Checks the vault against the ledger, and opens it when `key` says with what. When its audit is full, or another
    /// process holds it, it stays sealed, and the platform runs: neither says that anything is wrong with it.
    pub(crate) async fn open_vault(&self, key: Option<VaultKey>) -> Result<(), DeskError> {
        let entered = self.store().read().await?.get::<EnteredAudit>(&Scope::All, NEWEST).await?;
        let desk = self.clone();
        let found = blocking(move || match desk.open_vault_now(entered.as_ref(), key) {
            Ok(found) => Ok(found),
            Err(Shut::Vault(error @ VaultError::Locked(_))) => {
                // What nobody has looked at is not entered either: the next start looks at it.
                tracing::error!(%error, "the vault stays sealed, and was not checked: start the platform again");
                Ok(None)
            }
            Err(Shut::Vault(error)) => Err(vault_error(error)),
            Err(Shut::Desk(error)) => Err(error),
        })
        .await?;
        match found {
            Some(found) => self.enter_vault_audit(found).await,
            None => Ok(()),
        }
    }

    /// What there is to enter; nothing when there is no vault.
    fn open_vault_now(
        &self,
        entered: Option<&EnteredAudit>,
        key: Option<VaultKey>,
    ) -> Result<Option<Found>, Shut> {
        let room = self.vault_room();
        if !room.sealed.is_there() {
            return match entered {
                None => Ok(None),
                Some(entered) => Err(home(format!(
                    "vault_v1 is missing, but the genesis ledger holds the end of its audit (line {}): restore the \
                     whole folder from your backup",
                    entered.seq
                ))),
            };
        }
        let Standing { description, audit, .. } = room.sealed.standing()?;
        let Description { protection, recipient, identities, .. } = description;
        let born = identities.into_iter().next().map_or(recipient, |first| first.recipient);
        let same = entered.filter(|entered| entered.vault == born);
        if let Some(entered) = same {
            let held = if entered.seq == audit.seq {
                Some(audit.digest)
            } else {
                room.sealed.audit_digest(entered.seq)?
            };
            if held != Some(entered.digest) {
                return Err(home(format!(
                    "the audit of vault_v1 was cut, edited or put back: line {} is not the one that the genesis \
                     ledger holds since {}; restore the whole folder from your newest backup, and find out who had \
                     which secret",
                    entered.seq, entered.at
                )));
            }
        }
        let another = entered.is_some() && same.is_none();
        let Some(vault) = self.unseal_vault(key, &protection)? else {
            if another {
                return Err(home(
                    "vault_v1 is another vault than the one in the genesis ledger: restore the whole folder from your \
                     backup; if you made a new one, start the platform once with what opens it"
                        .to_owned(),
                ));
            }
            return Ok(Some((born, audit)));
        };
        if another {
            tracing::warn!(%born, "vault_v1 is a new vault; the one in the genesis ledger is gone");
        }
        tracing::info!(recipient = %vault.recipient(), "the vault is open");
        let audit = vault.audit_head()?;
        let _ = room.open.set(OpenVault { vault, born: born.clone() });
        Ok(Some((born, audit)))
    }

    /// The vault, open; nothing without a key, or when its audit is full.
    fn unseal_vault(
        &self,
        key: Option<VaultKey>,
        protection: &Protection,
    ) -> Result<Option<Vault>, VaultError> {
        let by = match key {
            None => {
                tracing::info!("the vault stays sealed: hand in what opens it with --vault-key-file");
                return Ok(None);
            }
            Some(VaultKey::File(path)) => Unseal::read(&path, protection),
            Some(VaultKey::Credential(path)) => Unseal::read_credential(&path, protection),
        };
        let actor = Actor::new(WHO).because("start");
        match self.vault_room().sealed.unseal(&by?, &actor, self.mint()) {
            Ok(vault) => Ok(Some(vault)),
            Err(error @ VaultError::AuditFull) => {
                tracing::error!(%error, "the vault stays sealed: archive its audit, and start the platform again");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// How the vault stands; nothing when there is none.
    pub async fn vault_status(&self) -> Result<Option<VaultStatus>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let room = desk.vault_room();
            if !room.sealed.is_there() {
                return Ok(None);
            }
            let Standing { description, listing, audit } = room.sealed.standing().map_err(vault_error)?;
            Ok(Some(VaultStatus {
                open: room.open.get().is_some(),
                recipient: description.recipient,
                opened_by: description.protection.words().to_owned(),
                versions: listing.entries.iter().filter(|e| e.state == VersionState::Live).count(),
                waiting: listing.pending.iter().filter(|p| !p.refused).count(),
                audit,
            }))
        })
        .await
    }

    /// What is wrong with the vault's files, or with its audit beside what the genesis ledger holds; nothing when there is
    /// no vault, or another process holds it just now.
    pub(crate) async fn vault_trouble(&self) -> Result<Option<String>, DeskError> {
        let entered = self.store().read().await?.get::<EnteredAudit>(&Scope::All, NEWEST).await?;
        let desk = self.clone();
        blocking(move || {
            let sealed = &desk.vault_room().sealed;
            if !sealed.is_there() {
                return Ok(entered
                    .map(|entered| format!("it is missing, and the ledger holds line {}", entered.seq)));
            }
            let held = match (sealed.standing(), &entered) {
                (Err(VaultError::Locked(_)), _) | (Ok(_), None) => return Ok(None),
                (Err(error), _) => return Ok(Some(error.to_string())),
                (Ok(_), Some(entered)) => sealed.audit_digest(entered.seq),
            };
            Ok(match (held, entered) {
                (Err(VaultError::Locked(_)), _) | (_, None) => None,
                (Err(error), _) => Some(error.to_string()),
                (Ok(held), Some(entered)) if held == Some(entered.digest) => None,
                (Ok(_), Some(entered)) => {
                    Some(format!("line {} of its audit is not the one that the ledger holds", entered.seq))
                }
            })
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
        let (got, found) = blocking(move || {
            let OpenVault { vault, born } = desk.vault_room().open.get().ok_or_else(|| {
                DeskError::Conflict(
                    "the vault is sealed, or there is none: start the platform with --vault-key-file"
                        .to_owned(),
                )
            })?;
            let got = vault.get(&which, &actor, desk.mint());
            Ok((got, (born.clone(), vault.audit_head().map_err(vault_error)?)))
        })
        .await?;
        // A refusal is in the audit as well.
        self.enter_vault_audit(found).await?;
        got.map_err(vault_error)
    }

    /// Enters the end of the audit into the genesis ledger, when it is a new one.
    async fn enter_vault_audit(&self, found: Found) -> Result<(), DeskError> {
        let (vault, AuditHead { seq, digest }) = found;
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

/// Why the vault is not opened at the start.
enum Shut {
    /// The vault says so.
    Vault(VaultError),
    /// The ledger says so.
    Desk(DeskError),
}

impl From<VaultError> for Shut {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

fn home(why: String) -> Shut {
    Shut::Desk(DeskError::Home(why))
}

fn vault_error(error: VaultError) -> DeskError {
    match error {
        VaultError::NotFound(which) => DeskError::not_found("secret", &which),
        other => DeskError::Home(other.to_string()),
    }
}
