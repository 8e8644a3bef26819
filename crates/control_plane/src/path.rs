//! Parts of the path: typed ids.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use echo_core::Id;

use crate::{problem::Problem, state::Shared};

/// The id in the path.
#[derive(Debug)]
pub(crate) struct Named<I>(pub(crate) I);

impl<I: Id> FromRequestParts<Shared> for Named<I> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let Path(text): Path<String> =
            Path::from_request_parts(parts, shared).await.map_err(|_| unreadable())?;
        text.parse()
            .map(Self)
            .map_err(|error| Problem::not_found(format!("{error}; list what there is to find one")))
    }
}

/// The two parts of a path that holds two.
#[derive(Debug)]
pub(crate) struct Pair(pub(crate) String, pub(crate) String);

impl FromRequestParts<Shared> for Pair {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let Path((first, second)): Path<(String, String)> =
            Path::from_request_parts(parts, shared).await.map_err(|_| unreadable())?;
        Ok(Self(first, second))
    }
}

/// The one part of a path that is not an id.
#[derive(Debug)]
pub(crate) struct Part(pub(crate) String);

impl FromRequestParts<Shared> for Part {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let Path(text): Path<String> =
            Path::from_request_parts(parts, shared).await.map_err(|_| unreadable())?;
        Ok(Self(text))
    }
}

fn unreadable() -> Problem {
    Problem::not_found(
        "the path is not UTF-8 after its percent signs are decoded: write the id as it was given",
    )
}
