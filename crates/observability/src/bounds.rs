//! Bounds on what a device says: the device cuts its own words to them, the platform refuses what exceeds them.

/// The most bytes of a short text: a name of a host, process, interface, unit.
pub(crate) const MAX_NAME: usize = 128;
/// The most bytes of a longer text: a mount point, a device, a note.
pub(crate) const MAX_TEXT: usize = 256;

/// Why a value from a device is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BoundsError {
    /// A text is too long.
    #[error("`{field}` is longer than {limit} bytes: send a shorter text")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// The bound, in bytes.
        limit: usize,
    },
    /// A text could write on a terminal or break a line.
    #[error("`{field}` holds a control character: send printable text")]
    ControlCharacter {
        /// Which field.
        field: &'static str,
    },
    /// A list is too long.
    #[error("`{field}` holds more than {limit} items: send fewer")]
    TooMany {
        /// Which field.
        field: &'static str,
        /// The bound.
        limit: usize,
    },
    /// A number cannot be true.
    #[error("`{field}` is out of range: expected {expected}")]
    OutOfRange {
        /// Which field.
        field: &'static str,
        /// What is wanted.
        expected: &'static str,
    },
}

pub(crate) fn text(field: &'static str, given: &str, limit: usize) -> Result<(), BoundsError> {
    if given.len() > limit {
        return Err(BoundsError::TooLong { field, limit });
    }
    if given.chars().any(char::is_control) {
        return Err(BoundsError::ControlCharacter { field });
    }
    Ok(())
}

pub(crate) fn count(field: &'static str, given: usize, limit: usize) -> Result<(), BoundsError> {
    if given > limit {
        return Err(BoundsError::TooMany { field, limit });
    }
    Ok(())
}

pub(crate) fn holds(field: &'static str, expected: &'static str, it_does: bool) -> Result<(), BoundsError> {
    if it_does { Ok(()) } else { Err(BoundsError::OutOfRange { field, expected }) }
}

/// The device's side of [`text`]: control characters become `?`, and what is beyond `limit` bytes is cut.
pub(crate) fn clean(raw: &str, limit: usize) -> String {
    let mut out = String::with_capacity(raw.len().min(limit));
    for c in raw.trim().chars() {
        let c = if c.is_control() { '?' } else { c };
        if out.len() + c.len_utf8() > limit {
            break;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_cleaned_is_within_bounds(raw in any::<String>(), limit in 0_usize..40) {
            prop_assert_eq!(text("x", &clean(&raw, limit), limit), Ok(()));
        }
    }

    #[test]
    fn an_escape_sequence_is_refused() {
        assert_eq!(
            text("hostname", "a\u{1b}[2J", 100),
            Err(BoundsError::ControlCharacter { field: "hostname" })
        );
        assert_eq!(clean("a\u{1b}[2J\n", 100), "a?[2J");
    }
}
