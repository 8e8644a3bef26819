//! `GET /v1/devices`: list the devices that you may see.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa::ToSchema;

use crate::{
    body::json,
    caller::Caller,
    problem::Problem,
    query::{Asked, PageQuery},
    schema::{Digest, Envelope, Id, Page, Time},
    state::Shared,
};

/// A machine under care, with what it last said.
#[derive(ToSchema)]
pub struct Device {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub customer: Id,
    /// What people call it.
    pub name: String,
    /// Its Ed25519 key, in hexadecimal.
    pub public_key: String,
    /// Its decentralised identifier (`did:key`).
    pub did: String,
    /// Its certified node manifest.
    pub manifest: Envelope,
    /// Whether it may speak.
    pub state: DeviceState,
    /// Since when.
    pub enrolled: Time,
    /// Digest of the token it enrolled with.
    pub enrolled_with: Digest,
    /// What machine it is.
    pub facts: HostFacts,
    /// Its last posture, when it was scanned.
    pub posture: Option<LastPosture>,
    /// Whether it is heard from.
    pub presence: Presence,
    /// When it was last heard from.
    pub last_seen: Option<Time>,
    /// Its last metrics: `cpu_utilization` (0 to 1), loads, memory and swap in bytes, `disks`, `network`,
    /// `uptime_seconds`, `processes`.
    #[schema(value_type = Option<Object>)]
    pub metrics: Option<serde_json::Value>,
}

/// Whether a device may speak.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum DeviceState {
    /// It may.
    Active,
    /// It may not any more: it is retired.
    Revoked,
}

/// Whether a device is heard from.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Presence {
    /// It is.
    Online,
    /// It was, but not lately.
    Stale,
    /// It never was.
    Never,
}

/// The last posture of a device.
#[derive(ToSchema)]
pub struct LastPosture {
    /// The score, 0 to 100.
    pub score: u8,
    /// How many checks passed.
    pub passed: u32,
    /// How many failed.
    pub failed: u32,
    /// When.
    pub at: Time,
}

/// What a machine is, in the words of OpenTelemetry.
#[derive(ToSchema)]
pub struct HostFacts {
    /// The node name.
    pub hostname: String,
    /// The distribution's identifier (os-release(5)).
    pub os_id: String,
    /// The distribution's name.
    pub os_name: String,
    /// The distribution's version; empty for rolling ones.
    pub os_version: String,
    /// The kernel's release.
    pub kernel: String,
    /// The CPU architecture: `amd64`, `arm64`, ...
    pub arch: String,
    /// When the machine started.
    pub boot_time: Time,
    /// How many logical CPUs are online.
    pub cpu_count: u32,
    /// The CPU's model.
    pub cpu_model: String,
    /// Physical memory in bytes.
    pub memory_total: u64,
    /// What it runs in, when not on bare metal.
    pub virtualisation: Option<String>,
    /// A digest of the machine id, made for Echo alone.
    pub machine_id_digest: Option<Digest>,
    /// The name of process 1.
    pub init: String,
    /// The package manager.
    pub package_manager: Option<String>,
}

/// List the devices that you may see.
#[utoipa::path(
    get, path = "/v1/devices", tag = "devices", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "A page of them.", body = Page<Device>))
)]
pub(crate) async fn list_devices(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let page = shared.desk.devices(&caller.principal, &query.page()?).await?;
    Ok(json(StatusCode::OK, &page))
}
