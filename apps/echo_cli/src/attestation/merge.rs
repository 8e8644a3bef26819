//! `attestation check` and `attestation merge`: another Echo's index, checked against its ledger.

use std::path::{Path, PathBuf};

use clap::Args;
use dossier::index::Origin;
use echo_core::Mint;
use serde_json::json;
use trust::{KeyRole, TrustChain, chain::MAX_CHAIN_BYTES};

use super::{
    index, read,
    source::{Source, unverified},
};
use crate::{
    Failure,
    content::registry_of,
    out::{Colour, Out, printable},
    passphrase::{Opening, refused},
    verify::fingerprint,
};

/// An index, and what it is checked by.
#[derive(Debug, Args)]
pub struct Offered {
    /// The other's `federated_attestation_index.json`
    file: PathBuf,
    /// The other's genesis ledger: a folder with `checkpoint` and `tile/`, or an address such as
    /// `https://echo.example/v1/ledgers/genesis`
    #[arg(long, value_name = "URL|DIR")]
    log: String,
    /// The other's trust chain, `sovereign_trust_registry.json`
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// The fingerprint of the other's trust root, by another way than these files
    #[arg(long, value_name = "FINGERPRINT")]
    root: String,
    /// The ledger's verifier key, when you know it by another way; the trust chain must name the same
    #[arg(long)]
    vkey: Option<String>,
}

impl Offered {
    /// The maker's part of the file, believed but for its ledger.
    fn receive(&self) -> Result<Origin, Failure> {
        let root = fingerprint(&self.root)?;
        let chain =
            TrustChain::from_json(&read(&self.trust, MAX_CHAIN_BYTES)?).map_err(Failure::unverified)?;
        let bytes = read(&self.file, dossier::MAX_BYTES as u64)?;
        let offered = Origin::receive(&bytes, &chain, &root, Mint::system().now()).map_err(unverified)?;
        match &self.vkey {
            Some(vkey) if vkey.trim() != offered.log.vkey => Err(Failure::unverified(format!(
                "the trust chain names the ledger key {}, not the one that you named",
                offered.log.vkey
            ))),
            _ => Ok(offered),
        }
    }
}

/// Checks an index, and changes nothing.
pub fn check(arguments: &Offered, out: Out) -> Result<(), Failure> {
    let offered = arguments.receive()?;
    Source::new(&arguments.log).check(&offered, None)?;
    say(&offered, "holds", out)
}

/// Takes the maker's part of an index into that of `home`.
pub fn merge(arguments: &Offered, home: &Path, opening: &Opening, out: Out) -> Result<(), Failure> {
    let registry = registry_of(home)?;
    let offered = arguments.receive()?;
    let held = || {
        index::load(home, &registry)?.ok_or_else(|| {
            Failure::failed(format!("{} has no attestation index yet", home.display()))
                .hint("start the platform once, or say `echo_cli attestation index HOME`")
        })
    };
    // The walk may take long, and the platform should not wait for it.
    let known = held()?.merged.into_iter().find(|origin| origin.root == offered.root);
    Source::new(&arguments.log).check(&offered, known.as_ref())?;
    let keystore = opening.open(home, None)?;
    let attestor = keystore.signer(KeyRole::Attestor).map_err(refused)?;
    let _lock = index::lock(home)?;
    let mut index = held()?;
    let checkpoint = |origin: Option<&Origin>| origin.map(|o| o.checkpoint.clone());
    let now = index.merged.iter().find(|origin| origin.root == offered.root);
    if checkpoint(now) != checkpoint(known.as_ref()) {
        return Err(Failure::failed("somebody else merged the same Echo meanwhile").hint("try again"));
    }
    if !index.put(offered.clone()).map_err(Failure::failed)? {
        return say(&offered, "is merged already; nothing was changed", out);
    }
    index.made = Mint::system().now();
    index::save(home, &index, attestor)?;
    say(&offered, "is merged", out)
}

fn say(offered: &Origin, what: &str, out: Out) -> Result<(), Failure> {
    let head = offered.head().map_err(Failure::unverified)?;
    if out.is_json() {
        return out.json(&json!({
            "verified": true, "what": what, "root": offered.root, "origin": offered.log.origin, "size": head.size,
            "attestations": offered.count, "listed": offered.entries.len(),
        }));
    }
    let text = format!(
        "{}: {} attestations in a ledger of {} entries, {} listed; the index {what}",
        offered.log.origin,
        offered.count,
        head.size,
        offered.entries.len()
    );
    out.painted(&format!("{} {}", out.paint(Colour::Green, "✓"), printable(&text)))
}
