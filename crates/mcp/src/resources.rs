//! Resources: signed documents with their inclusion proofs, by kind and id.

use access::Principal;
use desk::{Desk, ReceiptRecord};
use dossier::Kind;
use echo_core::{Id as _, Page, PageRequest};
use rmcp::{
    ErrorData,
    model::{
        ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource, ResourceContents,
        ResourceTemplate,
    },
};

use crate::failure;

/// What stands before a document's kind in its address.
const PREFIX: &str = "echo://documents/";
const JSON: &str = "application/json";

/// The receipts, newest first: what a caller of skills wants to keep. Every other document is read by its address.
pub(crate) async fn list(
    desk: &Desk,
    principal: &Principal,
    cursor: Option<String>,
) -> Result<ListResourcesResult, ErrorData> {
    let page = desk.receipts(principal, &PageRequest { cursor, limit: None }).await;
    let Page { items, next } = page.map_err(|error| failure::of_reading(&error))?;
    let mut listed = ListResourcesResult::with_all_items(items.iter().map(of_receipt).collect());
    listed.next_cursor = next;
    Ok(listed)
}

fn of_receipt(record: &ReceiptRecord) -> Resource {
    let receipt = &record.receipt;
    let address = format!("{PREFIX}{}/{}", Kind::Receipt, receipt.id.as_str());
    Resource::new(address, receipt.id.as_str())
        .with_title(format!("Receipt for {}", receipt.skill))
        .with_mime_type(JSON)
}

/// How the addresses of documents are made.
pub(crate) fn templates() -> ListResourceTemplatesResult {
    let kinds = Kind::ALL.map(Kind::as_str).join(", ");
    let template = ResourceTemplate::new(format!("{PREFIX}{{kind}}/{{id}}"), "document")
        .with_title("Signed document")
        .with_description(format!(
            "A document in its DSSE envelope with its ledger entry and inclusion proof. Kinds: {kinds}."
        ))
        .with_mime_type(JSON);
    ListResourceTemplatesResult::with_all_items(vec![template])
}

/// One document.
pub(crate) async fn read(
    desk: &Desk,
    principal: &Principal,
    address: &str,
) -> Result<ReadResourceResult, ErrorData> {
    let unknown = || {
        let words = format!("there is no such resource: addresses look like {PREFIX}receipt/rcpt_...");
        ErrorData::resource_not_found(words, None)
    };
    let (kind, id) =
        address.strip_prefix(PREFIX).and_then(|rest| rest.split_once('/')).ok_or_else(unknown)?;
    let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind).ok_or_else(unknown)?;
    let document = desk.document(principal, kind, id).await.map_err(|error| failure::of_reading(&error))?;
    let text = serde_json::to_string_pretty(&document)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    Ok(ReadResourceResult::new(vec![ResourceContents::text(text, address).with_mime_type(JSON)]))
}
