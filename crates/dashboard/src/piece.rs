//! Small pieces of HTML that many pages show: a time, a state, a button that calls the API.
//!
//! Each is a template of its own, so its texts are escaped once, there.

use std::fmt::Write as _;

use askama::Template;
use echo_core::Timestamp;
use serde::Serialize;

use crate::words;

/// A time: how long ago, with the exact moment behind it.
#[derive(Debug, Template)]
#[template(source = r#"<time datetime="{{ iso }}" title="{{ title }}">{{ text }}</time>"#, ext = "html")]
pub(crate) struct When {
    iso: String,
    title: String,
    text: String,
}

impl When {
    pub(crate) fn new(at: Timestamp, now: Timestamp) -> Self {
        Self { iso: at.to_string(), title: words::absolute(at), text: words::relative(at, now) }
    }
}

/// A state by its word and a shape; colour only repeats what the two say.
#[derive(Debug, Template)]
#[template(source = r#"<span class="chip {{ tone }}">{{ word }}</span>"#, ext = "html")]
pub(crate) struct Chip {
    tone: &'static str,
    word: String,
}

impl Chip {
    pub(crate) fn new(word: String) -> Self {
        Self { tone: tone(&word), word }
    }
}

/// A severity: its word, and as many bars as it weighs.
#[derive(Debug, Template)]
#[template(source = r#"<span class="chip weight {{ word }}">{{ word }}</span>"#, ext = "html")]
pub(crate) struct Weight {
    word: String,
}

/// Where a document is read. Its name may be that of any file (RFC 3986, section 2.1).
pub(crate) fn document_link(name: &str) -> String {
    let mut link = "/documents/".to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            link.push(char::from(byte));
        } else {
            // Writing into a text cannot fail.
            let _ = write!(link, "%{byte:02X}");
        }
    }
    link
}

/// A state as a chip.
pub(crate) fn chip<T: Serialize>(state: &T) -> Chip {
    Chip::new(words::word(state))
}

/// A severity or risk, which has its own shape.
pub(crate) fn weight<T: Serialize>(severity: &T) -> Weight {
    Weight { word: words::word(severity) }
}

/// A score of 0 to 100 as a bar.
pub(crate) fn score(score: u8, label: &'static str) -> Score {
    Score { score, label }
}

/// Which shape and colour a state's word has.
fn tone(word: &str) -> &'static str {
    match word {
        "resolved" | "applied" | "done" | "fixed" | "paid" | "online" | "active" | "reachable" | "fine"
        | "works" | "good" => "good",
        "awaiting approval" | "proposed" | "away" | "rolled back" | "warning" | "not reached" | "note"
        | "retrying" | "paused" | "interrupted" | "missed" | "blocked" => "warn",
        "critical" | "failed" | "failing" | "timed out" | "revoked" | "problem" => "bad",
        "applying" | "approved" | "running" | "open" | "trying" => "busy",
        _ => "quiet",
    }
}

/// A score of 0 to 100 as a bar, drawn with attributes because the policy forbids inline styles.
#[derive(Debug, Template)]
#[template(path = "score.html")]
pub(crate) struct Score {
    score: u8,
    label: &'static str,
}

impl Score {
    fn tone(&self) -> &'static str {
        match self.score {
            80.. => "good",
            50..80 => "warn",
            _ => "bad",
        }
    }
}

/// A button that calls the API: `POST url` with `fields` as JSON.
#[derive(Debug, Template)]
#[template(path = "action.html")]
pub(crate) struct Action {
    /// Where to.
    pub(crate) url: String,
    /// What the button says.
    pub(crate) label: &'static str,
    /// How it looks: `primary`, `plain` or `danger`.
    pub(crate) look: &'static str,
    /// Name and value of each field.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// What to ask first; empty to ask nothing.
    pub(crate) confirm: String,
    /// What it does, in one sentence beside the button; may be empty.
    pub(crate) hint: &'static str,
    /// What to say once it is done.
    pub(crate) done: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_the_same_without_colour() {
        let chip = Chip::new("awaiting approval".to_owned()).render().unwrap();
        assert_eq!(chip, r#"<span class="chip warn">awaiting approval</span>"#);
    }

    #[test]
    fn a_document_of_any_name_has_its_link() {
        assert_eq!(document_link("docs/mesh"), "/documents/docs/mesh");
        assert_eq!(document_link("own/a b?#%ä.md"), "/documents/own/a%20b%3F%23%25%C3%A4.md");
    }

    #[test]
    fn pieces_escape_what_they_show() {
        let chip = Chip::new("<script>".to_owned()).render().unwrap();
        assert!(!chip.contains("<script>"));
    }
}
