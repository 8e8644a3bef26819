//! The closed set of labels: an answer is always one of it.

use std::collections::BTreeSet;

use crate::ModelError;

/// The most labels of a set.
pub const MAX_LABELS: usize = 64;
/// The most bytes of a label.
pub const MAX_LABEL_BYTES: usize = 100;

/// Names of labels, in the order in which they were given; each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSet(Vec<String>);

impl LabelSet {
    /// A set of two to [`MAX_LABELS`] different names of 1 to [`MAX_LABEL_BYTES`] bytes, without control characters
    /// and without blanks at either end.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Result<Self, ModelError> {
        let names: Vec<String> = names.into_iter().take(MAX_LABELS + 1).map(Into::into).collect();
        if !(2..=MAX_LABELS).contains(&names.len()) {
            return Err(ModelError::Labels(format!("it needs 2 to {MAX_LABELS} labels")));
        }
        let mut seen = BTreeSet::new();
        for name in &names {
            let fits = !name.is_empty() && name.len() <= MAX_LABEL_BYTES;
            if !fits || name.trim() != name || name.chars().any(char::is_control) {
                return Err(ModelError::Labels(format!(
                    "{name:?} is no label: give 1 to {MAX_LABEL_BYTES} bytes, no control characters, no blanks at the ends"
                )));
            }
            if !seen.insert(name) {
                return Err(ModelError::Labels(format!("{name:?} is in it twice")));
            }
        }
        Ok(Self(names))
    }

    /// How many there are: two at least.
    #[expect(clippy::len_without_is_empty, reason = "a set is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The name of a label's number.
    pub fn name(&self, label: usize) -> Option<&str> {
        self.0.get(label).map(String::as_str)
    }

    /// The number of a name.
    pub fn number(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|own| own == name)
    }

    /// The names, in order.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_number_find_one_another() {
        let set = LabelSet::new(["Hardware", "Access"]).unwrap();
        assert_eq!((set.number("Access"), set.name(1), set.len()), (Some(1), Some("Access"), 2));
        assert_eq!((set.number("access"), set.name(2)), (None, None));
    }

    #[test]
    fn sets_that_are_no_sets_are_refused() {
        let long = "x".repeat(MAX_LABEL_BYTES + 1);
        for bad in [
            vec![],
            vec!["one"],
            vec!["a", "a"],
            vec!["a", ""],
            vec!["a", " b"],
            vec!["a", "b\n"],
            vec!["a", &long],
        ] {
            assert!(matches!(LabelSet::new(bad.clone()), Err(ModelError::Labels(_))), "{bad:?}");
        }
        assert!(LabelSet::new((0..=MAX_LABELS).map(|i| i.to_string())).is_err());
        assert!(LabelSet::new((0..MAX_LABELS).map(|i| i.to_string())).is_ok());
    }
}
