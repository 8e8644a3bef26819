//! A pattern with what its match must be besides.

use std::ops::Range;

use regex::Regex;

use crate::Kind;

/// One way to find a kind of secret or personal data.
pub(crate) struct Rule {
    pub(crate) kind: Kind,
    pattern: Regex,
    test: Test,
}

enum Test {
    None,
    Holds(fn(&str) -> bool),
    Extent(fn(&str) -> Option<usize>),
}

impl Rule {
    /// Every match is one. The group `it`, where the pattern has one, is what is taken out.
    pub(crate) fn plain(kind: Kind, pattern: &str) -> Self {
        Self::new(kind, pattern, Test::None)
    }

    /// A match is one when `holds` says so.
    pub(crate) fn checked(kind: Kind, pattern: &str, holds: fn(&str) -> bool) -> Self {
        Self::new(kind, pattern, Test::Holds(holds))
    }

    /// `extent` says how many bytes of the match are one.
    pub(crate) fn measured(kind: Kind, pattern: &str, extent: fn(&str) -> Option<usize>) -> Self {
        Self::new(kind, pattern, Test::Extent(extent))
    }

    fn new(kind: Kind, pattern: &str, test: Test) -> Self {
        Self {
            kind,
            pattern: Regex::new(pattern).expect("a test compiles every pattern of this crate"),
            test,
        }
    }

    /// Where it matches.
    pub(crate) fn find<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
        self.pattern.captures_iter(text).filter_map(|found| {
            let it = found.name("it").or_else(|| found.get(0))?;
            let extent = match self.test {
                Test::None => Some(it.len()),
                Test::Holds(holds) => holds(it.as_str()).then_some(it.len()),
                Test::Extent(extent) => extent(it.as_str()),
            };
            Some(it.start()..it.start() + extent?)
        })
    }
}
