//! Cursor paging: a page starts after an id, and ids sort by time.

use serde::{Deserialize, Serialize};

/// The most items one page holds.
pub const MAX_LIMIT: u32 = 200;
const DEFAULT_LIMIT: u32 = 50;

/// What part of a list is asked for, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct PageRequest {
    /// The `next` of the page before; nothing for the first page.
    pub cursor: Option<String>,
    /// How many items at most, 1 to [`MAX_LIMIT`]; 50 when not said.
    pub limit: Option<u32>,
}

impl PageRequest {
    /// The limit in force.
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
    }

    /// The first page with the largest size.
    pub fn largest() -> Self {
        Self { cursor: None, limit: Some(MAX_LIMIT) }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The cursor of the next page; nothing on the last one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The same page with each item turned into another shape.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_bounded() {
        let limit = |limit| PageRequest { cursor: None, limit }.limit();
        assert_eq!((limit(None), limit(Some(0)), limit(Some(9_999))), (50, 1, MAX_LIMIT));
    }
}
