//! Hostile files: torn, lying about sizes, compressed beyond reason, nested beyond reason.

use std::{fs, io::Cursor};

use library::{Format, LibraryError, Limits, Reading, read};

use crate::samples::sample;

fn parse(bytes: &[u8], format: Format) -> Result<Reading, LibraryError> {
    read(&mut Cursor::new(bytes), format, &Limits::default())
}

/// A small generator, so that the same bytes are changed in every run.
fn draw(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 16).unwrap()
}

#[test]
fn a_torn_zim_file_is_damaged_wherever_it_was_torn() {
    let whole = fs::read(sample("wiki.zim")).unwrap();
    for length in (0..whole.len()).step_by(97) {
        let error = parse(&whole[..length], Format::Zim).unwrap_err();
        assert!(matches!(error, LibraryError::Damaged { .. }), "{length}: {error}");
    }
}

#[test]
fn changed_bytes_of_a_compressed_zim_file_make_no_panic() {
    let whole = fs::read(sample("wiki.zim")).unwrap();
    let mut state = 0x9E37_79B9_7F4A_7C15;
    let mut refused = 0;
    for _ in 0..3_000 {
        let mut bytes = whole.clone();
        for _ in 0..=draw(&mut state) % 3 {
            // Between the header and the end lies padding.
            let from = if draw(&mut state).is_multiple_of(2) { 0 } else { bytes.len() - 1_500 };
            let at = from + draw(&mut state) % 120.max(from.min(1_500));
            bytes[at] = draw(&mut state).to_le_bytes()[0];
        }
        match parse(&bytes, Format::Zim) {
            Ok(reading) => assert!(reading.parts.len() <= 3),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 1_000, "only {refused} were refused");
}

#[test]
fn a_cluster_that_unpacks_to_gigabytes_is_left_out() {
    // Zstandard's run-length blocks: 128 KiB of one byte in four bytes (RFC 8878, section 3.1.1.2.2).
    let mut bomb = vec![5, 0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x58];
    for _ in 0..40_000 {
        let header: u32 = (128 * 1024) << 3 | 1 << 1;
        bomb.extend(&header.to_le_bytes()[..3]);
        bomb.push(0);
    }
    let bytes = with_cluster(&bomb);
    let error = parse(&bytes, Format::Zim).unwrap_err();
    assert!(matches!(error, LibraryError::Damaged { .. }), "{error}");
}

#[test]
fn a_window_of_gigabytes_is_refused_before_it_is_taken() {
    for window in [0xF0, 0xFF] {
        let cluster = [&[5, 0x28, 0xB5, 0x2F, 0xFD, 0x00, window][..], &[0; 64]].concat();
        assert!(parse(&with_cluster(&cluster), Format::Zim).is_err());
    }
}

#[test]
fn a_pdf_that_is_torn_or_refers_to_itself_is_an_error() {
    let whole = fs::read(sample("manual.pdf")).unwrap();
    for length in (0..whole.len()).step_by(211) {
        if let Ok(reading) = parse(&whole[..length], Format::Pdf) {
            assert!(reading.parts.len() <= 3);
        }
    }
    let itself = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[2 0 R]/Count 1>>endobj\n\
        xref\n0 3\n0000000000 65535 f \n0000000009 00000 n \n0000000054 00000 n \ntrailer<</Root 1 0 R/Size 3>>\nstartxref\n\
        108\n%%EOF";
    assert!(parse(itself, Format::Pdf).is_err());
}

#[test]
fn a_file_beyond_its_bound_is_refused() {
    let large = vec![b'a'; usize::try_from(library::MAX_FILE).unwrap() + 1];
    for format in [Format::Html, Format::Plain, Format::Markdown] {
        let error = parse(&large, format).unwrap_err();
        assert!(matches!(error, LibraryError::TooLarge { .. }), "{error}");
    }
}

/// The plain sample with that cluster in the place of all others, at its end.
fn with_cluster(cluster: &[u8]) -> Vec<u8> {
    let mut bytes = fs::read(sample("plain.zim")).unwrap();
    bytes.truncate(bytes.len() - 16);
    let at = bytes.len() as u64;
    bytes.extend(cluster);
    let end = bytes.len() as u64;
    bytes.extend([0; 16]);
    let number = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let count = u32::from_le_bytes(bytes[28..32].try_into().unwrap()) as usize;
    let list = usize::try_from(number(&bytes, 48)).unwrap();
    for one in 0..count {
        bytes[list + 8 * one..list + 8 * one + 8].copy_from_slice(&at.to_le_bytes());
    }
    bytes[72..80].copy_from_slice(&end.to_le_bytes());
    bytes
}
