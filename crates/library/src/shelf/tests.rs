use super::*;
use crate::Part;

fn reading(pages: usize, words: &str) -> Reading {
    let part = |number| Part { heading: format!("Page {number}"), text: words.to_owned() };
    Reading { parts: (1..=pages).map(part).collect(), held: pages as u64, ..Reading::default() }
}

fn new<'a>(name: &'a str, reading: &'a Reading) -> New<'a> {
    let (format, digest) = (Format::Pdf, Digest::of(name.as_bytes()));
    New { name, file: name, format, digest, bytes: 7, reading, now: Timestamp::UNIX_EPOCH }
}

fn names(shelf: &Shelf) -> Vec<String> {
    shelf.names().unwrap().into_iter().filter(|name| name != LOCK).collect()
}

#[test]
fn what_is_added_is_listed_with_its_provenance_and_goes_without_a_trace() {
    let home = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(&home.path().join("documents")).unwrap();
    let (card, replaced) = shelf.add(&new("manual.pdf", &reading(2, "Press the button."))).unwrap();
    assert!(!replaced);
    assert_eq!((card.held, card.taken, card.files.as_slice()), (2, 2, &["manual.pdf.md".to_owned()][..]));
    assert_eq!(shelf.cards().unwrap().0, std::slice::from_ref(&card));
    let text = fs::read_to_string(home.path().join("documents/manual.pdf.md")).unwrap();
    assert!(text.starts_with("# manual.pdf\n\n## Page 1\n\nPress the button.\n"), "{text}");
    assert_eq!(shelf.remove("manual.pdf").unwrap(), card);
    assert!(names(&shelf).is_empty());
    assert!(matches!(shelf.remove("manual.pdf"), Err(LibraryError::Missing(_))));
}

#[test]
fn a_newer_edition_takes_the_place_of_the_older_with_all_its_files() {
    let home = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(home.path()).unwrap();
    let long = "word ".repeat(MAX_PART / 6);
    let (card, _) = shelf.add(&new("atlas.zim", &reading(3, &long))).unwrap();
    assert_eq!(card.files, ["atlas.zim.md", "atlas.zim.2.md", "atlas.zim.3.md"]);
    let (card, replaced) = shelf.add(&new("atlas.zim", &reading(1, "short"))).unwrap();
    assert!(replaced);
    assert_eq!(card.files, ["atlas.zim.md"]);
    assert_eq!(names(&shelf), ["atlas.zim.card.json", "atlas.zim.md"]);
}

#[test]
fn what_was_put_there_by_hand_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(home.path()).unwrap();
    durable::write(&home.path().join("vpn.md"), b"# Ours", Mode::Private).unwrap();
    let error = shelf.add(&new("vpn", &reading(1, "theirs"))).unwrap_err();
    assert!(matches!(error, LibraryError::Taken(_)), "{error}");
    assert_eq!(fs::read(home.path().join("vpn.md")).unwrap(), b"# Ours");
    assert_eq!(names(&shelf), ["vpn.md"]);
}

#[test]
fn a_card_that_names_foreign_files_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(home.path()).unwrap();
    let (mut card, _) = shelf.add(&new("a.pdf", &reading(1, "x"))).unwrap();
    for file in ["../secret.md", "a.pdf.card.json", "vpn.md", "a.pdf/../../b.md"] {
        card.files = vec![file.to_owned()];
        shelf.write_card(&card).unwrap();
        assert!(matches!(shelf.remove("a.pdf"), Err(LibraryError::Card { .. })), "{file}");
    }
    assert_eq!(shelf.cards().unwrap().1.len(), 1);
}

#[test]
fn no_name_leads_out_of_the_folder() {
    let home = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(home.path()).unwrap();
    for name in ["../a", "a/b", "", ".hidden", "A"] {
        assert!(matches!(shelf.card(name), Err(LibraryError::Name(_))), "{name}");
        assert!(shelf.add(&new(name, &reading(1, "x"))).is_err(), "{name}");
    }
}

#[test]
fn no_more_files_than_the_memory_reads() {
    let home = tempfile::tempdir().unwrap();
    let shelf = Shelf::open(home.path()).unwrap();
    for number in 0..MAX_FILES {
        fs::File::create(home.path().join(format!("n{number}.txt"))).unwrap();
    }
    let error = shelf.add(&new("one-more.pdf", &reading(1, "x"))).unwrap_err();
    assert!(matches!(error, LibraryError::Full(n) if n == MAX_FILES + 1), "{error}");
}
