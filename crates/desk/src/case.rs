//! Cases: what a customer asks for, and everything that hangs under it.

use std::collections::BTreeMap;

use access::{Action, Principal};
use agents::{Filled, Form, Severity, Triage, intake::FieldKind};
use dossier::Kind;
use echo_core::{CaseId, CustomerId, DeviceId, Id, Page, PageRequest, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope};

use crate::{
    Call, ChangeSet, Customer, Desk, DeskError, Device, Finding, InvoiceRecord, Proof, ReceiptRecord,
    RelatedCase, SkillCall, Sorted, TimelineEntry, TimelineKind,
    call::scope_of,
    work::{Owner, Work},
};

/// A line of no more words is taken for a greeting.
const GREETING_WORDS: usize = 2;
/// The longest title of a case, in characters.
const MAX_TITLE: usize = 100;

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// It is worked on.
    Open,
    /// A change waits for somebody's decision.
    AwaitingApproval,
    /// The device applies an approved change.
    Applying,
    /// A change was applied and proven.
    Resolved,
    /// Nobody works on it: it collects a month's uses of models, and is then closed and billed.
    Standing,
    /// It is over; what was done is billed.
    Closed,
}

impl CaseState {
    /// As text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Applying => "applying",
            Self::Resolved => "resolved",
            Self::Standing => "standing",
            Self::Closed => "closed",
        }
    }

    /// Whether a case may go from here to `next`.
    pub fn may_become(self, next: Self) -> bool {
        use CaseState::{Applying, AwaitingApproval, Closed, Open, Resolved, Standing};
        matches!(
            (self, next),
            (Open | Resolved, AwaitingApproval | Closed)
                | (AwaitingApproval, Open | Applying | AwaitingApproval)
                | (Applying, Open | Resolved)
                | (Standing, Closed)
        )
    }
}

/// A support case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Its id.
    pub id: CaseId,
    /// Its number for people, from 1.
    pub number: i64,
    /// Whose.
    pub customer: CustomerId,
    /// Which machine it is about.
    pub device: Option<DeviceId>,
    /// One line of what was asked.
    pub title: String,
    /// The intake form it came by.
    pub form: String,
    /// The form's version.
    pub form_version: u32,
    /// What was answered.
    pub answers: BTreeMap<String, String>,
    /// All of it as one text, as triage read it.
    pub text: String,
    /// Where it stands.
    pub state: CaseState,
    /// How urgent triage found it.
    pub severity: Severity,
    /// What triage found.
    pub triage: Option<Triage>,
    /// What a technician sorted it as; nobody did yet without it.
    #[serde(default)]
    pub sorted: Option<Sorted>,
    /// When it was opened.
    pub opened: Timestamp,
    /// Who opened it.
    pub opened_by: String,
    /// When it was closed.
    pub closed: Option<Timestamp>,
}

impl Record for Case {
    const KIND: &'static str = "case";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }

    fn parent(&self) -> Option<&str> {
        self.device.as_ref().map(Id::as_str)
    }

    fn state(&self) -> &str {
        self.state.as_str()
    }
}

/// What opens a case.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenCase {
    /// Whose; demanded from the operator's people, and for customers their own.
    #[serde(default)]
    pub customer: Option<CustomerId>,
    /// Which machine it is about.
    #[serde(default)]
    pub device: Option<DeviceId>,
    /// The intake form's id: see `GET /v1/intakes`.
    pub form: String,
    /// The answers by field id.
    pub answers: BTreeMap<String, String>,
}

/// What was filed, as it is signed and logged.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct IntakeDocument<'a> {
    case: &'a CaseId,
    customer: &'a CustomerId,
    device: Option<&'a DeviceId>,
    form: &'a str,
    form_version: u32,
    answers: &'a BTreeMap<String, String>,
    at: Timestamp,
}

/// A case with everything that hangs under it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseView {
    /// The case.
    pub case: Case,
    /// Whose, by name.
    pub customer_name: String,
    /// The machine's name.
    pub device_name: Option<String>,
    /// What happened, oldest first.
    pub timeline: Vec<TimelineEntry>,
    /// The skill calls, oldest first.
    pub calls: Vec<SkillCall>,
    /// The findings of its scans.
    pub findings: Vec<Finding>,
    /// The changes that were proposed.
    pub change_sets: Vec<ChangeSet>,
    /// The fulfilment proofs.
    pub proofs: Vec<Proof>,
    /// The receipts.
    pub receipts: Vec<ReceiptRecord>,
    /// The bill, once it is drawn.
    pub invoice: Option<InvoiceRecord>,
    /// Cases of the same customer that resemble it, the likest first.
    pub related: Vec<RelatedCase>,
}

impl Desk {
    /// Opens a case and triages it.
    pub async fn open_case(&self, call: &Call, open: OpenCase) -> Result<CaseView, DeskError> {
        call.principal.require(Action::OpenCase)?;
        let form = self.content().form_at(&open.form, self.now())?;
        let filled = form.fill(open.answers).map_err(|faults| DeskError::Invalid {
            field: faults.first().map_or_else(|| "answers".to_owned(), |f| format!("answers.{}", f.field)),
            reason: faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        })?;
        let mut work = self.work(&call.principal.name).await?;
        let customer = work.customer_for(call, open.customer).await?;
        let device = work.device_for(&customer, open.device).await?;
        let mut case = Case {
            id: work.id(),
            number: work.tx.next("case").await?,
            customer: customer.id.clone(),
            device: device.as_ref().map(|d| d.id.clone()),
            title: title_of(form, &filled),
            form: filled.form.clone(),
            form_version: filled.version,
            text: filled.text(),
            answers: filled.answers,
            state: CaseState::Open,
            severity: Severity::Medium,
            triage: None,
            sorted: None,
            opened: work.now,
            opened_by: call.principal.name.clone(),
            closed: None,
        };
        work.tx.insert(&case).await?;
        work.file_intake(&case).await?;
        work.note(&case, TimelineKind::Opened, format!("Case {} opened", case.number), &case.title, None)
            .await?;
        work.triage(&call.principal, &mut case, device.as_ref()).await?;
        let view = work.case_view(case).await?;
        work.finish(call, 201, view).await
    }

    /// The cases that the caller may see, newest first; `state` narrows to one state.
    pub async fn cases(
        &self,
        principal: &Principal,
        state: Option<CaseState>,
        page: &PageRequest,
    ) -> Result<Page<Case>, DeskError> {
        principal.require(Action::ReadCase)?;
        let filter = Filter { parent: None, state: state.map(CaseState::as_str) };
        Ok(self.store().read().await?.list(&scope_of(principal), &filter, page).await?)
    }

    /// One case with everything that hangs under it.
    pub async fn case(&self, principal: &Principal, id: &CaseId) -> Result<CaseView, DeskError> {
        principal.require(Action::ReadCase)?;
        let tx = self.store().read().await?;
        let mut work =
            Work { tx, desk: self, now: self.mint().now(), actor: principal.name.clone(), clock_set: false };
        let case = work.case(&scope_of(principal), id).await?;
        work.case_view(case).await
    }
}

/// The first line of what the customer wrote that is more than a greeting, cut to 100 characters.
fn title_of(form: &Form, filled: &Filled) -> String {
    let own_words = form
        .fields
        .iter()
        .filter(|field| field.kind == FieldKind::Text)
        .filter_map(|field| filled.answers.get(&field.id))
        .flat_map(|answer| answer.lines())
        .map(str::trim)
        .find(|line| line.split_whitespace().count() > GREETING_WORDS);
    let line = own_words.unwrap_or(&form.title);
    match line.char_indices().nth(MAX_TITLE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

impl Work<'_> {
    /// Changes a case's state, if its state allows it.
    pub(crate) async fn move_case(&mut self, case: &mut Case, next: CaseState) -> Result<(), DeskError> {
        if !case.state.may_become(next) {
            return Err(DeskError::Conflict(format!(
                "case {} is {} and cannot become {} now",
                case.number,
                case.state.as_str(),
                next.as_str()
            )));
        }
        case.state = next;
        Ok(self.tx.update(case).await?)
    }

    pub(crate) async fn customer_for(
        &mut self,
        call: &Call,
        asked: Option<CustomerId>,
    ) -> Result<Customer, DeskError> {
        let id = match (&call.principal.customer, asked) {
            (Some(own), None) => own.clone(),
            (_, Some(asked)) => asked,
            (None, None) => {
                return Err(DeskError::invalid("customer", "say for which customer the case is"));
            }
        };
        self.tx
            .get(&call.scope(), id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("customer", id.as_str()))
    }

    async fn device_for(
        &mut self,
        customer: &Customer,
        asked: Option<DeviceId>,
    ) -> Result<Option<Device>, DeskError> {
        let Some(id) = asked else { return Ok(None) };
        let device: Device = self
            .tx
            .get(&Scope::Customer(customer.id.clone()), id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("device", id.as_str()))?;
        device.in_care()?;
        Ok(Some(device))
    }

    pub(crate) async fn file_intake(&mut self, case: &Case) -> Result<(), DeskError> {
        let document = IntakeDocument {
            case: &case.id,
            customer: &case.customer,
            device: case.device.as_ref(),
            form: &case.form,
            form_version: case.form_version,
            answers: &case.answers,
            at: self.now,
        };
        self.record(Kind::Intake, case.id.as_str(), Owner::case(case), &document).await?;
        Ok(())
    }

    pub(crate) async fn case_view(&mut self, case: Case) -> Result<CaseView, DeskError> {
        let scope = Scope::Customer(case.customer.clone());
        let under = Filter::under(case.id.as_str());
        let customer: Customer = self
            .tx
            .get(&scope, case.customer.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("customer", case.customer.as_str()))?;
        let device: Option<Device> = match &case.device {
            Some(id) => self.tx.get(&scope, id.as_str()).await?,
            None => None,
        };
        let related = self.related_cases(&case).await?;
        Ok(CaseView {
            related,
            customer_name: customer.name,
            device_name: device.map(|d| d.name),
            timeline: self.tx.all(&scope, &under).await?,
            calls: self.tx.all(&scope, &under).await?,
            findings: self.tx.all(&scope, &under).await?,
            change_sets: self.tx.all(&scope, &under).await?,
            proofs: self.tx.all(&scope, &under).await?,
            receipts: self.tx.all(&scope, &under).await?,
            invoice: self.tx.get_unique(&scope, case.id.as_str()).await?,
            case,
        })
    }
}
