//! When a value that is already there may stay: a fix must never weaken what is stricter.

use serde::{Deserialize, Serialize};

/// Which present values a step leaves alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Accept {
    /// Only the step's own value.
    #[default]
    Exact,
    /// Any of these words, whatever their case.
    OneOf(Vec<String>),
    /// A whole number in a range, both ends included.
    Range(Range),
    /// An octal mask with at least these bits (`umask` 027 accepts 077).
    Mask(String),
}

/// A range of whole numbers; an end that is not given is open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The smallest accepted number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The largest accepted number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
}

impl Accept {
    /// Whether `found` may stay where `wanted` is the step's value.
    pub fn allows(&self, found: &str, wanted: &str) -> bool {
        let bare = unquoted(found);
        if found == wanted || bare == wanted {
            return true;
        }
        match self {
            Self::Exact => false,
            Self::OneOf(words) => words.iter().any(|w| w.eq_ignore_ascii_case(bare)),
            Self::Range(range) => bare
                .parse::<i64>()
                .is_ok_and(|n| range.min.is_none_or(|min| n >= min) && range.max.is_none_or(|max| n <= max)),
            Self::Mask(bits) => octal(bits).is_some_and(|want| octal(bare).is_some_and(|n| n & want == want)),
        }
    }

    /// Why this rule makes no sense, if it does not.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        match self {
            Self::OneOf(words) if words.is_empty() => Some("`one_of` is empty"),
            Self::Range(Range { min: Some(min), max: Some(max) }) if min > max => {
                Some("`range` has its ends the wrong way round")
            }
            Self::Range(Range { min: None, max: None }) => Some("`range` has no end"),
            Self::Mask(bits) if octal(bits).is_none() => Some("`mask` is not octal"),
            _ => None,
        }
    }
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value)
}

fn octal(text: &str) -> Option<u32> {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    u32::from_str_radix(text, 8).ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stricter_number_may_stay() {
        let rule = Accept::Range(Range { min: Some(1), max: Some(4) });
        assert!(rule.allows("3", "4") && rule.allows("\"2\"", "4"));
        assert!(!rule.allows("0", "4") && !rule.allows("6", "4") && !rule.allows("2m", "4"));
    }

    #[test]
    fn a_stricter_mask_may_stay() {
        let rule = Accept::Mask("027".to_owned());
        assert!(rule.allows("077", "027") && rule.allows("0027", "027"));
        assert!(!rule.allows("022", "027") && !rule.allows("", "027") && !rule.allows("+27", "027"));
    }

    #[test]
    fn words_match_whatever_their_case() {
        let rule = Accept::OneOf(vec!["YESCRYPT".to_owned()]);
        assert!(rule.allows("yescrypt", "SHA512") && rule.allows("SHA512", "SHA512"));
        assert!(!rule.allows("MD5", "SHA512"));
    }
}
