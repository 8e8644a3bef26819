//! Customers and the plans they are on.

use access::Action;
use echo_core::{CustomerId, Id as _, Page, PageRequest, Timestamp};
use revenue::{PlanId, Subscription};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope, Tx};

use crate::{Call, Desk, DeskError, Work, call::scope_of};

/// The longest name of anything, in characters.
pub(crate) const MAX_NAME: usize = 120;

/// An account that buys plans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// Its name.
    pub name: String,
    /// Since when.
    pub created: Timestamp,
}

impl Record for Customer {
    const KIND: &'static str = "customer";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.id)
    }
}

/// A subscription as it is kept: one a customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct SubscriptionRecord(pub(crate) Subscription);

impl Record for SubscriptionRecord {
    const KIND: &'static str = "subscription";

    fn id(&self) -> &str {
        self.0.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.0.customer)
    }

    fn unique(&self) -> Option<String> {
        Some(self.0.customer.to_string())
    }
}

/// What is needed for a new customer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCustomer {
    /// Its name, 1 to 120 characters.
    pub name: String,
    /// The plan it is on.
    pub plan: PlanId,
}

/// A customer with its plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CustomerView {
    /// The customer.
    #[serde(flatten)]
    pub customer: Customer,
    /// The plan it is on.
    pub plan: PlanId,
}

impl Desk {
    /// Adds a customer with a plan.
    pub async fn add_customer(&self, call: &Call, new: NewCustomer) -> Result<CustomerView, DeskError> {
        call.principal.require(Action::ManageCustomers)?;
        let mut work = self.work(&call.principal.name).await?;
        let view = work.add_customer(new).await?;
        work.finish(call, 201, view).await
    }

    /// The customers that the caller may see, newest first.
    pub async fn customers(
        &self,
        principal: &access::Principal,
        page: &PageRequest,
    ) -> Result<Page<CustomerView>, DeskError> {
        principal.require(Action::ReadCustomer)?;
        let mut tx = self.store().read().await?;
        let scope = scope_of(principal);
        let found = tx.list::<Customer>(&scope, &Filter::default(), page).await?;
        let mut items = Vec::with_capacity(found.items.len());
        for customer in found.items {
            let plan = subscription(&mut tx, &customer.id).await?.plan;
            items.push(CustomerView { customer, plan });
        }
        Ok(Page { items, next: found.next })
    }
}

impl Work<'_> {
    pub(crate) async fn add_customer(&mut self, new: NewCustomer) -> Result<CustomerView, DeskError> {
        let name = checked_name("name", &new.name)?;
        if self.desk.content().catalogue.plan(&new.plan).is_none() {
            return Err(DeskError::invalid(
                "plan",
                format!("there is no plan `{}`: see GET /v1/plans", new.plan),
            ));
        }
        let customer = Customer { id: self.id(), name, created: self.now };
        self.tx.insert(&customer).await?;
        let subscription = Subscription {
            id: self.id(),
            customer: customer.id.clone(),
            plan: new.plan.clone(),
            started: self.now,
            ended: None,
        };
        self.tx.insert(&SubscriptionRecord(subscription)).await?;
        Ok(CustomerView { customer, plan: new.plan })
    }
}

/// The plan a customer is on.
pub(crate) async fn subscription(tx: &mut Tx, customer: &CustomerId) -> Result<Subscription, DeskError> {
    tx.get_unique::<SubscriptionRecord>(&Scope::All, customer.as_str())
        .await?
        .map(|s| s.0)
        .ok_or_else(|| DeskError::not_found("subscription of", customer.as_str()))
}

/// A name without control characters and surrounding space, 1 to 120 characters.
pub(crate) fn checked_name(field: &str, name: &str) -> Result<String, DeskError> {
    let name = name.trim();
    let length = name.chars().count();
    if length == 0 || length > MAX_NAME || name.chars().any(char::is_control) {
        return Err(DeskError::invalid(field, "write 1 to 120 characters on one line"));
    }
    Ok(name.to_owned())
}
