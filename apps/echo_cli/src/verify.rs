//! `verify`: one case file, one fingerprint, no platform and no network.

use std::path::{Path, PathBuf};

use clap::Args;
use dossier::Verified;
use echo_core::Digest;
use serde_json::json;
use trust::{TrustChain, chain::MAX_CHAIN_BYTES};

use crate::{
    Failure,
    failure::Kind,
    out::{Colour, Out, printable},
};

/// What to verify, and by whose word.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The case file, from `case export` or the dashboard
    file: PathBuf,
    /// The fingerprint of the platform's trust root: 64 hexadecimal digits, with or without `sha256:`. Get it from
    /// the operator by another way than this file: it stands in `Sovereign_Trust_Root.md`
    #[arg(long, value_name = "FINGERPRINT")]
    root: String,
    /// The platform's trust chain of today (`sovereign_trust_registry.json`, or `GET /v1/trust`): what was revoked
    /// since the file was made counts no more
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

/// Verifies the file and prints each check that held, or the first thing that does not.
pub fn run(arguments: &Arguments, out: Out) -> Result<(), Failure> {
    let root = fingerprint(&arguments.root)?;
    let known = arguments.trust.as_deref().map(chain).transpose()?;
    match verify(&arguments.file, &root, known.as_ref()) {
        Ok(verified) => say(&verified, &arguments.file, out),
        Err(failure) => {
            if out.is_json() && failure.kind == Kind::Unverified {
                out.json(&json!({"verified": false, "reason": failure.message}))?;
            }
            Err(failure)
        }
    }
}

fn chain(file: &Path) -> Result<TrustChain, Failure> {
    let bytes = durable::read(file, MAX_CHAIN_BYTES)?.ok_or_else(|| {
        Failure::failed(format!("there is no file {}", file.display())).hint("check the path")
    })?;
    TrustChain::from_json(&bytes).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))
}

fn verify(file: &Path, root: &Digest, known: Option<&TrustChain>) -> Result<Verified, Failure> {
    let bytes = durable::read(file, dossier::MAX_BYTES as u64)
        .map_err(|error| match error {
            durable::DurableError::TooLarge { .. } => Failure::unverified(format!("NOT verified: {error}")),
            durable::DurableError::Io { .. } => Failure::failed(error),
        })?
        .ok_or_else(|| {
            Failure::failed(format!("there is no file {}", file.display())).hint("check the path")
        })?;
    let verified = match known {
        Some(known) => dossier::verify_with(&bytes, root, known),
        None => dossier::verify(&bytes, root),
    };
    verified.map_err(|error| {
        Failure::unverified(format!("{} is NOT verified: {error}", file.display()))
            .hint("do not rely on this file; ask the operator for a fresh export and compare the fingerprint")
    })
}

fn say(verified: &Verified, file: &Path, out: Out) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(&json!({"verified": true, "report": verified}));
    }
    let tick = out.paint(Colour::Green, "✓");
    for check in &verified.checks {
        out.painted(&format!("{tick} {:<11} {}", check.what, printable(&check.detail)))?;
    }
    let bill = match (&verified.total, verified.paid) {
        (None, _) => "nothing billed".to_owned(),
        (Some(total), true) => format!("{total}, paid"),
        (Some(total), false) => format!("{total}, not paid"),
    };
    let summary = format!(
        "verified: {} of {}: {} checks held, {bill}",
        verified.case,
        verified.customer,
        verified.checks.len()
    );
    out.painted(&format!(
        "{} ({})",
        out.paint(Colour::Green, &printable(&summary)),
        printable(&file.display().to_string())
    ))
}

/// A fingerprint as people write it: upper or lower case, with or without `sha256:` and spaces or colons between
/// the digits.
pub fn fingerprint(text: &str) -> Result<Digest, Failure> {
    let lower = text.trim().to_lowercase();
    let digits: String = lower
        .strip_prefix("sha256:")
        .unwrap_or(&lower)
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .collect();
    format!("sha256:{digits}").parse().map_err(|_| {
        Failure::usage(format!("`{}` is not a fingerprint", text.chars().take(80).collect::<String>()))
            .hint("write the 64 hexadecimal digits from Sovereign_Trust_Root.md")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_taken_as_people_write_it() {
        let root = Digest::of(b"root");
        let spaced: Vec<String> =
            root.hex().as_bytes().chunks(4).map(|c| String::from_utf8_lossy(c).into_owned()).collect();
        for text in
            [root.to_string(), root.hex(), root.hex().to_uppercase(), format!(" {}\n", spaced.join(" "))]
        {
            assert_eq!(fingerprint(&text).unwrap(), root, "{text}");
        }
    }

    #[test]
    fn another_text_is_wrong_usage() {
        for bad in ["", "sha256:", "abc", &"g".repeat(64), &"a".repeat(65)] {
            assert_eq!(fingerprint(bad).unwrap_err().kind, Kind::Usage, "{bad}");
        }
    }

    #[test]
    fn what_is_no_case_file_is_not_verified() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.json");
        for bytes in [&b""[..], b"{}", b"\xff\xfe", b"{\"payload\":"] {
            durable::write(&path, bytes, durable::Mode::Public).unwrap();
            assert_eq!(verify(&path, &Digest::of(b"root"), None).unwrap_err().kind, Kind::Unverified);
        }
        assert_eq!(
            verify(&folder.path().join("none"), &Digest::of(b"root"), None).unwrap_err().kind,
            Kind::Failed
        );
    }
}
