//! Receipts, as they are kept.

use access::{Action, Principal};
use echo_core::{CustomerId, Digest, Id as _, Page, PageRequest};
use revenue::{MeterEvent, Receipt};
use serde::{Deserialize, Serialize};
use store::{Filter, Record};

use crate::{Desk, DeskError, call::scope_of};

/// A receipt with the use that it charges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceiptRecord {
    /// The receipt.
    pub receipt: Receipt,
    /// Digest of the signed receipt, by which the ledger and the invoice name it.
    pub digest: Digest,
    /// The metered use.
    pub meter_event: MeterEvent,
}

impl Record for ReceiptRecord {
    const KIND: &'static str = "receipt";

    fn id(&self) -> &str {
        self.receipt.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.receipt.customer)
    }

    fn parent(&self) -> Option<&str> {
        Some(self.receipt.case.as_str())
    }

    /// A call is charged once.
    fn unique(&self) -> Option<String> {
        Some(self.receipt.call.to_string())
    }
}

impl Desk {
    /// The receipts that the caller may see, newest first.
    pub async fn receipts(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<ReceiptRecord>, DeskError> {
        principal.require(Action::ReadReceipt)?;
        Ok(self.store().read().await?.list(&scope_of(principal), &Filter::default(), page).await?)
    }
}
