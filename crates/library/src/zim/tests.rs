use std::io::Cursor;

use proptest::prelude::*;

use super::*;

/// A ZIM file of one uncompressed cluster, as the format's page describes it.
fn file(entries: &[(u8, &str, &str, &str, &str)]) -> Vec<u8> {
    let mut mimes: Vec<&str> = entries.iter().map(|entry| entry.1).collect();
    mimes.sort_unstable();
    mimes.dedup();
    let mut out = vec![0; 80];
    let mimes_at = out.len();
    for mime in &mimes {
        out.extend([mime.as_bytes(), b"\0"].concat());
    }
    out.push(0);
    let mut pointers = Vec::new();
    for (blob, (namespace, mime, path, title, _)) in entries.iter().enumerate() {
        pointers.push(out.len() as u64);
        let mime = u16::try_from(mimes.iter().position(|known| known == mime).unwrap()).unwrap();
        out.extend(mime.to_le_bytes());
        out.extend([0, *namespace, 0, 0, 0, 0]);
        out.extend(0_u32.to_le_bytes());
        out.extend(u32::try_from(blob).unwrap().to_le_bytes());
        out.extend([path.as_bytes(), b"\0", title.as_bytes(), b"\0"].concat());
    }
    let paths_at = out.len();
    for at in pointers {
        out.extend(at.to_le_bytes());
    }
    let cluster_at = out.len();
    out.push(1);
    let mut place = u32::try_from((entries.len() + 1) * 4).unwrap();
    out.extend(place.to_le_bytes());
    for entry in entries {
        place += u32::try_from(entry.4.len()).unwrap();
        out.extend(place.to_le_bytes());
    }
    for entry in entries {
        out.extend(entry.4.as_bytes());
    }
    let list_at = out.len();
    out.extend((cluster_at as u64).to_le_bytes());
    let checksum_at = out.len();
    out.extend([0; 16]);
    out[..4].copy_from_slice(b"ZIM\x04");
    out[4..8].copy_from_slice(&[6, 0, 1, 0]);
    out[24..28].copy_from_slice(&u32::try_from(entries.len()).unwrap().to_le_bytes());
    out[28..32].copy_from_slice(&1_u32.to_le_bytes());
    for (at, value) in [(32, paths_at), (48, list_at), (56, mimes_at), (72, checksum_at)] {
        out[at..at + 8].copy_from_slice(&(value as u64).to_le_bytes());
    }
    out
}

fn wiki() -> Vec<u8> {
    file(&[
        (b'C', "text/html", "Router", "The router", "<h1>Router</h1><p>Press reset."),
        (b'C', "text/css", "style", "", "p {}"),
        (b'C', "text/html", "Printer", "", "<p>Load paper."),
        (b'M', "text/plain", "Title", "", "House wiki"),
        (b'M', "text/plain", "License", "", "CC0"),
        (b'M', "image/png", "Illustration_48x48", "", "png"),
    ])
}

fn parse(bytes: &[u8], limits: Limits) -> Result<Reading, LibraryError> {
    read(&mut Cursor::new(bytes), &limits)
}

#[test]
fn articles_come_with_their_titles_and_what_the_file_says_about_itself() {
    let reading = parse(&wiki(), Limits::default()).unwrap();
    assert_eq!(reading.title.as_deref(), Some("House wiki"));
    assert_eq!(reading.about.get("License").map(String::as_str), Some("CC0"));
    assert_eq!(reading.held, 2);
    let expected = [("The router", "### Router\n\nPress reset.\n"), ("Printer", "Load paper.\n")];
    let parts: Vec<_> = reading.parts.iter().map(|part| (&*part.heading, &*part.text)).collect();
    assert_eq!(parts, expected);
    assert!(reading.notes.is_empty());
}

#[test]
fn more_articles_than_are_asked_for_are_counted_and_told() {
    let reading = parse(&wiki(), Limits { articles: 1, ..Limits::default() }).unwrap();
    assert_eq!((reading.parts.len(), reading.held), (1, 2));
    assert!(reading.notes[0].contains("--articles"), "{:?}", reading.notes);
    let reading = parse(&wiki(), Limits { text: 30, ..Limits::default() }).unwrap();
    assert!(reading.notes[0].contains("30 bytes"), "{:?}", reading.notes);
}

#[test]
fn a_file_that_was_cut_off_is_damaged() {
    let whole = wiki();
    for length in 0..whole.len() {
        let error = parse(&whole[..length], Limits::default()).unwrap_err();
        assert!(matches!(error, LibraryError::Damaged { .. }), "{length}: {error}");
    }
    let error = parse(&whole[..whole.len() - 1], Limits::default()).unwrap_err().to_string();
    assert!(error.contains("cut off"), "{error}");
}

#[test]
fn a_million_entries_in_a_small_file_are_refused_before_they_are_read() {
    let mut bytes = wiki();
    bytes[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = parse(&bytes, Limits::default()).unwrap_err().to_string();
    assert!(error.contains("behind its end"), "{error}");
}

#[test]
fn entries_that_all_lead_to_one_cluster_unpack_it_once() {
    // Ten thousand titles for the same megabyte: the text is taken up to its bound.
    let article = format!("<p>{}", "word ".repeat(20_000));
    let entries: Vec<_> = (0..200).map(|_| (b'C', "text/html", "p", "t", article.as_str())).collect();
    let reading = parse(&file(&entries), Limits { text: 1 << 20, ..Limits::default() }).unwrap();
    assert_eq!(reading.parts.len(), 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn changed_bytes_make_an_error_or_a_reading_and_no_panic(
        changes in prop::collection::vec((0_usize..500, any::<u8>()), 1..6),
    ) {
        let mut bytes = wiki();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        if let Ok(reading) = parse(&bytes, Limits::default()) {
            prop_assert!(reading.parts.len() <= 6);
        }
    }
}
