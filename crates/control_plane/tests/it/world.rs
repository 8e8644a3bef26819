//! Two customers with everything that can belong to one, made through the API.

use desk::{MeshNode, MeshPath, MeshPathKind, MeshState};
use device_link::{ASSERTION_TYPE, ENROLMENT_TYPE, EnrolmentToken, RESULT_TYPE};
use mesh::NodeId;
use observability::{Collector, HostFacts};
use serde_json::{Value, json};
use trust::{Envelope, KeyPair};

use crate::{
    ask::{Answer, ask},
    house::House,
};

/// A device made by hand.
pub struct Device {
    pub id: String,
    pub key: KeyPair,
    pub token: String,
}

/// One customer with a person, a device, and a case that went all the way.
pub struct Side {
    pub customer: String,
    pub person: String,
    pub device: Device,
    pub case: String,
    pub call: String,
    pub change: String,
    pub invoice: String,
    pub receipt: String,
    pub command: String,
    /// The id of an agent key that may call every skill, and its secret.
    pub agent_key: String,
    pub agent: String,
}

/// Both.
pub struct World {
    pub house: House,
    pub technician: String,
    pub a: Side,
    pub b: Side,
}

impl World {
    pub async fn build() -> Self {
        let house = House::open().await;
        let technician = house.token("Tess", "technician", None).await;
        let a = Side::build(&house, "Bakery Weber").await;
        let b = Side::build(&house, "Garage Lind").await;
        let nodes = vec![mesh_node(&house, &a), mesh_node(&house, &b)];
        house.desk.publish_mesh(picture(&house, nodes)).await.unwrap();
        Self { house, technician, a, b }
    }
}

/// The node of a side's device, as the mesh shows it.
pub fn mesh_node(house: &House, side: &Side) -> MeshNode {
    mesh_node_of(house, &side.customer, &side.device, "till-1")
}

/// The node of any device.
pub fn mesh_node_of(house: &House, customer: &str, device: &Device, name: &str) -> MeshNode {
    MeshNode {
        node: NodeId::of(&device.key.public()),
        device: device.id.parse().unwrap(),
        customer: Some(customer.parse().unwrap()),
        name: name.to_owned(),
        capabilities: vec!["diagnose".to_owned()],
        skills: vec!["diagnostics.probe".to_owned()],
        reachable: true,
        path: MeshPath {
            kind: MeshPathKind::Direct,
            hops: 0,
            next_hop: None,
            rtt_micros: Some(250),
            clock_skew_ms: Some(-3),
            why: None,
        },
        since: house.mint.now(),
        last_seen: Some(house.mint.now()),
    }
}

/// What the platform's node sees.
pub fn picture(house: &House, nodes: Vec<MeshNode>) -> MeshState {
    let me = NodeId::of(&KeyPair::from_secret(&[9; 32]).public());
    MeshState { me, at: house.mint.now(), nodes, doctor: json!({"links": []}) }
}

/// A text of an answer.
fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The claim of a device, signed with its key.
pub fn claim(key: &KeyPair, name: &str) -> Envelope {
    let facts = HostFacts::collect().unwrap();
    let claim = json!({"name": name, "public_key": key.public(), "facts": facts});
    Envelope::sign(ENROLMENT_TYPE, &claim, &[key]).unwrap()
}

/// A fresh enrolment secret of a customer.
pub async fn enrolment_secret(house: &House, customer: &str) -> String {
    let made =
        house.post("/v1/enrolment-tokens", &house.admin, &json!({"customer": customer})).await.expect(201);
    let token: EnrolmentToken = made["token"].as_str().unwrap().parse().unwrap();
    assert_eq!(token.root, *house.desk.root());
    token.secret
}

impl Device {
    /// Its name in the mesh.
    pub fn node(&self) -> String {
        NodeId::of(&self.key.public()).to_string()
    }

    pub async fn enrol(house: &House, customer: &str, name: &str) -> Self {
        let key = KeyPair::generate(house.mint.entropy());
        let secret = enrolment_secret(house, customer).await;
        let request = json!({"secret": secret, "claim": claim(&key, name)});
        let enrolled = ask("POST", "/v1/enrol").json(&request).send(house).await.expect(201);
        assert_eq!(enrolled["customer"], customer);
        let mut device =
            Self { id: enrolled["device"].as_str().unwrap().to_owned(), key, token: String::new() };
        let tokens = device.assert(house, &device.assertion(house)).await.expect(200);
        device.token = text(&tokens["access_token"]);
        assert!(tokens.get("refresh_token").is_none());
        device
    }

    pub fn assertion(&self, house: &House) -> Envelope {
        let assertion = json!({
            "device": self.id, "root": house.desk.root(), "at": house.mint.now(), "nonce": house.mint.secret(),
        });
        Envelope::sign(ASSERTION_TYPE, &assertion, &[&self.key]).unwrap()
    }

    pub async fn assert(&self, house: &House, assertion: &Envelope) -> Answer {
        let body = serde_json::to_value(assertion).unwrap();
        ask("POST", "/v1/device/token").json(&body).send(house).await
    }

    /// The payload of the one command that waits.
    pub async fn command(&self, house: &House) -> Value {
        let waiting = house.get("/v1/device/commands?wait=0", &self.token).await.expect(200);
        let items = waiting["items"].as_array().unwrap();
        assert_eq!(items.len(), 1);
        let envelope: Envelope = serde_json::from_value(items[0].clone()).unwrap();
        serde_json::from_slice(&envelope.payload_unchecked().unwrap()).unwrap()
    }

    /// The signed result of a command.
    pub fn result(&self, house: &House, command: &Value, outcome: &Value) -> Value {
        let mut result = json!({
            "command": command["id"], "device": self.id, "started": house.mint.now(), "finished": house.mint.now(),
        });
        result["outcome"] = outcome.clone();
        let envelope = Envelope::sign(RESULT_TYPE, &result, &[&self.key]).unwrap();
        serde_json::to_value(envelope).unwrap()
    }

    /// Answers the command that waits; `outcome` says what.
    pub async fn work(&self, house: &House, outcome: impl FnOnce(&Value) -> Value) -> String {
        let command = self.command(house).await;
        let id = command["id"].as_str().unwrap().to_owned();
        let result = self.result(house, &command, &outcome(&command));
        let path = format!("/v1/device/commands/{id}/result");
        assert_eq!(house.post(&path, &self.token, &result).await.expect(200)["command"], *id);
        id
    }

    pub fn pulse(&self, house: &House, seq: u64) -> Value {
        let metrics = Collector::new().sample().unwrap();
        json!({"device": self.id, "seq": seq, "at": house.mint.now(), "metrics": metrics})
    }
}

/// The playbook that these devices are fixed with, its version, and the check that it fixes.
fn fix(house: &House) -> (String, u32, u32) {
    let playbook = house.desk.content().playbooks.values().find(|p| !p.template.fixes.is_empty()).unwrap();
    (playbook.template.id.clone(), playbook.template.version, playbook.template.fixes[0])
}

/// A posture report with one check.
pub fn report(house: &House, check: u32, passed: bool) -> Value {
    let digest = echo_core::Digest::of(b"policy");
    json!({
        "policy": "baseline", "policy_name": "A baseline", "policy_digest": digest, "at": house.mint.now(),
        "passed": u32::from(passed), "failed": u32::from(!passed), "not_applicable": 0, "invalid": 0,
        "score": if passed { 100 } else { 0 },
        "checks": [{
            "check": check, "title": "Root may not sign in by SSH", "severity": "high",
            "outcome": if passed { "passed" } else { "failed" },
            "rationale": "It is the first name that is tried.", "remediation": "Set it to no.", "reason": "found yes",
        }],
    })
}

impl Side {
    async fn build(house: &House, name: &str) -> Self {
        let customer = house.customer(name).await;
        let person = house.token(&format!("{name}'s person"), "customer", Some(&customer)).await;
        let device = Device::enrol(house, &customer, "till-1").await;
        let open = json!({
            "form": "general-help", "device": device.id,
            "answers": {"what_happened": "Somebody tries to sign in by SSH all night, please secure the machine."},
        });
        let view = house.post("/v1/cases", &person, &open).await.expect(201);
        let case = view["case"]["id"].as_str().unwrap().to_owned();
        let receipt = view["receipts"][0]["receipt"]["id"].as_str().unwrap().to_owned();
        let mut side = Self {
            customer,
            person,
            device,
            case,
            receipt,
            call: String::new(),
            change: String::new(),
            invoice: String::new(),
            command: String::new(),
            agent_key: String::new(),
            agent: String::new(),
        };
        let every = [
            "triage.classify",
            "diagnostics.probe",
            "scanner.posture",
            "remediation.plan",
            "advisory.answer",
        ];
        let new = json!({"customer": side.customer, "name": "night shift", "skills": every});
        let made = house.post("/v1/agent-keys", &house.admin, &new).await.expect(201);
        (side.agent_key, side.agent) = (text(&made["key"]["id"]), text(&made["secret"]));
        side.fix(house).await;
        side.bill(house).await;
        side
    }

    async fn skill(&self, house: &House, skill: &str) -> Value {
        let path = format!("/v1/cases/{}/calls", self.case);
        house.post(&path, &self.person, &json!({"skill": skill})).await.expect(201)
    }

    async fn fix(&mut self, house: &House) {
        let (playbook, version, check) = fix(house);
        self.skill(house, "scanner.posture").await;
        let failing = report(house, check, false);
        self.device.work(house, |_| json!({"outcome": "scanned", "report": failing})).await;
        let call = self.skill(house, "remediation.plan").await;
        self.call = text(&call["id"]);
        let plan = json!({
            "playbooks": [{"id": playbook, "version": version}],
            "changes": [{"path": "/etc/ssh/sshd_config", "kind": "edit", "before": "a", "after": "b"}],
            "diff": "--- a/etc/ssh/sshd_config\n+++ b/etc/ssh/sshd_config\n@@ -1 +1 @@\n-a\n+b\n",
            "risk": "low", "rollback": ["The file comes back."], "skipped": [],
        });
        self.command = self.device.work(house, |_| json!({"outcome": "planned", "plan": plan})).await;
        let call = house.get(&format!("/v1/calls/{}", self.call), &self.person).await.expect(200);
        assert_eq!(call["state"], "done", "{call}");
        self.change = text(&call["change_set"]);
        let path = format!("/v1/change-sets/{}/approve", self.change);
        assert_eq!(house.post(&path, &self.person, &json!({})).await.expect(200)["state"], "approved");
        let (before, after, now) =
            (report(house, check, false), report(house, check, true), house.mint.now());
        let applied = |command: &Value| {
            let run = json!({
                "run": command["work"]["run"], "plan": command["work"]["plan"], "outcome": "applied",
                "steps": [{"playbook": playbook, "step": 1, "what": "edit", "outcome": "changed", "detail": ""}],
                "started": now, "finished": now,
            });
            json!({"outcome": "applied", "before": before, "run": run, "after": after})
        };
        self.device.work(house, applied).await;
    }

    async fn bill(&mut self, house: &House) {
        let view = house.get(&format!("/v1/cases/{}", self.case), &self.person).await.expect(200);
        assert_eq!(view["case"]["state"], "resolved", "{view}");
        let closed =
            house.post(&format!("/v1/cases/{}/close", self.case), &self.person, &json!({})).await.expect(200);
        self.invoice = text(&closed["invoice"]["invoice"]["id"]);
    }
}
