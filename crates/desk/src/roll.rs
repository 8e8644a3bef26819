//! Enters into the genesis ledger what changed about the keys while the platform was stopped: versions of the trust
//! registry, and notices.

use std::path::Path;

use dossier::{Kind, envelope_digest};
use governance::DeprecationNotice;
use store::Scope;
use trust::{KeyRole, KeyState, Keystore, Registry, chain::REGISTRY_FILE, dsse::Envelope};

use crate::{DeskError, DocumentRecord, Event, Work, document::key, work::Owner};

/// How many hexadecimal digits tell a notice that was signed again from the first.
const AGAIN_DIGITS: usize = 8;

impl Work<'_> {
    /// Owes every version of the trust registry and every notice that was not entered yet. A chain that contradicts
    /// what was entered is refused.
    pub(crate) async fn enter_trust(&mut self) -> Result<(), DeskError> {
        let desk = self.desk;
        let versions = desk.chain_versions();
        for (number, version) in (1_u64..).zip(versions) {
            self.enter_version(number, version).await?;
        }
        let beyond = version_id(versions.len() as u64 + 1);
        if self.entered(Kind::TrustRegistry, &beyond).await?.is_some() {
            return Err(DeskError::Home(format!(
                "{REGISTRY_FILE} ends at version {}, but a later one is in the genesis ledger: the file was set back; \
                 restore the newest one from your backup, or from somebody who fetched it",
                versions.len()
            )));
        }
        for envelope in desk.notices() {
            if let Ok(notice) = DeprecationNotice::verify(envelope, desk.registry()) {
                self.enter_notice(&notice, envelope).await?;
            }
        }
        Ok(())
    }

    async fn enter_version(&mut self, number: u64, version: &Envelope) -> Result<(), DeskError> {
        let id = version_id(number);
        match self.entered(Kind::TrustRegistry, &id).await? {
            Some(entered) if entered.envelope.payload == version.payload => Ok(()),
            Some(_) => Err(DeskError::Home(format!(
                "version {number} in {REGISTRY_FILE} is not the one in the genesis ledger: restore the file from your \
                 backup"
            ))),
            None => {
                self.record_signed(Kind::TrustRegistry, &id, Owner::default(), version.clone()).await?;
                self.tell_trust(&id, format!("version {number} of the trust registry")).await
            }
        }
    }

    /// A notice that was signed again, after the operator's own key was replaced, is entered beside the first.
    async fn enter_notice(
        &mut self,
        notice: &DeprecationNotice,
        envelope: &Envelope,
    ) -> Result<(), DeskError> {
        let digest = envelope_digest(envelope);
        let again = format!("{}-{}", notice.id, &digest.hex()[..AGAIN_DIGITS]);
        for id in [notice.id.to_string(), again] {
            match self.entered(Kind::DeprecationNotice, &id).await? {
                Some(entered) if entered.digest == digest => return Ok(()),
                Some(_) => {}
                None => {
                    let kind = Kind::DeprecationNotice;
                    self.record_signed(kind, &id, Owner::default(), envelope.clone()).await?;
                    return self.tell_trust(&id, notice.text.clone()).await;
                }
            }
        }
        Ok(())
    }

    async fn entered(&mut self, kind: Kind, id: &str) -> Result<Option<DocumentRecord>, DeskError> {
        Ok(self.tx.get::<DocumentRecord>(&Scope::All, &key(kind, id)).await?)
    }

    async fn tell_trust(&mut self, id: &str, what: String) -> Result<(), DeskError> {
        let event = Event { topic: "trust".to_owned(), id: id.to_owned(), what, at: self.now };
        self.tell(None, &event).await
    }
}

fn version_id(number: u64) -> String {
    format!("version-{number}")
}

/// Refuses a home whose keys are being retired at once, by a version that still waits for the root's keepers: what the
/// platform signed meanwhile would be of after the old keys' last day.
pub(crate) fn check_rotations(home: &Path, registry: &Registry) -> Result<(), DeskError> {
    // One that cannot be read is warned of: see `Desk::warn_of_rotations`.
    let rotations = governance::rotations(home).unwrap_or_default();
    let Some(held) = rotations.iter().find(|r| r.holds_the_platform(registry)) else { return Ok(()) };
    let roles: Vec<&str> = held.replacements.iter().map(|r| r.role.as_str()).collect();
    Err(DeskError::Home(format!(
        "the keys of {} are being retired at once, and what they sign until that is done would count for nothing: go on \
         with `echo_cli trust resume`, with the root's signatures by `echo_cli trust ceremony`, or give it up with \
         `echo_cli trust abandon {}`",
        roles.join(", "),
        held.id
    )))
}

/// Refuses a home whose keystore would sign with a key that the registry took out: a rotation that was cut off.
pub(crate) fn check_signers(keystore: &Keystore, registry: &Registry) -> Result<(), DeskError> {
    let active = keystore.records().iter().filter(|r| r.state == KeyState::Active);
    for record in active.filter(|r| r.role != KeyRole::Root) {
        let keys = registry.keys(record.role);
        if registry.role(record.role).is_some() && !keys.contains(&record.public) {
            return Err(DeskError::Home(format!(
                "the {} key {} signs here, but the trust registry does not list it: a key rotation was cut off; go on \
                 with `echo_cli trust resume`",
                record.role, record.id
            )));
        }
    }
    Ok(())
}
