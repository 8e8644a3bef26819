//! Takes secrets and personal data out of a text.

use std::ops::Range;

use crate::{Kind, personal, rule::Rule, secret};

/// The most bytes of a text that are read; what is beyond is cut off, so that nothing passes unread.
pub const MAX_TEXT: usize = 16 * 1024 * 1024;

/// A text without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted {
    /// The text, with a mark such as `[email]` where something was.
    pub text: String,
    /// What was taken out, in order.
    pub found: Vec<Found>,
    /// Whether the text was longer than [`MAX_TEXT`] and its end was cut off.
    pub cut: bool,
}

/// One thing that was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What kind of thing.
    pub kind: Kind,
    /// Where it was in the text that was given, in bytes.
    pub range: Range<usize>,
}

/// Puts a mark in the place of each secret and each piece of personal data that has a shape. The work grows with the
/// length of the text and not faster (automata without backtracking).
pub fn redact(text: &str) -> Redacted {
    let end = text.floor_char_boundary(MAX_TEXT);
    let (text, cut) = (&text[..end], end < text.len());
    let mut hits: Vec<Found> =
        rules().flat_map(|rule| rule.find(text).map(move |range| Found { kind: rule.kind, range })).collect();
    hits.sort_by_key(|found| (found.range.start, usize::MAX - found.range.end));
    let found = joined(hits);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for Found { kind, range } in &found {
        out.push_str(&text[from..range.start]);
        out.push_str(kind.mark());
        from = range.end;
    }
    out.push_str(&text[from..]);
    Redacted { text: out, found, cut }
}

fn rules() -> impl Iterator<Item = &'static Rule> {
    secret::RULES.iter().chain(personal::RULES.iter())
}

/// What overlaps becomes one, of the kind that begins first: no part of either stays.
fn joined(hits: Vec<Found>) -> Vec<Found> {
    let mut out: Vec<Found> = Vec::with_capacity(hits.len());
    for hit in hits {
        match out.last_mut() {
            Some(last) if hit.range.start < last.range.end => {
                last.range.end = last.range.end.max(hit.range.end);
            }
            _ => out.push(hit),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text_of(text: &str) -> String {
        redact(text).text
    }

    #[test]
    fn secrets_are_taken_out_by_their_shapes() {
        for (text, want) in [
            ("key AKIAIOSFODNN7EXAMPLE here", "key [service token] here"),
            ("ghp_0123456789abcdefghijklmnopqrstuvwxyz", "[service token]"),
            ("slack xoxb-123456789012-abcdefghijkl", "slack [service token]"),
            ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "[service token]"),
            ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "[service token]"),
            ("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln", "[bearer token]"),
            ("Authorization: Bearer abcdefghijklmnop1", "Authorization: Bearer [bearer token]"),
            ("echo_key_0123_abcdef", "[echo secret]"),
            ("AGE-SECRET-KEY-1QQPQYPQYPQYPQYPQYPQYPQYPQYP", "[private key]"),
            ("postgres://app:hunter2@db/x", "postgres://app:[password]@db/x"),
            ("DB_PASSWORD=hunter22", "DB_PASSWORD=[password]"),
            ("password: \"s3cret!\"", "password: \"[password]\""),
            ("Mein Passwort lautet Sommer2024!", "Mein Passwort lautet [password]"),
            ("my password is Tr0ub4dor", "my password is [password]"),
            ("https://x.example/in?token=abcdef123&x=1", "https://x.example/in?token=[password]"),
        ] {
            assert_eq!(text_of(text), want);
        }
        let pem = "a -----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbg\n-----END OPENSSH PRIVATE KEY----- z";
        assert_eq!(text_of(pem), "a [private key] z");
        assert_eq!(text_of("-----BEGIN PRIVATE KEY-----\nMIIE"), "[private key]", "a key without its end");
    }

    #[test]
    fn personal_data_are_taken_out_by_shape_and_check_digits() {
        for (text, want) in [
            ("write to jörg.müller@bäckerei.de!", "write to [email]!"),
            ("pay to DE89 3704 0044 0532 0130 00 BIC X", "pay to [iban] BIC X"),
            ("card 4111-1111-1111-1111", "card [card]"),
            ("call +49 (0)30 1234567 now", "call [phone] now"),
            ("call 030 1234 5678", "call [phone]"),
            ("(212) 555-0100", "[phone]"),
            ("SSN: 078-05-1120", "SSN: [national id]"),
            ("DNI 12345678Z", "DNI [national id]"),
        ] {
            assert_eq!(text_of(text), want);
        }
    }

    #[test]
    fn what_a_technician_needs_stays() {
        for text in [
            "The password is wrong and the printer at 192.168.1.20 is offline since 2026-11-23 14:05:00.",
            "Kernel 6.12.48-1, 4111 packages, error 0x80070005, ticket 20261123-004",
            "PermitRootLogin yes; PASS_MAX_DAYS 99999; MAC 00:1a:2b:3c:4d:5e",
            "Serial DE12 3456 was read; the card reader shows 1234 5678 9012 3456",
            "user@host:~$ systemctl status sshd",
            "Type the password: it is not shown. token: <your token>",
        ] {
            assert_eq!(text_of(text), text);
        }
    }

    #[test]
    fn overlapping_finds_leave_no_part_behind() {
        let redacted = redact("password=anna@example.org");
        assert_eq!(redacted.text, "password=[password]");
        assert_eq!(redacted.found, [Found { kind: Kind::Password, range: 9..25 }]);
    }

    #[test]
    fn a_text_beyond_the_bound_is_cut_and_says_so() {
        let long = "é".repeat(MAX_TEXT / 2 + 1);
        let redacted = redact(&long);
        assert!(redacted.cut && redacted.text.len() == MAX_TEXT);
        assert!(!redact("short").cut);
    }

    proptest! {
        #[test]
        fn a_secret_stays_in_no_text_and_a_second_time_finds_none(
            before in "[a-z .\n]{0,20}", after in "[ \n.]([a-z ]{0,20})",
        ) {
            for secret in ["hunter2@example.org", "AKIAIOSFODNN7EXAMPLE", "4111111111111111", "+49 30 1234567"] {
                let once = redact(&format!("{before} {secret}{after}"));
                prop_assert!(!once.text.contains(secret), "{}", once.text);
                prop_assert!(redact(&once.text).found.is_empty(), "{}", once.text);
            }
        }

        #[test]
        fn any_text_is_redacted_without_panic(text in "\\PC{0,200}") {
            let redacted = redact(&text);
            prop_assert!(redacted.found.windows(2).all(|two| two[0].range.end <= two[1].range.start));
        }
    }
}
