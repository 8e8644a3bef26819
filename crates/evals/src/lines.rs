//! Questions in a file: JSON Lines, one a line.

use serde::de::DeserializeOwned;

/// The most lines of one file.
const MAX_LINES: usize = 100_000;

/// A line that is no question.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It does not read as one.
    #[error("line {line}: {reason}")]
    Unreadable {
        /// Which, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
    /// There are none, or too many.
    #[error("the file holds {0} lines; 1 to {MAX_LINES} may be")]
    Count(usize),
}

/// Reads all of them; empty lines are skipped.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, LineError> {
    let count = text.lines().count();
    if count == 0 || count > MAX_LINES {
        return Err(LineError::Count(count));
    }
    let filled = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    filled
        .map(|(at, line)| {
            serde_json::from_str(line)
                .map_err(|error| LineError::Unreadable { line: at + 1, reason: error.to_string() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        let error = parse::<u32>("1\n\nx\n").unwrap_err().to_string();
        assert!(error.starts_with("line 3"), "{error}");
        assert_eq!(parse::<u32>("1\n\n2\n").unwrap(), [1, 2]);
        assert!(parse::<u32>("").is_err());
    }
}
