//! `attestation verify`: who signed, how many must, what is missing.

use std::path::PathBuf;

use clap::Args;
use echo_core::Mint;
use serde_json::{Value, json};
use trust::{
    Envelope, Fulfilment, Registry,
    attestation::{Standing, Tally},
    chain::{MAX_CHAIN_BYTES, REGISTRY_FILE, TrustChain},
    fulfilment::FULFILMENT_PREDICATE,
};

use super::{file, read};
use crate::{
    Failure,
    out::{Colour, Out, printable, table},
    place,
    verify::fingerprint,
};

/// What to verify, and by whose word.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The attestation: a DSSE envelope with an in-toto statement
    file: PathBuf,
    /// The fingerprint of the platform's trust root, by another way than this file
    #[arg(long, value_name = "FINGERPRINT")]
    root: String,
    /// The platform's trust chain; without it, that of the home
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Ask for at least so many signatures; the trust registry may ask for more
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    threshold: usize,
}

/// Verifies the file.
pub fn run(arguments: &Arguments, home: Option<PathBuf>, out: Out) -> Result<(), Failure> {
    let path = match &arguments.trust {
        Some(path) => path.clone(),
        None => place::platform(home)?.join(REGISTRY_FILE),
    };
    let chain = TrustChain::from_json(&read(&path, MAX_CHAIN_BYTES)?).map_err(Failure::unverified)?;
    let registry =
        chain.verify(&fingerprint(&arguments.root)?, Mint::system().now()).map_err(Failure::unverified)?;
    let (envelope, about) = file::open(&arguments.file)?;
    let tally =
        Tally::of_attestation(&envelope, &registry, arguments.threshold).map_err(Failure::unverified)?;
    let sound = if tally.holds() { sound(&envelope, &about, &registry) } else { Ok(()) };
    say(&tally, tally.holds() && sound.is_ok(), &about, out)?;
    sound?;
    let name = arguments.file.display();
    if tally.has_wrong() {
        return Err(Failure::unverified(format!("{name} is NOT verified: a signature is wrong"))
            .hint("do not rely on this file; get it again from where it came"));
    }
    if !tally.holds() {
        return Err(Failure::unverified(format!(
            "{name} is NOT verified: {} of {} signatures are missing",
            tally.missing(),
            tally.needed
        ))
        .hint(
            "whoever holds one of the missing keys adds it with `echo_cli attestation sign FILE --key KEY`",
        ));
    }
    Ok(())
}

/// Whether a fulfilment proof follows from its two postures. Of other claims, the signatures are all.
fn sound(envelope: &Envelope, about: &Value, registry: &Registry) -> Result<(), Failure> {
    if about["claim"] != FULFILMENT_PREDICATE {
        return Ok(());
    }
    Fulfilment::verify(envelope, registry).map(drop).map_err(Failure::unverified)
}

fn say(tally: &Tally, verified: bool, about: &Value, out: Out) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(&json!({
            "verified": verified, "missing": tally.missing(), "signatures": tally, "attestation": about,
        }));
    }
    out.line(&format!(
        "{}: {}",
        about["claim"].as_str().unwrap_or("?"),
        about["statement"].as_str().unwrap_or("?")
    ))?;
    let rows: Vec<Vec<String>> = tally
        .signers
        .iter()
        .map(|signer| vec![signer.key.to_string(), words(&signer.standing)])
        .chain(tally.could.iter().map(|key| vec![key.to_string(), "has not signed".to_owned()]))
        .collect();
    for line in table(&["key", "signature"], &rows) {
        out.line(&line)?;
    }
    let summary = format!("{} of {} signatures that must be there", tally.counted, tally.needed);
    let colour = if verified { Colour::Green } else { Colour::Red };
    out.painted(&out.paint(colour, &printable(&summary)))
}

fn words(standing: &Standing) -> String {
    match standing {
        Standing::Counts => "counts".to_owned(),
        Standing::Retired { until } => {
            format!("retired on {until}: counts only for what was in a ledger by then")
        }
        Standing::Revoked { at, reason } => format!("revoked on {at} ({reason}): does not count"),
        Standing::Stranger => "not an attestor of this platform: does not count".to_owned(),
        Standing::Wrong => "WRONG: the document or the signature was changed".to_owned(),
    }
}
