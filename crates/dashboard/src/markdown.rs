//! Markdown as HTML: headings, paragraphs, lists, tables, quotes, code, emphasis, and links that may be followed.
//!
//! Nothing of a document's own HTML becomes HTML: it is shown as the text that it is. A link leads to a page of this
//! platform or to an address of a known scheme; any other one is its words alone. Pictures are their descriptions.

use std::collections::BTreeSet;

use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// The most headings that a table of contents has.
const MAX_CONTENTS: usize = 300;

/// A document as a page shows it.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    /// Its text as HTML, without the title.
    pub(crate) html: String,
    /// Its headings of the second level.
    pub(crate) contents: Vec<Heading>,
}

/// A heading, and where it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heading {
    pub(crate) id: String,
    pub(crate) words: String,
}

/// Renders a document. `place` says where a relative link leads, if it leads anywhere.
pub(crate) fn render(text: &str, place: &dyn Fn(&str) -> Option<String>) -> Rendered {
    let mut writer = Writer {
        out: Rendered::default(),
        place,
        ids: BTreeSet::new(),
        heading: None,
        level: 1,
        open: Vec::new(),
        pictures: 0,
        head: None,
        blocks: 0,
        titled: false,
    };
    for event in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        writer.event(event);
    }
    writer.out
}

struct Writer<'a> {
    out: Rendered,
    place: &'a dyn Fn(&str) -> Option<String>,
    ids: BTreeSet<String>,
    /// A heading that is being read: its level, and its words.
    heading: Option<(u8, String)>,
    /// The level of the heading before.
    level: u8,
    /// How each link that is open ends.
    open: Vec<&'static str>,
    /// How many pictures are open: their descriptions are text.
    pictures: usize,
    /// Within a table's head: where the cell began.
    head: Option<usize>,
    /// How many blocks of code and tables there were, so that each has its own name.
    blocks: usize,
    /// Whether the document's own title was met; the page has it already.
    titled: bool,
}

impl Writer<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(&text),
            Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.raw("<code>");
                self.text(&text);
                self.raw("</code>");
            }
            Event::SoftBreak => self.text("\n"),
            Event::HardBreak => self.raw("<br>"),
            Event::Rule => self.raw("<hr>\n"),
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => self.heading = Some((number(level), String::new())),
            Tag::Paragraph => self.raw("<p>"),
            Tag::BlockQuote(_) => self.raw("<blockquote>\n"),
            Tag::CodeBlock(_) => {
                self.blocks += 1;
                let name = format!(
                    "<pre tabindex=\"0\" role=\"region\" aria-label=\"Example {}\"><code>",
                    self.blocks
                );
                self.raw(&name);
            }
            Tag::List(None) => self.raw("<ul>\n"),
            Tag::List(Some(1)) => self.raw("<ol>\n"),
            Tag::List(Some(first)) => self.raw(&format!("<ol start=\"{first}\">\n")),
            Tag::Item => self.raw("<li>"),
            Tag::Table(_) => {
                self.blocks += 1;
                let name = format!(
                    "<div class=\"sideways\" tabindex=\"0\" role=\"region\" aria-label=\"Table {}\">",
                    self.blocks
                );
                self.raw(&name);
                self.raw("<table>\n");
            }
            Tag::TableHead => {
                self.raw("<thead><tr>");
                self.head = Some(self.out.html.len());
            }
            Tag::TableRow => self.raw("<tr>"),
            Tag::TableCell => match &mut self.head {
                Some(at) => *at = self.out.html.len(),
                None => self.raw("<td>"),
            },
            Tag::Emphasis => self.raw("<em>"),
            Tag::Strong => self.raw("<strong>"),
            Tag::Strikethrough => self.raw("<s>"),
            Tag::Link { dest_url, .. } => self.link(&dest_url),
            Tag::Image { .. } => self.pictures += 1,
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => self.end_heading(),
            TagEnd::Paragraph => self.raw("</p>\n"),
            TagEnd::BlockQuote(_) => self.raw("</blockquote>\n"),
            TagEnd::CodeBlock => self.raw("</code></pre>\n"),
            TagEnd::List(false) => self.raw("</ul>\n"),
            TagEnd::List(true) => self.raw("</ol>\n"),
            TagEnd::Item => self.raw("</li>\n"),
            TagEnd::Table => self.raw("</tbody></table></div>\n"),
            TagEnd::TableHead => {
                self.head = None;
                self.raw("</tr></thead><tbody>\n");
            }
            TagEnd::TableRow => self.raw("</tr>\n"),
            TagEnd::TableCell => match self.head {
                // A heading without words is none.
                Some(at) if self.out.html.len() == at => self.raw("<td></td>"),
                Some(at) => {
                    self.out.html.insert_str(at, "<th scope=\"col\">");
                    self.raw("</th>");
                }
                None => self.raw("</td>"),
            },
            TagEnd::Emphasis => self.raw("</em>"),
            TagEnd::Strong => self.raw("</strong>"),
            TagEnd::Strikethrough => self.raw("</s>"),
            TagEnd::Link => {
                if let Some(end) = self.open.pop() {
                    self.raw(end);
                }
            }
            TagEnd::Image => self.pictures = self.pictures.saturating_sub(1),
            _ => {}
        }
    }

    fn link(&mut self, to: &CowStr<'_>) {
        let known = ["https://", "http://", "mailto:"].iter().any(|scheme| to.starts_with(scheme));
        let href = if known || to.starts_with('#') { Some(to.to_string()) } else { (self.place)(to) };
        // A link within a heading would be within a link of the contents; its words are enough.
        match href.filter(|_| self.heading.is_none() && self.pictures == 0) {
            Some(href) => {
                let outside = if known { " rel=\"noreferrer\"" } else { "" };
                let tag = format!("<a href=\"{}\"{outside}>", escaped(&href));
                self.raw(&tag);
                self.open.push("</a>");
            }
            None => self.open.push(""),
        }
    }

    fn end_heading(&mut self) {
        let Some((level, words)) = self.heading.take() else { return };
        if level == 1 && !self.titled {
            self.titled = true;
            return;
        }
        // No level is left out, for who goes from heading to heading.
        let level = level.clamp(2, self.level + 1);
        self.level = level;
        let id = self.id(&words);
        let html = format!("<h{level} id=\"{}\">{}</h{level}>\n", escaped(&id), escaped(&words));
        self.raw(&html);
        if level == 2 && self.out.contents.len() < MAX_CONTENTS {
            self.out.contents.push(Heading { id, words });
        }
    }

    /// What a heading is called in links: as on the sites where people write Markdown.
    fn id(&mut self, words: &str) -> String {
        let id: String = words
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            })
            .collect();
        let id = if id.is_empty() { "section".to_owned() } else { id };
        let mut own = id.clone();
        let mut number = 1;
        while !self.ids.insert(own.clone()) {
            own = format!("{id}-{number}");
            number += 1;
        }
        own
    }

    fn text(&mut self, text: &str) {
        match &mut self.heading {
            Some((_, words)) => words.push_str(text),
            None => self.out.html.push_str(&escaped(text)),
        }
    }

    /// What is HTML of our own. A heading has none within it.
    fn raw(&mut self, html: &str) {
        if self.heading.is_none() {
            self.out.html.push_str(html);
        }
    }
}

fn number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// A text in which nothing is HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        render(text, &|to| to.strip_suffix(".md").map(|name| format!("/documents/{name}"))).html
    }

    #[test]
    fn a_document_becomes_a_page_with_anchors_and_contents() {
        let text = "# Title\n\nWords *so* **so** `a < b`.\n\n## One & two\n\n- a\n- b\n\n#### Deep\n\n## One & two\n";
        let page = render(text, &|_| None);
        assert_eq!(
            page.html,
            "<p>Words <em>so</em> <strong>so</strong> <code>a &lt; b</code>.</p>\n\
             <h2 id=\"one--two\">One &amp; two</h2>\n<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<h3 id=\"deep\">Deep</h3>\n\
             <h2 id=\"one--two-1\">One &amp; two</h2>\n"
        );
        let ids: Vec<&str> = page.contents.iter().map(|heading| heading.id.as_str()).collect();
        assert_eq!(ids, ["one--two", "one--two-1"]);
    }

    #[test]
    fn nothing_of_a_document_becomes_html_of_its_own() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "[x](javascript:alert(1))",
            "[x](data:text/html,<script>)",
            "[x]( jAvascript:alert(1) )",
            "![x\"onload=alert(1)](x.png)",
            "## <b onclick=x>",
            "| <i> |\n| --- |\n| <u onclick=x> |",
            "`<s>`",
            "```<q>\n<script>\n```",
            "<a href='x'>y</a>",
            "[\"><script>](https://example.org/\"><script>)",
        ] {
            let html = html(text);
            for banned in
                ["<script", "<img", "<b ", "<i>", "<u ", "<q>", "href=\"javascript", "href=\"data", "href='"]
            {
                assert!(!html.contains(banned), "{text}: {html}");
            }
        }
    }

    #[test]
    fn links_lead_to_pages_here_or_to_known_schemes() {
        assert_eq!(html("[a](b.md)"), "<p><a href=\"/documents/b\">a</a></p>\n");
        assert_eq!(html("[a](#b)"), "<p><a href=\"#b\">a</a></p>\n");
        assert_eq!(
            html("[a](https://b.example)"),
            "<p><a href=\"https://b.example\" rel=\"noreferrer\">a</a></p>\n"
        );
        assert_eq!(html("[a](ftp://b.example) ![c](d.md)"), "<p>a c</p>\n");
    }

    #[test]
    fn a_table_has_a_head_and_no_empty_headings() {
        assert_eq!(
            html("| a | |\n| --- | --- |\n| 1 | 2 |"),
            "<div class=\"sideways\" tabindex=\"0\" role=\"region\" aria-label=\"Table 1\"><table>\n<thead><tr>\
             <th scope=\"col\">a</th><td></td></tr></thead><tbody>\n<tr><td>1</td><td>2</td></tr>\n</tbody></table></div>\n"
        );
    }

    #[test]
    fn depth_costs_no_stack() {
        assert!(html(&"> ".repeat(20_000)).len() < 2_000_000);
        assert!(html(&"*a ".repeat(50_000)).contains('a'));
    }
}
