//! The sections of a Markdown or plain text: which lines stand under which headings.

/// Between the headings of a path.
pub(crate) const BETWEEN: &str = " > ";
/// The most bytes of a heading that count.
const MAX_HEADING_BYTES: usize = 200;

/// Lines under one heading, cut into paragraphs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Section<'a> {
    /// The headings above, the outermost first, with ` > ` between them.
    pub(crate) heading: String,
    /// Its paragraphs, each a list of lines; a fenced block is one paragraph.
    pub(crate) paragraphs: Vec<Vec<&'a str>>,
}

/// Cuts a text at its headings (the ATX and setext headings of `CommonMark`, sections 4.2 and 4.3, outside of fenced code).
pub(crate) fn sections(text: &str) -> Vec<Section<'_>> {
    let mut reader = Reader::default();
    for line in text.lines() {
        reader.line(line);
    }
    reader.end_section();
    reader.done
}

#[derive(Default)]
struct Reader<'a> {
    done: Vec<Section<'a>>,
    path: Vec<(usize, String)>,
    paragraphs: Vec<Vec<&'a str>>,
    paragraph: Vec<&'a str>,
    fence: Option<&'a str>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a str) {
        let trimmed = line.trim();
        if let Some(fence) = self.fence {
            self.paragraph.push(line);
            if trimmed.starts_with(fence) && trimmed.trim_matches(['`', '~']).is_empty() {
                self.fence = None;
            }
            return;
        }
        if let Some(fence) = ["```", "~~~"].into_iter().find(|fence| trimmed.starts_with(fence)) {
            self.fence = Some(fence);
            self.paragraph.push(line);
        } else if let Some((level, heading)) = atx(line) {
            self.begin_section(level, heading);
        } else if let Some(level) = self.setext(trimmed) {
            let heading = self.paragraph.pop().unwrap_or_default();
            self.begin_section(level, heading.trim());
        } else if trimmed.is_empty() {
            self.end_paragraph();
        } else {
            self.paragraph.push(line);
        }
    }

    /// The level of the heading that a line of `=` or `-` makes of the one line before it.
    fn setext(&self, trimmed: &str) -> Option<usize> {
        let [before] = self.paragraph[..] else { return None };
        if before.contains('|') || before.trim_start().starts_with(['-', '>', '*']) || trimmed.len() < 3 {
            return None;
        }
        match trimmed.as_bytes()[0] {
            b'=' if trimmed.bytes().all(|b| b == b'=') => Some(1),
            b'-' if trimmed.bytes().all(|b| b == b'-') => Some(2),
            _ => None,
        }
    }

    fn begin_section(&mut self, level: usize, heading: &str) {
        self.end_section();
        self.path.retain(|(above, _)| *above < level);
        let heading = &heading[..heading.floor_char_boundary(MAX_HEADING_BYTES)];
        self.path.push((level, heading.to_owned()));
    }

    fn end_paragraph(&mut self) {
        if !self.paragraph.is_empty() {
            self.paragraphs.push(std::mem::take(&mut self.paragraph));
        }
    }

    fn end_section(&mut self) {
        self.end_paragraph();
        if !self.paragraphs.is_empty() {
            let heading =
                self.path.iter().map(|(_, heading)| heading.as_str()).collect::<Vec<_>>().join(BETWEEN);
            self.done.push(Section { heading, paragraphs: std::mem::take(&mut self.paragraphs) });
        }
    }
}

/// A line such as `## Heading ##`, with its level.
fn atx(line: &str) -> Option<(usize, &str)> {
    let line =
        line.strip_prefix("   ").or(line.strip_prefix("  ")).or(line.strip_prefix(' ')).unwrap_or(line);
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    if !(1..=6).contains(&level) || !rest.starts_with([' ', '\t']) {
        return None;
    }
    Some((level, rest.trim().trim_end_matches('#').trim_end()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outline(text: &str) -> Vec<(String, usize)> {
        sections(text).into_iter().map(|section| (section.heading, section.paragraphs.len())).collect()
    }

    #[test]
    fn a_section_knows_the_headings_above_it() {
        let text = "intro\n# A\none\n\ntwo\n## B ##\nthree\n### C\nfour\n## D\nfive\n# E\n## F\nsix";
        let expected = [("", 1), ("A", 2), ("A > B", 1), ("A > B > C", 1), ("A > D", 1), ("E > F", 1)];
        assert_eq!(outline(text), expected.map(|(heading, count)| (heading.to_owned(), count)));
    }

    #[test]
    fn a_hash_in_code_is_no_heading() {
        let text = "# A\n```sh\n# a comment\n\nls\n```\n#hashtag\n####### seven";
        assert_eq!(outline(text), [("A".to_owned(), 1)]);
    }

    #[test]
    fn underlined_headings_count() {
        let text = "Title\n=====\none\n\nPart\n----\ntwo\n\n| a |\n| --- |\n- item\n---\nend";
        assert_eq!(outline(text), [("Title".to_owned(), 1), ("Title > Part".to_owned(), 2)]);
    }

    #[test]
    fn a_fence_that_never_ends_takes_the_rest() {
        assert_eq!(outline("# A\n~~~\n# B\n\n# C"), [("A".to_owned(), 1)]);
    }

    proptest! {
        #[test]
        fn no_line_of_any_text_is_lost(text in "([ -~\n#`=]|漢|é|\r\n){0,300}") {
            let kept: usize = sections(&text).iter().flat_map(|s| &s.paragraphs).map(Vec::len).sum();
            prop_assert!(kept <= text.lines().count());
            if !text.contains(['#', '=', '-', '`', '~']) {
                prop_assert_eq!(kept, text.lines().filter(|line| !line.trim().is_empty()).count());
            }
        }
    }
}
