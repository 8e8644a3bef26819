//! `attestation` and `content except` on a home that a tour left behind.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use dossier::Index;
use durable::Mode;
use serde_json::Value;
use tempfile::TempDir;
use trust::{
    Envelope, KeyRole, Keystore, TrustChain, Unlock, fulfilment::FULFILMENT_PREDICATE,
    statement::STATEMENT_TYPE,
};

use crate::fixture::{Platform, TOURED, echo_cli, sibling, stderr, stdout};

/// A copy of the toured home, and a fresh one beside it.
struct Two {
    scratch: TempDir,
}

impl Two {
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let two = Self { scratch };
        let status = Command::new("cp").arg("-r").arg(&TOURED.home).arg(two.path("toured")).status().unwrap();
        assert!(status.success());
        write(&two.path("pass"), b"one old horse at home\n");
        two
    }

    /// With a fresh home, whose platform ran and stopped.
    fn with_fresh(self) -> Self {
        let platform = Platform::start();
        let home = platform.scratch.path().join("home");
        let status = Command::new("cp").arg("-r").arg(home).arg(self.path("fresh")).status().unwrap();
        assert!(status.success());
        drop(platform);
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        let line = line.replace("ROOT", &TOURED.fingerprint);
        let mut command = echo_cli(&["--json"]);
        command.current_dir(self.scratch.path()).args(line.split(' ')).output().unwrap()
    }

    fn done(&self, line: &str) -> Value {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}{}", stdout(&output), stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn refused(&self, line: &str, code: i32) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(code), "{line}: {}{}", stdout(&output), stderr(&output));
        stderr(&output)
    }

    /// The one attestation of the tour.
    fn attestation(&self) -> PathBuf {
        let found = fs::read_dir(self.path("toured/attestations")).unwrap().next().unwrap().unwrap().path();
        fs::copy(found, self.path("proof.json")).unwrap();
        PathBuf::from("proof.json")
    }
}

const CHECK: &str = "attestation check toured/federated_attestation_index.json --log toured/genesis_ledger \
                     --trust toured/sovereign_trust_registry.json --root ROOT";
const MERGE: &str = "--home fresh attestation merge toured/federated_attestation_index.json --log toured/genesis_ledger \
                     --trust toured/sovereign_trust_registry.json --root ROOT";

#[test]
fn an_attestation_says_who_signed_and_what_is_missing() {
    let two = Two::new().with_fresh();
    two.attestation();
    let verify = "--home toured attestation verify proof.json --root ROOT";
    let verified = two.done(verify);
    assert_eq!((&verified["verified"], &verified["missing"]), (&true.into(), &0.into()));
    assert_eq!(verified["attestation"]["subjects"].as_array().unwrap().len(), 3);
    let more = two.refused(&format!("{verify} --threshold 2"), 3);
    assert!(more.contains("1 of 2 signatures are missing"), "{more}");
    // A stranger's signature is added, named, and does not count.
    two.done("--home fresh keystore export attestor --out other.key --passphrase-file pass");
    let signed =
        two.done("attestation sign proof.json --key other.key --passphrase-file pass --out signed.json");
    assert_eq!((&signed["added"], &signed["signatures"]), (&true.into(), &2.into()));
    let output = two.run("--home toured attestation verify signed.json --root ROOT --threshold 2");
    assert_eq!(output.status.code(), Some(3));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["signatures"]["signers"][1]["standing"], "stranger", "{said}");
    assert_eq!(two.done("attestation join proof.json signed.json")["added"], 1);
    assert_eq!(fs::read(two.path("proof.json")).unwrap(), fs::read(two.path("signed.json")).unwrap());
    assert_eq!(two.done("--home toured attestation sign proof.json --key home")["added"], false);
    two.refused("attestation sign proof.json --key other.key", 2);
    two.refused("--home fresh attestation verify proof.json --root ROOT", 3);
}

#[test]
fn a_proof_that_does_not_follow_is_not_called_verified_however_well_it_is_signed() {
    let two = Two::new();
    two.attestation();
    let envelope: Envelope = serde_json::from_slice(&fs::read(two.path("proof.json")).unwrap()).unwrap();
    let mut statement: Value = serde_json::from_slice(&envelope.payload_unchecked().unwrap()).unwrap();
    assert_eq!(statement["predicateType"], FULFILMENT_PREDICATE);
    statement["predicate"]["fixed"] = serde_json::json!([1]);
    let keys = Keystore::open(&two.path("toured"), &Unlock::KeyFile).unwrap();
    let attestor = keys.signer(KeyRole::Attestor).unwrap();
    let unsound = Envelope::sign(STATEMENT_TYPE, &statement, &[attestor]).unwrap();
    write(&two.path("proof.json"), &serde_json::to_vec(&unsound).unwrap());
    let output = two.run("--home toured attestation verify proof.json --root ROOT");
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("drawn up wrongly"), "{}", stderr(&output));
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["verified"], &said["missing"]), (&false.into(), &0.into()));
}

#[test]
fn the_commands_in_the_table_run() {
    let two = Two::new();
    let table = fs::read_to_string(two.path("toured/federated_attestation_index.md")).unwrap();
    let (_, block) = table.split_once("```sh\n").unwrap();
    let commands = block.split_once("```").unwrap().0.replace("\\\n", "");
    let lines: Vec<&str> = commands.lines().collect();
    assert!(lines.len() == 2 && lines[1].contains(" attestation verify "), "{commands}");
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let output = echo_cli(&words).current_dir(two.path("toured")).output().unwrap();
        assert!(output.status.success(), "{line}: {}{}", stdout(&output), stderr(&output));
    }
}

#[test]
fn the_bytes_that_a_ledger_names_stay_as_they_are() {
    let two = Two::new().with_fresh();
    let own = fs::read_dir(two.path("toured/attestations")).unwrap().next().unwrap().unwrap().path();
    let before = fs::read(&own).unwrap();
    let refused = two.refused(&format!("--home fresh attestation sign {} --key home", own.display()), 1);
    assert!(refused.contains("--out"), "{refused}");
    assert_eq!(fs::read(own).unwrap(), before);
}

#[test]
fn an_index_is_checked_and_merged_once() {
    let two = Two::new().with_fresh();
    assert_eq!(two.done(CHECK)["attestations"], 1);
    let table = fs::read_to_string(two.path("toured/federated_attestation_index.md")).unwrap();
    assert!(table.contains("proof_") && table.contains("attestation check"), "{table}");
    let other = two.refused(&CHECK.replace("ROOT", &"0".repeat(64)), 3);
    assert!(other.contains("pinned"), "{other}");

    two.done(MERGE);
    let merged = fs::read(two.path("fresh/federated_attestation_index.json")).unwrap();
    assert!(two.done(MERGE)["what"].as_str().unwrap().contains("nothing was changed"));
    assert_eq!(fs::read(two.path("fresh/federated_attestation_index.json")).unwrap(), merged);
    let table = fs::read_to_string(two.path("fresh/federated_attestation_index.md")).unwrap();
    assert!(table.contains("other 1"), "{table}");

    let vkey = fs::read_to_string(two.path("fresh/genesis_ledger/log.vkey")).unwrap();
    let wrong_key = two.refused(&format!("{MERGE} --vkey {}", vkey.trim()), 3);
    assert!(wrong_key.contains("trust chain names"), "{wrong_key}");
    let wrong_log = two.refused(&MERGE.replace("--log toured", "--log fresh"), 3);
    assert!(wrong_log.contains("not this one"), "{wrong_log}");
    assert_eq!(fs::read(two.path("fresh/federated_attestation_index.json")).unwrap(), merged);

    // The platform of that home goes on with what was merged.
    start_and_stop(&two.path("fresh"));
    assert_eq!(fs::read(two.path("fresh/federated_attestation_index.json")).unwrap(), merged);
    two.done("attestation index fresh");
    assert!(two.done(MERGE)["what"].as_str().unwrap().contains("nothing was changed"));
}

#[test]
fn a_changed_entry_in_the_others_ledger_or_index_is_noticed() {
    let two = Two::new().with_fresh();
    let folder = two.path("toured/genesis_ledger/tile/entries/000.p");
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes[20] ^= 1;
        write(&path, &bytes);
    }
    assert!(two.refused(MERGE, 3).contains("damaged or not this one"));
    let index = two.path("toured/federated_attestation_index.json");
    let mut bytes = fs::read(&index).unwrap();
    bytes[200] ^= 1;
    write(&index, &bytes);
    two.refused(MERGE, 3);
    two.refused(CHECK, 3);
}

#[test]
fn a_lost_index_is_made_anew_from_the_ledger() {
    let two = Two::new();
    let index = two.path("toured/federated_attestation_index.json");
    fs::remove_file(&index).unwrap();
    assert_eq!(two.done("attestation index toured")["attestations"], 1);
    two.done(CHECK);
    write(&index, b"{}");
    let output = two.run("attestation index toured");
    assert!(output.status.success(), "{}", stderr(&output));
    two.done(CHECK);
    let attestation = fs::read_dir(two.path("toured/attestations")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(attestation).unwrap();
    let missing = two.refused("attestation index toured", 1);
    assert!(missing.contains("its database has all"), "{missing}");
}

#[test]
fn an_index_outlives_the_attestor_s_key() {
    let two = Two::new().with_fresh();
    two.done(MERGE);
    let damaged = |number: &str| two.path(&format!("fresh/federated_attestation_index.json.damaged{number}"));
    // Retired: what was merged stays, and whoever merges goes on.
    two.done("--home fresh trust rotate attestor --grace 0 --reason yearly");
    assert!(two.done(MERGE)["what"].as_str().unwrap().contains("nothing was changed"));
    assert_eq!(two.done("attestation index fresh")["others"], 1);
    assert!(!damaged("").exists());
    // Revoked: nothing by the old key counts, and one merges again.
    two.done("--home fresh trust rotate attestor --emergency --reason stolen --yes");
    two.refused(MERGE, 3);
    assert_eq!(two.done("attestation index fresh")["others"], 0);
    let first = fs::read(damaged("")).unwrap();
    two.done(MERGE);
    write(&two.path("fresh/federated_attestation_index.json"), b"{}");
    two.done("attestation index fresh");
    assert_eq!((fs::read(damaged("")).unwrap(), fs::read(damaged(".2")).unwrap()), (first, b"{}".to_vec()));
    // One's own attestations are listed by their ledger entries, whatever became of the key.
    two.done("--home toured trust rotate attestor --emergency --reason stolen --yes");
    assert_eq!(two.done("attestation index toured")["attestations"], 1);
}

#[test]
fn an_index_is_merged_over_the_web() {
    let two = Two::new().with_fresh();
    let platform = Platform::start();
    let url = platform.url.trim_end_matches('/');
    let get = |path: &str| {
        let body = ureq::get(format!("{url}{path}")).call().unwrap().body_mut().read_to_vec().unwrap();
        write(&two.path(path.rsplit('/').next().unwrap()), &body);
    };
    get("/v1/attestations/index");
    get("/v1/trust");
    let statement = fs::read_to_string(platform.scratch.path().join("home/Sovereign_Trust_Root.md")).unwrap();
    let root = &statement.split_once("sha256:").unwrap().1[..64];
    let merged = two.done(&format!(
        "--home fresh attestation merge index --trust trust --root {root} --log {url}/v1/ledgers/genesis"
    ));
    assert_eq!(merged["attestations"], 0);
    let none = two.refused(
        &format!("attestation check index --trust trust --root {root} --log {url}/v1/ledgers/none"),
        1,
    );
    assert!(none.contains("no ledger"), "{none}");
}

#[test]
fn a_rollback_is_refused_by_the_name_of_the_ledger() {
    let two = Two::new().with_fresh();
    two.done(MERGE);
    let path = two.path("toured/federated_attestation_index.json");
    let chain = TrustChain::load(&two.path("toured")).unwrap();
    let mut index = Index::open(&fs::read(&path).unwrap(), &chain.newest().unwrap()).unwrap();
    index.own.count = 0;
    index.own.entries.clear();
    let keys = Keystore::open(&two.path("toured"), &Unlock::KeyFile).unwrap();
    write(&path, &index.to_file(keys.signer(KeyRole::Attestor).unwrap()).unwrap());
    let refused = two.refused(MERGE, 3);
    assert!(refused.contains(&format!("{} was rolled back", index.own.log.origin)), "{refused}");
    let incomplete = two.refused(CHECK, 3);
    assert!(incomplete.contains("was left out"), "{incomplete}");
}

fn write(path: &Path, bytes: &[u8]) {
    durable::write(path, bytes, Mode::Private).unwrap();
}

fn start_and_stop(home: &Path) {
    let mut child = Command::new(sibling("echo_os_prime"))
        .args(["--listen", "127.0.0.1:0", "--home"])
        .arg(home)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut String::new()).unwrap();
    crate::fixture::terminate(&child);
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_exception_is_signed_listed_used_and_taken_back() {
    let two = Two::new().with_fresh();
    let form = "fresh/intake/general-help.yaml";
    let until = until(30);
    let signed = two.refused(&format!("--home fresh content except {form} --reason x --until {until}"), 1);
    assert!(signed.contains("needs no exception"), "{signed}");
    fs::remove_file(two.path(&format!("{form}.sig"))).unwrap();
    two.refused("--home fresh content check", 3);
    for (words, code) in [
        (format!("{form} --reason late --until {}", self::until(91)), 1),
        (format!("{form} --reason late --until 2020-01-01"), 1),
        (format!("{form} --reason late --until tomorrow"), 2),
        (format!("{form} --until {until}"), 2),
        (format!("fresh/manifest/catalogue.yaml --reason x --until {until}"), 2),
        (format!("{form} --remove"), 1),
        (format!("fresh/intake/none.yaml --reason x --until {until}"), 1),
    ] {
        two.refused(&format!("--home fresh content except {words}"), code);
    }
    assert!(!two.path("fresh/governance/exceptions.json").exists());
    let made =
        two.done(&format!("--home fresh content except {form} --reason away --until {until} --by Marta"));
    assert_eq!(made["exception"]["approved_by"], "Marta");
    let check = two.done("--home fresh content check");
    let shown =
        check.as_array().unwrap().iter().find(|f| f["file"].as_str().unwrap().ends_with("general-help.yaml"));
    assert!(shown.unwrap()["until"].as_str().unwrap().starts_with(&until));
    let listed = two.done("--home fresh content exceptions");
    assert_eq!(
        (&listed[0]["state"], &listed[0]["exception"]["reason"]),
        (&"in force".into(), &"away".into())
    );
    start_and_stop(&two.path("fresh"));
    let shown = two.done("ledger show fresh/genesis_ledger --max 1000");
    assert!(shown.as_array().unwrap().iter().any(|entry| entry["kind"] == "exceptions"), "{shown}");

    write(&two.path(form), b"id: other\n");
    assert_eq!(two.done("--home fresh content exceptions")[0]["state"], "other bytes");
    two.done(&format!("--home fresh content except {form} --remove"));
    assert_eq!(two.done("--home fresh content exceptions").as_array().unwrap().len(), 0);
    let why = two.run("--home fresh content check");
    assert_eq!(why.status.code(), Some(3));
}

/// The day in so many days.
fn until(days: i64) -> String {
    let now = echo_core::Mint::system().now().as_millisecond();
    echo_core::clock::from_millis(now + (days + 1) * 24 * 3600 * 1000).strftime("%Y-%m-%d").to_string()
}
