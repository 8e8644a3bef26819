//! `echo_probe status`: who this device is and how it stands. Works while the probe runs.

use std::fmt::Write as _;

use echo_core::{Clock as _, CustomerId, DeviceId, Digest, SystemClock, Timestamp};
use governance::{DeprecationNotice, Standing};
use observability::{Bounds, Buffer};
use serde::Serialize;

use crate::{
    cli,
    failure::Failure,
    home::{self, Home},
    notice::{Notices, TRUST},
    pin::{CHAIN, Pin},
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
    registry: Option<RegistryStatus>,
    /// Signing keys of the platform that go out of use.
    notices: Vec<DeprecationNotice>,
    /// Why the platform's trust chain was refused last.
    trust_error: Option<String>,
    /// How many seconds the clock lies behind the latest time that was seen.
    clock_behind: Option<i64>,
}

/// The newest trust registry that the device knows.
#[derive(Serialize)]
struct RegistryStatus {
    version: u64,
    expires: Timestamp,
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
    let now = SystemClock.now();
    let known = Notices::load(folder.join(TRUST))?;
    let registry = Pin::load(folder.join(CHAIN), identity.root).ok().and_then(|pin| pin.newest().ok());
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
        notices: registry.as_ref().map_or_else(Vec::new, |registry| known.standing(registry)),
        registry: registry.map(|r| RegistryStatus { version: r.version, expires: r.expires }),
        trust_error: known.trouble().map(str::to_owned),
        clock_behind: known.behind(now),
    };
    if options.json { show::json(&status) } else { show::data(&describe(&status, known.time(now))) }
}

fn describe(status: &Status, now: Timestamp) -> String {
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
    let mut line = |label: &str, words: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{label:<10}{}", show::plain(words));
    };
    if let Some(registry) = &status.registry {
        line("keys", &format!("registry version {}, good until {}", registry.version, registry.expires));
    }
    for notice in &status.notices {
        let what = match notice.standing(now) {
            Standing::Announced => "announced",
            Standing::Warns => "warning",
            Standing::Refuses => "refused",
        };
        line("notice", &format!("{what}: {} ({}, from {})", notice.text, notice.id, notice.refuse_from));
    }
    if let Some(seconds) = status.clock_behind {
        line(
            "clock",
            &format!(
                "{seconds} s behind the latest time seen: set it right, or enrol again if that time was wrong"
            ),
        );
    }
    for error in status.last_error.iter().chain(&status.trust_error) {
        line("trouble", error);
    }
    text
}
