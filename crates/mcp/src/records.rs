//! The tools that are no skills: what a caller needs to find its way to a case. They cost nothing, but for the triage of a
//! case that is opened.

use access::Principal;
use desk::{Desk, DeskError, OpenCase};
use echo_core::{CallId, CaseId, PageRequest};
use rmcp::{
    ErrorData,
    model::{CallToolResult, JsonObject},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    arguments::{self, IdArgument, Nothing, OpenArguments, PageArguments},
    failure, once, skills,
    tools::Job,
};

/// Does one of them.
pub(crate) async fn call(
    desk: &Desk,
    principal: &Principal,
    job: Job,
    given: Option<JsonObject>,
) -> Result<CallToolResult, ErrorData> {
    let done = match job {
        Job::ListForms => {
            let Nothing {} = arguments::read(given)?;
            desk.intakes(principal).and_then(|forms| as_json(Ok(json!({ "forms": forms }))))
        }
        Job::OpenCase => return open(desk, principal, given).await,
        Job::ListCases => {
            let page = page(arguments::read(given)?);
            as_json(desk.cases(principal, None, &page).await)
        }
        Job::ReadCase => {
            let id: CaseId = arguments::id("id", &arguments::read::<IdArgument>(given)?.id)?;
            as_json(desk.case(principal, &id).await)
        }
        Job::ReadCall => {
            let id: CallId = arguments::id("id", &arguments::read::<IdArgument>(given)?.id)?;
            skills::read(desk, principal, &id).await
        }
        Job::ListDevices => {
            let page = page(arguments::read(given)?);
            as_json(desk.devices(principal, &page).await)
        }
        Job::Skill(skill) => return skills::call(desk, principal, skill, given).await,
    };
    done.map(CallToolResult::structured).or_else(|error| failure::of_tool(&error))
}

fn page(arguments: PageArguments) -> PageRequest {
    PageRequest { cursor: arguments.cursor, limit: arguments.limit }
}

fn as_json<T: Serialize>(done: Result<T, DeskError>) -> Result<Value, DeskError> {
    serde_json::to_value(done?).map_err(|e| DeskError::Internal(e.to_string()))
}

async fn open(
    desk: &Desk,
    principal: &Principal,
    given: Option<JsonObject>,
) -> Result<CallToolResult, ErrorData> {
    let kept = given.clone();
    let OpenArguments { form, answers, device, customer, idempotency_key } = arguments::read(given)?;
    let device = device.map(|id| arguments::id("device", &id)).transpose()?;
    let customer = customer.map(|id| arguments::id("customer", &id)).transpose()?;
    let done = async {
        let request = once::request(principal, "open_case", kept.as_ref(), idempotency_key.as_deref())?;
        let opened = desk.open_case(&request, OpenCase { customer, device, form, answers });
        once::answer(desk, &request, opened).await
    };
    done.await.map(CallToolResult::structured).or_else(|error| failure::of_tool(&error))
}
