//! Queries: paging and filters after the question mark.

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use echo_core::PageRequest;
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use crate::{problem::Problem, state::Shared};

/// The longest cursor, in characters.
const MAX_CURSOR: usize = 100;

/// What stands in the query.
#[derive(Debug)]
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri).map(|Query(query)| Self(query)).map_err(|rejection| {
            let words: String = rejection.body_text().chars().take(200).collect();
            Problem::bad_request("query", format!("{words}: see GET /v1/openapi.json for what may be asked"))
        })
    }
}

/// Which part of a list to show, newest first.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The `next` of the page before; nothing for the first page.
    #[param(max_length = 100)]
    pub cursor: Option<String>,
    /// How many at most; 50 when not said.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

impl PageQuery {
    /// The same for the desk.
    pub(crate) fn page(self) -> Result<PageRequest, Problem> {
        page(self.cursor, self.limit)
    }
}

/// A checked page request.
pub(crate) fn page(cursor: Option<String>, limit: Option<u32>) -> Result<PageRequest, Problem> {
    if cursor.as_ref().is_some_and(|c| c.len() > MAX_CURSOR || c.bytes().any(|b| !b.is_ascii_graphic())) {
        return Err(Problem::bad_request(
            "query",
            "cursor: write the `next` of the page before, as it was given",
        ));
    }
    if limit.is_some_and(|n| n == 0 || n > echo_core::page::MAX_LIMIT) {
        return Err(Problem::bad_request("query", "limit: write a number from 1 to 200"));
    }
    Ok(PageRequest { cursor, limit })
}
