//! The operator's signature on the card that other agents read: a JWS with its payload left out (RFC 7515, appendix F)
//! over the card in canonical JSON (RFC 8785), as A2A 1.0, section 8.4, asks.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use trust::KeyRole;

use crate::{Desk, DeskError};

/// A signature without what it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardSignature {
    /// The protected header, in base64url.
    pub protected: String,
    /// The Ed25519 signature, in base64url.
    pub signature: String,
}

impl Desk {
    /// Signs a card by the operator's key, whose id is the header's `kid`. The card holds texts, lists, objects and
    /// booleans alone.
    pub fn sign_agent_card(&self, card: &Value) -> Result<CardSignature, DeskError> {
        let key = self.signer(KeyRole::Operator)?;
        let header = json!({"alg": "EdDSA", "kid": key.id(), "typ": "JOSE"});
        let protected = URL_SAFE_NO_PAD.encode(canonical(&header));
        let payload = URL_SAFE_NO_PAD.encode(canonical(&said(card).unwrap_or_default()));
        let signature = key.sign(format!("{protected}.{payload}").as_bytes());
        Ok(CardSignature { protected, signature: URL_SAFE_NO_PAD.encode(signature) })
    }
}

/// The card without what says nothing: empty texts, lists and objects, and the signatures. Nothing when nothing is left.
fn said(card: &Value) -> Option<Value> {
    match card {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(name, _)| *name != "signatures");
            let fields: Map<String, Value> =
                fields.filter_map(|(name, value)| Some((name.clone(), said(value)?))).collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().filter_map(said).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::String(text) if text.is_empty() => None,
        Value::Null => None,
        other => Some(other.clone()),
    }
}

/// Canonical JSON: names in order, no white space. Texts are written as RFC 8785 asks by `serde_json` too.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            let fields: Vec<String> = names
                .into_iter()
                .map(|name| format!("{}:{}", Value::from(name.as_str()), canonical(&fields[name])))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_in_order_and_without_what_says_nothing() {
        let card = json!({
            "name": "Echo €\n", "b": {"list": []}, "a": [{"y": true, "x": ""}, []], "signatures": [{"protected": "p"}],
        });
        assert_eq!(canonical(&said(&card).unwrap()), "{\"a\":[{\"y\":true}],\"name\":\"Echo €\\n\"}");
    }
}
