//! The agent's card: what it can do, where, and who may ask (A2A 1.0, section 4.4). It says nothing about customers.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use desk::Desk;
use serde_json::{Value, json};

/// The longest host that a card names, in bytes (RFC 1035, section 2.3.4, and a port).
const MAX_HOST: usize = 261;
/// The version of the protocol.
const PROTOCOL: &str = "1.0";

/// What a card is made of.
#[derive(Clone)]
pub(crate) struct Cards {
    desk: Desk,
    url: Option<String>,
}

impl Cards {
    pub(crate) fn new(desk: Desk, url: Option<String>) -> Self {
        Self { desk, url: url.map(|url| url.trim_end_matches('/').to_owned()) }
    }
}

/// The card.
pub(crate) async fn read(State(cards): State<Cards>, headers: HeaderMap) -> Response {
    let card = match &cards.url {
        Some(url) => signed(&cards.desk, card(&cards.desk, url)),
        // Nobody signs an address that whoever asks may choose.
        None => Ok(card(&cards.desk, &asked_by(&headers))),
    };
    match card {
        Ok(card) => ([(header::CACHE_CONTROL, "no-cache")], Json(card)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the agent's card could not be signed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn signed(desk: &Desk, mut card: Value) -> Result<Value, desk::DeskError> {
    let signature = desk.sign_agent_card(&card)?;
    card["signatures"] = json!([{"protected": signature.protected, "signature": signature.signature}]);
    Ok(card)
}

/// The address by which this card was asked for.
fn asked_by(headers: &HeaderMap) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text("host").filter(|host| is_host(host)).unwrap_or("localhost");
    let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    format!("{scheme}://{host}")
}

fn is_host(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
    !text.is_empty() && text.len() <= MAX_HOST && text.bytes().all(good)
}

fn card(desk: &Desk, url: &str) -> Value {
    let mut card = json!({
        "name": "Echo",
        "description": "Tech support: opens cases, sorts them, diagnoses and scans devices, proposes fixes as diffs, \
                        and answers questions from a case's evidence. Every call is charged, and has a signed receipt.",
        "version": env!("CARGO_PKG_VERSION"),
        "supportedInterfaces": [{
            "url": format!("{url}{}", crate::PATH), "protocolBinding": "JSONRPC", "protocolVersion": PROTOCOL,
        }],
        "capabilities": {"streaming": true},
        "securitySchemes": {"agentKey": {"httpAuthSecurityScheme": {
            "scheme": "Bearer", "bearerFormat": "echo_key_...",
            "description": "An agent key of a customer: it names the skills that it may call, and has a cap a month.",
        }}},
        "securityRequirements": [{"schemes": {"agentKey": {"list": []}}}],
        "defaultInputModes": ["text/plain", "application/json"],
        "defaultOutputModes": ["application/json", "text/plain"],
        "skills": skills(),
    });
    let seller = &desk.content().catalogue.seller;
    card["provider"] = json!({"organization": seller.name, "url": url});
    card
}

fn skills() -> Vec<Value> {
    let agents = agents::builtin();
    let open = json!({
        "id": "open_case", "name": "Open a case", "tags": ["support"], "inputModes": ["text/plain"],
        "description": "A text without a contextId opens a case and sorts it; in a context, it is a question about its case.",
        "examples": ["The printer in the office prints nothing but blank pages since Monday."],
    });
    let offered = agents.iter().flat_map(|agent| agent.skills.iter().map(move |spec| (agent, spec)));
    let offered = offered.filter(|(_, spec)| spec.name.needs_case() && spec.name.may_be_asked_by_programs());
    let shown = offered.map(|(agent, spec)| {
        let mut example = json!({"skill": spec.name, "case": "case_..."});
        if spec.name == agents::Skill::AdvisoryAnswer {
            example["question"] = json!("Why is the score so low?");
        }
        json!({
            "id": spec.name, "name": spec.title, "description": spec.description, "tags": ["support", agent.id],
            "examples": [example.to_string()], "inputModes": ["application/json"],
        })
    });
    std::iter::once(open).chain(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_card_offers_no_skill_that_a_person_approves() {
        let ids: Vec<Value> = skills().into_iter().map(|skill| skill["id"].clone()).collect();
        assert!(ids.contains(&json!("advisory.answer")) && ids.contains(&json!("open_case")));
        assert!(!ids.contains(&json!("remediation.apply")) && !ids.contains(&json!("model.chat")));
    }

    #[test]
    fn a_host_that_is_none_is_not_repeated() {
        let asked = |host: &str, proto: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("host", host.parse().unwrap());
            headers.insert("x-forwarded-proto", proto.parse().unwrap());
            asked_by(&headers)
        };
        assert_eq!(asked("help.example.org:8460", "https"), "https://help.example.org:8460");
        assert_eq!(asked("evil\"/@x", "gopher"), "http://localhost");
    }
}
