//! `GET /v1/ledgers/{log}/tile/...`: a ledger's tiles and entry bundles, for everybody (C2SP tlog-tiles).

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use dossier::LogName as Log;
use utoipa::openapi::path::Operation;

use crate::{
    endpoint::{checkpoint::named, document::LogName},
    path::Pair,
    problem::Problem,
    state::Shared,
};

/// The most bytes of a file here: a full bundle of the longest entries.
const MAX_FILE: u64 = 256 * (2 + 0xffff);
/// The highest level of tiles (tlog-tiles, "Merkle Tree").
const MAX_LEVEL: u8 = 63;
/// The most groups of three digits: a 64-bit index needs seven.
const MAX_GROUPS: usize = 7;

/// A valid name below `tile/`.
#[derive(Debug, PartialEq, Eq)]
struct Name<'a> {
    path: &'a str,
    partial: bool,
}

/// Read a tile `L/N[.p/W]` or an entry bundle `entries/N[.p/W]` of a ledger (C2SP tlog-tiles).
#[utoipa::path(
    get, path = "/v1/ledgers/{log}/tile/{path}", tag = "proof", operation_id = "read_tile",
    params(
        ("log" = LogName, Path, description = "Which ledger."),
        ("path" = String, Path, description = "The tile's name; it may hold slashes.", example = "0/x001/067.p/3")
    ),
    responses((status = 200, description = "The tile's bytes.", body = Vec<u8>, content_type = "application/octet-stream"))
)]
pub(crate) async fn read(State(shared): State<Shared>, Pair(log, path): Pair) -> Result<Response, Problem> {
    let log = named(&log)?;
    let name = parse(&path).ok_or_else(missing)?;
    let bytes = load(&shared, log, name.path).await.ok_or_else(missing)?;
    let cache = if name.partial { "public, max-age=60" } else { "public, max-age=31536000, immutable" };
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, cache)];
    Ok((headers, bytes).into_response())
}

/// The description of this route, whose path `OpenAPI` cannot spell as axum does.
pub(crate) fn operation() -> Operation {
    let mut operation = <__path_read as utoipa::Path>::operation();
    operation.tags = Some(vec!["proof".to_owned()]);
    operation
}

fn missing() -> Problem {
    Problem::not_found(
        "there is no such tile: compute its name from the size in the checkpoint (C2SP tlog-tiles)",
    )
}

async fn load(shared: &Shared, log: Log, name: &str) -> Option<Vec<u8>> {
    use tokio::io::AsyncReadExt as _;

    let path = shared.desk.log(log).dir().join("tile").join(name);
    let file = tokio::fs::File::open(path).await.ok()?;
    if !file.metadata().await.ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE).read_to_end(&mut bytes).await.ok()?;
    Some(bytes)
}

/// Takes the names that tlog-tiles makes and no others: digits, `x`, `.p` and slashes at their places.
fn parse(path: &str) -> Option<Name<'_>> {
    let mut parts = path.split('/').peekable();
    let level = parts.next()?;
    if level != "entries" && !number(level, MAX_LEVEL) {
        return None;
    }
    let mut groups = 0;
    loop {
        let part = parts.next()?;
        groups += 1;
        if groups > MAX_GROUPS {
            return None;
        }
        if let Some(group) = part.strip_prefix('x') {
            if !three_digits(group) || (groups == 1 && group == "000") {
                return None;
            }
        } else if let Some(last) = part.strip_suffix(".p") {
            let width = parts.next()?;
            let good = three_digits(last) && number(width, u8::MAX) && width != "0" && parts.next().is_none();
            return good.then_some(Name { path, partial: true });
        } else {
            let good = three_digits(part) && parts.next().is_none();
            return good.then_some(Name { path, partial: false });
        }
    }
}

/// A decimal number without leading zeros, up to `most`.
fn number(text: &str, most: u8) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
        && text.parse::<u8>().is_ok_and(|n| n <= most)
}

fn three_digits(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_the_standard_are_taken() {
        for (path, partial) in [
            ("0/000", false),
            ("0/000.p/1", true),
            ("63/x001/x234/067", false),
            ("entries/x001/067.p/255", true),
        ] {
            assert_eq!(parse(path), Some(Name { path, partial }));
        }
    }

    #[test]
    fn all_other_names_are_refused() {
        for path in [
            "",
            "0",
            "0/",
            "/0/000",
            "64/000",
            "00/000",
            "-1/000",
            "0/00",
            "0/0000",
            "0/000/001",
            "0/x001",
            "0/000.p",
            "0/000.p/",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/1/2",
            "0/x000/001",
            "entries",
            "stage",
            "../stage",
            "0/../../stage",
            "0/..",
            "0/000/..",
            ".lock",
            "0/.lock",
            "0/٠٠٠",
            "0/000%2f",
            "0//000",
            "0/x001/x001/x001/x001/x001/x001/x001/001",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }
}
