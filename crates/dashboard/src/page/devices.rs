//! `/devices`: the machines under care, and how another one joins.

use askama::Template;
use axum::{
    extract::{Query, State},
    response::Html,
};
use desk::{Desk, DeviceState, DeviceView};
use echo_core::Page;

use super::{Part, html, names::Names};
use crate::{caller::Visitor, failure::Failure, frame::Frame, piece::Chip, words};

#[derive(Template)]
#[template(path = "devices.html")]
struct DevicesPage {
    frame: Frame,
    devices: Page<DeviceView>,
    next: Option<String>,
    names: Names,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
    Query(part): Query<Part>,
) -> Result<Html<String>, Failure> {
    let devices = desk.devices(&principal, &part.page()).await?;
    let names = Names::of(&desk, &principal).await?;
    html(&DevicesPage {
        next: part.next("/devices", devices.next.as_ref()),
        frame: Frame::new("Devices", "/devices", principal, desk.now()),
        devices,
        names,
    })
}

/// Whether a machine was taken out of care.
pub(crate) fn is_retired(device: &DeviceView) -> bool {
    device.device.state != DeviceState::Active
}

/// Whether a machine is heard from, as people say it.
pub(crate) fn presence(device: &DeviceView) -> Chip {
    let word = words::word(&device.presence);
    Chip::new(
        match word.as_str() {
            _ if is_retired(device) => "retired",
            "stale" => "away",
            "never" => "not heard yet",
            other => other,
        }
        .to_owned(),
    )
}
