//! Cuts a text into pieces that a model reads whole and a person reads at once.

use crate::{
    MemoryError,
    markdown::{self, Section},
    source,
};

/// The most pieces of one source.
pub const MAX_PIECES: usize = 20_000;
/// The most words of a piece. Small embedding models say best what a few sentences are about: on the questions of
/// `evals/retrieval.jsonl` for tuning, pieces of 160 words were found less often.
const MOST: usize = 80;
/// A sentence of at most this many words is repeated at the beginning of the next piece of its section.
const OVERLAP: usize = 30;
/// A run of text with more bytes than this is cut, whatever stands in it.
const MOST_BYTES: usize = 2_000;

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The headings above it, the outermost first, with ` > ` between them; the title where there are none.
    pub heading: String,
    /// What it says, as it stands in the source; at most some 80 words.
    pub text: String,
}

/// The pieces of a Markdown or plain text, in order. `title` is the text's own name: what stands under no other heading
/// gets it for one. No piece crosses a heading; a long section becomes several, which overlap by a sentence.
pub fn chunks(title: &str, text: &str) -> Result<Vec<Piece>, MemoryError> {
    source::check_text(text)?;
    let mut pieces = Vec::new();
    for section in markdown::sections(text) {
        let heading = below(title, &section.heading);
        pieces.extend(
            pack(&atoms(&section)).into_iter().map(|text| Piece { heading: heading.to_owned(), text }),
        );
        if pieces.len() > MAX_PIECES {
            return Err(source::invalid(
                "text",
                format!("it would become more than {MAX_PIECES} chunks: split it"),
            ));
        }
    }
    Ok(pieces)
}

/// The headings below the title, which often is the first heading too; the title where there are none.
fn below<'a>(title: &'a str, heading: &'a str) -> &'a str {
    match heading.strip_prefix(title).and_then(|rest| rest.strip_prefix(markdown::BETWEEN)) {
        Some(rest) => rest,
        None if heading.is_empty() => title,
        None => heading,
    }
}

/// A part of a text that is not cut further, with what stands between it and the part before.
#[derive(Debug, Clone)]
struct Atom {
    before: &'static str,
    text: String,
    words: usize,
}

impl Atom {
    fn new(before: &'static str, text: &str) -> Self {
        Self { before, text: text.to_owned(), words: weight(text) }
    }

    fn fits(&self) -> bool {
        self.words <= MOST && self.text.len() <= MOST_BYTES
    }
}

/// How many words a text counts as: long ones, and those of scripts that a model reads letter by letter, count for more.
fn weight(text: &str) -> usize {
    let word = |word: &str| 1 + if word.is_ascii() { word.len() / 16 } else { word.chars().count() / 4 };
    text.split_whitespace().map(word).sum()
}

/// Paragraphs where they fit, else their lines, else their sentences, else as many words as fit.
fn atoms(section: &Section<'_>) -> Vec<Atom> {
    let mut atoms = Vec::new();
    for paragraph in &section.paragraphs {
        let whole = Atom::new("\n\n", paragraph.join("\n").trim());
        if whole.fits() {
            atoms.push(whole);
        } else if listed(paragraph) {
            lines(paragraph, &mut atoms);
        } else {
            sentences(&paragraph.join("\n"), &mut atoms);
        }
    }
    atoms
}

/// Whether each line stands for itself: a table, a list, code.
fn listed(paragraph: &[&str]) -> bool {
    let alone = |line: &&&str| {
        line.trim_start().starts_with(['|', '-', '*', '+', '`', '~', '<', '$']) || line.starts_with("    ")
    };
    paragraph.iter().filter(alone).count() * 3 >= paragraph.len()
}

fn lines(paragraph: &[&str], atoms: &mut Vec<Atom>) {
    let mut before = "\n\n";
    for line in paragraph {
        let atom = Atom::new(before, line.trim_end());
        if atom.fits() {
            atoms.push(atom);
        } else {
            sentences(line, atoms);
        }
        before = "\n";
    }
}

fn sentences(text: &str, atoms: &mut Vec<Atom>) {
    let mut before = "\n\n";
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = end_of_sentence(rest);
        let atom = Atom::new(before, rest[..end].trim_end());
        if atom.fits() {
            atoms.push(atom);
        } else {
            torn(&rest[..end], before, atoms);
        }
        // A line break within a paragraph is a space to the reader.
        before = " ";
        rest = rest[end..].trim_start();
    }
}

/// Where the first sentence ends: behind a stop that a space follows, or that needs none.
fn end_of_sentence(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let ends = match c {
            '.' | '!' | '?' | ';' => next.is_none_or(char::is_whitespace),
            '。' | '！' | '？' | '।' => true,
            _ => false,
        };
        if ends {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// Cuts what has no sentences: after as many words as fit, and within a word that is longer than that.
fn torn(text: &str, before: &'static str, atoms: &mut Vec<Atom>) {
    let (mut part, mut words, mut before) = (String::new(), 0, before);
    for word in text.split_whitespace().flat_map(short) {
        let weight = weight(word);
        if !part.is_empty() && (words + weight > MOST || part.len() + word.len() > MOST_BYTES) {
            atoms.push(Atom::new(before, &part));
            (words, before) = (0, " ");
            part.clear();
        }
        if !part.is_empty() {
            part.push(' ');
        }
        part.push_str(word);
        words += weight;
    }
    if !part.is_empty() {
        atoms.push(Atom::new(before, &part));
    }
}

/// A word in parts of at most 400 bytes.
fn short(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let (part, after) = rest.split_at(rest.floor_char_boundary(400));
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

/// Fills pieces with atoms.
fn pack(atoms: &[Atom]) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut open: Vec<&Atom> = Vec::new();
    let mut words = 0;
    for atom in atoms {
        let bytes: usize = open.iter().map(|atom| atom.text.len()).sum();
        if !open.is_empty() && (words + atom.words > MOST || bytes + atom.text.len() > 2 * MOST_BYTES) {
            pieces.push(joined(&open));
            let overlap = open
                .last()
                .copied()
                .filter(|last| open.len() > 1 && last.words <= OVERLAP && last.words + atom.words <= MOST);
            open = overlap.into_iter().collect();
            words = open.iter().map(|atom| atom.words).sum();
        }
        open.push(atom);
        words += atom.words;
    }
    if !open.is_empty() {
        pieces.push(joined(&open));
    }
    pieces
}

fn joined(atoms: &[&Atom]) -> String {
    let mut text = String::new();
    for atom in atoms {
        if !text.is_empty() {
            text.push_str(atom.before);
        }
        text.push_str(&atom.text);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(title: &str, text: &str) -> Vec<Piece> {
        chunks(title, text).unwrap()
    }

    #[test]
    fn the_title_is_not_said_twice() {
        let headings: Vec<_> =
            cut("Manual", "# Manual\na\n## Part\nb\n# Other\nc").into_iter().map(|p| p.heading).collect();
        assert_eq!(headings, ["Manual", "Part", "Other"]);
    }

    #[test]
    fn more_pieces_than_are_kept_are_refused() {
        let error = chunks("T", &"# h\na\n".repeat(MAX_PIECES + 1)).unwrap_err().to_string();
        assert!(error.contains("split it"), "{error}");
        assert!(chunks("T", "\0").is_err());
    }

    #[test]
    fn a_short_section_is_one_piece_and_no_piece_crosses_a_heading() {
        let pieces = cut("Manual", "hello\n\n# A\none\n\ntwo\n# B\nthree");
        let found: Vec<_> = pieces.iter().map(|p| (p.heading.as_str(), p.text.as_str())).collect();
        assert_eq!(found, [("Manual", "hello"), ("A", "one\n\ntwo"), ("B", "three")]);
    }

    #[test]
    fn a_long_section_is_cut_at_sentences_that_overlap() {
        let sentence = |at: usize| format!("Sentence number {at} has these eight words exactly.");
        let text: Vec<_> = (0..60).map(sentence).collect();
        let pieces = cut("T", &text.join(" "));
        assert!(pieces.len() > 2, "{}", pieces.len());
        for pair in pieces.windows(2) {
            assert!(weight(&pair[0].text) > MOST - 10 && weight(&pair[0].text) <= MOST, "{}", pair[0].text);
            let last = pair[0].text.rsplit_once(". ").unwrap().1;
            assert!(pair[1].text.starts_with(last), "{last:?} / {:?}", pair[1].text);
        }
    }

    #[test]
    fn a_table_is_cut_between_its_lines() {
        let table: Vec<_> =
            (0..80).map(|at| format!("| cause {at} | what it means is this. And that |")).collect();
        let pieces = cut("T", &table.join("\n"));
        assert!(pieces.len() > 1);
        for line in pieces.iter().flat_map(|piece| piece.text.lines()) {
            assert!(line.starts_with('|') && line.ends_with('|'), "{line}");
        }
    }

    #[test]
    fn text_without_spaces_or_ends_is_cut_all_the_same() {
        for text in [
            "漢字".repeat(5_000),
            "x".repeat(50_000),
            "word ".repeat(5_000),
            "a b\t".repeat(3) + &" ".repeat(9_000) + "c",
        ] {
            for piece in cut("T", &text) {
                assert!(
                    piece.text.len() <= 2 * MOST_BYTES && weight(&piece.text) <= 2 * MOST,
                    "{}",
                    piece.text.len()
                );
            }
        }
    }

    #[test]
    fn nothing_gives_nothing() {
        assert!(cut("T", "").is_empty() && cut("T", "\n \n# Only a heading\n").is_empty());
    }

    proptest! {
        #[test]
        fn every_word_is_in_some_piece(words in prop::collection::vec("[a-zà-ý]{1,30}[.!]?|漢字。|\n\n|\n", 0..400)) {
            let text = words.join(" ");
            let pieces = cut("T", &text);
            let all = pieces.iter().map(|piece| piece.text.as_str()).collect::<Vec<_>>().join(" ");
            for word in text.split_whitespace() {
                prop_assert!(all.contains(word), "{word}");
            }
            for piece in &pieces {
                prop_assert!(piece.text.len() <= 2 * MOST_BYTES + 100 && weight(&piece.text) <= MOST);
            }
        }
    }
}
