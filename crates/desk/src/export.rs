//! One file that proves a case anywhere.

use access::{Action, Principal};
use dossier::Dossier;
use echo_core::{CaseId, Id as _};
use store::{Filter, Scope};
use trust::KeyRole;

use crate::{CommandRecord, Desk, DeskError, SkillCall, call::scope_of, case::Case};

impl Desk {
    /// The case file: every signed document of the case with its inclusion proof, sealed by the operator.
    pub async fn export_case(&self, principal: &Principal, id: &CaseId) -> Result<Vec<u8>, DeskError> {
        principal.require(Action::ExportCase)?;
        // Whatever a crash left owed has to be in the ledgers before it can be proven.
        self.drain().await?;
        let mut tx = self.store().read().await?;
        let case: Case = tx
            .get(&scope_of(principal), id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("case", id.as_str()))?;
        let scope = Scope::Customer(case.customer.clone());
        let mut documents = self.documents_under(&mut tx, &scope, case.id.as_str()).await?;
        if let Some(device) = &case.device {
            documents.extend(self.documents_under(&mut tx, &scope, device.as_str()).await?);
        }
        let mut results = Vec::new();
        for call in tx.all::<SkillCall>(&scope, &Filter::under(case.id.as_str())).await? {
            if let Some(command) = &call.command {
                let record = tx.get::<CommandRecord>(&scope, command.as_str()).await?;
                results.extend(record.and_then(|r| r.result));
            }
        }
        let dossier = Dossier {
            case: case.id,
            customer: case.customer,
            exported: self.mint().now(),
            chain: self.chain_json()?,
            documents,
            results,
        };
        dossier.to_file(self.signer(KeyRole::Operator)?).map_err(|e| DeskError::Conflict(e.to_string()))
    }
}
