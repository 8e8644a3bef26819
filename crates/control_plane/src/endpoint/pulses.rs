//! `POST /v1/device/pulses`: telemetry of the calling device.

use axum::{extract::State, http::StatusCode, response::Response};
use device_link::PulseBatch;
use utoipa::ToSchema;

use crate::{
    body::JsonBody,
    idempotency::{self, Command},
    schema::{Id, Time},
    state::Shared,
};

/// Pulses of the calling device, oldest first.
#[derive(ToSchema)]
#[schema(as = PulseBatch)]
pub struct PulseBatchBody {
    /// At most 200.
    #[schema(max_items = 200)]
    pub pulses: Vec<Pulse>,
}

/// What a device says of itself at one moment.
#[derive(ToSchema)]
pub struct Pulse {
    /// Who says it: the calling device.
    pub device: Id,
    /// Its number: grows with each pulse of the device, from 1.
    #[schema(minimum = 1)]
    pub seq: u64,
    /// When it was taken, by the device's clock.
    pub at: Time,
    /// How the machine does: see `metrics` of a device.
    #[schema(value_type = Object)]
    pub metrics: serde_json::Value,
    /// What the machine is, when that changed: see `facts` of a device.
    #[schema(value_type = Option<Object>)]
    pub facts: Option<serde_json::Value>,
}

/// What became of a batch.
#[derive(ToSchema)]
pub struct PulsesAccepted {
    /// How many were new.
    pub fresh: u32,
    /// How many had been seen before.
    pub duplicates: u32,
    /// Up to which number the pulses are on the platform's disk: the device may forget these.
    pub durable_seq: u64,
}

/// Send telemetry of the calling device.
#[utoipa::path(
    post, path = "/v1/device/pulses", tag = "device", security(("bearer" = [])), request_body = PulseBatchBody,
    responses((status = 200, description = "Taken.", body = PulsesAccepted))
)]
pub(crate) async fn accept_pulses(
    State(shared): State<Shared>,
    Command { call, body: JsonBody(batch) }: Command<JsonBody<PulseBatch>>,
) -> Response {
    // A pulse that comes again is a duplicate by its number: no answer need be kept.
    let accepted = shared.desk.accept_pulses(&call.principal, batch);
    idempotency::answer(&shared.desk, &call, StatusCode::OK, accepted).await
}
