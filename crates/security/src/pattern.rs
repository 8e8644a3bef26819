//! What a line must look like.
//!
//! Source: Wazuh documentation, "Creating custom SCA policies", content checking rules. Terms are joined with
//! `&&` and all of them speak of the same line; `!` turns one term around.

use fancy_regex::{Regex, RegexBuilder};

/// How often one match may step back before it is given up.
const BACKTRACK_LIMIT: usize = 50_000;
/// The largest compiled automaton, in bytes.
const AUTOMATON_LIMIT: usize = 4 * 1024 * 1024;

/// A conjunction of terms over one line.
#[derive(Debug)]
pub(crate) struct Content(Vec<Term>);

#[derive(Debug)]
struct Term {
    negated: bool,
    test: Test,
    /// As written, for reasons.
    source: String,
}

#[derive(Debug)]
enum Test {
    /// The whole line.
    Literal(String),
    Regex(Box<Regex>),
    Number {
        regex: Box<Regex>,
        comparison: Comparison,
        bound: i64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    NotEqual,
    AtLeast,
    More,
}

/// Why a text is no pattern, or a pattern gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PatternError {
    #[error("`{0}` is not a pattern: {1}")]
    Regex(String, String),
    #[error("`{0}` has no ` compare ` with <, <=, ==, !=, >= or > and an integer")]
    Comparison(String),
    #[error("`{0}` captures no number: put (\\d+) around it")]
    NoCapture(String),
    #[error("`{0}` takes too long on a line: write it without nested repetition")]
    GaveUp(String),
    #[error("an empty pattern")]
    Empty,
}

impl Content {
    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        let terms = text.split(" && ").map(Term::parse);
        Ok(Self(terms.collect::<Result<_, _>>()?))
    }

    /// Whether every term holds for this line.
    pub(crate) fn holds(&self, line: &str) -> Result<bool, PatternError> {
        for term in &self.0 {
            if term.test.holds(line, &term.source)? == term.negated {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The first word that a matching line contains: it finds the line that a reader would look at, because
    /// keywords stand before values.
    pub(crate) fn keyword(&self) -> Option<String> {
        let term = self.0.iter().find(|term| !term.negated)?;
        let mut words = vec![String::new()];
        let mut chars = term.source.chars();
        let mut grow = |c: Option<char>| match (c, words.last_mut()) {
            (Some(c), Some(word)) => word.push(c.to_ascii_lowercase()),
            _ => words.push(String::new()),
        };
        while let Some(c) = chars.next() {
            if c == '\\' {
                // `\.` is a dot of the line; `\s` and its like are none of its characters.
                grow(chars.next().filter(|c| matches!(c, '.' | '-' | '/')));
            } else {
                grow(Some(c).filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-' | '/')));
            }
        }
        words.into_iter().find(|word| word.len() >= 4)
    }
}

impl Term {
    fn parse(written: &str) -> Result<Self, PatternError> {
        let written = written.trim_start();
        let (negated, source) = match written.strip_prefix('!') {
            Some(rest) => (true, rest.trim_start()),
            None => (false, written),
        };
        let test = if let Some(pattern) = source.strip_prefix("r:") {
            Test::Regex(compile(pattern)?)
        } else if let Some(numeric) = source.strip_prefix("n:") {
            Test::number(numeric)?
        } else if source.is_empty() {
            return Err(PatternError::Empty);
        } else {
            Test::Literal(source.to_owned())
        };
        let pattern = source.strip_prefix("r:").or(source.strip_prefix("n:")).unwrap_or(source);
        let source = pattern.rsplit_once(" compare ").map_or(pattern, |(pattern, _)| pattern);
        Ok(Self { negated, test, source: source.to_owned() })
    }
}

impl Test {
    fn number(text: &str) -> Result<Self, PatternError> {
        let wrong = || PatternError::Comparison(text.to_owned());
        let (pattern, comparison) = text.rsplit_once(" compare ").ok_or_else(wrong)?;
        let comparison = comparison.trim();
        let value = comparison.trim_start_matches(['<', '>', '=', '!']);
        let operator = &comparison[..comparison.len() - value.len()];
        // Digits only: policies in the field carry a stray semicolon behind the number.
        let value = value.trim();
        let end = value.char_indices().find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && *c == '-')));
        let bound = value[..end.map_or(value.len(), |(at, _)| at)].parse().map_err(|_| wrong())?;
        let comparison = match operator {
            "<" => Comparison::Less,
            "<=" => Comparison::AtMost,
            "==" => Comparison::Equal,
            "!=" => Comparison::NotEqual,
            ">=" => Comparison::AtLeast,
            ">" => Comparison::More,
            _ => return Err(wrong()),
        };
        let regex = compile(pattern)?;
        if regex.captures_len() < 2 {
            return Err(PatternError::NoCapture(pattern.to_owned()));
        }
        Ok(Self::Number { regex, comparison, bound })
    }

    fn holds(&self, line: &str, source: &str) -> Result<bool, PatternError> {
        let gave_up = |_| PatternError::GaveUp(source.to_owned());
        match self {
            Self::Literal(text) => Ok(line == text),
            Self::Regex(regex) => regex.is_match(line).map_err(gave_up),
            Self::Number { regex, comparison, bound } => {
                let found = regex.captures(line).map_err(gave_up)?;
                let number = found.and_then(|found| found.get(1).and_then(|n| integer(n.as_str())));
                Ok(number.is_some_and(|number| comparison.holds(number, *bound)))
            }
        }
    }
}

impl Comparison {
    fn holds(self, number: i64, bound: i64) -> bool {
        match self {
            Self::Less => number < bound,
            Self::AtMost => number <= bound,
            Self::Equal => number == bound,
            Self::NotEqual => number != bound,
            Self::AtLeast => number >= bound,
            Self::More => number > bound,
        }
    }
}

/// An integer; one too long for 64 bits is as large as can be, so that it compares the right way.
fn integer(text: &str) -> Option<i64> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    match text.parse::<i64>() {
        Ok(number) => Some(number),
        Err(e) if *e.kind() == PosOverflow => Some(i64::MAX),
        Err(e) if *e.kind() == NegOverflow => Some(i64::MIN),
        Err(_) => None,
    }
}

fn compile(pattern: &str) -> Result<Box<Regex>, PatternError> {
    RegexBuilder::new(pattern)
        .backtrack_limit(BACKTRACK_LIMIT)
        .delegate_size_limit(AUTOMATON_LIMIT)
        .build()
        .map(Box::new)
        .map_err(|e| PatternError::Regex(pattern.to_owned(), e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(content: &str, line: &str) -> bool {
        Content::parse(content).unwrap().holds(line).unwrap()
    }

    #[test]
    fn a_literal_is_the_whole_line() {
        assert!(holds("Linux", "Linux"));
        assert!(!holds("Linux", "Linux 6"));
        assert!(!holds("Linux", "linux"));
    }

    #[test]
    fn terms_speak_of_the_same_line_and_can_be_turned_around() {
        let rule = "!r:^# && r:Protocol && r:2";
        assert!(holds(rule, "Protocol 2"));
        assert!(!holds(rule, "#Protocol 2"));
        assert!(!holds(rule, "Protocol 1"));
        assert!(holds("!r:x", ""));
        assert!(!holds("!Linux", "Linux"));
    }

    #[test]
    fn patterns_are_perl_like_with_look_around() {
        assert!(holds(r"r:^(?!root:)[\w@-]+:", "daemon:"));
        assert!(!holds(r"r:^(?!root:)[\w@-]+:", "root:"));
        assert!(holds("r:(?i)permitrootlogin", "PermitRootLogin"));
    }

    #[test]
    fn numbers_compare_in_six_ways() {
        let cases = [
            ("<", [true, false, false]),
            ("<=", [true, true, false]),
            ("==", [false, true, false]),
            ("!=", [true, false, true]),
            (">=", [false, true, true]),
            (">", [false, false, true]),
        ];
        for (operator, expected) in cases {
            let rule = format!(r"n:^MaxAuthTries\s+(\d+) compare {operator} 4");
            let seen = ["3", "4", "5"].map(|n| holds(&rule, &format!("MaxAuthTries {n}")));
            assert_eq!(seen, expected, "{operator}");
            assert!(!holds(&rule, "MaxAuthTries four"), "{operator}");
        }
        assert!(holds(r"n:(-?\d+) compare >= -1", "-1"));
        assert!(holds(r"n:(\d+) compare > 0;", "1"));
        assert!(holds(r"n:(\d+) compare > 365", "99999999999999999999999"));
        assert!(!holds(r"!n:(\d+) compare == 1", "audit=1"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in
            ["r:(", "n:\\d+ compare > 1", "n:(\\d+) > 1", "n:(\\d+) compare ~ 1", "n:(\\d+) compare > x"]
        {
            assert!(Content::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Content::parse("").unwrap_err(), PatternError::Empty);
        assert_eq!(Content::parse("r:a && !").unwrap_err(), PatternError::Empty);
    }

    #[test]
    fn a_pattern_that_steps_back_for_ever_is_given_up() {
        let content = Content::parse(r"r:^(a*)*\1b$").unwrap();
        let error = content.holds(&"a".repeat(2_000)).unwrap_err();
        assert!(matches!(error, PatternError::GaveUp(_)), "{error}");
    }

    #[test]
    fn the_keyword_is_the_first_word_of_the_first_plain_term() {
        for (content, keyword) in [
            (r"!r:^\s*# && r:^\s*PermitRootLogin\s+no", Some("permitrootlogin")),
            (r"r:^net\.ipv4\.tcp_syncookies\s*=\s*1", Some("net.ipv4.tcp_syncookies")),
            (r"n:^PASS_MAX_DAYS\s+(\d+) compare <= 365", Some("pass_max_days")),
            (r"n:^Port (\d+) compare <= 1024", Some("port")),
            (r"r:^permitrootlogin\s+(no|prohibit-password)$", Some("permitrootlogin")),
            (r"r:\d+", None),
            (r"!r:abcdef", None),
        ] {
            assert_eq!(Content::parse(content).unwrap().keyword().as_deref(), keyword, "{content}");
        }
    }
}
