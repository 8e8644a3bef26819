//! The file of an attestation: one envelope, as compact JSON and a line feed.

use std::path::Path;

use durable::Mode;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use trust::{
    Envelope, Statement,
    chain::REGISTRY_FILE,
    statement::{STATEMENT_TYPE, STATEMENT_V1},
};

use super::read;
use crate::Failure;

/// The envelope of an attestation in a file, and what its statement says of itself. Nothing is verified.
pub fn open(path: &Path) -> Result<(Envelope, Value), Failure> {
    let bytes = read(path, dossier::MAX_BYTES as u64)?;
    let none = |why: String| {
        Failure::unverified(format!("{} is not an attestation: {why}", path.display()))
            .hint("name a file such as HOME/attestations/proof_....json")
    };
    let envelope: Envelope = serde_json::from_slice(&bytes).map_err(|e| none(e.to_string()))?;
    if envelope.payload_type != STATEMENT_TYPE {
        return Err(none(format!(
            "it holds `{}`",
            envelope.payload_type.chars().take(80).collect::<String>()
        )));
    }
    let payload = envelope.payload_unchecked().map_err(|e| none(e.to_string()))?;
    let head: Statement<IgnoredAny> = serde_json::from_slice(&payload).map_err(|e| none(e.to_string()))?;
    if head.kind != STATEMENT_V1 {
        return Err(none(format!("its statement is not a `{STATEMENT_V1}`")));
    }
    let subjects: Vec<Value> =
        head.subject.iter().map(|s| json!({"name": s.name, "sha256": s.digest.sha256.hex()})).collect();
    let about = json!({
        "statement": echo_core::Digest::of(&payload), "claim": head.predicate_type, "subjects": subjects,
    });
    Ok((envelope, about))
}

/// Writes an attestation to `out`, or back to where it was.
pub fn save(envelope: &Envelope, from: &Path, out: Option<&Path>) -> Result<(), Failure> {
    let path = out.unwrap_or(from);
    // The ledger entry of a home's attestation names the digest of its bytes.
    let home = path.canonicalize().ok().and_then(|p| Some(p.parent()?.parent()?.to_owned()));
    if home.is_some_and(|home| home.join(REGISTRY_FILE).exists()) {
        return Err(Failure::failed(format!(
            "{} is a platform's own copy, whose bytes its ledger entry names",
            path.display()
        ))
        .hint("write the signed copy elsewhere with --out FILE"));
    }
    let mut bytes = serde_json::to_vec(envelope).map_err(Failure::failed)?;
    bytes.push(b'\n');
    Ok(durable::write(path, &bytes, Mode::Public)?)
}

#[cfg(test)]
mod tests {
    use trust::{KeyPair, Subject};

    use super::*;

    #[test]
    fn a_statement_of_another_type_or_with_more_behind_it_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("proof.json");
        let subject = Subject::new("report/x", echo_core::Digest::of(b"x"));
        let good = Statement::new("urn:test", vec![subject], 1);
        let old = Statement { kind: "https://in-toto.io/Statement/v0.1".to_owned(), ..good.clone() };
        let bytes = |statement| serde_json::to_vec(statement).unwrap();
        let opened = |payload: &[u8]| {
            let envelope = Envelope::sign_bytes(STATEMENT_TYPE, payload, &[&KeyPair::from_secret(&[1; 32])]);
            save(&envelope, &path, None).unwrap();
            open(&path)
        };
        assert_eq!(opened(&bytes(&good)).unwrap().1["claim"], "urn:test");
        let behind = opened(&[&bytes(&good)[..], b" {}"].concat()).unwrap_err();
        assert!(behind.message.contains("trailing"), "{behind}");
        let old = opened(&bytes(&old)).unwrap_err();
        assert!(old.message.contains(STATEMENT_V1), "{old}");
    }
}
