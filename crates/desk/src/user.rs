//! People who sign in.

use access::{Action, Role};
use echo_core::{CustomerId, Id as _, Page, PageRequest, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope};

use crate::{Call, Customer, Desk, DeskError, Work, call::scope_of, customer::checked_name};

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Whose person they are; nothing for the operator's own.
    pub customer: Option<CustomerId>,
    /// Since when.
    pub created: Timestamp,
}

impl Record for User {
    const KIND: &'static str = "user";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        self.customer.as_ref()
    }
}

/// What is needed for a new person.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Their name, 1 to 120 characters.
    pub name: String,
    /// What they may do: `operator_admin`, `technician` or `customer`.
    pub role: Role,
    /// Whose person they are; demanded for the role `customer`, and for it alone.
    #[serde(default)]
    pub customer: Option<CustomerId>,
}

impl Desk {
    /// Adds a person. They sign in with a link made for them.
    pub async fn add_user(&self, call: &Call, new: NewUser) -> Result<User, DeskError> {
        call.principal.require(Action::ManageUsers)?;
        let mut work = self.work(&call.principal.name).await?;
        let user = work.add_user(new).await?;
        work.finish(call, 201, user).await
    }

    /// The people that the caller may see, newest first.
    pub async fn users(
        &self,
        principal: &access::Principal,
        page: &PageRequest,
    ) -> Result<Page<User>, DeskError> {
        principal.require(Action::ManageUsers)?;
        Ok(self.store().read().await?.list(&scope_of(principal), &Filter::default(), page).await?)
    }
}

impl Work<'_> {
    pub(crate) async fn add_user(&mut self, new: NewUser) -> Result<User, DeskError> {
        let name = checked_name("name", &new.name)?;
        match (new.role, &new.customer) {
            (Role::Device | Role::Agent, _) => {
                return Err(DeskError::invalid(
                    "role",
                    "a device enrols with a token, and an agent has a key; people have the other roles",
                ));
            }
            (Role::Customer, None) => return Err(DeskError::invalid("customer", "say whose person this is")),
            (Role::Customer, Some(id)) => {
                self.tx
                    .get::<Customer>(&Scope::All, id.as_str())
                    .await?
                    .ok_or_else(|| DeskError::not_found("customer", id.as_str()))?;
            }
            (_, Some(_)) => {
                return Err(DeskError::invalid(
                    "customer",
                    "the operator's own people belong to no customer",
                ));
            }
            (_, None) => {}
        }
        let user = User { id: self.id(), name, role: new.role, customer: new.customer, created: self.now };
        self.tx.insert(&user).await?;
        Ok(user)
    }
}
