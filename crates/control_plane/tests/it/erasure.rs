//! A customer with marks in everything that people and devices can write is erased: no file of the home holds one of them
//! any more, and the other customer's are all there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use device_link::ENROLMENT_TYPE;
use dossier::LogName;
use echo_core::Digest;
use observability::HostFacts;
use serde_json::{Value, json};
use trust::{Envelope, KeyPair};

use crate::{
    ask::ask,
    house::House,
    world::{Device, enrolment_secret, mesh_node_of, picture, report},
};

/// A customer, and the words that only they wrote.
struct Marked {
    marks: Vec<String>,
    name: String,
    customer: String,
    user: String,
    person: String,
    agent: String,
    device: Device,
    case: String,
    invoice: String,
    /// An enrolment secret that nobody used.
    unused: String,
}

impl Marked {
    /// A word that nobody else writes.
    fn mark(marks: &mut Vec<String>, house: &House, what: &str) -> String {
        let word = format!("{what}{}", &house.mint.secret()[..20]);
        marks.push(word.clone());
        word
    }

    async fn build(house: &House) -> Self {
        let mut marks = Vec::new();
        let mut mark = |what: &str| Self::mark(&mut marks, house, what);
        let name = mark("company");
        let customer = house.customer(&name).await;
        let (user, person) = person(house, &customer, &mark("person")).await;
        let agent = agent_key(house, &customer, &mark("key")).await;
        let (device_name, hostname) = (mark("device"), mark("host"));
        let device = enrol(house, &customer, &device_name, &hostname).await;
        let pulse = {
            let mut pulse = device.pulse(house, 1);
            pulse["facts"] = facts(&mark("pulsed"));
            json!({"pulses": [pulse]})
        };
        house.post("/v1/device/pulses", &device.token, &pulse).await.expect(200);
        let answers = json!({
            "what_happened": format!("Sign-in by SSH fails all night, says {}.", mark("story")),
            "how_to_reach": format!("{}@example.org", mark("mail")),
        });
        let case = open(house, &person, &device, &answers).await;
        let question =
            json!({"skill": "advisory.answer", "question": format!("Is {} root by SSH?", mark("asked"))});
        let path = format!("/v1/cases/{case}/calls");
        ask("POST", &path).bearer(&agent).key("q").json(&question).send(house).await.expect(201);
        let evidence = [mark("evidence"), mark("diff"), mark("step")];
        fix(house, &person, &device, &case, &evidence).await;
        let invoice = bill(house, &person, &case, &mark("reference")).await;
        let waiting = json!({"what_happened": format!("And now {}.", mark("second"))});
        let second = open(house, &person, &device, &waiting).await;
        let grant = json!({"holder": device.node(), "skills": ["diagnostics.probe"], "calls": 1, "hours": 1});
        house.post(&format!("/v1/cases/{second}/grants"), &person, &grant).await.expect(201);
        let probe = json!({"skill": "diagnostics.probe"});
        house.post(&format!("/v1/cases/{second}/calls"), &person, &probe).await.expect(201);
        let unused = enrolment_secret(house, &customer).await;
        Self { marks, name, customer, user, person, agent, device, case, invoice, unused }
    }

    /// The ids that its case names.
    async fn ids(&self, house: &House) -> BTreeSet<String> {
        let view = house.get(&format!("/v1/cases/{}", self.case), &self.person).await;
        let text = String::from_utf8(view.body).unwrap();
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let id = |word: &&str| word.split_once('_').is_some_and(|(_, hex)| hex.len() == 32);
        words.filter(id).map(str::to_owned).collect()
    }
}

fn facts(hostname: &str) -> Value {
    let mut facts = serde_json::to_value(HostFacts::collect().unwrap()).unwrap();
    facts["hostname"] = json!(hostname);
    facts
}

async fn person(house: &House, customer: &str, name: &str) -> (String, String) {
    let new = json!({"name": name, "role": "customer", "customer": customer});
    let made =
        ask("POST", "/v1/users").bearer(&house.admin).key(name).json(&new).send(house).await.expect(201);
    let id = made["id"].as_str().unwrap().to_owned();
    let link =
        house.post(&format!("/v1/users/{id}/sign-in-links"), &house.admin, &json!({})).await.expect(201);
    let tokens = house.sign_in(link["secret"].as_str().unwrap()).await;
    // One that is never used.
    house.post(&format!("/v1/users/{id}/sign-in-links"), &house.admin, &json!({})).await.expect(201);
    (id, tokens["access_token"].as_str().unwrap().to_owned())
}

async fn agent_key(house: &House, customer: &str, name: &str) -> String {
    let new = json!({"customer": customer, "name": name, "skills": ["advisory.answer"]});
    let made = house.post("/v1/agent-keys", &house.admin, &new).await.expect(201);
    made["secret"].as_str().unwrap().to_owned()
}

async fn enrol(house: &House, customer: &str, name: &str, hostname: &str) -> Device {
    let key = KeyPair::generate(house.mint.entropy());
    let claim = json!({"name": name, "public_key": key.public(), "facts": facts(hostname)});
    let claim = Envelope::sign(ENROLMENT_TYPE, &claim, &[&key]).unwrap();
    let request = json!({"secret": enrolment_secret(house, customer).await, "claim": claim});
    let enrolled = ask("POST", "/v1/enrol").json(&request).send(house).await.expect(201);
    let device = Device { id: enrolled["device"].as_str().unwrap().to_owned(), key, token: String::new() };
    let tokens = device.assert(house, &device.assertion(house)).await.expect(200);
    Device { token: tokens["access_token"].as_str().unwrap().to_owned(), ..device }
}

async fn open(house: &House, person: &str, device: &Device, answers: &Value) -> String {
    let open = json!({"form": "general-help", "device": device.id, "answers": answers});
    let key = house.mint.secret();
    let view =
        ask("POST", "/v1/cases").bearer(person).key(&key[..20]).json(&open).send(house).await.expect(201);
    view["case"]["id"].as_str().unwrap().to_owned()
}

/// A scan, a plan, an approval and a run, with marks in what the device writes.
async fn fix(house: &House, person: &str, device: &Device, case: &str, [evidence, diff, step]: &[String; 3]) {
    let playbook = house.desk.content().playbooks.values().find(|p| !p.template.fixes.is_empty()).unwrap();
    let (id, version) = (playbook.template.id.clone(), playbook.template.version);
    let check = playbook.template.fixes[0];
    let marked = |passed: bool| {
        let mut report = report(house, check, passed);
        report["checks"][0]["reason"] = json!(format!("found {evidence}"));
        report
    };
    let path = format!("/v1/cases/{case}/calls");
    house.post(&path, person, &json!({"skill": "scanner.posture"})).await.expect(201);
    device.work(house, |_| json!({"outcome": "scanned", "report": marked(false)})).await;
    let call = house.post(&path, person, &json!({"skill": "remediation.plan"})).await.expect(201);
    let plan = json!({
        "playbooks": [{"id": id, "version": version}],
        "changes": [{"path": "/etc/ssh/sshd_config", "kind": "edit", "before": "a", "after": "b"}],
        "diff": format!("--- a/etc/x\n+++ b/etc/x\n@@ -1 +1 @@\n-{diff}\n+b\n"),
        "risk": "low", "rollback": ["The file comes back."], "skipped": [],
    });
    device.work(house, |_| json!({"outcome": "planned", "plan": plan})).await;
    let call = house.get(&format!("/v1/calls/{}", call["id"].as_str().unwrap()), person).await.expect(200);
    let path = format!("/v1/change-sets/{}/approve", call["change_set"].as_str().unwrap());
    house.post(&path, person, &json!({})).await.expect(200);
    let now = house.mint.now();
    let applied = |command: &Value| {
        let run = json!({
            "run": command["work"]["run"], "plan": command["work"]["plan"], "outcome": "applied",
            "steps": [{"playbook": id, "step": 1, "what": "edit", "outcome": "changed", "detail": step}],
            "started": now, "finished": now,
        });
        json!({"outcome": "applied", "before": marked(false), "run": run, "after": marked(true)})
    };
    device.work(house, applied).await;
}

async fn bill(house: &House, person: &str, case: &str, reference: &str) -> String {
    let closed = house.post(&format!("/v1/cases/{case}/close"), person, &json!({})).await.expect(200);
    let invoice = &closed["invoice"]["invoice"];
    let id = invoice["id"].as_str().unwrap().to_owned();
    let payment = json!({"amount": invoice["total"], "reference": reference});
    let pay = ask("POST", &format!("/v1/invoices/{id}/payments")).bearer(&house.admin).key(reference);
    pay.json(&payment).send(house).await.expect(201);
    id
}

/// Every file below a home, as text: what is searched for is ASCII.
fn files(home: &Path) -> BTreeMap<PathBuf, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![home.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                found.insert(path.strip_prefix(home).unwrap().to_owned(), text);
            }
        }
    }
    found
}

/// A word as it is, and as it looks in base64 at each of the three places where it can begin.
fn spellings(word: &str) -> Vec<String> {
    let in_base64 = |before: usize| {
        let coded = STANDARD.encode([&vec![0; before], word.as_bytes()].concat());
        // Characters that other bytes have a part in are left out.
        let from = [0, 2, 3][before];
        let whole = (before + word.len()) / 3 * 4;
        coded[from..whole].to_owned()
    };
    (0..3).map(in_base64).chain([word.to_owned()]).collect()
}

/// Where a word is found.
fn found(files: &BTreeMap<PathBuf, String>, word: &str) -> Vec<PathBuf> {
    let spellings = spellings(word);
    let holds = |text: &String| spellings.iter().any(|spelling| text.contains(spelling));
    files.iter().filter(|(_, text)| holds(text)).map(|(path, _)| path.clone()).collect()
}

/// Random ids that stay by design: in entries of the ledgers and the listing of attestations.
fn may_stay(id: &str, path: &Path) -> bool {
    let listed = ["proof_", "chg_", "scan_"].iter().any(|kind| id.starts_with(kind));
    path.starts_with("genesis_ledger")
        || path.starts_with("aeterna_ledger")
        || (listed
            && ["echo.db", "federated_attestation_index"]
                .iter()
                .any(|name| path.to_string_lossy().starts_with(name)))
}

async fn erase(house: &House, side: &Marked) -> Value {
    let body = json!({"confirm": side.name, "reason": "customer_asked"});
    let path = format!("/v1/customers/{}/erasure", side.customer);
    ask("POST", &path).bearer(&house.admin).key("erase").json(&body).send(house).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_an_erased_customer_stays_and_the_others_are_all_there() {
    let house = House::open().await;
    let (a, b) = (Marked::build(&house).await, Marked::build(&house).await);
    let nodes = [&a, &b].map(|side| mesh_node_of(&house, &side.customer, &side.device, &side.marks[3]));
    house.desk.publish_mesh(picture(&house, nodes.to_vec())).await.unwrap();
    house.desk.tick().await.unwrap();
    house.desk.remember_due().await.unwrap();
    let (ids, others) = (a.ids(&house).await, b.ids(&house).await);
    let own: Vec<&String> = ids.difference(&others).collect();
    assert!(own.len() > 30, "only {} ids: {own:?}", own.len());
    let seen = house.get(&format!("/v1/cases/{}", b.case), &b.person).await.expect(200);
    let home = house.desk.home().to_owned();
    let before = files(&home);
    for mark in a.marks.iter().chain(&b.marks) {
        assert!(!found(&before, mark).is_empty(), "{mark} is found nowhere: this test would not see it stay");
    }
    for side in [&a, &b] {
        let told = |mark: &String| {
            mark.starts_with("story") && found(&before, mark).iter().any(|p| p.starts_with("memory"))
        };
        assert!(side.marks.iter().any(told), "the closed case is remembered");
    }

    let path = format!("/v1/customers/{}/erasure", a.customer);
    let plan = house.get(&path, &house.admin).await.expect(200);
    assert_eq!((&plan["state"], &plan["obstacles"]), (&json!("planned"), &json!([])));
    assert!(plan["notes"].to_string().contains("1 case is not closed"), "{}", plan["notes"]);
    let erased = erase(&house, &a).await;
    assert_eq!(erased["state"], "erased");
    house.desk.tick().await.unwrap();

    let after = files(&home);
    for mark in a.marks.iter().chain([&a.customer, &a.user]) {
        assert_eq!(found(&after, mark), Vec::<PathBuf>::new(), "{mark}");
    }
    for id in own {
        let stays: Vec<_> = found(&after, id).into_iter().filter(|path| !may_stay(id, path)).collect();
        assert_eq!(stays, Vec::<PathBuf>::new(), "{id}");
    }
    for mark in b.marks.iter().chain([&b.customer, &b.user]) {
        // What stood in a write-ahead log is in its database now.
        let places = |files| -> BTreeSet<String> {
            let paths = found(files, mark).into_iter().map(|path| path.to_string_lossy().into_owned());
            paths.map(|path| path.trim_end_matches("-wal").to_owned()).collect()
        };
        assert_eq!(places(&after), places(&before), "{mark} of the other customer");
    }
    assert_eq!(house.get(&format!("/v1/cases/{}", b.case), &b.person).await.expect(200), seen);
    proofs_hold(&house, &b).await;
    nobody_comes_back(&house, &a).await;
    attested(&house, &a, &erased).await;
    assert_eq!(erase(&house, &a).await, erased, "a second time says when the first was");
}

/// Both ledgers are sound, and what the other customer holds is proven as before.
async fn proofs_hold(house: &House, side: &Marked) {
    for log in LogName::ALL {
        let log = house.desk.log(log);
        assert_eq!(ledger::fsck(log.dir(), log.vkey()).unwrap().size, log.size());
    }
    let export = house.get(&format!("/v1/cases/{}/export", side.case), &side.person).await;
    assert_eq!(export.status, 200);
    let verified = dossier::verify(&export.body, house.desk.root()).unwrap();
    assert!(verified.paid && verified.checks.len() > 5);
    let invoice =
        house.get(&format!("/v1/documents/invoice/{}", side.invoice), &side.person).await.expect(200);
    let entry = invoice["document"]["entry"].as_str().unwrap().as_bytes();
    let proof = invoice["document"]["proof"].as_str().unwrap();
    ledger::verify_tlog_proof(proof, entry, invoice["vkey"].as_str().unwrap()).unwrap();
}

/// What let the customer's people, programs and devices in does not any more.
async fn nobody_comes_back(house: &House, side: &Marked) {
    for token in [&side.person, &side.agent, &side.device.token] {
        assert_eq!(house.get("/v1/me", token).await.problem(401), "unauthenticated");
    }
    let token = side.device.assert(house, &side.device.assertion(house)).await;
    assert_eq!(token.problem(401), "unauthenticated");
    let claim = json!({"name": "again", "public_key": side.device.key.public(), "facts": facts("again")});
    let claim = Envelope::sign(ENROLMENT_TYPE, &claim, &[&side.device.key]).unwrap();
    let request = json!({"secret": side.unused, "claim": claim});
    assert_eq!(ask("POST", "/v1/enrol").json(&request).send(house).await.problem(401), "unauthenticated");
}

/// The attestation says when, by whom and how much, and whoever has the id can tell that it is about it.
async fn attested(house: &House, side: &Marked, erased: &Value) {
    let path = format!("/v1/documents/attestation/{}", erased["attestation"].as_str().unwrap());
    let view = house.get(&path, &house.admin).await.expect(200);
    let document: dossier::Document = serde_json::from_value(view["document"].clone()).unwrap();
    ledger::verify_tlog_proof(&document.proof, document.entry.as_bytes(), view["vkey"].as_str().unwrap())
        .unwrap();
    let statement = trust::Statement::<desk::Erased>::verify(
        &document.envelope,
        desk::ERASURE_PREDICATE,
        house.desk.registry(),
        trust::KeyRole::Attestor,
    )
    .unwrap();
    let told = statement.predicate;
    assert_eq!(json!(told), erased["erased"]);
    let salted = format!("echo erasure v1\n{}\n{}\n", told.salt, side.customer);
    assert_eq!(told.customer, Digest::of(salted.as_bytes()));
    assert_eq!(told.salt, *house.desk.root());
    assert!(told.records["case"] == 2 && told.records["document"] > 10, "{told:?}");
}

#[test]
fn a_word_is_found_in_base64_wherever_it_begins() {
    let word = "company0123456789abcdef";
    for before in 0..6 {
        for behind in 0..3 {
            let text = STANDARD.encode([&vec![b'x'; before], word.as_bytes(), &vec![b'y'; behind]].concat());
            assert!(spellings(word).iter().any(|spelling| text.contains(spelling)), "{before} {behind}");
        }
    }
}
