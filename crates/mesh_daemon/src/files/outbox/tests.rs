use trust::KeyPair;

use super::*;

fn somebody() -> NodeId {
    NodeId::of(&KeyPair::from_secret(&[1; 32]).public())
}

fn open(folder: &Path) -> (Outbox, Vec<Sending>) {
    Outbox::open(&folder.join("outbox"), Mint::system()).unwrap()
}

#[test]
fn a_file_waits_through_restarts_and_its_end_is_remembered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.txt");
    durable::write(&path, b"words", Mode::Private).unwrap();
    let (outbox, _) = open(folder.path());
    let sending = outbox.add(&path, somebody()).unwrap();
    std::fs::remove_file(&path).unwrap();
    drop(outbox);
    let (outbox, waiting) = open(folder.path());
    assert_eq!(waiting, std::slice::from_ref(&sending));
    let id = sending.offer.id;
    assert_eq!(outbox.read(&id, 1, 3), Ok(b"ord".to_vec()), "its own name for the file keeps it");
    outbox.end(&id, Closing::Failed("no".to_owned()));
    let (outbox, waiting) = open(folder.path());
    assert!(waiting.is_empty() && outbox.receipt(&id).is_none());
    let ended = outbox.views();
    assert_eq!((ended[0].stage, ended[0].why.as_str()), (Stage::Failed, "no"));
    assert!(!outbox.link(&id).exists());
}

#[test]
fn a_file_that_changed_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.txt");
    durable::write(&path, b"one", Mode::Private).unwrap();
    let (outbox, _) = open(folder.path());
    let id = outbox.add(&path, somebody()).unwrap().offer.id;
    File::options().write(true).open(&path).unwrap().write_all_at(b" more", 3).unwrap();
    assert!(outbox.read(&id, 0, 3).unwrap_err().contains("changed"));
}

#[test]
fn only_files_with_plain_names_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let (outbox, _) = open(folder.path());
    let hidden = folder.path().join(".hidden");
    durable::write(&hidden, b"x", Mode::Private).unwrap();
    assert!(matches!(outbox.add(&hidden, somebody()), Err(FileError::Name(_))));
    assert!(matches!(outbox.add(&folder.path().join("outbox"), somebody()), Err(FileError::NotAFile(_))));
    assert!(matches!(outbox.add(&folder.path().join("none"), somebody()), Err(FileError::Read { .. })));
}

#[test]
fn no_name_is_left_for_a_file_that_is_not_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.txt");
    durable::write(&path, b"words", Mode::Private).unwrap();
    let (outbox, _) = open(folder.path());
    let sent = outbox.add(&path, somebody()).unwrap().offer.id;
    // A crash before the entry was written.
    let left = outbox.link(&TransferId([9; 16]));
    std::fs::hard_link(&path, &left).unwrap();
    let (outbox, _) = open(folder.path());
    assert!(!left.exists() && outbox.link(&sent).exists());
}

#[test]
fn a_transfer_that_just_ended_is_known_all_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.txt");
    durable::write(&path, b"words", Mode::Private).unwrap();
    let (outbox, _) = open(folder.path());
    let first = outbox.add(&path, somebody()).unwrap().offer.id;
    let second = outbox.add(&path, somebody()).unwrap().offer.id;
    outbox.end(&second, Closing::Cancelled);
    let views: Vec<_> = outbox.views().into_iter().map(|view| (view.id, view.stage)).collect();
    assert_eq!(views, [(second, Stage::Cancelled), (first, Stage::Waiting)]);
}
