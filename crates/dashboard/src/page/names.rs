//! Names for ids: whose a thing is, and on which machine.

use std::collections::BTreeMap;

use access::{Action, Principal};
use desk::{CustomerView, Desk, DeskError, DeviceView};
use echo_core::{CustomerId, DeviceId, Id as _, PageRequest};

/// The customers and devices that the caller may see, up to one page of each, newest first.
pub(crate) struct Names {
    pub(crate) customers: Vec<CustomerView>,
    pub(crate) devices: Vec<DeviceView>,
    by_id: BTreeMap<String, String>,
}

impl Names {
    pub(crate) async fn of(desk: &Desk, principal: &Principal) -> Result<Self, DeskError> {
        principal.require(Action::ReadCustomer)?;
        let page = PageRequest::largest();
        let customers = desk.customers(principal, &page).await?.items;
        let devices = desk.devices(principal, &page).await?.items;
        let by_id = customers
            .iter()
            .map(|c| (c.customer.id.to_string(), c.customer.name.clone()))
            .chain(devices.iter().map(|d| (d.device.id.to_string(), d.device.name.clone())))
            .collect();
        Ok(Self { customers, devices, by_id })
    }

    /// The customer's name, or its id where there are too many to name all.
    pub(crate) fn customer<'s>(&'s self, id: &'s CustomerId) -> &'s str {
        self.by_id.get(id.as_str()).map_or(id.as_str(), String::as_str)
    }

    /// The machine's name, or its id where there are too many to name all.
    pub(crate) fn device<'s>(&'s self, id: &'s DeviceId) -> &'s str {
        self.by_id.get(id.as_str()).map_or(id.as_str(), String::as_str)
    }
}
