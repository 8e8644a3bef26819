//! Who is asking.

use std::fmt;

use echo_core::{CustomerId, DeviceId, TokenId};
use serde::{Deserialize, Serialize};

use crate::action::{Action, allowed};

/// What kind of party somebody is. Written in `snake_case`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs this Echo: everything that people may do.
    OperatorAdmin,
    /// Works on cases for the operator.
    Technician,
    /// A person of one customer; sees nothing of another.
    Customer,
    /// A machine under care; sees only its own work.
    Device,
    /// A program of one customer with a key of its own; reads, and asks the skills that its key lists.
    Agent,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 5] =
        [Self::OperatorAdmin, Self::Technician, Self::Customer, Self::Device, Self::Agent];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OperatorAdmin => "operator admin",
            Self::Technician => "technician",
            Self::Customer => "customer",
            Self::Device => "device",
            Self::Agent => "agent",
        })
    }
}

/// Who is asking, as their access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Principal {
    /// The user's, the device's or the agent key's id.
    pub subject: String,
    /// What people call it.
    pub name: String,
    /// What kind of party it is.
    pub role: Role,
    /// Whose it is: always there for customers, devices and agents, never for the operator's people.
    pub customer: Option<CustomerId>,
    /// Which device it is: always there for devices, never for people and agents.
    pub device: Option<DeviceId>,
    /// The access token in hand; for an agent, its key.
    pub token: TokenId,
    /// The refresh family that the token came from; nothing for a device's and for an agent's.
    pub family: Option<TokenId>,
}

/// A principal asked for what its role may not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} may not {action}: it takes {}", one(*role), takers(*action))]
pub struct Denied {
    /// The role that asked.
    pub role: Role,
    /// What it asked for.
    pub action: Action,
}

/// A principal's parts do not fit its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} with the wrong scope: customers and agents belong to a customer, devices to a customer and a device, the operator's people to neither",
    one(*.0)
)]
pub struct Unscoped(pub Role);

fn takers(action: Action) -> String {
    let names: Vec<String> = action.roles().iter().map(|role| one(*role)).collect();
    names.join(" or ")
}

/// The role with its article.
fn one(role: Role) -> String {
    match role {
        Role::OperatorAdmin | Role::Agent => format!("an {role}"),
        Role::Technician | Role::Customer | Role::Device => format!("a {role}"),
    }
}

impl Principal {
    /// Refuses what the principal's role may not do. Whose things it may do it to: [`Principal::may_see`].
    pub fn require(&self, action: Action) -> Result<(), Denied> {
        if allowed(self.role, action) { Ok(()) } else { Err(Denied { role: self.role, action }) }
    }

    /// Whether the principal may see what belongs to `customer`.
    pub fn may_see(&self, customer: &CustomerId) -> bool {
        match self.role {
            Role::OperatorAdmin | Role::Technician => true,
            Role::Customer | Role::Device | Role::Agent => self.customer.as_ref() == Some(customer),
        }
    }

    /// Whether the principal is `device` itself.
    pub fn is_device(&self, device: &DeviceId) -> bool {
        self.role == Role::Device && self.device.as_ref() == Some(device)
    }

    /// Whether customer and device are there exactly as the role wants them.
    pub fn check_scope(&self) -> Result<(), Unscoped> {
        let wanted = match self.role {
            Role::OperatorAdmin | Role::Technician => (false, false),
            Role::Customer | Role::Agent => (true, false),
            Role::Device => (true, true),
        };
        if (self.customer.is_some(), self.device.is_some()) == wanted {
            Ok(())
        } else {
            Err(Unscoped(self.role))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;

    use echo_core::{ManualClock, Mint, SeededEntropy, Timestamp};

    use super::*;

    /// A mint at the epoch, and the clock that moves it.
    pub(crate) fn mint() -> (Mint, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
        let mint = Mint::new(clock.clone(), Arc::new(SeededEntropy::new(11)));
        (mint, clock)
    }

    /// A well-scoped principal of `role`.
    pub(crate) fn principal(mint: &Mint, role: Role) -> Principal {
        let scoped = matches!(role, Role::Customer | Role::Device | Role::Agent);
        Principal {
            subject: mint.id::<echo_core::UserId>().to_string(),
            name: "Zoë Example".to_owned(),
            role,
            customer: scoped.then(|| mint.id()),
            device: (role == Role::Device).then(|| mint.id()),
            token: mint.id(),
            family: None,
        }
    }

    #[test]
    fn customers_devices_and_agents_see_their_own_customer_alone() {
        let (mint, _) = mint();
        let stranger: CustomerId = mint.id();
        for role in Role::ALL {
            let asks = principal(&mint, role);
            let operator = matches!(role, Role::OperatorAdmin | Role::Technician);
            assert_eq!(asks.may_see(&stranger), operator, "{role}");
            if let Some(own) = &asks.customer {
                assert!(asks.may_see(own), "{role}");
            }
        }
    }

    #[test]
    fn a_customer_without_a_customer_sees_nothing() {
        let (mint, _) = mint();
        let mut asks = principal(&mint, Role::Customer);
        asks.customer = None;
        assert!(!asks.may_see(&mint.id()));
        assert_eq!(asks.check_scope(), Err(Unscoped(Role::Customer)));
    }

    #[test]
    fn every_role_wants_its_own_scope() {
        let (mint, _) = mint();
        for role in Role::ALL {
            let mut asks = principal(&mint, role);
            assert_eq!(asks.check_scope(), Ok(()));
            asks.device = match asks.device {
                Some(_) => None,
                None => Some(mint.id()),
            };
            assert_eq!(asks.check_scope(), Err(Unscoped(role)));
        }
    }

    #[test]
    fn a_device_is_itself_alone() {
        let (mint, _) = mint();
        let asks = principal(&mint, Role::Device);
        assert!(asks.is_device(asks.device.as_ref().unwrap()));
        assert!(!asks.is_device(&mint.id()));
    }

    #[test]
    fn a_denial_says_who_may() {
        let (mint, _) = mint();
        let denied = principal(&mint, Role::Customer).require(Action::SettleInvoice).unwrap_err();
        assert_eq!(denied.to_string(), "a customer may not settle an invoice: it takes an operator admin");
        assert_eq!(principal(&mint, Role::OperatorAdmin).require(Action::SettleInvoice), Ok(()));
    }
}
