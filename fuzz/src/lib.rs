//! Checks: what a parser of foreign bytes must never do, whatever the bytes.
//!
//! One module a parser, one function `check` in each: it takes any bytes, and panics when the parser breaks a
//! promise (it crashed, it took what nobody signed, it read what it does not write back). libFuzzer looks for such
//! bytes (`fuzz/libfuzzer`); what it found on the way lies in `fuzz/corpus/TARGET`, and `tests/it` plays it again.
//!
//! A parser behind a signature is never reached by random bytes. So each `check` goes in twice: with the bytes as
//! they are, and with the same bytes as the signed part of an envelope that the house's own key has signed.
//!
//! What may not come in: parsers of formats that are not ours to read.

pub mod bundle;
pub mod dsse;
pub mod gguf;
pub mod house;
pub mod keystore;
pub mod library;
pub mod mcp;
pub mod mesh_papers;
pub mod note;
pub mod place;
pub mod policy;
pub mod presence;
pub mod proof;
pub mod registry;
pub mod relay;
pub mod request;
pub mod schema;
pub mod sdp;
pub mod signal;
pub mod tile;
pub mod wire;

use ed25519_dalek::SigningKey;

/// A target: its name, which is also its corpus' folder, and its check.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 20] = [
    ("bundle", bundle::check),
    ("dsse", dsse::check),
    ("gguf", gguf::check),
    ("keystore", keystore::check),
    ("library", library::check),
    ("mcp", mcp::check),
    ("mesh_papers", mesh_papers::check),
    ("note", note::check),
    ("place", place::check),
    ("policy", policy::check),
    ("presence", presence::check),
    ("proof", proof::check),
    ("registry", registry::check),
    ("relay", relay::check),
    ("request", request::check),
    ("schema", schema::check),
    ("sdp", sdp::check),
    ("signal", signal::check),
    ("tile", tile::check),
    ("wire", wire::check),
];

/// The longest input that is tried, in bytes. Readers bound their files before they parse them.
pub const MAX_INPUT: usize = 64 * 1024;

/// The name of the log whose checkpoints are tried.
const ORIGIN: &str = "echo.local/fuzz/1";

/// The key of everything that is signed here. It protects nothing.
fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// The key as the trust crate has it.
fn pair() -> trust::KeyPair {
    trust::KeyPair::from_secret(&[7; 32])
}
