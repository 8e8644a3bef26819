//! The pages: each one file, each one or two calls of the desk and a template.

mod case;
mod cases;
mod device;
mod devices;
mod documents;
mod findings;
mod invoices;
mod mesh;
mod names;
mod overview;
mod people;
mod receipts;
mod schedule;
mod trust;

use askama::Template;
use axum::{Router, response::Html, routing::get};
use echo_core::PageRequest;
use serde::Deserialize;

use crate::{App, failure::Failure};

/// How many rows a list page shows.
const ROWS: u32 = 50;

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(overview::page))
        .route("/cases", get(cases::page))
        .route("/cases/{id}", get(case::page))
        .route("/devices", get(devices::page))
        .route("/devices/{id}", get(device::page))
        .route("/mesh", get(mesh::page))
        .route("/findings", get(findings::page))
        .route("/receipts", get(receipts::page))
        .route("/invoices", get(invoices::page))
        .route("/people", get(people::page))
        .route("/schedule", get(schedule::page))
        .route("/documents", get(documents::list))
        .route("/documents/{*name}", get(documents::page))
        .route("/trust", get(trust::page))
}

/// A template as a page.
pub(crate) fn html(template: &impl Template) -> Result<Html<String>, Failure> {
    template.render().map(Html).map_err(Failure::internal)
}

/// Which part of a list is asked for.
#[derive(Debug, Default, Deserialize)]
struct Part {
    cursor: Option<String>,
    state: Option<String>,
}

impl Part {
    fn page(&self) -> PageRequest {
        PageRequest { cursor: self.cursor.clone().filter(|c| !c.is_empty()), limit: Some(ROWS) }
    }

    /// The state to narrow to, which is one of the list's own words.
    fn state<S: serde::de::DeserializeOwned>(&self) -> Result<Option<S>, Failure> {
        let Some(word) = self.state.as_deref().filter(|w| !w.is_empty()) else { return Ok(None) };
        serde_json::from_value(serde_json::Value::String(word.to_owned()))
            .map(Some)
            .map_err(|_| Failure::unclear("There is no such state. Use the links above the list."))
    }

    /// The word of the state in force; empty for all.
    fn word(&self) -> &str {
        self.state.as_deref().unwrap_or("")
    }

    /// The link to the next page of the list at `path`.
    fn next(&self, path: &str, cursor: Option<&String>) -> Option<String> {
        let cursor = cursor?;
        let state = self.word();
        let state = if state.is_empty() { String::new() } else { format!("state={state}&") };
        Some(format!("{path}?{state}cursor={cursor}"))
    }
}

/// A link that narrows a list to one state.
struct Tab {
    href: String,
    name: &'static str,
    here: bool,
}

/// The links over a list: all of it, then each state.
fn tabs(path: &str, part: &Part, states: &[(&str, &'static str)]) -> Vec<Tab> {
    let all = [("", "All")];
    all.iter()
        .chain(states)
        .map(|(word, name)| Tab {
            href: if word.is_empty() { path.to_owned() } else { format!("{path}?state={word}") },
            name,
            here: *word == part.word(),
        })
        .collect()
}
