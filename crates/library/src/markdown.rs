//! What was read, as Markdown files that the memory keeps: one heading a page or article.

use crate::Part;

/// The most bytes of one Markdown file; what is longer becomes several.
pub const MAX_PART: usize = 4 * 1024 * 1024;
/// The most bytes of a title or a heading.
const MAX_LINE: usize = 300;

/// The files of a document: each begins with its title, and each page or article with its heading.
pub fn documents(title: &str, parts: &[Part], most: usize) -> Vec<String> {
    let title = one_line(title);
    let head = format!("# {title}\n");
    let mut files: Vec<String> = Vec::new();
    let mut file = head.clone();
    for part in parts {
        let heading = match one_line(&part.heading) {
            heading if heading.is_empty() => "\n".to_owned(),
            heading => format!("\n## {heading}\n\n"),
        };
        // A text with its own title needs no second one.
        let mut text = part.text.trim();
        if part.heading.is_empty()
            && let Some(rest) = text.strip_prefix(head.trim_end())
            && rest.starts_with('\n')
        {
            text = rest.trim_start();
        }
        while !text.is_empty() {
            let room = most.saturating_sub(file.len() + heading.len() + 1);
            if text.len() > room && file.len() > head.len() {
                files.push(std::mem::replace(&mut file, head.clone()));
                continue;
            }
            let (now, later) = text.split_at(fitting(text, room));
            file.push_str(&heading);
            file.push_str(now.trim_end());
            file.push('\n');
            text = later.trim_start();
        }
    }
    if file.len() > head.len() {
        files.push(file);
    }
    files
}

/// How many bytes of a text fit: up to the end of a line, where there is one.
fn fitting(text: &str, room: usize) -> usize {
    if text.len() <= room {
        return text.len();
    }
    let most = text.floor_char_boundary(room);
    match text[..most].rfind('\n') {
        Some(at) if at > 0 => at,
        // However little room there is, something goes.
        _ if most > 0 => most,
        _ => text.chars().next().map_or(0, char::len_utf8),
    }
}

/// A text on one line, of at most [`MAX_LINE`] bytes.
fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.truncate(line.floor_char_boundary(MAX_LINE));
    line
}

/// A line of a text that is not Markdown, so that it makes no heading and opens no fence.
#[cfg(feature = "reading")]
pub(crate) fn plain_line(line: &str) -> std::borrow::Cow<'_, str> {
    let start = line.trim_start();
    let rule = start.trim_end();
    let underlines = rule.len() > 2 && (rule.bytes().all(|b| b == b'=') || rule.bytes().all(|b| b == b'-'));
    if start.starts_with('#') || start.starts_with("```") || start.starts_with("~~~") || underlines {
        format!("\\{start}").into()
    } else {
        line.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(heading: &str, text: &str) -> Part {
        Part { heading: heading.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn each_page_has_its_heading_and_each_file_the_title() {
        let parts = [part("Page 1", "one"), part("Page 2", "two")];
        assert_eq!(
            documents("A\nmanual", &parts, 1000),
            ["# A manual\n\n## Page 1\n\none\n\n## Page 2\n\ntwo\n"]
        );
        assert_eq!(documents("M", &parts, 22), ["# M\n\n## Page 1\n\none\n", "# M\n\n## Page 2\n\ntwo\n"]);
        assert!(documents("M", &[part("Page 1", " \n")], 100).is_empty());
    }

    #[test]
    fn a_text_keeps_its_own_title() {
        assert_eq!(documents("A", &[part("", "# A\n\nx")], 100), ["# A\n\nx\n"]);
        assert_eq!(documents("A", &[part("", "x")], 100), ["# A\n\nx\n"]);
    }

    #[test]
    fn a_line_of_a_page_is_no_heading() {
        for line in ["# one", "  ## two", "```sh", "~~~", "====", "---"] {
            assert!(plain_line(line).starts_with('\\'), "{line}");
        }
        for line in ["one", "- item", "a # b", "--", ""] {
            assert_eq!(plain_line(line), line);
        }
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_no_file_is_too_long(
            texts in prop::collection::vec("([a-z]{1,9}|é|\n| ){0,200}", 0..5), most in 40_usize..400,
        ) {
            let parts: Vec<Part> = texts.iter().map(|text| part("P", text)).collect();
            let files = documents("T", &parts, most);
            prop_assert!(files.iter().all(|file| file.len() <= most));
            let letters = |text: &str| text.chars().filter(|c| c.is_lowercase()).collect::<String>();
            let kept: String = files.iter().map(|file| letters(file)).collect();
            prop_assert_eq!(kept, texts.iter().map(|text| letters(text)).collect::<String>());
        }
    }
}
