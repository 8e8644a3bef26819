//! Files that programs of others made: see `tests/data/make_samples.py`.

use std::{fs::File, path::Path};

use library::{Format, LibraryError, Limits, Reading, documents, read};

pub fn sample(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn read_sample(name: &str, format: Format) -> Result<Reading, LibraryError> {
    let path = sample(name);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(Format::of(name, &bytes), Some(format));
    read(&mut File::open(path).unwrap(), format, &Limits::default())
}

#[test]
fn a_pdf_of_reportlab_is_read_page_by_page() {
    let reading = read_sample("manual.pdf", Format::Pdf).unwrap();
    assert_eq!(reading.title.as_deref(), Some("Printer Manual"));
    assert_eq!((reading.held, reading.parts.len()), (3, 2));
    let pages: Vec<_> = reading.parts.iter().map(|part| part.heading.as_str()).collect();
    assert_eq!(pages, ["Page 1", "Page 2"]);
    let first = &reading.parts[0].text;
    assert!(
        first.contains("Press the yellow button twice") && first.contains("behind the left door"),
        "{first}"
    );
    assert!(reading.parts[1].text.contains("Größe: 12 mm"), "{}", reading.parts[1].text);
    assert!(
        reading.notes.iter().any(|note| note.contains("1 of its 3 pages have no text")),
        "{:?}",
        reading.notes
    );
    let files = documents("Printer Manual", &reading.parts, 1 << 20);
    assert!(files[0].contains("\n## Page 2\n"), "{}", files[0]);
}

#[test]
fn a_locked_pdf_says_what_to_do() {
    let error = read_sample("locked.pdf", Format::Pdf).unwrap_err();
    assert!(matches!(error, LibraryError::Locked), "{error}");
}

#[test]
fn zim_files_of_libzim_are_read_compressed_or_not() {
    for name in ["wiki.zim", "plain.zim"] {
        let reading = read_sample(name, Format::Zim).unwrap();
        assert_eq!(reading.title.as_deref(), Some("House wiki"), "{name}");
        assert_eq!(reading.about.get("License").map(String::as_str), Some("CC0-1.0"));
        assert_eq!(reading.held, 2, "a redirect and a style sheet are no articles");
        let titles: Vec<_> = reading.parts.iter().map(|part| part.heading.as_str()).collect();
        assert_eq!(titles, ["The printer", "The router"]);
        assert_eq!(reading.parts[0].text, "### The printer\n\n#### Paper\n\nLoad A5 paper, face down.\n");
        assert!(reading.parts[1].text.contains("Hold reset for ten seconds until the quandle blinks."));
        assert!(!reading.parts[1].text.contains("x()"));
    }
}
