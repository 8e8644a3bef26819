//! The documents that come with Echo: what they are called, and how anyone checks that one is what was signed and entered.

use echo_core::{Digest, Timestamp};
use ledger::Entry;
use trust::{
    Registry,
    content::{ContentClaim, MAX_SIGNATURE_FILE},
    dsse::Envelope,
};

use crate::{Document, Kind, VerifyError};

/// The folder of a home with the documents, each `NAME.md` with its `NAME.md.sig`.
pub const SHIPPED_FOLDER: &str = "documents";
/// What the documents are called.
pub const SHIPPED: [&str; 5] = ["constitution", "sovereignty", "handbook", "playbooks", "licences"];
/// The most bytes of one document.
pub const MAX_SHIPPED: u64 = 8 * 1024 * 1024;

/// What the edition of a document with that digest is called in the ledger, and in a home's `ledger/`.
pub fn shipped_id(name: &str, digest: &Digest) -> String {
    format!("{name}-{}", &digest.hex()[..16])
}

/// The signed envelope of `NAME.md.sig`, and what the signed edition is called in the ledger. Nobody's signature is
/// checked yet.
pub fn shipped_claim(name: &str, signature: &[u8]) -> Result<(Envelope, String), VerifyError> {
    let broken = |reason: String| refused(name, reason);
    if signature.len() as u64 > MAX_SIGNATURE_FILE {
        return Err(broken(format!("its signature is larger than {MAX_SIGNATURE_FILE} bytes")));
    }
    let unreadable = |e: String| broken(format!("its signature cannot be read ({e})"));
    let envelope: Envelope = serde_json::from_slice(signature).map_err(|e| unreadable(e.to_string()))?;
    let payload = envelope.payload_unchecked().map_err(|e| unreadable(e.to_string()))?;
    let claim: ContentClaim = serde_json::from_slice(&payload).map_err(|e| unreadable(e.to_string()))?;
    Ok((envelope, shipped_id(name, &claim.digest)))
}

/// Whether the text of the document `name` is what its signature, its ledger entry and the inclusion proof speak of, by
/// the keys of `registry`; when the ledger took it.
pub fn verify_shipped(
    name: &str,
    text: &[u8],
    document: &Document,
    registry: &Registry,
) -> Result<Timestamp, VerifyError> {
    let broken = |reason: &str| refused(name, reason.to_owned());
    let digest = Digest::of(text);
    if document.kind != Kind::Document {
        return Err(broken("its papers are of another kind"));
    }
    let payload = document.open(registry)?;
    let claim: ContentClaim =
        serde_json::from_slice(&payload).map_err(|e| refused(name, format!("its signed claim: {e}")))?;
    if claim.name != format!("{name}.md") || document.id != shipped_id(name, &claim.digest) {
        return Err(broken("its papers are those of another document"));
    }
    if claim.digest != digest || claim.size != text.len() as u64 {
        return Err(broken("it was altered after it was signed"));
    }
    let entry = Entry::from_bytes(document.entry.as_bytes()).map_err(|e| refused(name, e.to_string()))?;
    Ok(entry.at)
}

fn refused(name: &str, reason: String) -> VerifyError {
    VerifyError::Document { kind: Kind::Document, id: name.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use trust::{KeyPair, content};

    use super::*;

    #[test]
    fn the_signature_says_which_edition_it_is_of() {
        let envelope = content::sign("constitution.md", b"# Ours\n", &KeyPair::from_secret(&[7; 32]));
        let (read, id) = shipped_claim("constitution", &serde_json::to_vec(&envelope).unwrap()).unwrap();
        assert_eq!(read, envelope);
        assert_eq!(id, shipped_id("constitution", &Digest::of(b"# Ours\n")));
        assert_ne!(id, shipped_id("constitution", &Digest::of(b"# Ourz\n")));
        for bad in [&b"{}"[..], b"", b"[1]", &vec![b' '; 70_000]] {
            assert!(shipped_claim("constitution", bad).is_err());
        }
    }
}
