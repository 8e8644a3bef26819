//! Every route with those who may use it: without a token, in the wrong role, with a bad body.

use std::collections::BTreeSet;

use access::{Action, Role};
use serde_json::{Value, json};

use crate::{
    ask::ask,
    world::{Side, World},
};

/// Who may use a route.
#[derive(Clone, Copy)]
pub enum Who {
    Everybody,
    SignedIn,
    May(Action),
}

/// What the `{id}` of a route names.
#[derive(Clone, Copy)]
pub enum Of {
    Nothing,
    User,
    Customer,
    Device,
    Case,
    Call,
    Change,
    Invoice,
    Command,
    Receipt,
    Node,
    AgentKey,
}

pub struct Row {
    pub route: &'static str,
    pub who: Who,
    pub of: Of,
    /// A body that has the right shape.
    pub body: &'static str,
}

const fn row(route: &'static str, who: Who, of: Of, body: &'static str) -> Row {
    Row { route, who, of, body }
}

use Action as A;
use Who::{Everybody, May, SignedIn};

const NOT_WITNESSED: &str = "old 0\n\nlog.example/a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n\u{2014} log.example/a AAAAAAAA\n";
const NOBODYS_NODE: &str = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
const ENVELOPE: &str = r#"{"payloadType": "x", "payload": "", "signatures": []}"#;

pub const ROWS: &[Row] = &[
    row("POST /v1/sign-in", Everybody, Of::Nothing, r#"{"secret": "x"}"#),
    row("POST /v1/refresh", Everybody, Of::Nothing, r#"{"refresh_token": "x"}"#),
    // With a body that it does not take, so that the tokens of this test stay good.
    row("POST /v1/sign-out", SignedIn, Of::Nothing, r#"{"x": 1}"#),
    row("POST /v1/device/token", Everybody, Of::Nothing, ENVELOPE),
    row(
        "POST /v1/enrol",
        Everybody,
        Of::Nothing,
        r#"{"secret": "x", "claim": {"payloadType": "x", "payload": "", "signatures": []}}"#,
    ),
    row("GET /v1/me", SignedIn, Of::Nothing, ""),
    row("GET /v1/overview", May(A::ReadCase), Of::Nothing, ""),
    row("GET /v1/customers", May(A::ReadCustomer), Of::Nothing, ""),
    row(
        "POST /v1/customers",
        May(A::ManageCustomers),
        Of::Nothing,
        r#"{"name": "N", "plan": "no-such-plan"}"#,
    ),
    row("GET /v1/customers/{id}/erasure", May(A::EraseCustomer), Of::Customer, ""),
    row(
        "POST /v1/customers/{id}/erasure",
        May(A::EraseCustomer),
        Of::Customer,
        r#"{"confirm": "not its name", "reason": "test_data", "keep_invoices": false}"#,
    ),
    row("GET /v1/users", May(A::ManageUsers), Of::Nothing, ""),
    row("POST /v1/users", May(A::ManageUsers), Of::Nothing, r#"{"name": "N", "role": "device"}"#),
    row("POST /v1/users/{id}/sign-in-links", May(A::ManageUsers), Of::User, ""),
    row("GET /v1/agent-keys", May(A::ManageAgentKeys), Of::Nothing, ""),
    row(
        "POST /v1/agent-keys",
        May(A::ManageAgentKeys),
        Of::Nothing,
        r#"{"customer": "cus_00000000000000000000000000000000", "name": "N", "skills": ["triage.classify"], "cap": {"minor": 1, "currency": "EUR"}, "days": 1}"#,
    ),
    row("POST /v1/agent-keys/{id}/revoke", May(A::ManageAgentKeys), Of::AgentKey, ""),
    row(
        "POST /v1/enrolment-tokens",
        May(A::MintEnrolment),
        Of::Nothing,
        r#"{"customer": "cus_00000000000000000000000000000000"}"#,
    ),
    row("GET /v1/agents", May(A::ReadAgents), Of::Nothing, ""),
    row("GET /v1/plans", May(A::ReadAgents), Of::Nothing, ""),
    row("GET /v1/intakes", May(A::ReadAgents), Of::Nothing, ""),
    row("GET /v1/events", May(A::ReadEvents), Of::Nothing, ""),
    row("GET /v1/devices", May(A::ReadDevice), Of::Nothing, ""),
    row("GET /v1/devices/{id}", May(A::ReadDevice), Of::Device, ""),
    row("GET /v1/devices/{id}/history", May(A::ReadDevice), Of::Device, ""),
    row("POST /v1/devices/{id}/retire", May(A::RetireDevice), Of::Device, ""),
    row("POST /v1/device/pulses", May(A::SendPulse), Of::Nothing, r#"{"pulses": []}"#),
    row("GET /v1/device/commands", May(A::TakeCommand), Of::Nothing, ""),
    row("POST /v1/device/commands/{id}/result", May(A::TakeCommand), Of::Command, ENVELOPE),
    row("GET /v1/cases", May(A::ReadCase), Of::Nothing, ""),
    row("POST /v1/cases", May(A::OpenCase), Of::Nothing, r#"{"form": "no-such-form", "answers": {}}"#),
    row("GET /v1/cases/{id}", May(A::ReadCase), Of::Case, ""),
    row(
        "POST /v1/cases/{id}/calls",
        May(A::AskSkill),
        Of::Case,
        r#"{"skill": "advisory.answer", "question": "Why?"}"#,
    ),
    row("GET /v1/cases/{id}/grants", May(A::ReadCase), Of::Case, ""),
    row(
        "POST /v1/cases/{id}/grants",
        May(A::GrantCalls),
        Of::Case,
        r#"{"holder": "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK", "skills": ["diagnostics.probe"], "calls": 1, "hours": 1}"#,
    ),
    row("GET /v1/device/grants", May(A::TakeCommand), Of::Nothing, ""),
    row("GET /v1/device/manifest", May(A::TakeCommand), Of::Nothing, ""),
    row("GET /v1/mesh/nodes", May(A::ReadDevice), Of::Nothing, ""),
    row("GET /v1/mesh/nodes/{did}", May(A::ReadDevice), Of::Node, ""),
    row("GET /v1/mesh/doctor", May(A::ReadMetrics), Of::Nothing, ""),
    row("GET /v1/mesh/pulses", May(A::ReadDevice), Of::Nothing, ""),
    row("GET /v1/mesh/ws", May(A::ReadEvents), Of::Nothing, ""),
    row("GET /v1/mesh/revocations", Everybody, Of::Nothing, ""),
    row("POST /v1/mesh/settlements", May(A::TakeCommand), Of::Nothing, r#"{"papers": []}"#),
    row("GET /v1/trust/notices/standings", May(A::ReadDevice), Of::Nothing, ""),
    row("GET /v1/calls/{id}", May(A::ReadCase), Of::Call, ""),
    row("POST /v1/cases/{id}/close", May(A::CloseCase), Of::Case, ""),
    row("POST /v1/cases/{id}/category", May(A::WorkCase), Of::Case, r#"{"category": "teapots"}"#),
    row("GET /v1/triage/labels", May(A::ReadCase), Of::Nothing, ""),
    row("GET /v1/triage/versions", May(A::ManageTriage), Of::Nothing, ""),
    row("POST /v1/triage/versions", May(A::ManageTriage), Of::Nothing, r#"{"model": "AAAA"}"#),
    row("POST /v1/triage/use", May(A::ManageTriage), Of::Nothing, r#"{"version": 999}"#),
    row("POST /v1/triage/learn", May(A::ManageTriage), Of::Nothing, ""),
    row("GET /v1/schedule", May(A::ManageSchedule), Of::Nothing, ""),
    row("GET /v1/schedule/{job}/runs", May(A::ManageSchedule), Of::Nothing, ""),
    row("POST /v1/schedule/{job}/run", May(A::ManageSchedule), Of::Nothing, ""),
    row("POST /v1/schedule/{job}/pause", May(A::ManageSchedule), Of::Nothing, ""),
    row("POST /v1/schedule/{job}/resume", May(A::ManageSchedule), Of::Nothing, ""),
    row("GET /v1/cases/{id}/export", May(A::ExportCase), Of::Case, ""),
    row("GET /v1/change-sets/{id}", May(A::ReadCase), Of::Change, ""),
    row("POST /v1/change-sets/{id}/approve", May(A::ApproveChange), Of::Change, ""),
    row("POST /v1/change-sets/{id}/reject", May(A::ApproveChange), Of::Change, ""),
    row("GET /v1/findings", May(A::ReadFinding), Of::Nothing, ""),
    row("GET /v1/proofs", May(A::ReadCase), Of::Nothing, ""),
    row("GET /v1/receipts", May(A::ReadReceipt), Of::Nothing, ""),
    row("GET /v1/invoices", May(A::ReadInvoice), Of::Nothing, ""),
    row("GET /v1/invoices/{id}", May(A::ReadInvoice), Of::Invoice, ""),
    row("GET /v1/invoices/{id}/html", May(A::ReadInvoice), Of::Invoice, ""),
    row(
        "POST /v1/invoices/{id}/payments",
        May(A::SettleInvoice),
        Of::Invoice,
        r#"{"amount": {"minor": 1, "currency": "EUR"}, "reference": "r"}"#,
    ),
    row("GET /v1/documents/{kind}/{id}", May(A::ReadLedger), Of::Receipt, ""),
    row("GET /v1/documents", May(A::ReadDocument), Of::Nothing, ""),
    row("GET /v1/documents/{name}", May(A::ReadDocument), Of::Nothing, ""),
    row("GET /v1/document-search", May(A::ReadDocument), Of::Nothing, ""),
    row("GET /v1/trust", Everybody, Of::Nothing, ""),
    row("GET /v1/trust/notices", Everybody, Of::Nothing, ""),
    row("GET /v1/attestations/index", Everybody, Of::Nothing, ""),
    row("GET /v1/jwks", Everybody, Of::Nothing, ""),
    row("GET /v1/ledgers/{log}/checkpoint", Everybody, Of::Nothing, ""),
    row("GET /v1/ledgers/{log}/log.vkey", Everybody, Of::Nothing, ""),
    row("GET /v1/ledgers/{log}/checkpoint.cosigned", Everybody, Of::Nothing, ""),
    row("GET /v1/ledgers/{log}/policy", Everybody, Of::Nothing, ""),
    row("POST /v1/witness/add-checkpoint", Everybody, Of::Nothing, NOT_WITNESSED),
    row("GET /v1/witness/vkey", Everybody, Of::Nothing, ""),
    row("GET /v1/witness/{origin_hash}/checkpoint", Everybody, Of::Nothing, ""),
    row("GET /v1/witnesses", May(A::ManageTrust), Of::Nothing, ""),
    row(
        "POST /v1/witnesses",
        May(A::ManageTrust),
        Of::Nothing,
        r#"{"edit": "quorum", "name": "no-such-witness"}"#,
    ),
    row("POST /v1/witnesses/ask", May(A::ManageTrust), Of::Nothing, ""),
    row("GET /v1/witnessed-logs", May(A::ManageTrust), Of::Nothing, ""),
    row(
        "POST /v1/witnessed-logs",
        May(A::ManageTrust),
        Of::Nothing,
        r#"{"edit": "remove", "origin": "no-such-log"}"#,
    ),
    row("GET /v1/treasury", May(A::ReadLedger), Of::Nothing, ""),
    row("POST /v1/treasury/commit", May(A::ManageTrust), Of::Nothing, ""),
    row("GET /v1/treasury/export", May(A::ReadLedger), Of::Nothing, ""),
    row("GET /v1/ledgers/{log}/tile/{path}", Everybody, Of::Nothing, ""),
    row("GET /healthz", Everybody, Of::Nothing, ""),
    row("GET /readyz", Everybody, Of::Nothing, ""),
    row("GET /v1/health", May(A::ReadMetrics), Of::Nothing, ""),
    row("GET /metrics", May(A::ReadMetrics), Of::Nothing, ""),
    row("GET /v1/openapi.json", Everybody, Of::Nothing, ""),
];

impl Row {
    pub fn method(&self) -> &'static str {
        self.route.split_once(' ').unwrap().0
    }

    /// The path with something in the place of its parameters.
    pub fn path(&self, id: &str) -> String {
        let path = self.route.split_once(' ').unwrap().1;
        path.replace("{id}", id)
            .replace("{did}", id)
            .replace("{kind}", "receipt")
            .replace("{name}", "constitution")
            .replace("{log}", "genesis")
            .replace("{job}", "smart")
            .replace("{path}", "0/000")
            .replace("{origin_hash}", &"0".repeat(64))
    }

    pub fn id(&self, side: &Side) -> String {
        match self.of {
            Of::Nothing => String::new(),
            Of::User => "user_00000000000000000000000000000000".to_owned(),
            Of::Customer => side.customer.clone(),
            Of::Device => side.device.id.clone(),
            Of::Case => side.case.clone(),
            Of::Call => side.call.clone(),
            Of::Change => side.change.clone(),
            Of::Invoice => side.invoice.clone(),
            Of::Command => side.command.clone(),
            Of::Receipt => side.receipt.clone(),
            Of::Node => side.device.node(),
            Of::AgentKey => side.agent_key.clone(),
        }
    }

    /// An id of the right kind that names nothing.
    fn nobodys(&self, side: &Side) -> String {
        let id = self.id(side);
        if matches!(self.of, Of::Node) {
            return NOBODYS_NODE.to_owned();
        }
        id.split_once('_').map_or_else(String::new, |(prefix, _)| format!("{prefix}_{}", "0".repeat(32)))
    }
}

impl World {
    pub fn token(&self, role: Role) -> &str {
        match role {
            Role::OperatorAdmin => &self.house.admin,
            Role::Technician => &self.technician,
            Role::Customer => &self.a.person,
            Role::Device => &self.a.device.token,
            Role::Agent => &self.a.agent,
        }
    }

    fn one_who_may(&self, who: Who) -> &str {
        match who {
            Everybody => "",
            SignedIn => &self.house.admin,
            May(action) => self.token(action.roles()[0]),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_has_a_row() {
    let document = serde_json::to_value(control_plane::openapi()).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            described.insert(format!("{} {path}", method.to_ascii_uppercase()));
        }
    }
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.route.to_owned()).collect();
    assert_eq!(described, rows, "add a row to ROWS for each new route");
    for row in ROWS {
        let path = row.route.split_once(' ').unwrap().1;
        let security = &document["paths"][path][row.method().to_ascii_lowercase()]["security"];
        let public = security.as_array().is_none_or(Vec::is_empty);
        assert_eq!(public, matches!(row.who, Everybody), "{}: the document says otherwise", row.route);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_uses_a_route_that_is_not_theirs() {
    let world = World::build().await;
    let house = &world.house;
    for row in ROWS {
        let path = row.path(&row.nobodys(&world.a));
        let ask = || ask(row.method(), &path).bytes(row.body.as_bytes().to_vec());
        let anonymous = ask().send(house).await;
        if !matches!(row.who, Everybody) {
            assert_eq!(anonymous.problem(401), "unauthenticated", "{}", row.route);
        }
        for role in Role::ALL {
            if row.route == "GET /v1/events" && access::allowed(role, Action::ReadEvents) {
                // An endless answer: see events.rs.
                continue;
            }
            let answer = ask().bearer(world.token(role)).send(house).await;
            match row.who {
                May(action) if !access::allowed(role, action) => {
                    assert_eq!(answer.problem(403), "forbidden", "{} as {role}", row.route);
                }
                _ => {
                    let status = answer.status.as_u16();
                    let guess = matches!(row.who, Everybody) && status == 401;
                    assert!(guess || ![401, 403].contains(&status), "{} as {role}: {status}", row.route);
                    assert!(status < 500, "{} as {role}: {status}", row.route);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_id_is_not_found() {
    let world = World::build().await;
    for row in ROWS.iter().filter(|row| !matches!(row.of, Of::Nothing)) {
        for id in [
            "x",
            "case_",
            "%00",
            "%ff",
            "..%2f..",
            &"a".repeat(5_000),
            "case_0197C3F0A1B27C3D8E4F5A6B7C8D9E0F",
        ] {
            let ask = ask(row.method(), &row.path(id)).bytes(row.body.as_bytes().to_vec());
            let answer = ask.bearer(world.one_who_may(row.who)).send(&world.house).await;
            assert_eq!(answer.problem(404), "not-found", "{} {id}", row.route);
        }
    }
}

/// Bodies that no route takes.
fn never_taken() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> =
        ["{", "[]", "null", "1", "\"x\"", "[[[", "{\"a\":1e999}", "{\"no_such_field\": 1}", "\u{feff}{}"]
            .iter()
            .map(|text| text.as_bytes().to_vec())
            .collect();
    bodies.push(vec![0xff, 0xfe, 0x00]);
    bodies.push(vec![b'['; 50_000]);
    bodies.push(br#"{"a":"#.repeat(20_000));
    bodies.push(vec![b' '; 13 * 1024 * 1024]);
    bodies
}

/// The body with each of its fields turned into something of another type.
fn of_wrong_types(body: &str) -> Vec<Vec<u8>> {
    let Ok(Value::Object(fields)) = serde_json::from_str(body) else { return Vec::new() };
    let mut bodies = Vec::new();
    for name in fields.keys() {
        for wrong in [json!(-1), json!([[]]), json!({"a": {"b": null}}), json!(true)] {
            let mut body = Value::Object(fields.clone());
            body[name] = wrong;
            bodies.push(body.to_string().into_bytes());
        }
    }
    bodies
}

/// The body with each of its texts turned into something nasty of the right type.
fn hostile(body: &str) -> Vec<Vec<u8>> {
    let Ok(Value::Object(fields)) = serde_json::from_str(body) else { return Vec::new() };
    let nasty =
        ["\u{0}", "'; DROP TABLE records; --", "../../echo.keystore.json", "<script>", "\u{202e}\u{7}\n\r"];
    let mut bodies = Vec::new();
    for (name, value) in &fields {
        for text in nasty.iter().map(|t| (*t).to_owned()).chain([String::new(), "x".repeat(500_000)]) {
            if value.is_string() {
                let mut body = Value::Object(fields.clone());
                body[name] = json!(text);
                bodies.push(body.to_string().into_bytes());
            }
        }
    }
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_body_is_a_problem_and_never_a_crash() {
    let world = World::build().await;
    let house = &world.house;
    for row in ROWS.iter().filter(|row| row.method() == "POST") {
        let path = row.path(&row.id(&world.a));
        let token = world.one_who_may(row.who);
        let send = async |body: Vec<u8>| {
            let ask = ask("POST", &path).bytes(body);
            let ask = if token.is_empty() { ask } else { ask.bearer(token) };
            ask.send(house).await
        };
        let mut bad = never_taken();
        bad.extend(of_wrong_types(row.body));
        if !row.body.is_empty() {
            bad.push(Vec::new());
        }
        if row.route == "POST /v1/sign-out" {
            bad.retain(|body| !body.trim_ascii().is_empty());
        }
        for body in bad {
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
            let answer = send(body).await;
            let status = answer.status.as_u16();
            assert!([400, 413, 422].contains(&status), "{} {shown}: {status}", row.route);
            answer.problem(status);
        }
        for body in hostile(row.body) {
            let answer = send(body).await;
            assert!(answer.status.as_u16() < 500, "{}: {}", row.route, answer.status);
        }
    }
    let other = ask("POST", "/v1/cases").bearer(&house.admin).header("content-type", "text/xml").send(house);
    assert_eq!(other.await.problem(415), "content-type");
    house.get("/v1/me", &house.admin).await.expect(200);
    assert_eq!(house.get("/readyz", "").await.expect(200)["ready"], true);
}
