//! `GET` and `POST /v1/witnesses`, `POST /v1/witnesses/ask`: the witnesses that Echo asks to cosign its ledgers.

use axum::{extract::State, http::StatusCode, response::Response};
use desk::WitnessEdit;
use utoipa::ToSchema;

use crate::{
    body::{JsonBody, Nothing, json},
    caller::Caller,
    endpoint::document::LogName,
    idempotency::{self, Command},
    problem::Problem,
    schema::{Digest, Time},
    state::Shared,
};

/// The witnesses that are asked, with groups and quorum (C2SP tlog-policy).
#[derive(ToSchema)]
pub struct Witnesses {
    /// Who has to cosign a head: a witness, a group, or `none`.
    #[schema(example = "none")]
    pub quorum: String,
    /// The groups.
    pub groups: Vec<WitnessGroup>,
    /// The witnesses.
    pub witnesses: Vec<Witness>,
    /// The nodes of the mesh that cosigned; the quorum knows nothing of them.
    pub nodes: Vec<NodeWitness>,
    /// Ledgers that are proven to have two histories: alarms that stay.
    pub forks: Vec<ForkIncident>,
}

/// A node of the mesh that cosigned a head.
#[derive(ToSchema)]
pub struct NodeWitness {
    /// Its `did:key`.
    pub node: String,
    /// What people call its device.
    pub name: Option<String>,
    /// The verifier key of its cosignatures (C2SP tlog-cosignature).
    pub vkey: String,
    /// Which ledger.
    pub log: LogName,
    /// Entries of the newest head that it cosigned.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// When it did.
    pub cosigned: Time,
    /// Its cosignature, as a signature line.
    pub line: String,
}

/// A ledger that is proven to have two histories.
#[derive(ToSchema)]
pub struct ForkIncident {
    /// Which ledger.
    pub log: LogName,
    /// How many entries both heads have.
    pub size: u64,
    /// Their two roots.
    pub roots: Vec<Digest>,
    /// When it became known here.
    pub at: Time,
    /// What proves it.
    pub proof: ForkProof,
    /// The id of its attestation in the genesis ledger.
    pub attestation: Option<String>,
}

/// Two heads of one size with two roots, both signed by the ledger's key.
#[derive(ToSchema)]
pub struct ForkProof {
    /// The ledger's origin line.
    pub origin: String,
    /// One signed head (C2SP tlog-checkpoint).
    pub note_a: String,
    /// The other.
    pub note_b: String,
}

/// A group of witnesses.
#[derive(ToSchema)]
pub struct WitnessGroup {
    /// Its name.
    pub name: String,
    /// How many members have to cosign.
    pub threshold: usize,
    /// Its members.
    pub members: Vec<String>,
}

/// A witness that is asked.
#[derive(ToSchema)]
pub struct Witness {
    /// Its name here.
    pub name: String,
    /// Its verifier key (C2SP tlog-cosignature).
    pub vkey: String,
    /// Its submission prefix.
    pub url: Option<String>,
    /// How it stands to each ledger.
    pub ledgers: Vec<Standing>,
}

/// How a witness stands to a ledger.
#[derive(ToSchema)]
pub struct Standing {
    /// Which ledger.
    pub log: LogName,
    /// Entries of the newest head that it cosigned; 0 when it never did.
    pub size: u64,
    /// When it did.
    pub cosigned: Option<Time>,
    /// Why the last request failed.
    pub error: Option<String>,
    /// When it is asked again after failures.
    pub next: Option<Time>,
    /// What it says against the ledger: an alarm.
    pub contradiction: Option<String>,
}

/// A change of the witnesses.
#[derive(ToSchema)]
#[schema(as = WitnessEdit, example = json!({"edit": "quorum", "name": "none"}))]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum WitnessEditBody {
    /// Ask one more witness.
    Add {
        /// Its name here, without spaces.
        name: String,
        /// Its verifier key.
        vkey: String,
        /// Its submission prefix.
        url: String,
    },
    /// Forget a witness or a group that nothing names.
    Remove {
        /// Its name.
        name: String,
    },
    /// Make a group.
    Group {
        /// Its name.
        name: String,
        /// How many members have to cosign.
        threshold: u32,
        /// Names of witnesses and groups that are there.
        members: Vec<String>,
    },
    /// Say who has to cosign a head.
    Quorum {
        /// A witness, a group, or `none`.
        name: String,
    },
}

/// List the witnesses that are asked, and how they stand to each ledger.
#[utoipa::path(
    get, path = "/v1/witnesses", tag = "proof", security(("bearer" = [])),
    responses((status = 200, description = "The witnesses.", body = Witnesses))
)]
pub(crate) async fn list_witnesses(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.witnesses(&caller.principal).await?))
}

/// Change the witnesses that are asked, their groups or the quorum. They are asked at once.
#[utoipa::path(
    post, path = "/v1/witnesses", tag = "proof", security(("bearer" = [])), request_body = WitnessEditBody,
    responses((status = 200, description = "The witnesses as they are now.", body = Witnesses))
)]
pub(crate) async fn edit_witnesses(
    State(shared): State<Shared>,
    Command { call, body: JsonBody(edit) }: Command<JsonBody<WitnessEdit>>,
) -> Response {
    let done = shared.desk.edit_witnesses(&call, edit).await;
    idempotency::answer(&shared.desk, &call, StatusCode::OK, done).await
}

/// Ask the witnesses now, those too that failed a moment ago.
#[utoipa::path(
    post, path = "/v1/witnesses/ask", tag = "proof", security(("bearer" = [])),
    responses((status = 200, description = "The witnesses as they were before they answer.", body = Witnesses))
)]
pub(crate) async fn ask_witnesses(State(shared): State<Shared>, command: Command<Nothing>) -> Response {
    let done = shared.desk.ask_witnesses_now(&command.call).await;
    idempotency::answer(&shared.desk, &command.call, StatusCode::OK, done).await
}
