//! `vault recipient`, `list`, `versions`, `audit` and `verify`: what may be seen.

use echo_core::Mint;
use serde_json::{Value, json};
use vault::{Listing, Sealed};

use super::{Opening, Which, actor, refused};
use crate::{Failure, out::Out};

/// Prints whom secrets are sealed for.
pub fn recipient(sealed: &Sealed, out: Out) -> Result<(), Failure> {
    let description = sealed.description().map_err(refused)?;
    if out.is_json() {
        return out.json(&description);
    }
    out.line(&description.recipient.to_string())
}

/// Lists what there is, or of one secret.
pub fn list(sealed: &Sealed, of: Option<&Which>, out: Out) -> Result<(), Failure> {
    let Listing { mut entries, mut pending } = sealed.list().map_err(refused)?;
    if let Some(Which { namespace, name }) = of {
        entries.retain(|e| e.namespace == *namespace && e.name == *name);
        pending.retain(|p| p.namespace == *namespace && p.name == *name);
        if entries.is_empty() && pending.is_empty() {
            return Err(Failure::failed(format!("there is no {namespace}/{name} in the vault"))
                .hint("`echo_cli vault list` shows what there is"));
        }
    }
    if out.is_json() {
        return out.json(&json!({"entries": entries, "pending": pending}));
    }
    let mut rows: Vec<Value> = entries
        .iter()
        .map(|e| json!({"namespace": e.namespace, "name": e.name, "version": e.version, "state": e.state, "created": e.created, "added": e.added}))
        .collect();
    rows.extend(pending.iter().map(|p| {
        json!({"namespace": p.namespace, "name": p.name, "state": if p.refused { "refused" } else { "waiting" }})
    }));
    let columns = ["namespace", "name", "version", "state", "created", "added"];
    let pointers = columns.map(|column| format!("/{column}"));
    let pairs: Vec<(&str, &str)> = columns.into_iter().zip(pointers.iter().map(String::as_str)).collect();
    out.list(&rows, &pairs)
}

/// Prints the audit, line by line.
pub fn audit(sealed: &Sealed, out: Out) -> Result<(), Failure> {
    // Nobody can work with the vault while it is read: whoever reads what is printed may take his time.
    let mut lines = Vec::new();
    sealed.audit(|line, _| lines.push(line.clone())).map_err(refused)?;
    lines.iter().try_for_each(|line| out.json_line(line))
}

/// Opens every file.
pub fn verify(opening: &Opening, sealed: &Sealed, out: Out) -> Result<(), Failure> {
    let (vault, _) = opening.open(sealed)?;
    let checked = vault.verify(&actor(), &Mint::system()).map_err(refused)?;
    if out.is_json() {
        out.json(&checked)?;
    } else {
        out.line(&format!("{} versions open and stand where they say", checked.good))?;
        for problem in &checked.problems {
            out.line(problem)?;
        }
    }
    if checked.problems.is_empty() {
        return Ok(());
    }
    Err(Failure::unverified(format!("{} files do not hold", checked.problems.len()))
        .hint("restore the whole of vault_v1 from one backup"))
}
