//! `/people`: the customers with their plans, and who can sign in. For the operator's people only.

use access::{Action, Principal, Role};
use askama::Template;
use axum::{
    extract::{Query, State},
    response::Html,
};
use desk::{CustomerView, Desk, User};
use echo_core::{Page, PageRequest};
use serde::Deserialize;

use super::{ROWS, html, names::Names};
use crate::{caller::Visitor, failure::Failure, frame::Frame};

/// A role that a person may be given: its name, and what it may do. The commonest comes first.
const ROLES: [(Role, &str, &str); 3] = [
    (
        Role::Customer,
        "Customer",
        "Sees the cases, devices and bills of one customer, and approves changes there.",
    ),
    (Role::Technician, "Technician", "Works on the cases and devices of every customer."),
    (Role::OperatorAdmin, "Operator admin", "May do everything: money, customers and people too."),
];

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    frame: Frame,
    customers: Page<CustomerView>,
    /// Who can sign in; nothing for those who may not manage them.
    users: Option<Page<User>>,
    /// Value, name and rights of each role that may be chosen.
    roles: Vec<(String, &'static str, &'static str)>,
    plans: Vec<(String, String)>,
    names: Names,
    /// The user id of whoever looks.
    own: String,
}

/// Which parts of the two lists are asked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Parts {
    customers: Option<String>,
    users: Option<String>,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
    Query(parts): Query<Parts>,
) -> Result<Html<String>, Failure> {
    // Customers' people are told no more than that there is nothing for them.
    if !matches!(principal.role, Role::OperatorAdmin | Role::Technician) {
        return Err(Failure::nowhere());
    }
    html(&PeoplePage {
        customers: desk.customers(&principal, &rows(parts.customers)).await?,
        users: users(&desk, &principal, parts.users).await?,
        roles: ROLES.iter().map(|(role, name, may)| (wire(*role), *name, *may)).collect(),
        plans: desk.plans(&principal)?.into_iter().map(|p| (p.id.to_string(), p.name)).collect(),
        names: Names::of(&desk, &principal).await?,
        own: principal.subject.clone(),
        frame: Frame::new("People", "/people", principal, desk.now()),
    })
}

async fn users(
    desk: &Desk,
    principal: &Principal,
    cursor: Option<String>,
) -> Result<Option<Page<User>>, Failure> {
    if principal.require(Action::ManageUsers).is_err() {
        return Ok(None);
    }
    Ok(Some(desk.users(principal, &rows(cursor)).await?))
}

fn rows(cursor: Option<String>) -> PageRequest {
    PageRequest { cursor: cursor.filter(|c| !c.is_empty()), limit: Some(ROWS) }
}

/// A role as the API writes it.
fn wire(role: Role) -> String {
    role.to_string().replace(' ', "_")
}

impl PeoplePage {
    fn is_own(&self, user: &User) -> bool {
        user.id.to_string() == self.own
    }

    /// The name of the customer's plan, or its id when the catalogue has it no more.
    fn plan<'s>(&'s self, customer: &'s CustomerView) -> &'s str {
        let id = customer.plan.as_str();
        self.plans.iter().find(|(plan, _)| plan == id).map_or(id, |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_sent_as_the_api_reads_it() {
        for (role, ..) in ROLES {
            let read: Role = serde_json::from_value(serde_json::Value::String(wire(role))).unwrap();
            assert_eq!(read, role);
        }
    }
}
