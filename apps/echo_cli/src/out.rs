//! What a command prints: data on stdout, as tables for people or as JSON for programs.

use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;
use serde_json::Value;

use crate::{Failure, answer};

/// The widest cell of a table, in characters.
const MAX_CELL: usize = 60;

/// Where and how a command prints.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    json: bool,
    colour: bool,
}

/// A colour, which only a terminal gets.
#[derive(Debug, Clone, Copy)]
pub enum Colour {
    /// Something holds.
    Green,
    /// Something does not.
    Red,
    /// Less important.
    Dim,
}

#[expect(
    clippy::unused_self,
    reason = "whoever prints has been handed the output, even where its settings do not matter"
)]
impl Out {
    /// JSON when asked for; colours on a terminal, unless `NO_COLOR` is set (no-color.org).
    pub fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { json, colour: wanted && !dumb && io::stdout().is_terminal() }
    }

    /// Whether JSON was asked for.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints one line. Control characters of the text are replaced, so that nothing that came over the network
    /// moves the cursor.
    pub fn line(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(printable(text).as_bytes())?;
        stdout.write_all(b"\n")?;
        Ok(stdout.flush()?)
    }

    /// The text in a colour.
    pub fn paint(self, colour: Colour, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Green => 32,
            Colour::Red => 31,
            Colour::Dim => 2,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// Prints what is already made of painted parts, each of which must be [`printable`].
    pub fn painted(self, text: &str) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}")?;
        Ok(stdout.flush()?)
    }

    /// Prints a value as indented JSON.
    pub fn json<T: Serialize>(self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}")?;
        Ok(stdout.flush()?)
    }

    /// Prints a value as one line of JSON.
    pub fn json_line<T: Serialize>(self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(Failure::failed)?;
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}")?;
        Ok(stdout.flush()?)
    }

    /// Prints the items of a list: a table with one column a pair of heading and JSON pointer, or the items.
    pub fn list(self, items: &[Value], columns: &[(&str, &str)]) -> Result<(), Failure> {
        if self.json {
            return self.json(&items);
        }
        let rows: Vec<Vec<String>> = items
            .iter()
            .map(|item| columns.iter().map(|(_, pointer)| answer::shown(item, pointer)).collect())
            .collect();
        let headings: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
        for line in table(&headings, &rows) {
            self.line(&line)?;
        }
        Ok(())
    }

    /// Prints one thing: a line for each pair of label and JSON pointer, or the whole of it as JSON.
    pub fn one(self, thing: &Value, fields: &[(&str, &str)]) -> Result<(), Failure> {
        if self.json {
            return self.json(thing);
        }
        let width = fields.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        for (label, pointer) in fields {
            self.line(&format!("{label:width$}  {}", answer::shown(thing, pointer)))?;
        }
        Ok(())
    }
}

/// The text with every control character but line feed and tab replaced.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// A table's lines: headings, then rows, columns aligned by two spaces.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let cells: Vec<Vec<String>> = std::iter::once(headings.iter().map(|h| (*h).to_owned()).collect())
        .chain(rows.iter().map(|row| row.iter().map(|cell| short(cell)).collect()))
        .collect();
    let width = |column: usize| {
        cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    cells
        .iter()
        .map(|row| {
            let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, w)| format!("{cell:w$}")).collect();
            padded.join("  ").trim_end().to_owned()
        })
        .collect()
}

/// One line of at most [`MAX_CELL`] characters.
fn short(cell: &str) -> String {
    let line: String = cell.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= MAX_CELL {
        return line;
    }
    let cut: String = line.chars().take(MAX_CELL - 1).collect();
    format!("{cut}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_long_cells_are_cut() {
        let lines =
            table(&["id", "name"], &[vec!["a".into(), "Marta".into()], vec!["long".into(), "x".repeat(99)]]);
        assert_eq!(lines[0], "id    name");
        assert_eq!(lines[1], "a     Marta");
        assert!(lines[2].ends_with('…') && lines[2].chars().count() == 6 + MAX_CELL);
    }

    #[test]
    fn escapes_from_the_network_are_not_printed() {
        assert_eq!(printable("a\u{1b}[31mb\u{7}\n"), "a\u{fffd}[31mb\u{fffd}\n");
    }
}
