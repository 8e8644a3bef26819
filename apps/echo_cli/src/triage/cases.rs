//! Tickets in a CSV file (RFC 4180): the text, and the label where it is known.

use std::{collections::BTreeSet, path::Path};

use csv::{ByteRecord, ReaderBuilder};
use echo_core::Digest;
use triage_model::LabelSet;

use crate::Failure;

/// The column of the text.
pub const TEXT: &str = "Document";
/// The column of the label.
pub const LABEL: &str = "Topic_group";
/// The most bytes of a CSV file.
const MAX_FILE: u64 = 512 * 1024 * 1024;
/// The most bytes of one field.
const MAX_FIELD: usize = 1024 * 1024;
/// The most columns.
const MAX_COLUMNS: usize = 256;
/// The most bytes of a file of labels.
const MAX_LABELS_FILE: u64 = 64 * 1024;

/// A CSV file, whole.
pub struct Table {
    /// The headings.
    pub headings: ByteRecord,
    /// The rows, each with as many fields as there are headings, all of it UTF-8.
    pub rows: Vec<ByteRecord>,
    /// Of the file's bytes.
    pub digest: Digest,
    text: usize,
    label: Option<usize>,
}

/// Tickets whose label is known.
pub struct Labelled<'a> {
    /// Their texts.
    pub texts: Vec<&'a str>,
    /// Their labels, by number.
    pub truths: Vec<usize>,
    /// The labels.
    pub labels: LabelSet,
}

impl Table {
    /// Reads a file. What is wrong with it is said with its line.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = durable::read(path, MAX_FILE)?
            .ok_or_else(|| Failure::failed(format!("there is no file {}", path.display())))?;
        let bad = |what: String| Failure::failed(format!("{}: {what}", path.display()));
        if bytes.is_empty() {
            return Err(bad("it is empty".to_owned()).hint(format!("give a CSV with the column `{TEXT}`")));
        }
        let mut reader = ReaderBuilder::new().from_reader(bytes.as_slice());
        let headings = reader.byte_headers().map_err(|e| bad(said(&e)))?.clone();
        check(&headings, 1).map_err(|e| bad(e.message).hint(e.hint))?;
        let column = |name: &str| headings.iter().position(|heading| heading == name.as_bytes());
        let Some(text) = column(TEXT) else {
            let found = headings.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(", ");
            return Err(bad(format!("it has no column `{TEXT}`, only: {}", shortened(&found)))
                .hint("the first line names the columns, separated by commas"));
        };
        let label = column(LABEL);
        let mut rows = Vec::new();
        for row in reader.byte_records() {
            let row = row.map_err(|e| bad(said(&e)))?;
            let line = line_of(&row);
            check(&row, line).map_err(|e| bad(e.message).hint(e.hint))?;
            rows.push(row);
        }
        Ok(Self { headings, rows, digest: Digest::of(&bytes), text, label })
    }

    /// The texts, in order.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| field(row, self.text))
    }

    /// The texts with their labels. Without a set, it is what occurs, in alphabetical order.
    pub fn labelled(&self, labels: Option<LabelSet>) -> Result<Labelled<'_>, Failure> {
        let Some(column) = self.label else {
            return Err(Failure::failed(format!("the CSV has no column `{LABEL}`"))
                .hint("to learn and to compare, the label of each ticket must be known"));
        };
        let given: Vec<&str> = self.rows.iter().map(|row| field(row, column).trim()).collect();
        if let Some((_, row)) = given.iter().zip(&self.rows).find(|(name, _)| name.is_empty()) {
            return Err(Failure::failed(format!("line {}: the label is empty", line_of(row)))
                .hint("give every ticket a label, or leave it out"));
        }
        let labels = match labels {
            Some(labels) => labels,
            None => of_texts(&given)?,
        };
        let truths = given
            .iter()
            .zip(&self.rows)
            .map(|(name, row)| labels.number(name).ok_or_else(|| unknown(name, row, &labels)))
            .collect::<Result<_, _>>()?;
        Ok(Labelled { texts: self.texts().collect(), truths, labels })
    }
}

/// The set of labels that a file names, one a line.
pub fn labels_of(path: &Path) -> Result<LabelSet, Failure> {
    let bytes = durable::read(path, MAX_LABELS_FILE)?
        .ok_or_else(|| Failure::failed(format!("there is no file {}", path.display())))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::failed(format!("{}: it is not UTF-8", path.display())))?;
    LabelSet::new(text.lines().map(str::trim).filter(|line| !line.is_empty()))
        .map_err(|e| Failure::failed(format!("{}: {e}", path.display())))
}

fn of_texts(given: &[&str]) -> Result<LabelSet, Failure> {
    let found: BTreeSet<&str> = given.iter().copied().collect();
    match (found.first(), found.len()) {
        (None, _) => Err(Failure::failed("the CSV has no rows below its headings")),
        (Some(only), 1) => Err(Failure::failed(format!("every row is labelled `{}`", shortened(only)))
            .hint("a model needs tickets of at least two labels")),
        _ => LabelSet::new(found).map_err(Failure::failed),
    }
}

fn unknown(name: &str, row: &ByteRecord, labels: &LabelSet) -> Failure {
    let line = line_of(row);
    Failure::failed(format!("line {line}: the label `{}` is not one of the set", shortened(name)))
        .hint(format!("the set is: {}", labels.names().join(", ")))
}

fn line_of(row: &ByteRecord) -> u64 {
    row.position().map_or(0, csv::Position::line)
}

fn field(row: &ByteRecord, column: usize) -> &str {
    // Rows have been checked, so nothing is lost here.
    row.get(column).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
}

fn check(row: &ByteRecord, line: u64) -> Result<(), Failure> {
    if row.len() > MAX_COLUMNS {
        return Err(Failure::failed(format!(
            "line {line} has {} columns, more than {MAX_COLUMNS}",
            row.len()
        )));
    }
    for bytes in row {
        if bytes.len() > MAX_FIELD {
            return Err(Failure::failed(format!("line {line}: a field has more than {MAX_FIELD} bytes"))
                .hint("a quotation mark may be missing"));
        }
        if std::str::from_utf8(bytes).is_err() || bytes.contains(&0) {
            return Err(Failure::failed(format!("line {line}: it is not text in UTF-8"))
                .hint("save the file as CSV in UTF-8"));
        }
    }
    Ok(())
}

fn said(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            format!("line {line} has {len} fields, and the headings are {expected_len}")
        }
        _ => error.to_string(),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}
