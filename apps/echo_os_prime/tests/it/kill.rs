//! SIGKILL at 50 random moments of the flow: nothing acknowledged is lost, nothing is done twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    http::{Answer, Client},
    program::{Platform, Probe, free_port},
};

/// How often the platform is killed in all.
const KILLS: u32 = 50;
/// How many requests the flow has: each is cut `KILLS / REQUESTS` times, the first ones once more.
const REQUESTS: u32 = 8;
/// How long after its begin a request is cut at the latest. Most take 2 to 10 ms, with their fsyncs.
const LATEST_MICROS: u64 = 12_000;
/// The longest a step may take, restarts included.
const PATIENCE: Duration = Duration::from_mins(1);

/// A small reproducible generator (xorshift64*, Vigna 2016); the seed is printed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }
}

/// A house whose platform is killed again and again.
struct House {
    home: tempfile::TempDir,
    port: u16,
    platform: Platform,
    client: Client,
    random: Random,
    kills: u32,
    /// How many of the kills left a request without an answer.
    cut: u32,
    requests: u32,
}

impl House {
    fn found(seed: u64) -> Self {
        let home = tempfile::tempdir().unwrap();
        let port = free_port();
        let platform = Platform::start(home.path(), port);
        let client = Client::sign_in(&platform.url, &platform.secret);
        Self { home, port, platform, client, random: Random(seed), kills: 0, cut: 0, requests: 0 }
    }

    /// Kills the platform at a random moment, and starts it again.
    fn kill_after(&mut self, up_to_micros: u64) {
        thread::sleep(Duration::from_micros(self.random.below(up_to_micros)));
        self.platform.kill();
        self.kills += 1;
        self.platform = Platform::start(self.home.path(), self.port);
    }

    /// A POST that is cut some times and repeated with its key until it is answered. Whatever was acknowledged on
    /// the way must be what is answered at the end.
    fn post(&mut self, path: &str, body: &Value) -> Value {
        let key = format!("kill-test-{}", self.requests);
        let cuts = KILLS / REQUESTS + u32::from(self.requests < KILLS % REQUESTS);
        self.requests += 1;
        let mut acknowledged: Option<Answer> = None;
        for _ in 0..cuts {
            let (client, path, key, body) = (self.client.clone(), path.to_owned(), key.clone(), body.clone());
            let request = thread::spawn(move || client.post(&path, &key, &body));
            self.kill_after(LATEST_MICROS);
            match request.join().unwrap() {
                Ok(answer) if answer.0 < 300 => {
                    if let Some(before) = &acknowledged {
                        assert_eq!(*before, answer, "the same key gets the same answer");
                    }
                    acknowledged = Some(answer);
                }
                Ok(_) => {}
                Err(_) => self.cut += 1,
            }
        }
        let answer = self.until_answered(path, &key, body);
        if let Some(before) = acknowledged {
            assert_eq!(before, answer, "what was acknowledged stands");
        }
        answer.1
    }

    /// Repeats a request while nobody answers, or the answer says to come back with the same key.
    fn until_answered(&self, path: &str, key: &str, body: &Value) -> Answer {
        let began = Instant::now();
        loop {
            let answer = self.client.post(path, key, body);
            let again = match &answer {
                Ok((status, _)) if *status < 300 => return answer.unwrap(),
                Ok((_, problem)) => problem["retry_after"].is_number(),
                Err(_) => true,
            };
            assert!(again && began.elapsed() < PATIENCE, "{path}: {answer:?}");
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.client.get(path).unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Waits until the device has answered a skill call.
    fn done(&self, call: &Value) -> Value {
        let path = format!("/v1/calls/{}", call["id"].as_str().unwrap());
        let began = Instant::now();
        loop {
            let call = self.get(&path);
            if call["state"] != "running" {
                assert_eq!(call["state"], "done", "{call}");
                return call;
            }
            assert!(began.elapsed() < PATIENCE, "the device does not answer: {call}");
            thread::sleep(Duration::from_millis(100));
        }
    }
}

#[test]
fn fifty_kills_leave_one_case_one_receipt_a_call_one_invoice_and_sound_ledgers() {
    let seed = std::env::var("ECHO_KILL_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_123);
    println!("seed {seed}: ECHO_KILL_SEED repeats it");
    let mut house = House::found(seed);
    let customer = house.post("/v1/customers", &json!({ "name": "Anna", "plan": "pay-as-you-go" }));
    let (root, device_home) = (scratch_root(), tempfile::tempdir().unwrap());
    let token = house.until_answered("/v1/enrolment-tokens", "", &json!({ "customer": customer["id"] })).1;
    let _probe = Probe::enrol_and_run(
        &house.platform.url,
        token["token"].as_str().unwrap(),
        device_home.path(),
        root.path(),
    );
    let device = house.get("/v1/devices")["items"][0]["id"].clone();

    let case = house.post(
        "/v1/cases",
        &json!({
            "customer": customer["id"], "device": device, "form": "security-concern", "answers": answers(),
        }),
    );
    let case = case["case"]["id"].as_str().unwrap().to_owned();
    for skill in ["scanner.posture", "remediation.plan"] {
        let call = house.post(&format!("/v1/cases/{case}/calls"), &json!({ "skill": skill }));
        house.done(&call);
    }
    let change = house.get(&format!("/v1/cases/{case}"))["change_sets"][0].clone();
    let approve = format!("/v1/change-sets/{}/approve", change["id"].as_str().unwrap());
    let approved = house.post(&approve, &json!({}));
    house.done(&json!({ "id": approved["apply_call"] }));
    let probed = house.post(&format!("/v1/cases/{case}/calls"), &json!({ "skill": "diagnostics.probe" }));
    house.done(&probed);
    let closed = house.post(&format!("/v1/cases/{case}/close"), &json!({}));
    let invoice = closed["invoice"]["invoice"].clone();
    let pay = format!("/v1/invoices/{}/payments", invoice["id"].as_str().unwrap());
    house.post(&pay, &json!({ "amount": invoice["total"], "reference": "bank statement 7" }));

    println!("{} kills, {} of them in the middle of a request", house.kills, house.cut);
    assert_eq!((house.requests, house.kills), (REQUESTS, KILLS));
    assert!(house.cut > 0, "no kill hit a request: make LATEST_MICROS smaller");
    check_records(&house, &case);
    assert!(house.platform.stop().success());
    check_ledgers(house.home.path());
}

/// One case, one receipt a call, one invoice, one proof.
fn check_records(house: &House, case: &str) {
    let count = |path: &str| house.get(path)["items"].as_array().unwrap().len();
    assert_eq!(count("/v1/customers"), 1);
    assert_eq!(count("/v1/cases"), 1);
    assert_eq!(count("/v1/invoices"), 1);
    assert_eq!(count("/v1/proofs"), 1);
    let receipts = house.get("/v1/receipts");
    let mut skills: Vec<_> = receipts["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["receipt"]["skill"].as_str().unwrap())
        .collect();
    skills.sort_unstable();
    let expected =
        ["diagnostics.probe", "remediation.apply", "remediation.plan", "scanner.posture", "triage.classify"];
    assert_eq!(skills, expected);
    let view = house.get(&format!("/v1/cases/{case}"));
    assert_eq!(view["invoice"]["state"], "paid");
    assert_eq!(view["invoice"]["invoice"]["lines"].as_array().unwrap().len(), 5);
}

/// Both ledgers re-derive from their entries, and hold every document once.
fn check_ledgers(home: &Path) {
    let mut kinds = BTreeMap::<String, u32>::new();
    for name in ["genesis", "aeterna"] {
        let dir = home.join(format!("{name}_ledger"));
        let vkey = fs::read_to_string(dir.join("log.vkey")).unwrap();
        let report = ledger::fsck(&dir, vkey.trim()).unwrap();
        let mut seen = BTreeSet::new();
        for entry in entries(&dir) {
            let entry = ledger::Entry::from_bytes(&entry).unwrap();
            assert!(
                seen.insert((entry.kind.clone(), entry.id.clone())),
                "{} {} is entered twice",
                entry.kind,
                entry.id
            );
            *kinds.entry(entry.kind).or_default() += 1;
        }
        assert_eq!(report.size, seen.len() as u64);
    }
    for (kind, count) in [
        ("intake", 1),
        ("attestation", 1),
        ("fulfilment", 1),
        ("receipt", 5),
        ("invoice", 1),
        ("settlement", 1),
    ] {
        assert_eq!(kinds.get(kind), Some(&count), "{kind}: {kinds:?}");
    }
}

/// The entries of a small log (C2SP tlog-tiles, "Log entries"): big-endian length, then the bytes.
fn entries(dir: &Path) -> Vec<Vec<u8>> {
    let partials = dir.join("tile/entries/000.p");
    // A kill can leave a temporary file beside them, which no reader looks at.
    let newest = fs::read_dir(&partials)
        .unwrap()
        .filter_map(|e| e.unwrap().file_name().to_str().and_then(|name| name.parse::<u32>().ok()))
        .max()
        .unwrap();
    let bundle = fs::read(partials.join(newest.to_string())).unwrap();
    let (mut rest, mut out) = (&bundle[..], Vec::new());
    while let [high, low, tail @ ..] = rest {
        let (entry, after) = tail.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        out.push(entry.to_vec());
        rest = after;
    }
    out
}

fn answers() -> Value {
    let text = include_str!("../../../../intake/examples/ssh-worry.txt");
    json!({ "what_happened": text, "may_scan": "yes" })
}

/// A small, badly kept machine.
fn scratch_root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("etc/ssh/sshd_config", "Port 22\nPermitRootLogin yes\nX11Forwarding yes\nMaxAuthTries 10\n"),
        ("etc/login.defs", "PASS_MAX_DAYS 99999\nPASS_MIN_DAYS 0\nUMASK 022\nENCRYPT_METHOD YESCRYPT\n"),
        ("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n"),
        ("etc/crontab", "SHELL=/bin/sh\n"),
    ] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        durable::write(&path, text.as_bytes(), durable::Mode::Public).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    }
    root
}
