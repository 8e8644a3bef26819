//! All routes, and the layers around them.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware::{from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::any,
};
use desk::Desk;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Options, body, caller, endpoint as e, guard, headers, limits, problem, problem::Problem, state::Shared,
};

/// The HTTP API. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: without the peer's address,
/// everybody shares one address's limit. It sets no fallback, so that it can be merged with pages beside it.
pub fn router(desk: Desk, options: Options) -> Router {
    let guarded = options.guarded.clone();
    let shared = Shared::new(desk, options);
    let guarded = guarded.layer(from_fn_with_state(shared.clone(), caller::admit));
    let (routes, _) = routes().split_for_parts();
    routes
        .route("/v1/ledgers/{log}/tile/{*path}", axum::routing::get(e::tile::read))
        .route("/.well-known/jwks.json", axum::routing::get(e::jwks::read))
        .route("/v1/{*rest}", any(unknown))
        .method_not_allowed_fallback(not_allowed)
        .merge(guarded.with_state(()))
        .layer(DefaultBodyLimit::max(body::MAX_BODY))
        .layer(CatchPanicLayer::custom(guard::panicked))
        .layer(from_fn(guard::in_time))
        .layer(from_fn_with_state(shared.clone(), limits::by_address))
        .layer(from_fn(problem::name_instance))
        .layer(from_fn(headers::secure))
        .layer(from_fn_with_state(shared.clone(), guard::watch))
        .with_state(shared)
}

/// The routes that the `OpenAPI` document describes.
pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .merge(sessions())
        .merge(house())
        .merge(devices())
        .merge(cases())
        .merge(money())
        .merge(proof())
        .merge(witnesses())
        .merge(mesh())
        .merge(operation())
}

fn sessions() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(e::sign_in::sign_in))
        .routes(routes!(e::refresh::refresh))
        .routes(routes!(e::sign_out::sign_out))
        .routes(routes!(e::me::me))
        .routes(routes!(e::device_token::device_token))
        .routes(routes!(e::enrol::enrol))
}

fn house() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(e::overview::overview))
        .routes(routes!(e::customers::list_customers, e::customers::add_customer))
        .routes(routes!(e::erasure::read_erasure, e::erasure::erase_customer))
        .routes(routes!(e::users::list_users, e::users::add_user))
        .routes(routes!(e::sign_in_links::make_sign_in_link))
        .routes(routes!(e::agent_keys::list_agent_keys, e::agent_keys::make_agent_key))
        .routes(routes!(e::agent_key_revoke::revoke_agent_key))
        .routes(routes!(e::agents::list_agents))
        .routes(routes!(e::plans::list_plans))
        .routes(routes!(e::intakes::list_intakes))
        .routes(routes!(e::events::events))
}

fn devices() -> OpenApiRouter<Shared> {
    let results = OpenApiRouter::new()
        .routes(routes!(e::command_result::take_result))
        .layer(DefaultBodyLimit::max(body::MAX_RESULT_BODY));
    OpenApiRouter::new()
        .routes(routes!(e::enrolment_tokens::make_enrolment_token))
        .routes(routes!(e::devices::list_devices))
        .routes(routes!(e::device::read_device))
        .routes(routes!(e::device_history::read_history))
        .routes(routes!(e::device_manifest::read_device_manifest))
        .routes(routes!(e::retire::retire_device))
        .routes(routes!(e::pulses::accept_pulses))
        .routes(routes!(e::commands::next_commands))
        .merge(results)
}

fn cases() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(e::cases::list_cases, e::cases::open_case))
        .routes(routes!(e::case::read_case))
        .routes(routes!(e::calls::ask_skill))
        .routes(routes!(e::call::read_call))
        .routes(routes!(e::close::close_case))
        .routes(routes!(e::sort::sort_case))
        .routes(routes!(e::triage::list_triage_labels))
        .routes(routes!(e::export::export_case))
        .routes(routes!(e::change_set::read_change_set))
        .routes(routes!(e::approve::approve))
        .routes(routes!(e::reject::reject))
        .routes(routes!(e::findings::list_findings))
        .routes(routes!(e::proofs::list_proofs))
}

fn money() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(e::receipts::list_receipts))
        .routes(routes!(e::invoices::list_invoices))
        .routes(routes!(e::invoice::read_invoice))
        .routes(routes!(e::invoice_html::read_page))
        .routes(routes!(e::payments::enter_payment))
}

fn proof() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(e::document::read_document))
        .routes(routes!(e::documents::list_documents))
        .routes(routes!(e::documents::read_house_document))
        .routes(routes!(e::documents::search_documents))
        .routes(routes!(e::trust::read_trust))
        .routes(routes!(e::trust_notices::list_trust_notices))
        .routes(routes!(e::jwks::read_jwks))
        .routes(routes!(e::attestation_index::read_attestation_index))
        .routes(routes!(e::checkpoint::read_checkpoint))
        .routes(routes!(e::vkey::read_vkey))
        .routes(routes!(e::cosigned::read_cosigned))
        .routes(routes!(e::ledger_policy::read_policy))
}

fn witnesses() -> OpenApiRouter<Shared> {
    let asked = OpenApiRouter::new()
        .routes(routes!(e::witness::add_checkpoint))
        .layer(DefaultBodyLimit::max(desk::MAX_WITNESS_REQUEST));
    OpenApiRouter::new()
        .merge(asked)
        .routes(routes!(e::witness::read_witness_vkey))
        .routes(routes!(e::witness::read_witnessed))
        .routes(routes!(e::witnesses::list_witnesses, e::witnesses::edit_witnesses))
        .routes(routes!(e::witnesses::ask_witnesses))
        .routes(routes!(e::witnessed_logs::list_witnessed_logs, e::witnessed_logs::edit_witnessed_logs))
        .routes(routes!(e::treasury::list_commitments))
        .routes(routes!(e::treasury::commit_heads))
        .routes(routes!(e::treasury::export_treasury))
}

fn mesh() -> OpenApiRouter<Shared> {
    let settlements = OpenApiRouter::new()
        .routes(routes!(e::mesh_settlements::settle_mesh))
        .layer(DefaultBodyLimit::max(body::MAX_SETTLEMENTS_BODY));
    OpenApiRouter::new()
        .routes(routes!(e::mesh_nodes::list_mesh_nodes))
        .routes(routes!(e::mesh_node::read_mesh_node))
        .routes(routes!(e::mesh_doctor::read_mesh_doctor))
        .routes(routes!(e::mesh_pulses::replay_pulses))
        .routes(routes!(e::mesh_ws::follow_mesh))
        .routes(routes!(e::mesh_revocations::read_mesh_revocations))
        .routes(routes!(e::notice_standings::list_notice_standings))
        .routes(routes!(e::grants::list_grants, e::grants::grant_calls))
        .routes(routes!(e::grants::held_grants))
        .merge(settlements)
}

fn operation() -> OpenApiRouter<Shared> {
    let triage = OpenApiRouter::new()
        .routes(routes!(e::triage::read_triage, e::triage::install_triage))
        .layer(DefaultBodyLimit::max(body::MAX_TRIAGE_BODY));
    OpenApiRouter::new()
        .merge(triage)
        .routes(routes!(e::schedule::read_schedule))
        .routes(routes!(e::schedule_runs::list_job_runs))
        .routes(routes!(e::schedule_ask::run_job))
        .routes(routes!(e::schedule_ask::pause_job))
        .routes(routes!(e::schedule_ask::resume_job))
        .routes(routes!(e::triage::use_triage))
        .routes(routes!(e::triage::learn_triage))
        .routes(routes!(e::health::read_health))
        .routes(routes!(e::healthz::healthz))
        .routes(routes!(e::readyz::readyz))
        .routes(routes!(e::metrics::read_metrics))
        .routes(routes!(e::openapi::read_openapi))
}

async fn unknown() -> Response {
    Problem::not_found("there is no such route: see GET /v1/openapi.json for those there are").into_response()
}

async fn not_allowed() -> Response {
    let detail = "this route does not take this method: see the Allow header, or GET /v1/openapi.json";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Method not allowed", detail).into_response()
}
