//! `/devices/{id}`: one machine: what it is, how it does, how it was last found.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Html,
};
use desk::{Desk, DeviceView};
use echo_core::DeviceId;

use super::{
    devices::{is_retired, presence},
    html,
    names::Names,
};
use crate::{
    caller::Visitor,
    failure::Failure,
    frame::Frame,
    piece::{self, Action},
    words,
};

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
    names: Names,
    retired: bool,
    /// How it is taken out of care, for those who may.
    retire: Option<Action>,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
    Path(id): Path<String>,
) -> Result<Html<String>, Failure> {
    let id: DeviceId = id.parse().map_err(|_| Failure::nowhere())?;
    let view = desk.device(&principal, &id).await?;
    let names = Names::of(&desk, &principal).await?;
    let frame = Frame::new(view.device.name.clone(), "/devices", principal, desk.now());
    let retired = is_retired(&view);
    html(&DevicePage {
        facts: facts(&view),
        retired,
        retire: (frame.may_retire() && !retired).then(|| retire(&view)),
        frame,
        view,
        names,
    })
}

fn retire(view: &DeviceView) -> Action {
    Action {
        url: format!("/v1/devices/{}/retire", view.device.id),
        label: "Retire this device",
        look: "danger",
        fields: Vec::new(),
        confirm: format!(
            "Take {} out of care for good? From now on it is refused: what waits for it fails uncharged, and no new case \
             can name it. Its proofs and receipts stay. To come back, the machine is enrolled anew.",
            view.device.name
        ),
        hint: "For a machine that is sold, broken or no longer yours to care for.",
        done: "Retired. It is refused from now on.",
    }
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
