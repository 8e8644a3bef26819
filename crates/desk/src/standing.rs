//! Standing cases: what programs ask models has no case that somebody opened, and still each receipt names one.
//!
//! A customer's uses of models in a calendar month (UTC) are collected in one case, and in another one when it is full or
//! was closed. Nobody works on it; when its month is over it is closed, which draws the month's bill.

use std::collections::BTreeMap;

use agents::Severity;
use echo_core::{CaseId, CustomerId, Id as _, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope};

use crate::{Case, CaseState, Desk, DeskError, SkillCall, TimelineKind, work::Work};

/// The most uses that one case collects: its file and its bill stay small enough to read.
const MAX_USES: u32 = 500;
/// What a standing case has for an intake form.
const FORM: &str = "model-use";

/// Which case collects a customer's uses of models in a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Standing {
    id: String,
    customer: CustomerId,
    case: CaseId,
    uses: u32,
}

impl Record for Standing {
    const KIND: &'static str = "standing case";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }
}

/// The month of a moment, UTC: `2026-11`.
fn month(at: Timestamp) -> String {
    at.strftime("%Y-%m").to_string()
}

impl Work<'_> {
    /// The case that collects this customer's uses of models now; made when there is none. Counts a use.
    pub(crate) async fn standing_case(&mut self, customer: &CustomerId) -> Result<Case, DeskError> {
        let scope = Scope::Customer(customer.clone());
        let id = format!("{customer}/{}", month(self.now));
        let known = self.tx.get::<Standing>(&scope, &id).await?;
        if let Some(mut standing) = known.clone().filter(|standing| standing.uses < MAX_USES) {
            let case = self.case(&scope, &standing.case).await?;
            if case.state == CaseState::Standing {
                standing.uses += 1;
                self.tx.update(&standing).await?;
                return Ok(case);
            }
        }
        let case = self.open_standing(customer).await?;
        let standing = Standing { id, customer: customer.clone(), case: case.id.clone(), uses: 1 };
        match known {
            Some(_) => self.tx.update(&standing).await?,
            None => self.tx.insert(&standing).await?,
        }
        Ok(case)
    }

    async fn open_standing(&mut self, customer: &CustomerId) -> Result<Case, DeskError> {
        let case = Case {
            id: self.id(),
            number: self.tx.next("case").await?,
            customer: customer.clone(),
            device: None,
            title: format!("Use of models, {}", month(self.now)),
            form: FORM.to_owned(),
            form_version: 1,
            answers: BTreeMap::new(),
            text: String::new(),
            state: CaseState::Standing,
            severity: Severity::Low,
            triage: None,
            sorted: None,
            opened: self.now,
            opened_by: "Echo".to_owned(),
            closed: None,
        };
        self.tx.insert(&case).await?;
        self.file_intake(&case).await?;
        self.note(&case, TimelineKind::Opened, format!("Case {} opened", case.number), &case.title, None)
            .await?;
        Ok(case)
    }
}

impl Desk {
    /// Closes the standing cases whose month is over, and draws their bills. Called now and then.
    pub(crate) async fn bill_standing(&self) -> Result<(), DeskError> {
        let mut tx = self.store().read().await?;
        let standing = tx.all::<Case>(&Scope::All, &Filter::in_state(CaseState::Standing.as_str())).await?;
        drop(tx);
        let now = month(self.now());
        for case in standing.into_iter().filter(|case| month(case.opened) != now) {
            if let Err(error) = self.bill_one(&case.id).await {
                // One bill that cannot be drawn holds up no other; the next turn tries again.
                tracing::warn!(case = %case.id, %error, "a month's use of models could not be billed");
            }
        }
        Ok(())
    }

    async fn bill_one(&self, id: &CaseId) -> Result<(), DeskError> {
        let mut work = self.work("Echo").await?;
        let mut case = work.case(&Scope::All, id).await?;
        if case.state != CaseState::Standing || work.has_running(&case).await? {
            return Ok(());
        }
        work.move_case(&mut case, CaseState::Closed).await?;
        case.closed = Some(work.now);
        work.tx.update(&case).await?;
        work.draw_invoice(&case).await?;
        work.note(&case, TimelineKind::Closed, "Case closed", "its month is over", None).await?;
        work.commit().await
    }
}

impl Work<'_> {
    async fn has_running(&mut self, case: &Case) -> Result<bool, DeskError> {
        let running = Filter { parent: Some(case.id.as_str()), state: Some("running") };
        Ok(self.tx.count::<SkillCall>(&Scope::Customer(case.customer.clone()), &running).await? > 0)
    }
}
