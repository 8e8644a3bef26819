//! A model's pieces, put together to text: no half characters, nothing of a stop word.

/// What was said so far.
#[derive(Debug)]
pub struct Speech<'a> {
    stop: &'a [String],
    text: String,
    /// How many bytes of the text were given away.
    given: usize,
    /// The beginning of a character whose end has not come.
    part: Vec<u8>,
    stopped: bool,
}

impl<'a> Speech<'a> {
    /// Nothing yet; it ends before any of `stop`.
    pub fn new(stop: &'a [String]) -> Self {
        Self { stop, text: String::new(), given: 0, part: Vec::new(), stopped: false }
    }

    /// Adds a piece: what can be given away now. What may be the beginning of a stop word is kept back.
    pub fn push(&mut self, piece: &[u8]) -> &str {
        if self.stopped {
            return "";
        }
        self.part.extend_from_slice(piece);
        self.take_whole();
        // A stop word may have begun in what was said before, but not in what was given away.
        let fresh = &self.text[self.given..];
        if let Some(at) = self.stop.iter().filter_map(|stop| fresh.find(stop.as_str())).min() {
            self.text.truncate(self.given + at);
            self.stopped = true;
        }
        let until = self.text.len() - if self.stopped { 0 } else { self.doubtful() };
        let from = std::mem::replace(&mut self.given, until);
        &self.text[from..until]
    }

    /// Whether a stop word came.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// Ends it: what was kept back, and everything that was said.
    pub fn end(mut self) -> (String, String) {
        if !self.stopped && !self.part.is_empty() {
            self.text.push(char::REPLACEMENT_CHARACTER);
        }
        (self.text[self.given..].to_owned(), self.text)
    }

    /// Moves whole characters to the text; bytes that are none become U+FFFD.
    fn take_whole(&mut self) {
        loop {
            match std::str::from_utf8(&self.part) {
                Ok(text) => {
                    self.text.push_str(text);
                    self.part.clear();
                    return;
                }
                Err(error) => {
                    let good = error.valid_up_to();
                    self.text.push_str(&String::from_utf8_lossy(&self.part[..good]));
                    // Without a length the end is only not here yet.
                    let Some(bad) = error.error_len() else {
                        self.part.drain(..good);
                        return;
                    };
                    self.text.push(char::REPLACEMENT_CHARACTER);
                    self.part.drain(..good + bad);
                }
            }
        }
    }

    /// How many bytes at the end may be the beginning of a stop word.
    fn doubtful(&self) -> usize {
        let fresh = &self.text[self.given..];
        let starts = |stop: &&String| {
            let most = fresh.len().min(stop.len().saturating_sub(1));
            (1..=most).rev().find(|n| stop.is_char_boundary(*n) && fresh.ends_with(&stop[..*n]))
        };
        self.stop.iter().filter_map(|stop| starts(&stop)).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(stop: &[&str], pieces: &[&[u8]]) -> (Vec<String>, String, bool) {
        let stop: Vec<String> = stop.iter().map(|s| (*s).to_owned()).collect();
        let mut speech = Speech::new(&stop);
        let mut given: Vec<String> = pieces.iter().map(|piece| speech.push(piece).to_owned()).collect();
        let stopped = speech.stopped();
        let (rest, text) = speech.end();
        given.push(rest);
        (given, text, stopped)
    }

    #[test]
    fn half_a_character_waits_for_its_end() {
        let (given, text, _) = said(&[], &[b"a\xe2\x82", b"\xac", b"\xff", b"\xe2"]);
        assert_eq!(given, ["a", "€", "\u{fffd}", "", "\u{fffd}"]);
        assert_eq!(text, "a€\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_stop_word_in_parts_is_never_given_away() {
        let (given, text, stopped) = said(&["END"], &[b"so E", b"N", b"D more", b"x"]);
        assert_eq!(given, ["so ", "", "", "", ""]);
        assert_eq!((text.as_str(), stopped), ("so ", true));
    }

    #[test]
    fn what_only_looked_like_a_stop_word_comes_later() {
        let (given, text, stopped) = said(&["END"], &[b"so E", b"N", b"T"]);
        assert_eq!(given, ["so ", "", "ENT", ""]);
        assert_eq!((text.as_str(), stopped), ("so ENT", false));
    }

    proptest! {
        #[test]
        fn any_cut_into_pieces_gives_the_same_text(text in "[abé\u{1f600}]{0,30}", cuts in prop::collection::vec(1_usize..5, 0..30)) {
            let (mut pieces, mut rest) = (Vec::new(), text.as_bytes());
            for cut in cuts {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            pieces.push(rest);
            let (given, all, stopped) = said(&["ab", "ba\u{1f600}"], &pieces);
            let first = [text.find("ab"), text.find("ba\u{1f600}")].into_iter().flatten().min();
            prop_assert_eq!(&all, &text[..first.unwrap_or(text.len())]);
            prop_assert_eq!(given.concat(), all);
            prop_assert_eq!(stopped, first.is_some());
        }
    }
}
