//! The recovery sheet: paper that opens a repository when the home and its key are gone. One page a share, so that each goes
//! to another person; enough of them give the key back, fewer say nothing.

use std::fmt::Write as _;

use echo_core::Timestamp;
use vault::Share;
use zeroize::Zeroizing;

use crate::{BackupError, qr::Qr};

/// What stands on the paper.
#[derive(Debug)]
pub struct Sheet {
    /// The repository's id.
    pub repository: String,
    /// Where it was when this was printed.
    pub place: String,
    /// Whose home: the fingerprint of its trust root, when it has one yet.
    pub root: Option<String>,
    /// When it was printed.
    pub at: Timestamp,
    /// The shares of the key.
    pub shares: Vec<Share>,
}

/// What somebody does who holds enough of the pages.
const STEPS: [&str; 4] = [
    "Bring enough pages together, and the disk with the repository.",
    "On a machine with Echo, write the long words below into a file, one a line (or scan the codes).",
    "echo_cli backup restore --place DISK/FOLDER --shares FILE --to NEW/HOME",
    "Without Echo: echo_cli backup key --shares FILE gives the password for `restic -r DISK/FOLDER restore latest`.",
];

const STYLE: &str = "body{font:12pt/1.5 serif;color:#000;background:#fff;max-width:17cm;margin:1cm auto}\
    section{break-after:page;margin-bottom:2cm}section:last-child{break-after:auto}h1{font-size:18pt}\
    code{font:11pt/1.6 monospace;overflow-wrap:anywhere}svg{width:7cm;height:7cm;display:block}\
    dt{font-weight:bold}dd{margin:0 0 .4em;overflow-wrap:anywhere}";

impl Sheet {
    /// A page for a browser, to be printed: nothing in it comes from elsewhere. Secret.
    pub fn html(&self) -> Result<Zeroizing<String>, BackupError> {
        let mut page = Zeroizing::new(String::with_capacity(256 * 1024));
        page.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
        page.push_str("<title>Recovery sheet</title><style>");
        page.push_str(STYLE);
        page.push_str("</style></head><body>\n");
        for share in &self.shares {
            self.section(share, &mut page)?;
        }
        page.push_str("</body></html>\n");
        Ok(page)
    }

    fn section(&self, share: &Share, page: &mut String) -> Result<(), BackupError> {
        let text = share.text();
        page.push_str("<section><h1>Echo: recovery sheet</h1>\n<p><strong>");
        page.push_str(&escaped(&share.name()));
        page.push_str("</strong></p>\n");
        page.push_str(&Qr::new(&spoken(&text))?.svg());
        page.push_str("\n<p><code>");
        page.push_str(&text);
        page.push_str("</code></p>\n<dl>");
        for (word, said) in self.facts() {
            // Writing to a String does not fail.
            let _ = write!(page, "<dt>{word}</dt><dd>{}</dd>", escaped(&said));
        }
        page.push_str("</dl>\n<ol>");
        for step in STEPS {
            let _ = write!(page, "<li>{}</li>", escaped(step));
        }
        page.push_str("</ol></section>\n");
        Ok(())
    }

    /// The same as plain text, with the codes as blocks. Secret.
    pub fn text(&self) -> Result<Zeroizing<String>, BackupError> {
        let mut out = Zeroizing::new(String::with_capacity(64 * 1024));
        for share in &self.shares {
            let text = share.text();
            let _ = writeln!(out, "Echo: recovery sheet\n{}\n\n{}\n", share.name(), &*text);
            out.push_str(&Qr::new(&spoken(&text))?.text());
            out.push_str("\n\n");
            for (word, said) in self.facts() {
                let _ = writeln!(out, "{word}: {said}");
            }
            for (i, step) in STEPS.iter().enumerate() {
                let _ = writeln!(out, "{}. {step}", i + 1);
            }
            out.push('\u{c}');
        }
        Ok(out)
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let root = self.root.clone().unwrap_or_else(|| "not founded yet".to_owned());
        vec![
            ("Repository", self.repository.clone()),
            ("Where it was", self.place.clone()),
            ("Trust root of the home", root),
            ("Printed", self.at.to_string()),
        ]
    }
}

/// A share for a code: capitals without spaces take the least room (ISO/IEC 18004, alphanumeric mode).
fn spoken(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect())
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use echo_core::Mint;

    use super::*;
    use crate::RepoKey;

    fn sheet(key: &RepoKey) -> Sheet {
        Sheet {
            repository: "ab".repeat(32),
            place: "/media/<stick>".to_owned(),
            root: None,
            at: "2026-11-01T10:00:00Z".parse().unwrap(),
            shares: key.split(2, 3, &Mint::system()).unwrap(),
        }
    }

    #[test]
    fn what_is_typed_from_two_pages_gives_the_key_back() {
        let key = RepoKey::generate(&Mint::system());
        let page = sheet(&key).html().unwrap();
        let typed: Vec<Share> = page
            .split("<code>")
            .skip(2)
            .map(|rest| rest.split("</code>").next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(typed.len(), 2);
        assert_eq!(RepoKey::join(&typed).unwrap(), key);
        assert!(page.contains("/media/&lt;stick&gt;") && !page.contains(key.password().as_str()));
    }

    #[test]
    fn nothing_on_the_page_is_fetched_from_elsewhere() {
        let page = sheet(&RepoKey::generate(&Mint::system())).html().unwrap();
        assert!(!page.contains("src=") && !page.contains("href=") && !page.contains("url("));
    }

    #[test]
    fn the_text_has_a_page_a_share() {
        let text = sheet(&RepoKey::generate(&Mint::system())).text().unwrap();
        assert_eq!(text.matches('\u{c}').count(), 3);
        assert!(text.contains("share 1 of 3") && text.contains("█"));
    }
}
