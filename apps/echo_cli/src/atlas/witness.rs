//! `bundle witness`: the bundle's place in the genesis ledger, and whose witnesses saw it.

use std::path::{Path, PathBuf};

use bundle::{Bundle, Chunks as _, ENTRY_KIND, Evidence, attach};
use clap::Args;
use echo_core::{Digest, Mint};
use ed25519_dalek::SigningKey;
use ledger::{Entry, Log, note};
use serde_json::json;
use trust::{KeyRole, TrustChain};
use witness::MAX_POLICY_BYTES;

use super::refused as failed;
use crate::{
    Failure, ledger_bundle,
    out::Out,
    passphrase::{Opening, refused},
};

/// The folder of the ledger in a home.
const LEDGER: &str = "genesis_ledger";
/// Its newest head with a quorum of cosignatures, and the policy of its witnesses.
const COSIGNED: &str = "treasury/genesis.cosigned";
const POLICY: &str = "treasury/witnesses.policy";
/// How many entries are looked through at a time.
const BATCH: u64 = 4096;

/// Which bundle.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The bundle
    file: PathBuf,
    #[command(flatten)]
    opening: Opening,
}

/// Enters the bundle unless it is entered already, and puts the proof into it.
pub fn run(arguments: &Arguments, home: &Path, out: Out) -> Result<(), Failure> {
    let head = Bundle::open(&arguments.file).map_err(failed)?.head().clone();
    let registry = TrustChain::load(home).and_then(|chain| chain.newest()).map_err(Failure::failed)?;
    let genesis = registry.logs.get("genesis").ok_or_else(|| {
        Failure::failed("the trust registry names no genesis ledger").hint("start the platform once")
    })?;
    let keystore = arguments.opening.open(home, None)?;
    let key = keystore.signer(KeyRole::GenesisLedger).map_err(refused)?;
    let dir = home.join(LEDGER);
    let log = Log::open(&dir, &genesis.origin, SigningKey::from_bytes(&key.secret()))
        .map_err(|error| Failure::failed(error).hint("the platform must be stopped"))?;
    let found = find(&dir, log.size(), &head.digest)?;
    let entered = found.is_none();
    let (index, entry) = match found {
        Some(found) => found,
        None => append(&log, &head.manifest.version.to_string(), head.digest)?,
    };
    let newest = log.tlog_proof(index).map_err(Failure::failed)?;
    log.close();
    let text = |name: &str, limit: usize| -> Result<Option<String>, Failure> {
        let bytes = durable::read(&home.join(name), limit as u64)?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    };
    let cosigned = text(COSIGNED, ledger::MAX_NOTE_BYTES)?;
    // A head that the witnesses saw before the entry says nothing about it.
    let seen =
        cosigned.as_deref().and_then(|note| ledger::prove_under(&dir, &genesis.vkey, index, note).ok());
    let witnessed = seen.is_some();
    let evidence = Evidence {
        entry,
        proof: seen.unwrap_or(newest),
        policy: text(POLICY, MAX_POLICY_BYTES)?.unwrap_or_default(),
    };
    attach(&arguments.file, &evidence).map_err(failed)?;
    let lines = evidence.proof.split_once("\n\n").and_then(|(_, note)| note::split(note));
    let cosignatures = lines.map_or(0, |(_, lines)| lines.len().saturating_sub(1));
    if out.is_json() {
        return out.json(&json!({
            "entered": entered, "index": index, "ledger": genesis.origin, "cosigned": witnessed,
            "cosignatures": cosignatures,
        }));
    }
    let word = if entered { "entered as" } else { "already" };
    out.line(&format!("{} is {word} entry {index} of {}", arguments.file.display(), genesis.origin))?;
    out.line(&if witnessed {
        format!("its proof has {cosignatures} cosignatures")
    } else {
        "no witness has cosigned it yet: start the platform, and say this again when one has".to_owned()
    })
}

fn append(log: &Log, version: &str, digest: Digest) -> Result<(u64, Vec<u8>), Failure> {
    let entry = Entry {
        kind: ENTRY_KIND.to_owned(),
        id: format!("atlas_os-{version}"),
        digest,
        at: Mint::system().now(),
    };
    let bytes = entry.to_bytes().map_err(Failure::failed)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(Failure::failed)?;
    let appended = runtime.block_on(log.append(vec![bytes.clone()])).map_err(Failure::failed)?;
    let index =
        appended.first().map(|one| one.index).ok_or_else(|| Failure::failed("the ledger took no entry"))?;
    Ok((index, bytes))
}

/// The entry of a bundle that is in the ledger already.
fn find(dir: &Path, size: u64, digest: &Digest) -> Result<Option<(u64, Vec<u8>)>, Failure> {
    let mut from = 0;
    while from < size {
        let entries = ledger_bundle::read(dir, size, from, from + BATCH)?;
        for (index, bytes) in (from..).zip(entries) {
            let is_it = Entry::from_bytes(&bytes).is_ok_and(|e| e.kind == ENTRY_KIND && e.digest == *digest);
            if is_it {
                return Ok(Some((index, bytes)));
            }
        }
        from += BATCH;
    }
    Ok(None)
}
