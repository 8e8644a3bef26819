//! HTML as Markdown: headings, lists, lines. What is not shown to a reader is left out.
//!
//! The page is read as a stream of tokens, so that no tree is built: nesting of any depth takes no stack and no memory.

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

use crate::{Limits, Part, Reading, markdown::plain_line, text};

/// Elements whose content no reader sees or needs.
const SKIPPED: [&str; 13] = [
    "script", "style", "template", "noscript", "svg", "math", "iframe", "object", "canvas", "nav", "select",
    "textarea", "button",
];
/// Elements without content or end tag (HTML, 13.1.2).
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];
/// The most bytes of a title.
const MAX_TITLE: usize = 300;

/// A page as text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Its `title`.
    pub(crate) title: Option<String>,
    /// Its text, as Markdown.
    pub(crate) text: String,
    /// Whether more text would have followed.
    pub(crate) cut: bool,
}

/// A page as one part.
pub(crate) fn document(bytes: &[u8], limits: &Limits) -> Reading {
    let page = page(bytes, 0, limits.text);
    let notes = if page.cut {
        vec![format!("only the first {} bytes of its text were taken", limits.text)]
    } else {
        Vec::new()
    };
    let part = Part { heading: String::new(), text: page.text };
    let parts = if part.text.is_empty() { Vec::new() } else { vec![part] };
    Reading { title: page.title, parts, held: 1, notes, ..Reading::default() }
}

/// Reads a page; its headings go down by `deeper` levels, and at most `most` bytes of text are taken.
pub(crate) fn page(bytes: &[u8], deeper: usize, most: usize) -> Page {
    let source = text::decode(bytes, text::named_encoding(bytes));
    let mut emitter: DefaultEmitter = DefaultEmitter::default();
    // Else what stands in a script would be read as a page.
    emitter.naively_switch_states(true);
    let mut writer = Writer { deeper, most, ..Writer::default() };
    for token in Tokenizer::new_with_emitter(source.as_str(), emitter).flatten() {
        match token {
            Token::StartTag(tag) => writer.start(&tag),
            Token::EndTag(tag) => writer.end(&String::from_utf8_lossy(&tag.name)),
            Token::String(words) => writer.words(&String::from_utf8_lossy(&words)),
            _ => {}
        }
        if writer.full() {
            break;
        }
    }
    writer.finish()
}

#[derive(Default)]
struct Writer {
    deeper: usize,
    most: usize,
    out: String,
    /// The line that is being written.
    line: String,
    /// What stands before it: `## `, `- `.
    mark: String,
    /// Whether an empty line belongs before it.
    apart: bool,
    /// Which element is left out, and how many of the same name are open.
    skipped: Option<(String, usize)>,
    title: Option<String>,
    in_title: bool,
    pre: usize,
}

impl Writer {
    fn full(&self) -> bool {
        self.out.len() + self.line.len() > self.most
    }

    fn start(&mut self, tag: &StartTag<()>) {
        let name = String::from_utf8_lossy(&tag.name);
        let void = tag.self_closing || VOID.contains(&&*name);
        if let Some((skipped, depth)) = &mut self.skipped {
            *depth += usize::from(*skipped == *name && !void);
            return;
        }
        if !void && (SKIPPED.contains(&&*name) || hidden(tag)) {
            self.end_line();
            self.skipped = Some((name.into_owned(), 1));
            return;
        }
        if &*name == "title" && self.title.is_none() {
            (self.title, self.in_title) = (Some(String::new()), true);
        }
        self.element(&name, true);
    }

    fn end(&mut self, name: &str) {
        if let Some((skipped, depth)) = &mut self.skipped {
            if skipped == name {
                *depth -= 1;
                if *depth == 0 {
                    self.skipped = None;
                }
            }
            return;
        }
        self.in_title = false;
        self.element(name, false);
    }

    /// What an element's beginning or end does to the line.
    fn element(&mut self, name: &str, start: bool) {
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.end_block();
                if start {
                    let level = usize::from(name.as_bytes()[1] - b'0') + self.deeper;
                    self.mark = format!("{} ", "#".repeat(level.min(6)));
                }
            }
            "pre" => {
                self.end_block();
                self.pre = if start { self.pre + 1 } else { self.pre.saturating_sub(1) };
            }
            "p" | "ul" | "ol" | "dl" | "table" | "blockquote" | "section" | "article" | "header"
            | "footer" | "main" | "aside" | "figure" | "details" | "fieldset" | "hr" => self.end_block(),
            "li" => {
                self.end_line();
                if start {
                    "- ".clone_into(&mut self.mark);
                }
            }
            "td" | "th" if start && !self.line.trim().is_empty() => self.line.push_str(" | "),
            "br" | "div" | "tr" | "dt" | "dd" | "summary" | "caption" | "figcaption" | "address" | "form"
            | "option" | "body" | "head" | "title" => self.end_line(),
            _ => {}
        }
    }

    fn words(&mut self, words: &str) {
        if self.skipped.is_some() {
            return;
        }
        if self.in_title {
            if let Some(title) = self.title.as_mut().filter(|title| title.len() < MAX_TITLE) {
                title.push_str(words);
            }
            return;
        }
        for c in words.chars() {
            match c {
                '\n' if self.pre > 0 => self.end_line(),
                c if c.is_whitespace() && self.pre == 0 => {
                    if !self.line.ends_with(' ') && !self.line.is_empty() {
                        self.line.push(' ');
                    }
                }
                // Marks that change the direction of what follows, and signs that nobody sees, hide text.
                c if c.is_control() && c != '\t' => {}
                c => self.line.push(c),
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = line.trim_end();
        if line.trim().is_empty() {
            return;
        }
        if self.apart && !self.out.is_empty() {
            self.out.push('\n');
        }
        self.apart = false;
        let mark = std::mem::take(&mut self.mark);
        if mark.is_empty() {
            self.out.push_str(&plain_line(line));
        } else {
            self.out.push_str(&mark);
            self.out.push_str(line.trim_start());
        }
        self.out.push('\n');
        // A heading ends its block.
        self.apart = mark.starts_with('#');
    }

    fn end_block(&mut self) {
        self.end_line();
        self.mark.clear();
        self.apart = true;
    }

    fn finish(mut self) -> Page {
        let cut = self.full();
        self.end_line();
        self.out.truncate(self.out.floor_char_boundary(self.most));
        let mut title = self.title.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        title.truncate(title.floor_char_boundary(MAX_TITLE));
        Page { title: Some(title).filter(|title| !title.is_empty()), text: self.out, cut }
    }
}

/// Whether an element says of itself that it is not shown.
fn hidden(tag: &StartTag<()>) -> bool {
    let value = |name: &[u8]| {
        let found = tag.attributes.iter().find(|(key, _)| key.0 == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).to_lowercase().replace(' ', ""))
    };
    value(b"hidden").is_some()
        || value(b"style")
            .is_some_and(|style| style.contains("display:none") || style.contains("visibility:hidden"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(html: &str) -> String {
        page(html.as_bytes(), 0, 1 << 20).text
    }

    #[test]
    fn a_page_becomes_headings_lists_and_lines() {
        let html = "<!doctype html><title>The &amp; Title</title><body><h1>One</h1><p>Some <b>bold</b>\n  words.<p>More\
            <ul><li>first<li>second</ul><table><tr><th>a<th>b<tr><td>1<td>2</table><pre>  x = 1\n# no heading\n</pre>";
        let page = page(html.as_bytes(), 1, 1 << 20);
        assert_eq!(page.title.as_deref(), Some("The & Title"));
        assert_eq!(
            page.text,
            "## One\n\nSome bold words.\n\nMore\n\n- first\n- second\n\na | b\n1 | 2\n\n  x = 1\n\\# no heading\n"
        );
    }

    #[test]
    fn what_no_reader_sees_is_left_out() {
        let html = "a<script>if (1 < 2) document.write('<p>b')</script><style>p{}</style><!-- c -->\
            <div hidden>d<div>e</div>f</div><p style='Display: NONE'>g</p><svg><text>h</text></svg>i<nav>j</nav>";
        assert_eq!(text(html).split_whitespace().collect::<String>(), "ai");
    }

    #[test]
    fn depth_costs_nothing() {
        let html = format!("{}deep{}", "<div><b>".repeat(1_000_000), "</b></div>".repeat(1_000_000));
        assert_eq!(text(&html), "deep\n");
        assert_eq!(text(&"<".repeat(500_000)), format!("{}\n", "<".repeat(500_000)));
    }

    #[test]
    fn a_long_page_is_cut() {
        let page = page("<p>word ".repeat(1000).as_bytes(), 0, 100);
        assert!(page.cut && page.text.len() <= 100 && page.text.starts_with("word"), "{}", page.text.len());
    }

    proptest! {
        #[test]
        fn no_page_makes_a_panic_or_more_than_is_asked_for(
            html in "(<|>|/|!|-|&|;|#|p|h1|li|pre|script|title| |\n|\"|=|é|x){0,200}", most in 0_usize..200,
        ) {
            let page = page(html.as_bytes(), 2, most);
            prop_assert!(page.text.len() <= most);
        }
    }
}
