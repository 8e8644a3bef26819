//! Closing a case draws its invoice; a payment settles it.

use access::{Action, Principal};
use dossier::Kind;
use echo_core::{CaseId, CustomerId, Digest, Id as _, InvoiceId, Money, Page, PageRequest};
use revenue::{Invoice, InvoiceDraft, InvoiceState, Method, Settlement};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope};

use crate::{
    Call, CaseState, CaseView, Customer, Desk, DeskError, Event, ReceiptRecord, TimelineKind,
    call::scope_of,
    case::Case,
    work::{Owner, Work},
};

/// How long a customer has to pay, in days.
const DAYS_TO_PAY: u32 = 14;

/// An invoice with its payments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InvoiceRecord {
    /// The invoice.
    pub invoice: Invoice,
    /// Digest of the signed invoice.
    pub digest: Digest,
    /// Whether it is paid.
    pub state: InvoiceState,
    /// What paid it.
    pub settlement: Option<Settlement>,
}

impl Record for InvoiceRecord {
    const KIND: &'static str = "invoice";

    fn id(&self) -> &str {
        self.invoice.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.invoice.customer)
    }

    fn parent(&self) -> Option<&str> {
        Some(self.invoice.case.as_str())
    }

    fn state(&self) -> &str {
        match self.state {
            InvoiceState::Open => "open",
            InvoiceState::Paid => "paid",
        }
    }

    /// A case is billed once.
    fn unique(&self) -> Option<String> {
        Some(self.invoice.case.to_string())
    }
}

/// A payment that somebody saw arrive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPayment {
    /// How much.
    pub amount: Money,
    /// What the bank statement says.
    pub reference: String,
}

impl Desk {
    /// Closes a case and draws its invoice.
    pub async fn close_case(&self, call: &Call, id: &CaseId) -> Result<CaseView, DeskError> {
        call.principal.require(Action::CloseCase)?;
        let mut work = self.work(&call.principal.name).await?;
        let mut case = work.case(&call.scope(), id).await?;
        work.move_case(&mut case, CaseState::Closed).await?;
        case.closed = Some(work.now);
        case.confirm(&call.principal, work.now);
        work.tx.update(&case).await?;
        work.draw_invoice(&case).await?;
        work.recall(&case.customer, format!("case/{}", case.id), None).await?;
        work.note(&case, TimelineKind::Closed, "Case closed", "", None).await?;
        let view = work.case_view(case).await?;
        work.finish(call, 200, view).await
    }

    /// Enters a payment that arrived outside of Echo.
    pub async fn pay(
        &self,
        call: &Call,
        id: &InvoiceId,
        payment: NewPayment,
    ) -> Result<InvoiceRecord, DeskError> {
        call.principal.require(Action::SettleInvoice)?;
        let mut work = self.work(&call.principal.name).await?;
        let mut record: InvoiceRecord = work
            .tx
            .get(&call.scope(), id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("invoice", id.as_str()))?;
        let settlement = Settlement {
            id: work.id(),
            invoice: id.clone(),
            amount: payment.amount,
            method: Method::Manual,
            reference: payment.reference,
            at: work.now,
        };
        let paid = record.settlement.as_ref().map_or(Money::zero(record.invoice.currency), |s| s.amount);
        record.state = revenue::settle(&record.invoice, paid, &settlement)
            .map_err(|e| DeskError::invalid("amount", e))?;
        let (customer, case) = (&record.invoice.customer, &record.invoice.case);
        let owner = Owner { customer: Some(customer), parent: Some(case.as_str()) };
        work.record(Kind::Settlement, settlement.id.as_str(), owner, &settlement).await?;
        // An invoice that was kept when its customer was erased has no case any more.
        if let Some(case) = work.tx.get::<Case>(&Scope::All, case.as_str()).await? {
            let title = format!("{} paid", settlement.amount);
            work.note(&case, TimelineKind::Settled, title, &settlement.reference, Some(id.as_str())).await?;
        }
        record.settlement = Some(settlement);
        work.tx.update(&record).await?;
        work.finish(call, 201, record).await
    }

    /// The invoices that the caller may see, newest first.
    pub async fn invoices(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<InvoiceRecord>, DeskError> {
        principal.require(Action::ReadInvoice)?;
        Ok(self.store().read().await?.list(&scope_of(principal), &Filter::default(), page).await?)
    }

    /// One invoice.
    pub async fn invoice(&self, principal: &Principal, id: &InvoiceId) -> Result<InvoiceRecord, DeskError> {
        principal.require(Action::ReadInvoice)?;
        let mut tx = self.store().read().await?;
        tx.get(&scope_of(principal), id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("invoice", id.as_str()))
    }

    /// The page of an invoice that a customer gets.
    pub async fn invoice_html(&self, principal: &Principal, id: &InvoiceId) -> Result<String, DeskError> {
        let record = self.invoice(principal, id).await?;
        let note = format!("Trust root of the seller: {}", self.root());
        revenue::html(&record.invoice, record.state, &note).map_err(|e| DeskError::Internal(e.to_string()))
    }
}

impl Work<'_> {
    /// Draws the invoice of a case from its receipts; a case without receipts has none.
    pub(crate) async fn draw_invoice(&mut self, case: &Case) -> Result<(), DeskError> {
        let scope = Scope::Customer(case.customer.clone());
        let receipts: Vec<_> = self
            .tx
            .all::<ReceiptRecord>(&scope, &Filter::under(case.id.as_str()))
            .await?
            .into_iter()
            .map(|r| (r.receipt, r.digest))
            .collect();
        let Some((first, _)) = receipts.first() else {
            return Ok(());
        };
        let customer: Customer = self
            .tx
            .get(&scope, case.customer.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("customer", case.customer.as_str()))?;
        let year = self.now.strftime("%Y").to_string();
        let sequence = self.tx.next(&format!("invoice/{year}")).await?;
        let catalogue = &self.desk.content().catalogue;
        let invoice = Invoice::draw(InvoiceDraft {
            id: self.id(),
            number: revenue::invoice_number(self.now, u64::try_from(sequence).unwrap_or(0)),
            customer: case.customer.clone(),
            customer_name: customer.name,
            seller: catalogue.seller.clone(),
            case: case.id.clone(),
            plan: first.plan.clone(),
            currency: first.currency,
            skus: &catalogue.skus,
            receipts: &receipts,
            issued: self.now,
            days_to_pay: DAYS_TO_PAY,
        })
        .map_err(|e| DeskError::Conflict(e.to_string()))?;
        let digest = self.record(Kind::Invoice, invoice.id.as_str(), Owner::case(case), &invoice).await?;
        let title = format!("Invoice {} over {}", invoice.number, invoice.total);
        self.note(case, TimelineKind::Billed, title, "", Some(invoice.id.as_str())).await?;
        let event = Event {
            topic: "invoice".to_owned(),
            id: invoice.id.to_string(),
            what: "drawn".to_owned(),
            at: self.now,
        };
        self.tell(Some(&case.customer), &event).await?;
        let state = invoice.state(Money::zero(invoice.currency));
        Ok(self.tx.insert(&InvoiceRecord { invoice, digest, state, settlement: None }).await?)
    }
}
