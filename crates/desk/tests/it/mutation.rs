//! Ten thousand single-byte changes to a home with a settled case: each is noticed by whoever reads the changed
//! file, or is one of the harmless ones that [`Harmless`] names.
//!
//! The seed picks files, places and bytes. Keys and ids are fresh in every run, so a seed repeats the choice, not
//! the very bytes.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileExt as _, symlink},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::Instant,
};

use dossier::{Kind, LogName};
use echo_core::{Digest, Mint, SeededEntropy, Timestamp, entropy};
use ledger::Entry;
use serde_json::Value;
use tempfile::TempDir;
use trust::{
    KeyRole, Keystore, Registry, TrustChain, chain::REGISTRY_FILE, content, dsse::Envelope,
    keystore::KEYSTORE_FILE,
};

use crate::{
    device::{Device, House},
    flow::settled_case,
};

const CHANGES: u64 = 10_000;
/// The folders whose files have a `.sig` beside them.
const CONTENT: [&str; 4] = ["intake", "manifest", "playbooks", "policies"];
/// The longest stretch of a file that a failure shows, in bytes before and after the changed one.
const SHOWN: usize = 24;

/// Who reads a file.
#[derive(Debug, Clone)]
enum Reader {
    /// The check of a ledger under its head of today, with the key in the trust registry.
    Ledger(LogName),
    /// The same by somebody who kept the head of that many entries: partial tiles stay for them.
    Earlier(LogName, u64),
    /// The check of a ledger with the key in its `log.vkey`.
    VerifierKey(LogName),
    /// The check of a ledger that is long enough for full tiles and tiles of tiles.
    LongLedger,
    /// The trust chain, from the pinned fingerprint.
    Trust,
    /// The keystore, with its key.
    Keystore,
    /// The content file at this path.
    Content(PathBuf),
    /// The document at this path: signature, entry and inclusion proof.
    Document(Kind, PathBuf),
    /// `verify` of the exported case.
    CaseFile,
}

/// A change that nobody has to notice, because what is read is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Harmless {
    WhiteSpace,
    SameInstant,
    HexCase,
}

impl Harmless {
    fn reason(self) -> &'static str {
        match self {
            Self::WhiteSpace => "white space became other white space: the JSON, or the key, is the same",
            Self::SameInstant => "a key's date in another spelling: the instant is the same",
            Self::HexCase => "a public key's hexadecimal digit in the other case: the key is the same",
        }
    }
}

/// A file of the home.
#[derive(Debug)]
struct Target {
    path: PathBuf,
    reader: Reader,
    changed: u64,
}

/// Files of one sort, which get their share of the changes.
struct Group {
    name: &'static str,
    /// Of a hundred changes.
    share: u64,
    targets: Vec<Target>,
}

/// A closed home in memory, and what its readers know beforehand.
struct Scene {
    folder: TempDir,
    root: Digest,
    registry: Registry,
    now: Timestamp,
    /// The verifier key of the long ledger.
    long: String,
}

#[tokio::test]
async fn every_changed_byte_is_noticed_or_named() {
    let began = Instant::now();
    let scene = Scene::build().await;
    let mut groups = scene.groups();
    let all = || groups.iter().flat_map(|g| &g.targets);
    for target in all() {
        scene.read(&target.reader).unwrap_or_else(|e| panic!("{}: {e}", target.path.display()));
    }
    let seed = std::env::var("ECHO_MUTATION_SEED").map_or_else(
        |_| u64::from_be_bytes(Mint::system().bytes()),
        |text| text.parse().expect("ECHO_MUTATION_SEED is a number"),
    );
    println!("seed {seed}: ECHO_MUTATION_SEED repeats it; built in {:?}", began.elapsed());

    let source = SeededEntropy::new(seed);
    let draw = |below: u64| u64::from_be_bytes(entropy::bytes(&source)) % below;
    let mut harmless = BTreeMap::<Harmless, u64>::new();
    for _ in 0..CHANGES {
        let mut ticket = draw(100);
        let group = groups.iter_mut().find(|g| {
            let mine = ticket < g.share;
            ticket = ticket.saturating_sub(g.share);
            mine
        });
        let targets = &mut group.expect("the shares make a hundred").targets;
        let which = usize::try_from(draw(targets.len() as u64)).unwrap();
        let target = &mut targets[which];
        target.changed += 1;
        // A flipped bit makes letters into letters and digits into digits more often than any byte does.
        let flip = if draw(2) == 0 { 1 << draw(8) } else { u8::try_from(1 + draw(255)).unwrap() };
        if let Some(why) = scene.change(target, &draw, flip) {
            *harmless.entry(why).or_default() += 1;
        }
    }

    for group in &groups {
        let changed: u64 = group.targets.iter().map(|t| t.changed).sum();
        println!("{changed:5} changes in {} files: {}", group.targets.len(), group.name);
        for target in &group.targets {
            assert!(target.changed > 0, "{} was never changed", target.path.display());
            scene.read(&target.reader).expect("the original is back");
        }
    }
    for (why, count) in &harmless {
        println!("{count:5} without effect, {why:?}: {}", why.reason());
    }
    println!("{:5} noticed, in {:?}", CHANGES - harmless.values().sum::<u64>(), began.elapsed());
}

impl Scene {
    /// Settles a case in a fresh home, exports it, closes the home and takes a copy of it into memory.
    async fn build() -> Self {
        let house = House::found().await;
        let customer = house.customer("Anna").await;
        let device = Device::enrol(&house, &customer).await;
        let case = settled_case(&house, &device, &customer).await;
        let exported = house.desk.export_case(&house.operator, &case).await.unwrap();
        let (root, now) = (*house.desk.root(), house.desk.now());
        let entries = LogName::ALL.map(|log| house.desk.log(log).entries(0, 1000).unwrap());
        house.desk.close().await.unwrap();
        let House { folder: home, desk, .. } = house;
        drop(desk);

        let folder = memory();
        copy(home.path(), folder.path());
        durable::write(&folder.path().join("case.json"), &exported, durable::Mode::Private).unwrap();
        let registry = TrustChain::load(folder.path()).unwrap().verify(&root, now).unwrap();
        let long = long_ledger(&folder.path().join("long")).await;
        let scene = Self { folder, root, registry, now, long };
        for (log, entries) in LogName::ALL.into_iter().zip(entries) {
            scene.repeat_heads(log, &entries).await;
        }
        scene
    }

    fn home(&self) -> &Path {
        self.folder.path()
    }

    fn ledger(&self, log: LogName) -> PathBuf {
        self.home().join(format!("{log}_ledger"))
    }

    /// The folder of a reader who kept the head of `size` entries: that head, and the ledger's own tiles.
    fn earlier(&self, log: LogName, size: u64) -> PathBuf {
        self.home().join(format!("earlier/{log}/{size}"))
    }

    /// Signs the head of each size for which a partial tile is there, as the ledger did when it had that size.
    async fn repeat_heads(&self, log: LogName, entries: &[Vec<u8>]) {
        let mut sizes: Vec<u64> = files(&self.ledger(log).join("tile/0/000.p"))
            .iter()
            .map(|tile| tile.file_name().unwrap().to_str().unwrap().parse().unwrap())
            .collect();
        sizes.sort_unstable();
        assert!(sizes.len() > 2 && sizes.last() == Some(&(entries.len() as u64)), "{log}: {sizes:?}");

        let keystore = Keystore::open_or_create(self.home(), &Mint::system()).unwrap();
        let role = if log == LogName::Genesis { KeyRole::GenesisLedger } else { KeyRole::AeternaLedger };
        let key = ed25519_dalek::SigningKey::from_bytes(&keystore.signer(role).unwrap().secret());
        let again = self.home().join(format!("again/{log}"));
        let again = ledger::Log::open(&again, &self.registry.logs[log.as_str()].origin, key).unwrap();
        for size in sizes {
            let from = usize::try_from(again.size()).unwrap();
            again.append(entries[from..usize::try_from(size).unwrap()].to_vec()).await.unwrap();
            let folder = self.earlier(log, size);
            fs::create_dir_all(&folder).unwrap();
            let head = again.checkpoint();
            durable::write(&folder.join("checkpoint"), head.as_bytes(), durable::Mode::Public).unwrap();
            symlink(self.ledger(log).join("tile"), folder.join("tile")).unwrap();
        }
        let today = fs::read_to_string(self.ledger(log).join("checkpoint")).unwrap();
        assert_eq!(again.checkpoint(), today, "the repeated heads are the ledger's own");
    }

    /// All files that are changed, with their readers.
    fn groups(&self) -> Vec<Group> {
        let group = |name, share, found: Vec<(PathBuf, Reader)>| {
            let targets = found.into_iter().map(|(path, reader)| Target { path, reader, changed: 0 });
            Group { name, share, targets: targets.collect() }
        };
        let one = |name, share, reader| group(name, share, vec![(self.home().join(name), reader)]);
        vec![
            group("tiles, bundles, heads and verifier keys", 36, self.ledger_files()),
            group("a ledger of many entries", 4, self.long_ledger_files()),
            group("content and its signatures", 20, self.content_files()),
            group("documents, entries and inclusion proofs", 22, self.documents()),
            one(REGISTRY_FILE, 8, Reader::Trust),
            one(KEYSTORE_FILE, 8, Reader::Keystore),
            one("case.json", 2, Reader::CaseFile),
        ]
    }

    fn ledger_files(&self) -> Vec<(PathBuf, Reader)> {
        let mut found = Vec::new();
        for log in LogName::ALL {
            let folder = self.ledger(log);
            let newest = files(&self.home().join(format!("earlier/{log}"))).len();
            for tiles in ["tile/0/000.p", "tile/entries/000.p"] {
                let tiles = files(&folder.join(tiles));
                assert_eq!(tiles.len(), newest, "{log}: a reader for each tile");
                let size = |tile: &Path| tile.file_name().unwrap().to_str().unwrap().parse::<u64>().unwrap();
                let today = tiles.iter().map(|t| size(t)).max().unwrap();
                found.extend(tiles.into_iter().map(|tile| match size(&tile) {
                    size if size == today => (tile, Reader::Ledger(log)),
                    size => (tile, Reader::Earlier(log, size)),
                }));
            }
            found.push((folder.join("checkpoint"), Reader::Ledger(log)));
            found.push((folder.join("log.vkey"), Reader::VerifierKey(log)));
        }
        found
    }

    fn long_ledger_files(&self) -> Vec<(PathBuf, Reader)> {
        let tiles = ["0/000", "0/001.p/44", "1/000.p/1", "entries/000", "entries/001.p/44"];
        let tiles = tiles.iter().map(|tile| format!("long/tile/{tile}"));
        tiles
            .chain(["long/checkpoint".to_owned()])
            .map(|path| (self.home().join(path), Reader::LongLedger))
            .collect()
    }

    fn content_files(&self) -> Vec<(PathBuf, Reader)> {
        let all = CONTENT.iter().flat_map(|folder| files(&self.home().join(folder)));
        all.map(|path| {
            let signed = if path.extension().is_some_and(|e| e == "sig") {
                path.with_extension("")
            } else {
                path.clone()
            };
            (path, Reader::Content(signed))
        })
        .collect()
    }

    fn documents(&self) -> Vec<(PathBuf, Reader)> {
        let all = ["ledger", "attestations"].iter().flat_map(|folder| files(&self.home().join(folder)));
        all.map(|path| {
            let kind = match path.file_name().unwrap().to_str().unwrap().split('_').next().unwrap() {
                "rcpt" => Kind::Receipt,
                "inv" => Kind::Invoice,
                "stl" => Kind::Settlement,
                "proof" => Kind::Fulfilment,
                other => panic!("documents called `{other}` have no reader in this test"),
            };
            let document = path.with_extension("json");
            (path, Reader::Document(kind, document))
        })
        .collect()
    }

    /// Changes one byte, reads, and puts the byte back. Answers why nobody had to notice, when nobody did.
    fn change(&self, target: &Target, draw: &dyn Fn(u64) -> u64, flip: u8) -> Option<Harmless> {
        let before = fs::read(&target.path).unwrap();
        let offset = draw(before.len() as u64);
        let at = usize::try_from(offset).unwrap();
        let mut after = before.clone();
        after[at] ^= flip;
        let file = fs::OpenOptions::new().write(true).open(&target.path).unwrap();
        file.write_all_at(&after[at..=at], offset).unwrap();
        let read = catch_unwind(AssertUnwindSafe(|| self.read(&target.reader)));
        file.write_all_at(&before[at..=at], offset).unwrap();

        let told = |what: &str| {
            let (from, to) = (at.saturating_sub(SHOWN), (at + SHOWN).min(before.len()));
            let [old, new] = [&before, &after].map(|b| b[from..to].escape_ascii().to_string());
            format!("{what}: byte {at} of {} was changed\nfrom {old}\nto   {new}", target.path.display())
        };
        match read.unwrap_or_else(|_| panic!("{}", told("the reader panicked"))) {
            Err(_) => None,
            Ok(()) => Some(
                harmless(&target.reader, &before, &after, at)
                    .unwrap_or_else(|| panic!("{}", told("unnoticed"))),
            ),
        }
    }

    /// Reads as somebody does who relies on what is read.
    fn read(&self, reader: &Reader) -> Result<(), String> {
        match reader {
            Reader::Ledger(log) => self.fsck(*log, &self.ledger(*log), self.vkey(*log)),
            Reader::Earlier(log, size) => self.fsck(*log, &self.earlier(*log, *size), self.vkey(*log)),
            Reader::VerifierKey(log) => {
                let vkey = fs::read(self.ledger(*log).join("log.vkey")).map_err(|e| e.to_string())?;
                let vkey = std::str::from_utf8(vkey.trim_ascii()).map_err(|e| e.to_string())?;
                self.fsck(*log, &self.ledger(*log), vkey)
            }
            Reader::LongLedger => {
                ledger::fsck(&self.home().join("long"), &self.long).map(drop).map_err(|e| e.to_string())
            }
            Reader::Trust => {
                let chain = TrustChain::load(self.home()).map_err(|e| e.to_string())?;
                chain.verify(&self.root, self.now).map(drop).map_err(|e| e.to_string())
            }
            Reader::Keystore => {
                Keystore::open_or_create(self.home(), &Mint::system()).map(drop).map_err(|e| e.to_string())
            }
            Reader::Content(path) => content::read_verified(path, &self.registry, KeyRole::PlaybookAuthor)
                .map(drop)
                .map_err(|e| e.to_string()),
            Reader::Document(kind, path) => self.document(*kind, path),
            Reader::CaseFile => {
                let file = fs::read(self.home().join("case.json")).map_err(|e| e.to_string())?;
                dossier::verify(&file, &self.root).map(drop).map_err(|e| e.to_string())
            }
        }
    }

    fn vkey(&self, log: LogName) -> &str {
        &self.registry.logs[log.as_str()].vkey
    }

    fn fsck(&self, log: LogName, folder: &Path, vkey: &str) -> Result<(), String> {
        let report = ledger::fsck(folder, vkey).map_err(|e| e.to_string())?;
        let origin = &self.registry.logs[log.as_str()].origin;
        (report.origin == *origin).then_some(()).ok_or_else(|| "it is another ledger".to_owned())
    }

    /// The document at `path` is signed as its kind demands, its entry names it, and the ledger holds the entry.
    fn document(&self, kind: Kind, path: &Path) -> Result<(), String> {
        let id = path.file_stem().unwrap().to_str().unwrap();
        let beside = |ending: &str| {
            let path = self.home().join(format!("ledger/{id}.{ending}"));
            fs::read_to_string(path).map_err(|e| e.to_string())
        };
        let document = fs::read(path).map_err(|e| e.to_string())?;
        let envelope: Envelope = serde_json::from_slice(&document).map_err(|e| e.to_string())?;
        self.registry
            .verify_bytes(kind.signer(), kind.payload_type(), &envelope)
            .map_err(|e| e.to_string())?;
        let text = beside("entry")?;
        let entry = Entry::from_bytes(text.as_bytes()).map_err(|e| e.to_string())?;
        if entry.kind != kind.as_str()
            || entry.id != id
            || entry.digest != dossier::envelope_digest(&envelope)
        {
            return Err("the entry is of another document".to_owned());
        }
        let vkey = self.vkey(kind.log());
        ledger::verify_tlog_proof(&beside("tlog-proof")?, text.as_bytes(), vkey)
            .map(drop)
            .map_err(|e| e.to_string())
    }
}

/// Makes a ledger of 300 entries: one full tile of 256 and what is above and beside it. Answers its key.
async fn long_ledger(folder: &Path) -> String {
    let key = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
    let log = ledger::Log::open(folder, "echo.local/long/1", key).unwrap();
    log.append((0..300).map(|n| format!("entry {n}").into_bytes()).collect()).await.unwrap();
    log.vkey().to_owned()
}

/// Why the change of the byte `at` makes no difference to what `reader` reads; nothing when it does.
fn harmless(reader: &Reader, before: &[u8], after: &[u8], at: usize) -> Option<Harmless> {
    let blank = before[at].is_ascii_whitespace() && after[at].is_ascii_whitespace();
    let json = |without: fn(&mut Value)| {
        let [mut old, mut new] = [before, after].map(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        [&mut old, &mut new].into_iter().flatten().for_each(without);
        old.is_some() && old == new
    };
    match reader {
        Reader::VerifierKey(_) if blank && before.trim_ascii() == after.trim_ascii() => {
            Some(Harmless::WhiteSpace)
        }
        Reader::Keystore | Reader::Document(..) if blank && json(|_| {}) => Some(Harmless::WhiteSpace),
        Reader::Keystore if json(|keystore| in_keys(keystore, "created", instant)) => {
            Some(Harmless::SameInstant)
        }
        Reader::Keystore if json(|keystore| in_keys(keystore, "public", lower_case)) => {
            Some(Harmless::HexCase)
        }
        _ => None,
    }
}

/// Puts what `with` makes of it in place of a field of every key in a keystore.
fn in_keys(keystore: &mut Value, field: &str, with: fn(&Value) -> Value) {
    for key in keystore["keys"].as_array_mut().into_iter().flatten() {
        key["key"][field] = with(&key["key"][field]);
    }
}

fn instant(value: &Value) -> Value {
    let instant = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    instant.map_or(Value::Null, |at| at.to_string().into())
}

fn lower_case(value: &Value) -> Value {
    value.as_str().map_or(Value::Null, |text| text.to_ascii_lowercase().into())
}

/// A folder in memory where the system offers one.
fn memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    for path in files(from) {
        let copied = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir_all(&copied).unwrap();
            copy(&path, &copied);
        } else {
            fs::copy(&path, &copied).unwrap();
        }
    }
}

/// What lies in a folder, in the order of the names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}
