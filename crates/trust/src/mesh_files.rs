//! Two files of the home directory that show the mesh: `registry.json` and `wallets_list_pilot.csv`.
//!
//! Both are views, written whole and atomically from what the store holds. Public parts only.

use std::{fmt::Write as _, path::Path};

use durable::{DurableError, Mode};
use echo_core::{DeviceId, Timestamp};

use crate::{dsse::Envelope, key::PublicKey, manifest::NodeManifest, registry::TrustError};

/// The certified manifests, as a JSON list of envelopes.
pub const NODES_FILE: &str = "registry.json";
/// The devices, one row each.
pub const WALLETS_FILE: &str = "wallets_list_pilot.csv";
/// The most bytes that [`read_nodes`] reads: some 50 000 manifests.
pub const MAX_NODES_BYTES: u64 = 64 * 1024 * 1024;
const HEADER: &str = "id,address,public_key,steward,state,enrolled,signature\r\n";

/// One row of the devices' list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletRow {
    /// The device.
    pub id: DeviceId,
    /// Its `did:key`.
    pub address: String,
    /// Its public key.
    pub public_key: PublicKey,
    /// Who answers for it: the customer, or `operator`.
    pub steward: String,
    /// Whether it is in use, such as `active`.
    pub state: String,
    /// When it was enrolled.
    pub enrolled: Timestamp,
    /// The issuer's signature over its manifest, in base64; empty when there is none.
    pub signature: String,
}

impl WalletRow {
    /// The row of a device with `manifest`, certified as `envelope`.
    pub fn of(manifest: &NodeManifest, envelope: &Envelope, state: &str) -> Self {
        Self {
            id: manifest.device.clone(),
            address: manifest.did.clone(),
            public_key: manifest.public_key,
            steward: manifest.customer.as_ref().map_or_else(|| "operator".to_owned(), ToString::to_string),
            state: state.to_owned(),
            enrolled: manifest.issued,
            signature: envelope.signatures.first().map_or_else(String::new, |s| s.sig.clone()),
        }
    }
}

/// Writes the certified manifests into `home`.
pub fn write_nodes(home: &Path, manifests: &[Envelope]) -> Result<(), DurableError> {
    let bytes =
        serde_json::to_vec_pretty(manifests).expect("strings and lists of strings always become JSON");
    durable::write(&home.join(NODES_FILE), &bytes, Mode::Public)
}

/// Reads the certified manifests in `home`; none when there is no file. Verify each before use.
pub fn read_nodes(home: &Path) -> Result<Vec<Envelope>, TrustError> {
    let Some(bytes) = durable::read(&home.join(NODES_FILE), MAX_NODES_BYTES)? else {
        return Ok(Vec::new());
    };
    serde_json::from_slice(&bytes).map_err(|e| TrustError::Document(format!("{NODES_FILE}: {e}")))
}

/// Writes the devices' list into `home`, as CSV (RFC 4180).
pub fn write_wallets(home: &Path, rows: &[WalletRow]) -> Result<(), DurableError> {
    durable::write(&home.join(WALLETS_FILE), wallets_csv(rows).as_bytes(), Mode::Public)
}

fn wallets_csv(rows: &[WalletRow]) -> String {
    let mut csv = HEADER.to_owned();
    for row in rows {
        // Writing to a string cannot fail.
        let _ = write!(
            csv,
            "{},{},{},{},{},{},{}\r\n",
            row.id,
            field(&row.address),
            row.public_key,
            field(&row.steward),
            field(&row.state),
            row.enrolled,
            field(&row.signature),
        );
    }
    csv
}

/// A field, in quotes when it must be (RFC 4180, section 2, rules 5 to 7).
fn field(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests;
