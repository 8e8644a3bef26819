//! Face: the pages that people see (`pulse_dashboard`).
//!
//! Server-rendered HTML over the desk, a sign-in with cookies, and the style sheet, scripts and charts that the
//! pages need, all inside the binary. A page reads from [`desk::Desk`] and shows; whatever changes something is a
//! call of the JSON API that the page's script makes with the same cookie, so there is one way in for people and
//! programs alike. Nothing is asked of any other host, and no page runs a script that was not shipped here.
//!
//! Data flow: request -> who asks (`caller`) -> one or two desk calls (`page`) -> template -> HTML.
//!
//! What may not come in: rules of the trade (they live in the domain crates), SQL, the JSON API and its problems.

mod asset;
mod caller;
mod cookie;
mod diff;
mod failure;
mod frame;
mod headers;
mod markdown;
mod next;
mod page;
mod piece;
mod session;
mod turn;
mod words;

pub use caller::{ACCESS_COOKIE, REFRESH_COOKIE};
pub use failure::not_found;

use std::sync::Arc;

use axum::{Router, extract::FromRef, middleware, routing::get};
use desk::Desk;

/// What every handler may ask for.
#[derive(Debug, Clone)]
struct App {
    desk: Desk,
    turns: Arc<turn::Turns>,
}

impl FromRef<App> for Desk {
    fn from_ref(app: &App) -> Self {
        app.desk.clone()
    }
}

/// The dashboard's routes: pages, session and assets. It sets no fallback, so that it can be merged with the API's
/// routes; [`not_found`] is a page for one.
pub fn router(desk: Desk) -> Router {
    let app = App { desk, turns: Arc::default() };
    page::routes()
        .merge(session::routes())
        .route("/assets/{hash}/{*name}", get(asset::serve))
        .layer(middleware::map_response(headers::guard))
        .with_state(app)
}
