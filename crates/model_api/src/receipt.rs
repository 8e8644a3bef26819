//! The `echo` of an answer: the call, and its receipt with the inclusion proof.

use access::Principal;
use desk::{Desk, SkillCall};
use dossier::Kind;
use echo_core::Id as _;
use serde_json::{Value, json};

/// The call with its receipt; a receipt that cannot be read now is read later by its id.
pub(crate) async fn of(desk: &Desk, principal: &Principal, call: &SkillCall) -> Value {
    let receipt = match &call.receipt {
        Some(id) => desk.document(principal, Kind::Receipt, id.as_str()).await.ok(),
        None => None,
    };
    json!({ "call": call, "receipt": receipt })
}
