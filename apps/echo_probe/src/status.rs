//! `echo_probe status`: who this device is and how it stands. Works while the probe runs.

use echo_core::{CustomerId, DeviceId, Digest, Timestamp};
use observability::{Bounds, Buffer};
use serde::Serialize;

use crate::{
    cli,
    failure::Failure,
    home::{self, Home},
    show,
};

#[derive(Serialize)]
struct Status {
    device: DeviceId,
    customer: CustomerId,
    name: String,
    platform: String,
    root: Digest,
    enrolled: Timestamp,
    running: bool,
    last_contact: Option<Timestamp>,
    last_error: Option<String>,
    waiting_pulses: usize,
    dropped_pulses: u64,
}

/// Prints the status.
pub(crate) fn run(options: &cli::Status) -> Result<(), Failure> {
    let folder = options.home.path()?;
    let identity = home::identity(&folder)?.ok_or_else(|| {
        Failure::Failed(format!(
            "{} holds no enrolled device: run `echo_probe enroll` first",
            folder.display()
        ))
    })?;
    let mut contact = home::contact(&folder)?;
    let free = Home::open_if_free(&folder)?;
    if free.is_some()
        && let Ok(buffer) = Buffer::open(&folder.join("pulses"), Bounds::default())
    {
        (contact.waiting, contact.dropped) = (buffer.len(), buffer.dropped());
    }
    let status = Status {
        device: identity.device,
        customer: identity.customer,
        name: identity.name,
        platform: identity.platform,
        root: identity.root,
        enrolled: identity.enrolled,
        running: free.is_none(),
        last_contact: contact.reached,
        last_error: contact.last_error,
        waiting_pulses: contact.waiting,
        dropped_pulses: contact.dropped,
    };
    if options.json { show::json(&status) } else { show::data(&describe(&status)) }
}

fn describe(status: &Status) -> String {
    let state = if status.running { "running" } else { "not running" };
    let contact = status.last_contact.map_or("never".to_owned(), |at| at.to_string());
    let mut text = format!(
        "device    {} ({})\ncustomer  {}\nplatform  {}\nroot      {}\nstate     {state}\ncontact   {contact}\npulses    \
         {} wait, {} dropped\n",
        status.device,
        show::plain(&status.name),
        status.customer,
        status.platform,
        status.root,
        status.waiting_pulses,
        status.dropped_pulses
    );
    if let Some(error) = &status.last_error {
        text.push_str("trouble   ");
        text.push_str(&show::plain(error));
        text.push('\n');
    }
    text
}
