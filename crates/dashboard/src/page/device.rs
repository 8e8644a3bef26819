//! `/devices/{id}`: one machine: what it is, how it does, how it was last found.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
};
use desk::{Desk, DeviceView};
use echo_core::DeviceId;

use super::{devices::presence, html, people::People};
use crate::{caller::Visitor, failure::Failure, frame::Frame, piece, words};

/// The charts: key for the script, title, and the unit of the numbers.
const CHARTS: [(&str, &str, &str); 4] = [
    ("cpu", "CPU", "percent of all cores"),
    ("memory", "Memory in use", "bytes"),
    ("load", "Load", "runnable threads, one minute"),
    ("network", "Network", "bytes a second"),
];

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    frame: Frame,
    view: DeviceView,
    facts: Vec<(&'static str, String)>,
    people: People,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
    Path(id): Path<String>,
) -> Result<Html<String>, Failure> {
    let id: DeviceId = id.parse().map_err(|_| Failure::nowhere())?;
    let view = desk.device(&principal, &id).await?;
    let people = People::of(&desk, &principal).await?;
    html(&DevicePage {
        facts: facts(&view),
        frame: Frame::new(view.device.name.clone(), "/devices", principal, desk.now()),
        view,
        people,
    })
}

/// What the machine is, in rows.
fn facts(view: &DeviceView) -> Vec<(&'static str, String)> {
    let facts = &view.device.facts;
    let mut rows = vec![
        ("Host name", facts.hostname.clone()),
        ("System", format!("{} {}", facts.os_name, facts.os_version)),
        ("Kernel", format!("{} ({})", facts.kernel, facts.arch)),
        ("CPU", format!("{} × {}", facts.cpu_count, facts.cpu_model)),
        ("Memory", words::bytes(facts.memory_total)),
        ("Runs in", facts.virtualisation.clone().unwrap_or_else(|| "bare metal".to_owned())),
        ("Init", facts.init.clone()),
        ("Packages", facts.package_manager.clone().unwrap_or_else(|| "unknown".to_owned())),
    ];
    if let Some(metrics) = &view.metrics {
        rows.push(("Up for", words::duration(metrics.uptime_seconds)));
        rows.push(("Processes", metrics.processes.to_string()));
    }
    rows
}
