//! The `OpenAPI` document: what utoipa read from the handlers, and what is the same for all of them.

use std::collections::BTreeMap;

use utoipa::{
    OpenApi as _,
    openapi::{
        Content, OpenApi, Ref, RefOr, Response, ResponseBuilder, SecurityRequirement,
        path::{HttpMethod, Parameter, ParameterBuilder, ParameterIn, PathItem},
        schema::{ArrayItems, ObjectBuilder, Schema, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::{ACCESS_COOKIE, problem::PROBLEM_JSON, router};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Echo",
        version = "1",
        description = "A service platform on your own machine: devices, cases, proven fixes, bills.\n\nEvery list is \
                       paged by `cursor` and `limit`. Every request that changes something takes an \
                       `Idempotency-Key`; sent again, it gets the same answer. Everything that is not a success is a \
                       problem (RFC 9457).",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(crate::problem::Problem)),
    tags(
        (name = "sessions", description = "Signing in and out."),
        (name = "house", description = "Customers, people, agents, plans, forms, live events."),
        (name = "devices", description = "Machines under care, for people."),
        (name = "device", description = "What a device itself asks."),
        (name = "cases", description = "Cases, the skills that work on them, changes and findings."),
        (name = "mesh", description = "Nodes that find one another: who is reachable, by which path, and calls between them."),
        (name = "money", description = "Receipts, invoices, payments."),
        (name = "proof", description = "Documents, the trust chain and the public ledgers (C2SP tlog-tiles)."),
        (name = "operation", description = "Health and metrics.")
    )
)]
struct Document;

/// The API's description (`OpenAPI` 3.1).
pub fn openapi() -> OpenApi {
    let mut document = Document::openapi();
    document.merge(router::routes().into_openapi());
    document.paths.add_path_operation(
        "/v1/ledgers/{log}/tile/{path}",
        vec![HttpMethod::Get],
        crate::endpoint::tile::operation(),
    );
    let components = document.components.get_or_insert_with(Default::default);
    name_items(&mut components.schemas);
    for (_, name, description) in PROBLEMS {
        components.responses.insert(name.to_owned(), problem(description));
    }
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
    let bearer =
        bearer.description(Some("An access token of POST /v1/sign-in or POST /v1/device/token (EdDSA), or an agent key (`echo_key_...`) of POST /v1/agent-keys."));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
    let cookie =
        ApiKeyValue::with_description(ACCESS_COOKIE, "The same token, for the dashboard's own pages.");
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    for (path, item) in &mut document.paths.paths {
        complete(path, item);
    }
    document
}

/// Lets each `Page_X` point at `X`, where utoipa writes a generic's parameter out in full.
fn name_items(schemas: &mut BTreeMap<String, RefOr<Schema>>) {
    let names: Vec<String> = schemas.keys().cloned().collect();
    for name in names.iter().filter_map(|name| name.strip_prefix("Page_")) {
        let Some(RefOr::T(Schema::Object(page))) = schemas.get_mut(&format!("Page_{name}")) else { continue };
        if let Some(RefOr::T(Schema::Array(items))) = page.properties.get_mut("items") {
            items.items = ArrayItems::RefOrSchema(Box::new(RefOr::Ref(Ref::from_schema_name(name))));
        }
    }
}

/// The problems that follow from an operation's shape: status, name, description.
const PROBLEMS: [(&str, &str, &str); 12] = [
    ("400", "BadRequest", "The request cannot be read."),
    ("401", "Unauthenticated", "The access token is missing or not good any more."),
    ("403", "Forbidden", "The caller's role may not do this."),
    ("404", "NotFound", "There is no such thing in what the caller may see."),
    ("409", "Conflict", "Not possible in the state that the thing is in."),
    ("413", "TooLarge", "The body is too large."),
    ("415", "NotJson", "The body is not JSON."),
    ("422", "NotAcceptable", "A field is not acceptable, or the key was used for another request."),
    ("429", "TooManyRequests", "Too many requests: wait as `Retry-After` says."),
    ("500", "Broken", "Something broke; the operator's log says what."),
    ("507", "DiskFull", "The platform's disk is full: the operator has to free some space."),
    ("503", "Busy", "Busy, or not in time: try again as `Retry-After` says."),
];

/// Adds to each operation what follows from its shape.
fn complete(path: &str, item: &mut PathItem) {
    for (operation, changes) in [(&mut item.get, false), (&mut item.post, true)] {
        let Some(operation) = operation else { continue };
        let signed_in = operation.security.as_ref().is_some_and(|s| !s.is_empty());
        let none: [&str; 0] = [];
        let schemes = if signed_in { &["bearer", "cookie"][..] } else { &[] };
        operation.security = Some(schemes.iter().map(|s| SecurityRequirement::new(*s, none)).collect());
        for (status, name, _) in PROBLEMS {
            let possible = match status {
                "401" | "403" => signed_in,
                "404" => path.contains('{'),
                "409" => changes && signed_in,
                "413" | "422" | "507" => changes,
                "415" => operation.request_body.is_some(),
                _ => true,
            };
            if possible {
                let response = RefOr::Ref(Ref::from_response_name(name));
                operation.responses.responses.entry(status.to_owned()).or_insert(response);
            }
        }
        if changes && signed_in {
            operation.parameters.get_or_insert_default().push(RefOr::T(key_parameter()));
        }
    }
}

fn key_parameter() -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "1 to 255 printable ASCII characters, such as a UUID. The same request with the same key is done once and \
             gets the same answer, with `Idempotency-Replayed: true`. Answers that hold a secret are not kept.",
        ))
        .schema(Some(text))
        .build()
}

fn problem(description: &str) -> RefOr<Response> {
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    RefOr::T(ResponseBuilder::new().description(description).content(PROBLEM_JSON, content).build())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn written() -> String {
        let mut text = openapi().to_pretty_json().expect("the document is JSON");
        text.push('\n');
        text
    }

    #[test]
    fn the_openapi_file_is_what_the_code_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../api/openapi.json");
        if std::env::var_os("ECHO_WRITE_OPENAPI").is_some() {
            durable::write(&path, written().as_bytes(), durable::Mode::Public).expect("api/ can be written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == written(),
            "api/openapi.json is not what the code says: run `ECHO_WRITE_OPENAPI=1 cargo test -p control_plane openapi` and commit it"
        );
    }

    #[test]
    fn every_operation_says_what_it_does_and_how_it_fails() {
        for (path, item) in &openapi().paths.paths {
            for operation in [&item.get, &item.post].into_iter().flatten() {
                assert!(operation.summary.is_some(), "{path} has no summary");
                assert!(operation.operation_id.is_some(), "{path} has no operation id");
                assert!(operation.tags.as_ref().is_some_and(|t| t.len() == 1), "{path} has no tag");
                assert!(operation.responses.responses.contains_key("429"), "{path}");
            }
        }
    }
}
