//! The state of the house at a glance.

use access::{Action, Principal};
use echo_core::PageRequest;
use observability::Presence;
use serde::Serialize;
use store::Filter;

use crate::{
    Case, CaseState, Desk, DeskError, Device, Finding, FindingState, InvoiceRecord, TimelineEntry,
    call::scope_of,
};

/// How many lines of recent activity are shown.
const RECENT: u32 = 12;

/// The state of the house, as far as the caller may see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// Cases by state, closed ones last.
    pub cases: Vec<(CaseState, u64)>,
    /// Devices that are heard from.
    pub devices_online: u64,
    /// Devices that are not.
    pub devices_away: u64,
    /// Findings that need attention.
    pub open_findings: u64,
    /// Invoices that wait for payment.
    pub open_invoices: u64,
    /// Entries in the genesis ledger.
    pub genesis_size: u64,
    /// Entries in the aeterna ledger.
    pub aeterna_size: u64,
    /// What happened last, newest first.
    pub recent: Vec<TimelineEntry>,
}

impl Desk {
    /// The state of the house at a glance.
    pub async fn overview(&self, principal: &Principal) -> Result<Overview, DeskError> {
        principal.require(Action::ReadCase)?;
        let scope = scope_of(principal);
        let mut tx = self.store().read().await?;
        let mut cases = Vec::new();
        for state in [
            CaseState::AwaitingApproval,
            CaseState::Open,
            CaseState::Applying,
            CaseState::Resolved,
            CaseState::Closed,
        ] {
            cases.push((state, tx.count::<Case>(&scope, &Filter::in_state(state.as_str())).await?));
        }
        let devices = tx.all::<Device>(&scope, &Filter::in_state("active")).await?;
        let now = self.mint().now();
        let online = {
            let board = self.board();
            devices.iter().filter(|d| board.presence(&d.id, now) == Presence::Online).count()
        };
        let open_invoices = tx.count::<InvoiceRecord>(&scope, &Filter::in_state("open")).await?;
        let open = Filter::in_state(FindingState::Open.as_str());
        let open_findings = tx.count::<Finding>(&scope, &open).await?;
        let recent = PageRequest { cursor: None, limit: Some(RECENT) };
        Ok(Overview {
            cases,
            devices_online: online as u64,
            devices_away: (devices.len() - online) as u64,
            open_findings,
            open_invoices,
            genesis_size: self.log(dossier::LogName::Genesis).size(),
            aeterna_size: self.log(dossier::LogName::Aeterna).size(),
            recent: tx.list::<TimelineEntry>(&scope, &Filter::default(), &recent).await?.items,
        })
    }
}
