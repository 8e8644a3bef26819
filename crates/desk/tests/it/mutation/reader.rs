//! Who reads a file, and how: as somebody does who relies on what is read.

use std::{
    collections::BTreeSet,
    fmt::Display,
    fs,
    path::{Path, PathBuf},
};

use dossier::{Index, Kind, LogName, envelope_digest};
use echo_core::{Id as _, Mint};
use governance::{Ceremony, DeprecationNotice, narrowed};
use ledger::Entry;
use trust::{
    KeyRole, Keystore, NodeManifest, TrustChain,
    content::{self, Offered},
    dsse::Envelope,
    exception::{ExceptedKind, Exceptions},
    mesh_files::read_nodes,
};

use super::scene::{Scene, copy, memory};

/// Who reads a file.
#[derive(Debug, Clone)]
pub enum Reader {
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
    /// The same: the key itself.
    KeystoreKey,
    /// The content file at this path.
    Content(PathBuf),
    /// The intake form of this name, which nobody signed.
    Excepted(String),
    /// The operator's exceptions.
    Exceptions,
    /// The document at this path: signature, entry and inclusion proof.
    Document(Kind, PathBuf),
    /// The document of this name that comes with Echo: text, signature, entry and inclusion proof.
    Shipped(String),
    /// The findings at this path: signed, and all that the genesis ledger holds.
    Findings(PathBuf),
    /// The certified devices.
    Devices,
    /// The deprecation notice at this path.
    Notice(PathBuf),
    /// The rotations.
    Rotations,
    /// The ceremonies, by the keepers of the root and by the house that goes on with them.
    Ceremony(PathBuf),
    /// A cosigned head of a ledger at this path, by its policy.
    Cosigned(LogName, PathBuf),
    /// The federated index of attestations.
    Index,
    /// The vault, opened with shares.
    Vault,
    /// The same: the shares.
    Shares,
    /// The hand-over, with its token.
    HandOver,
    /// `verify` of the exported case.
    CaseFile,
}

fn told(error: impl Display) -> String {
    error.to_string()
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(told)
}

fn envelope(path: &Path) -> Result<Envelope, String> {
    serde_json::from_slice(&fs::read(path).map_err(told)?).map_err(told)
}

impl Scene {
    /// Reads what `reader` reads.
    pub fn read(&self, reader: &Reader) -> Result<(), String> {
        let home = self.home();
        match reader {
            Reader::Ledger(log) => self.fsck(*log, &self.ledger(*log), self.vkey(*log)),
            Reader::Earlier(log, size) => self.fsck(*log, &self.earlier(*log, *size), self.vkey(*log)),
            Reader::VerifierKey(log) => {
                let vkey = text(&self.ledger(*log).join("log.vkey"))?;
                self.fsck(*log, &self.ledger(*log), vkey.trim_ascii())
            }
            Reader::LongLedger => ledger::fsck(&self.beside("long"), &self.long).map(drop).map_err(told),
            Reader::Trust => {
                let chain = TrustChain::load(&home).map_err(told)?;
                chain.verify(&self.root, self.now).map(drop).map_err(told)
            }
            Reader::Keystore | Reader::KeystoreKey => {
                Keystore::open_or_create(&home, &Mint::system()).map(drop).map_err(told)
            }
            Reader::Content(path) => {
                content::read_verified(path, &self.registry, KeyRole::PlaybookAuthor).map(drop).map_err(told)
            }
            Reader::Excepted(name) => self.excepted(name),
            Reader::Exceptions => Exceptions::load(&home, &self.registry).map(drop).map_err(told),
            Reader::Document(kind, path) => self.document(*kind, path),
            Reader::Shipped(name) => self.shipped(name),
            Reader::Findings(path) => self.findings(path),
            Reader::Devices => self.devices(),
            Reader::Notice(path) => self.notice(path),
            Reader::Rotations => governance::rotations(&home).map(drop).map_err(told),
            Reader::Ceremony(path) => self.ceremony(path),
            Reader::Cosigned(log, path) => {
                self.policies[*log as usize].evaluate(&text(path)?).map(drop).map_err(told)
            }
            Reader::Index => {
                let bytes = fs::read(home.join(dossier::INDEX_FILE)).map_err(told)?;
                Index::open(&bytes, &self.registry).map(drop).map_err(told)
            }
            Reader::Vault | Reader::Shares => {
                self.in_vault(|home| self.vault.read(home, &self.beside("shares.txt")))
            }
            Reader::HandOver => self.in_vault(|home| self.vault.take(home, &self.beside("token.json"))),
            Reader::CaseFile => {
                let file = fs::read(self.beside("case.json")).map_err(told)?;
                dossier::verify(&file, &self.root).map(drop).map_err(told)
            }
        }
    }

    fn vkey(&self, log: LogName) -> &str {
        &self.registry.logs[log.as_str()].vkey
    }

    fn fsck(&self, log: LogName, folder: &Path, vkey: &str) -> Result<(), String> {
        let report = ledger::fsck(folder, vkey).map_err(told)?;
        let origin = &self.registry.logs[log.as_str()].origin;
        (report.origin == *origin).then_some(()).ok_or_else(|| "it is another ledger".to_owned())
    }

    /// The file is let in by the exception for it.
    fn excepted(&self, name: &str) -> Result<(), String> {
        let exceptions = Exceptions::load(&self.home(), &self.registry).map_err(told)?;
        let kind = ExceptedKind::Intake;
        let bytes = fs::read(self.home().join(kind.folder()).join(name)).map_err(told)?;
        let offered = Offered { kind: Some(kind), name, bytes: &bytes, signature: &[] };
        let exceptions = exceptions.as_ref().map(|(document, _)| document);
        content::admit(offered, &self.registry, exceptions, self.now).map(drop).map_err(told)
    }

    fn shipped(&self, name: &str) -> Result<(), String> {
        let path = self.home().join(format!("documents/{name}.md"));
        let signature = fs::read(content::signature_path(&path)).map_err(told)?;
        let (envelope, id) = dossier::shipped_claim(name, &signature).map_err(told)?;
        let paper = |ending: &str| text(&self.home().join(format!("ledger/{id}.{ending}")));
        let (entry, proof) = (paper("entry")?, paper("tlog-proof")?);
        let document = dossier::Document { kind: Kind::Document, id, envelope, entry, proof };
        let bytes = fs::read(&path).map_err(told)?;
        dossier::verify_shipped(name, &bytes, &document, &self.registry).map(drop).map_err(told)
    }

    /// The document at `path` is signed as its kind demands, its entry names it, and the ledger holds the entry.
    fn document(&self, kind: Kind, path: &Path) -> Result<(), String> {
        let id = path.file_stem().unwrap().to_str().unwrap();
        let beside = |ending: &str| text(&self.home().join(format!("ledger/{id}.{ending}")));
        let envelope = envelope(path)?;
        self.registry.verify_bytes(kind.signer(), kind.payload_type(), &envelope).map_err(told)?;
        let text = beside("entry")?;
        let entry = Entry::from_bytes(text.as_bytes()).map_err(told)?;
        if entry.kind != kind.as_str() || entry.id != id || entry.digest != envelope_digest(&envelope) {
            return Err("the entry is of another document".to_owned());
        }
        let vkey = self.vkey(kind.log());
        ledger::verify_tlog_proof(&beside("tlog-proof")?, text.as_bytes(), vkey).map(drop).map_err(told)
    }

    /// Each line is a signed finding, and they are the ones that the ledger holds.
    fn findings(&self, path: &Path) -> Result<(), String> {
        let mut found = BTreeSet::new();
        for line in text(path)?.split_inclusive('\n') {
            let line = line.strip_suffix('\n').ok_or("the last line is torn")?;
            let envelope: Envelope = serde_json::from_str(line).map_err(told)?;
            let kind = Kind::Finding;
            self.registry.verify_bytes(kind.signer(), kind.payload_type(), &envelope).map_err(told)?;
            found.insert(envelope_digest(&envelope));
        }
        (found == self.findings).then_some(()).ok_or_else(|| "these are not the ledger's findings".to_owned())
    }

    fn devices(&self) -> Result<(), String> {
        let nodes = read_nodes(&self.home()).map_err(told)?;
        assert!(!nodes.is_empty());
        nodes
            .iter()
            .try_for_each(|node| NodeManifest::verify(node, &self.registry, self.now).map(drop))
            .map_err(told)
    }

    /// The notice is believed by whoever knows the old key, by whoever knows both, and by whoever refuses the old one.
    fn notice(&self, path: &Path) -> Result<(), String> {
        let envelope = envelope(path)?;
        let notice = DeprecationNotice::verify(&envelope, &self.registry).map_err(told)?;
        let day = notice.refuse_from;
        let later = narrowed(&self.registry, &[notice], day);
        for registry in [&self.first, &later] {
            DeprecationNotice::verify(&envelope, registry).map_err(told)?;
        }
        Ok(())
    }

    /// The proposal follows the chain, one of the two keepers has signed it, and it serves the rotation it is named by.
    fn ceremony(&self, path: &Path) -> Result<(), String> {
        let ceremony = Ceremony::from_json(&fs::read(path).map_err(told)?).map_err(told)?;
        let chain = TrustChain::load(&self.home()).map_err(told)?;
        let id = ceremony.rotation().map(|id| id.as_str().to_owned());
        let name = path.file_stem().unwrap().to_str().unwrap();
        if id.as_deref() != name.strip_prefix("ceremony-") || !ceremony.follows(&chain) {
            return Err("it is of another rotation, or follows another registry".to_owned());
        }
        let signed: Vec<usize> = ceremony.needs().iter().map(|need| need.signed.len()).collect();
        (signed == [1, 1]).then_some(()).ok_or_else(|| format!("it has {signed:?} signatures"))
    }

    /// Reads in a copy of the vault, for every access writes into it.
    fn in_vault(&self, read: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), String> {
        let scratch = memory();
        copy(&self.home().join(vault::VAULT_FOLDER), &scratch.path().join(vault::VAULT_FOLDER));
        read(scratch.path())
    }
}
