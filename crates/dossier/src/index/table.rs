//! The index for people.

use std::fmt::Write as _;

use trust::chain::REGISTRY_FILE;

use super::{Attested, INDEX_FILE, Index, Origin};

/// The most rows of the table: the newest.
const MAX_ROWS: usize = 1_000;

impl Index {
    /// The index as Markdown: who is in it, the newest attestations, how to check. Not signed: the JSON is.
    pub fn table(&self) -> String {
        let mut text = format!(
            "# Federated attestation index\n\n\
             What this Echo attested, and what it took over from others after checking it against their ledgers. Written\n\
             on {}. This is for reading; what counts is the signed `{INDEX_FILE}`.\n\n\
             ## Whose\n\n\
             | Echo | trust root | ledger | entries in the ledger | attestations | listed |\n\
             | --- | --- | --- | --- | --- | --- |\n",
            self.made
        );
        let all: Vec<&Origin> = std::iter::once(&self.own).chain(&self.merged).collect();
        for (number, origin) in all.iter().enumerate() {
            let size = origin.head().map_or_else(|_| "?".to_owned(), |head| head.size.to_string());
            row(
                &mut text,
                &[
                    &name(number),
                    &origin.root.to_string(),
                    &origin.log.origin,
                    &size,
                    &origin.count.to_string(),
                    &origin.entries.len().to_string(),
                ],
            );
        }
        text.push_str(
            "\n## Attestations, newest first\n\n\
             | entered | Echo | id | claim | entry | statement | signed by |\n\
             | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        let mut entries: Vec<(usize, &Attested)> =
            all.iter().enumerate().flat_map(|(n, o)| o.entries.iter().map(move |e| (n, e))).collect();
        entries.sort_by_key(|(number, e)| (std::cmp::Reverse(e.at), *number, std::cmp::Reverse(e.index)));
        for (number, entry) in entries.iter().take(MAX_ROWS) {
            let signers: Vec<&str> = entry.signers.iter().map(trust::KeyId::as_str).collect();
            row(
                &mut text,
                &[
                    &entry.at.to_string(),
                    &name(*number),
                    &entry.id,
                    &entry.predicate_type,
                    &entry.index.to_string(),
                    &entry.statement.to_string(),
                    &signers.join(", "),
                ],
            );
        }
        if entries.len() > MAX_ROWS {
            let _ = writeln!(text, "\n{} older ones are in `{INDEX_FILE}`.", entries.len() - MAX_ROWS);
        }
        text.push_str(&how_to_check(&self.own));
        text
    }
}

fn how_to_check(own: &Origin) -> String {
    let proof = own.entries.first().map_or("proof_ID", |newest| newest.id.as_str());
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let proof: String = proof.chars().filter(|c| plain(*c)).collect();
    format!(
        "\n## How to check\n\n\
         You need the fingerprint of this Echo's trust root, by another way than these files; its trust chain\n\
         (`{REGISTRY_FILE}`, or `/v1/trust`); and its genesis ledger (the folder, or `/v1/ledgers/genesis`).\n\n\
         ```sh\n\
         echo_cli attestation check {INDEX_FILE} --log genesis_ledger \\\n  \
         --trust {REGISTRY_FILE} --root {root}\n\
         echo_cli attestation verify attestations/{proof}.json --trust {REGISTRY_FILE} \\\n  \
         --root {root}\n\
         ```\n\n\
         The first checks the signature, reads the ledger from its first entry to its signed head, and finds an\n\
         attestation that is listed and not there, is there and not listed, or was changed. The second checks one proof,\n\
         the SHA-256 of whose payload is the statement's digest above; one whose key was retired since counts by its ledger\n\
         entry alone, which `echo_cli verify` checks in the case file.\n",
        root = own.root
    )
}

/// What an Echo is called in the table.
fn name(number: usize) -> String {
    if number == 0 { "this one".to_owned() } else { format!("other {number}") }
}

/// A row. Texts of others are shown as they are only where they cannot be mistaken for Markdown or HTML.
fn row(text: &mut String, cells: &[&str]) {
    text.push('|');
    for cell in cells {
        let plain = |c: char| c.is_ascii_alphanumeric() || " ._:/,-+".contains(c);
        let cell: String = cell.chars().map(|c| if plain(c) { c } else { '?' }).collect();
        let _ = write!(text, " {cell} |");
    }
    text.push('\n');
}
