//! A bundle from end to end: built, read, verified, torn, mended, compared.

use std::{fs, io::Cursor, path::Path};

use trust::KeyRole;

use crate::{
    Bundle, BundleError, Chunks as _, Delta, Refusal, attach, check_content, copy, diff,
    evidence::Evidence,
    test_house::{House, ORIGIN, at, content, log_key, noise, put, text},
};

struct Scene {
    house: House,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        content(&folder.path().join("stage"));
        Self { house, folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn build(&self, name: &str, version: &str) -> Bundle {
        self.house.build(&self.path("stage"), &self.path(name), version)
    }
}

fn refusal(error: BundleError) -> Refusal {
    match error {
        BundleError::Refused { source, .. } => *source,
        other => panic!("{other}"),
    }
}

#[test]
fn the_same_inputs_make_the_same_bytes() {
    let scene = Scene::new();
    scene.build("one", "1.0.0");
    // Other times, other order of creation.
    let again = scene.path("again");
    for path in [
        "documents/handbook.md",
        "sbom/empty",
        "documents/de/handbuch.md",
        "bin/echo_os_prime",
        "bin/echo_cli",
        "ledger/genesis/checkpoint",
    ] {
        let from = scene.path("stage").join(path);
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&from).unwrap().permissions());
        put(&again, path, &fs::read(from).unwrap(), mode & 0o777);
    }
    scene.house.build(&again, &scene.path("two"), "1.0.0");
    assert_eq!(fs::read(scene.path("one")).unwrap(), fs::read(scene.path("two")).unwrap());
}

#[test]
fn a_whole_bundle_verifies_and_its_chunks_stand_once() {
    let scene = Scene::new();
    let mut bundle = scene.build("b", "1.0.0");
    let head = bundle.head().clone();
    let verdict = scene.house.judge().judge("b", &head, None).unwrap();
    assert_eq!(verdict.signed_by, [scene.house.keys[&KeyRole::Operator].id()]);
    let mut last = 0;
    let checked = check_content(&mut bundle, &mut |done| last = done).unwrap();
    assert_eq!((checked.files, checked.bytes), (6, head.manifest.content_bytes()));
    assert_eq!(last, checked.bytes);
    assert!(head.manifest.chunk_bytes() + 500_000 < checked.bytes, "two programs share chunks");
    assert_eq!(bundle.evidence().unwrap(), None);
    let json: Vec<&str> = head.manifest.files.iter().map(|f| f.path.as_str()).collect();
    assert!(json.is_sorted());
}

#[test]
fn every_flipped_byte_is_noticed() {
    let scene = Scene::new();
    for path in ["bin/echo_cli", "bin/echo_os_prime"] {
        put(&scene.path("stage"), path, &text(1, 50), 0o755);
    }
    put(&scene.path("stage"), "documents/handbook.md", &noise(1, 700), 0o644);
    scene.build("b", "1.0.0");
    let good = fs::read(scene.path("b")).unwrap();
    let judge = scene.house.judge();
    let whole = |bytes: &[u8]| -> Result<(), BundleError> {
        let mut bundle = Bundle::read("b", Cursor::new(bytes))?;
        let head = bundle.head().clone();
        let evidence = bundle.evidence()?;
        judge.judge("b", &head, evidence.as_ref())?;
        check_content(&mut bundle, &mut |_| {}).map(drop)
    };
    whole(&good).unwrap();
    // A zstd frame can say one content in several ways (RFC 8878 has bits that mean nothing); the content is the same then.
    let bundle = Bundle::open(&scene.path("b")).unwrap();
    let packed: Vec<std::ops::Range<u64>> = (0..)
        .zip(&bundle.head().manifest.chunks)
        .filter(|(_, chunk)| !chunk.is_raw())
        .map(|(index, chunk)| (bundle.place(index).start + 512, u64::from(chunk.packed)))
        .map(|(start, length)| start..start + length)
        .collect();
    let mut same = 0;
    let mut bytes = good.clone();
    for at in (0..good.len()).step_by(7) {
        bytes[at] ^= 0x10;
        if let Err(error) = whole(&bytes) {
            assert!(error.is_verdict(), "byte {at}: {error}");
        } else {
            let unpacks = packed.iter().any(|place| place.contains(&(at as u64)));
            assert!(unpacks, "byte {at} of {}", good.len());
            same += 1;
        }
        bytes[at] ^= 0x10;
    }
    assert!(same < good.len() / 7 / 50, "{same}");
    for length in (0..good.len()).step_by(97) {
        let error = whole(&good[..length]).unwrap_err();
        assert!(matches!(error, BundleError::Torn { at, .. } if at == length as u64), "{length}: {error}");
    }
    let error = whole(&[&good[..], b"x"].concat()).unwrap_err();
    assert!(error.is_verdict(), "{error}");
}

#[test]
fn strangers_revoked_and_retired_keys_are_refused() {
    let mut scene = Scene::new();
    let head = scene.build("b", "1.0.0").head().clone();
    let stranger = House::with_seed(60);
    let error = stranger.judge().judge("b", &head, None).unwrap_err();
    assert!(matches!(refusal(error), Refusal::Trust(trust::TrustError::WrongRoot { .. })));
    let mut late = scene.house.judge();
    late.now = at("2029-01-01");
    assert!(matches!(
        refusal(late.judge("b", &head, None).unwrap_err()),
        Refusal::Trust(trust::TrustError::Expired { .. })
    ));
    // Whoever knows that the key was retired refuses what it signed.
    scene.house.retire_operator(at("2027-03-01"));
    let mut knows = scene.house.judge();
    knows.known = Some(scene.house.chain.clone());
    let error = refusal(knows.judge("b", &head, None).unwrap_err()).to_string();
    assert!(error.contains("not signed as operator"), "{error}");
    // By the chain in the bundle alone, it still counts.
    scene.house.judge().judge("b", &head, None).unwrap();
    let next = scene.build("c", "1.1.0").head().clone();
    knows.judge("c", &next, None).unwrap();
}

async fn entered(scene: &Scene, digest: echo_core::Digest, when: &str, folder: &str) -> Evidence {
    let log = ledger::Log::open(&scene.path(folder), ORIGIN, log_key()).unwrap();
    let entry = ledger::Entry { kind: "bundle".to_owned(), id: "1.0.0".to_owned(), digest, at: at(when) };
    let bytes = entry.to_bytes().unwrap();
    let appended = log.append(vec![b"first".to_vec(), bytes.clone()]).await.unwrap();
    let proof = appended[1].proof.render();
    log.close();
    Evidence { entry: bytes, proof, policy: String::new() }
}

#[tokio::test]
async fn a_retired_key_counts_for_what_the_ledger_had_in_time() {
    let mut scene = Scene::new();
    let digest = scene.build("b", "1.0.0").head().digest;
    scene.house.retire_operator(at("2027-03-01"));
    let mut knows = scene.house.judge();
    knows.known = Some(scene.house.chain.clone());
    let judged = |name: &str, evidence: &Evidence| {
        fs::copy(scene.path("b"), scene.path(name)).unwrap();
        attach(&scene.path(name), evidence).unwrap();
        attach(&scene.path(name), evidence).unwrap();
        let mut bundle = Bundle::open(&scene.path(name)).unwrap();
        let (head, found) = (bundle.head().clone(), bundle.evidence().unwrap());
        assert_eq!(found.as_ref(), Some(evidence));
        check_content(&mut bundle, &mut |_| {}).unwrap();
        knows.judge(name, &head, found.as_ref())
    };
    let early = entered(&scene, digest, "2027-02-15", "log1").await;
    let verdict = judged("early", &early).unwrap();
    assert_eq!(verdict.entered.unwrap().index, 1);
    let late = entered(&scene, digest, "2027-03-02", "log2").await;
    assert!(judged("late", &late).is_err());
    let other = entered(&scene, echo_core::Digest::of(b"x"), "2027-02-15", "log3").await;
    assert!(matches!(refusal(judged("other", &other).unwrap_err()), Refusal::OtherEntry(_)));
    let mut forged = early.clone();
    forged.entry = forged.entry.iter().map(|b| if *b == b'5' { b'4' } else { *b }).collect();
    assert!(judged("forged", &forged).is_err());
}

#[tokio::test]
async fn witnesses_are_shown_and_demanded() {
    let scene = Scene::new();
    let mut bundle = scene.build("b", "1.0.0");
    let mut evidence = entered(&scene, bundle.head().digest, "2027-02-15", "log").await;
    let witness =
        witness::Cosigner::new("w.example", ed25519_dalek::SigningKey::from_bytes(&[3; 32])).unwrap();
    let policy = witness::Policy::default()
        .with_log(&scene.house.registry.logs["genesis"].vkey, None)
        .and_then(|p| p.with_witness("ada", &witness.key().to_string(), None))
        .and_then(|p| p.with_quorum("ada"))
        .unwrap();
    let mut judge = scene.house.judge();
    judge.policy = Some(policy.clone());
    let head = bundle.head().clone();
    assert!(matches!(refusal(judge.judge("b", &head, None).unwrap_err()), Refusal::Unwitnessed));
    assert!(matches!(refusal(judge.judge("b", &head, Some(&evidence)).unwrap_err()), Refusal::Witnesses(_)));
    let (text, _) = ledger::note::split(evidence.checkpoint()).unwrap();
    let line = witness.cosign(text, 1_800_000_000);
    evidence.proof.push_str(&line);
    evidence.policy = policy.to_string();
    attach(&scene.path("b"), &evidence).unwrap();
    bundle = Bundle::open(&scene.path("b")).unwrap();
    let found = bundle.evidence().unwrap();
    let verdict = judge.judge("b", &head, found.as_ref()).unwrap();
    assert_eq!((verdict.cosigned[0].name.as_str(), verdict.demanded), ("ada", true));
    let verdict = scene.house.judge().judge("b", &head, found.as_ref()).unwrap();
    assert_eq!((verdict.cosigned.len(), verdict.demanded), (1, false));
}

#[test]
fn a_torn_or_damaged_copy_is_mended() {
    let scene = Scene::new();
    scene.build("b", "1.0.0");
    let good = fs::read(scene.path("b")).unwrap();
    let target = scene.path("stick");
    let copied = copy(&scene.path("b"), &target, &mut |_| {}).unwrap();
    assert_eq!((copied.kept, fs::read(&target).unwrap() == good), (0, true));
    for cut in [0, 100, 5_000, good.len() / 2, good.len() - 1] {
        durable::write(&target, &good[..cut], durable::Mode::Public).unwrap();
        let copied = copy(&scene.path("b"), &target, &mut |_| {}).unwrap();
        assert!(fs::read(&target).unwrap() == good, "cut at {cut}");
        // What a whole chunk was kept of is not written again.
        assert!(copied.kept + 1_200_000 > cut as u64, "{copied:?} of {cut}");
    }
    let mut bad = good.clone();
    let (early, late) = (1_000, good.len() / 2);
    (bad[early], bad[late]) = (bad[early] ^ 1, bad[late] ^ 1);
    bad.extend_from_slice(b"more");
    durable::write(&target, &bad, durable::Mode::Public).unwrap();
    copy(&scene.path("b"), &target, &mut |_| {}).unwrap();
    assert!(fs::read(&target).unwrap() == good);
    scene.build("c", "1.1.0");
    assert!(matches!(copy(&scene.path("c"), &target, &mut |_| {}), Err(BundleError::OtherBase { .. })));
    assert!(fs::read(&target).unwrap() == good, "another bundle is left alone");
}

#[test]
fn links_devices_and_strange_names_are_not_built_in() {
    let scene = Scene::new();
    let refused = |make: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().unwrap();
        put(folder.path(), "bin/echo_cli", b"x", 0o755);
        make(folder.path());
        let (house, to) = (&scene.house, folder.path().join("../out.atlas"));
        let plan = crate::Plan {
            from: folder.path(),
            to: &to,
            version: semver::Version::new(1, 0, 0),
            floor: semver::Version::new(1, 0, 0),
            made: at("2027-02-01"),
            key: &house.keys[&KeyRole::Operator],
            chain: &house.chain,
        };
        matches!(crate::build(&plan, &mut |_| {}), Err(BundleError::Unfit { .. }))
    };
    assert!(refused(&|f| std::os::unix::fs::symlink("/etc/passwd", f.join("bin/link")).unwrap()));
    assert!(refused(&|f| put(f, "etc/passwd", b"x", 0o644)));
    assert!(refused(&|f| put(f, "bin/.hidden", b"x", 0o644)));
    assert!(refused(&|f| put(f, "stray", b"x", 0o644)));
    assert!(refused(&|f| drop(std::os::unix::net::UnixListener::bind(f.join("bin/socket")).unwrap())));
}

fn delta(scene: &Scene, old: &str, new: &str) -> u64 {
    let (mut from, mut to) =
        (Bundle::open(&scene.path(old)).unwrap(), Bundle::open(&scene.path(new)).unwrap());
    let made = diff(&mut from, &mut to, &scene.path("d"), &mut |_| {}).unwrap();
    assert_eq!(made.bytes, fs::metadata(scene.path("d")).unwrap().len());
    let mut delta = Delta::open(&scene.path("d")).unwrap();
    let bytes = delta.write_bundle(&mut from, &scene.path("made"), &mut |_| {}).unwrap();
    let found = fs::read(scene.path("made")).unwrap();
    assert_eq!(bytes, found.len() as u64);
    assert!(found == fs::read(scene.path(new)).unwrap(), "the very same bundle");
    made.bytes
}

#[test]
fn a_delta_leads_to_the_very_bundle_and_is_small() {
    let scene = Scene::new();
    scene.build("one", "1.0.0");
    // One line of a document.
    let mut handbook = String::from_utf8(text(3, 4_000)).unwrap();
    handbook = handbook.replacen("line 2000 of", "line two thousand of", 1);
    put(&scene.path("stage"), "documents/handbook.md", handbook.as_bytes(), 0o644);
    scene.build("two", "1.0.1");
    let small = delta(&scene, "one", "two");
    assert!(small < 20_000, "{small}");
    // A program in which something moved, a new file, and one that is gone.
    let mut program = noise(1, 900_000);
    program.splice(300_000..300_010, noise(8, 1_000));
    put(&scene.path("stage"), "bin/echo_cli", &program, 0o755);
    put(&scene.path("stage"), "models/new.gguf", &noise(9, 200_000), 0o644);
    fs::remove_file(scene.path("stage").join("sbom/empty")).unwrap();
    scene.build("three", "1.0.2");
    let larger = delta(&scene, "two", "three");
    assert!((200_000..260_000).contains(&larger), "{larger}");
}

#[test]
fn a_delta_for_another_bundle_or_a_damaged_one_is_refused() {
    let scene = Scene::new();
    let mut one = scene.build("one", "1.0.0");
    put(&scene.path("stage"), "documents/handbook.md", &text(30, 4_000), 0o644);
    put(&scene.path("stage"), "bin/echo_cli", &noise(31, 3_000), 0o755);
    let mut two = scene.build("two", "1.0.1");
    diff(&mut one, &mut two, &scene.path("d"), &mut |_| {}).unwrap();
    let mut delta = Delta::open(&scene.path("d")).unwrap();
    assert!(matches!(delta.on(&mut two), Err(BundleError::OtherBase { .. })));
    let good = fs::read(scene.path("d")).unwrap();
    let judge = scene.house.judge();
    let mut whole = |bytes: &[u8]| -> Result<(), BundleError> {
        let mut delta = Delta::read("d", Cursor::new(bytes))?;
        judge.judge("d", delta.head(), delta.evidence())?;
        check_content(&mut delta.on(&mut one)?, &mut |_| {}).map(drop)
    };
    whole(&good).unwrap();
    let mut bytes = good.clone();
    for at in (0..good.len()).step_by(61) {
        bytes[at] ^= 0x04;
        match whole(&bytes) {
            Err(error) => assert!(error.is_verdict(), "byte {at}: {error}"),
            // For people: from which version it leads.
            Ok(()) => assert!(
                Delta::read("d", Cursor::new(&bytes)).unwrap().from().1 != &semver::Version::new(1, 0, 0),
                "byte {at}"
            ),
        }
        bytes[at] ^= 0x04;
    }
    for length in (0..good.len()).step_by(331) {
        assert!(whole(&good[..length]).unwrap_err().is_verdict(), "{length}");
    }
}
