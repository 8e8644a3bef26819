//! The style sheet, scripts and pictures, inside the binary.
//!
//! All live under one path that holds the digest of all of them: `/assets/<digest>/app.js`. A new version has new
//! paths, so a browser may keep what it has for ever, and modules find one another by relative names.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use echo_core::Digest;

/// How many hexadecimal digits of the digest stand in the path.
const DIGITS: usize = 16;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($name:literal as $kind:literal),* $(,)?) => {
        const ASSETS: &[Asset] = &[$(Asset {
            name: $name,
            kind: $kind,
            bytes: include_bytes!(concat!("../assets/", $name)),
        }),*];
    };
}

assets![
    "action.js" as "text/javascript; charset=utf-8",
    "api.js" as "text/javascript; charset=utf-8",
    "app.css" as "text/css; charset=utf-8",
    "app.js" as "text/javascript; charset=utf-8",
    "bytes.js" as "text/javascript; charset=utf-8",
    "chart.js" as "text/javascript; charset=utf-8",
    "dialog.js" as "text/javascript; charset=utf-8",
    "documents.css" as "text/css; charset=utf-8",
    "fill.js" as "text/javascript; charset=utf-8",
    "filter.js" as "text/javascript; charset=utf-8",
    "icon.svg" as "image/svg+xml",
    "intake.js" as "text/javascript; charset=utf-8",
    "keys.js" as "text/javascript; charset=utf-8",
    "live.js" as "text/javascript; charset=utf-8",
    "mesh.css" as "text/css; charset=utf-8",
    "note.js" as "text/javascript; charset=utf-8",
    "paint.js" as "text/javascript; charset=utf-8",
    "session.js" as "text/javascript; charset=utf-8",
    "sign-in.js" as "text/javascript; charset=utf-8",
    "theme.js" as "text/javascript; charset=utf-8",
    "tiles.js" as "text/javascript; charset=utf-8",
    "time.js" as "text/javascript; charset=utf-8",
    "toast.js" as "text/javascript; charset=utf-8",
    "verify-button.js" as "text/javascript; charset=utf-8",
    "verify.js" as "text/javascript; charset=utf-8",
    "when.js" as "text/javascript; charset=utf-8",
    "vendor/uplot/uPlot.iife.min.js" as "text/javascript; charset=utf-8",
    "vendor/uplot/uPlot.min.css" as "text/css; charset=utf-8",
];

/// `/assets/<digest>`, without a slash at the end.
pub(crate) static BASE: LazyLock<String> = LazyLock::new(|| {
    let all: Vec<u8> = ASSETS.iter().flat_map(|a| [a.name.as_bytes(), a.bytes].concat()).collect();
    format!("/assets/{}", &Digest::of(&all).hex()[..DIGITS])
});

/// `GET /assets/{hash}/{*name}`
pub(crate) async fn serve(Path((hash, name)): Path<(String, String)>, request: HeaderMap) -> Response {
    let asset = ASSETS.iter().find(|a| a.name == name);
    let (Some(asset), true) = (asset, BASE.ends_with(&hash) && hash.len() == DIGITS) else {
        return (StatusCode::NOT_FOUND, "no such asset: reload the page\n").into_response();
    };
    let tag = format!("\"{}\"", Digest::of(asset.bytes).hex());
    let known = request
        .get(header::IF_NONE_MATCH)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.split(',').any(|one| one.trim() == tag || one.trim() == "*"));
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { asset.bytes.into_response() };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}
