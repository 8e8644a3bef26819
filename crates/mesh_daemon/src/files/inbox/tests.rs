use echo_core::Digest;
use mesh::{
    NodeId,
    bulk::{CHUNK, TransferId},
};
use trust::KeyPair;

use super::*;

const MOST: u64 = 10 * CHUNK;

struct Box {
    folder: tempfile::TempDir,
    inbox: Inbox,
}

fn key(seed: u8) -> KeyPair {
    KeyPair::from_secret(&[seed; 32])
}

fn sender() -> NodeId {
    NodeId::of(&key(1).public())
}

fn part(number: u8) -> PartKey {
    PartKey { from: sender(), id: TransferId([number; 16]) }
}

fn offer(number: u8, content: &[u8]) -> Offer {
    let (name, size) = ("a file.txt".parse().unwrap(), u64::try_from(content.len()).unwrap());
    Offer { id: TransferId([number; 16]), name, size, digest: Digest::of(content) }
}

fn receipt(offer: &Offer) -> Envelope {
    let Offer { id, name, digest, size } = offer.clone();
    let (to, at) = (NodeId::of(&key(2).public()), Mint::system().now());
    FileReceipt { id, name, digest, size, from: sender(), to, at }.sign(&key(2)).unwrap()
}

impl Box {
    fn new(most: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(&folder.path().join("inbox"), most, &Mint::system()).unwrap();
        Self { folder, inbox }
    }

    /// The program ends and starts again.
    fn restart(&mut self) {
        self.inbox = Inbox::open(&self.folder.path().join("inbox"), MOST, &Mint::system()).unwrap();
    }

    fn receive(&self, number: u8, content: &[u8]) -> Offer {
        let offer = offer(number, content);
        assert_eq!(self.inbox.begin(part(number), &offer), Ok(Opened::At(0)));
        self.inbox.write(&part(number), 0, content).unwrap();
        self.inbox.deliver(&part(number), receipt(&offer)).unwrap();
        offer
    }

    /// The names of what was delivered.
    fn names(&self) -> Vec<String> {
        let folder = self.folder.path().join("inbox").join(sender().short());
        let files = fs::read_dir(folder).into_iter().flatten();
        let mut names: Vec<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn parts(&self) -> usize {
        fs::read_dir(self.inbox.parts()).unwrap().count()
    }
}

#[test]
fn a_file_is_delivered_once_and_takes_nobody_s_place() {
    let mut inbox = Box::new(MOST);
    let first = inbox.receive(1, b"one");
    inbox.receive(2, b"two");
    inbox.receive(3, b"two");
    let short = &Digest::of(b"two").hex()[..8];
    assert_eq!(
        inbox.names(),
        [format!("a file-{short}-2.txt"), format!("a file-{short}.txt"), "a file.txt".to_owned()]
    );
    inbox.restart();
    let again = inbox.inbox.begin(part(1), &first).unwrap();
    assert!(matches!(again, Opened::Kept(kept) if FileReceipt::claimed(&kept).unwrap().id == first.id));
    assert_eq!((inbox.names().len(), inbox.parts()), (3, 0));
    let other = inbox.inbox.begin(part(1), &offer(1, b"else")).unwrap_err();
    assert_eq!(other.code, Code::Confused);
}

#[test]
fn a_crash_between_record_and_name_delivers_once() {
    for named in [false, true] {
        let mut inbox = Box::new(MOST);
        let offer = offer(1, b"content");
        inbox.inbox.begin(part(1), &offer).unwrap();
        inbox.inbox.write(&part(1), 0, b"content").unwrap();
        let (at, name) = (inbox.inbox.record(&part(1)), offer.name.clone());
        let record = Record {
            receipt: receipt(&offer),
            sender: sender().short(),
            name: name.clone(),
            file: Some(name),
        };
        durable::write(&at, &serde_json::to_vec(&record).unwrap(), durable::Mode::Private).unwrap();
        if named {
            let folder = inbox.folder.path().join("inbox").join(sender().short());
            durable::create_folder(&folder).unwrap();
            fs::hard_link(inbox.inbox.part(&part(1)), folder.join("a file.txt")).unwrap();
        }
        inbox.restart();
        assert!(matches!(inbox.inbox.begin(part(1), &offer), Ok(Opened::Kept(_))));
        assert_eq!((inbox.names(), inbox.parts()), (vec!["a file.txt".to_owned()], 0));
    }
}

#[test]
fn a_part_goes_on_where_it_ended_at_whole_pieces() {
    let content: Vec<u8> = (0..3 * CHUNK).map(|i| u8::try_from(i % 253).unwrap()).collect();
    let piece = usize::try_from(CHUNK).unwrap();
    let mut inbox = Box::new(MOST);
    let offer = offer(1, &content);
    inbox.inbox.begin(part(1), &offer).unwrap();
    inbox.inbox.write(&part(1), 0, &content[..2 * piece]).unwrap();
    assert!(inbox.inbox.write(&part(1), CHUNK, b"x").is_err(), "not at the end");
    inbox.restart();
    let path = inbox.inbox.part(&part(1));
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(2 * CHUNK - 1).unwrap();
    assert_eq!(inbox.inbox.begin(part(1), &offer), Ok(Opened::At(CHUNK)));
    inbox.inbox.write(&part(1), CHUNK, &content[piece..]).unwrap();
    inbox.inbox.deliver(&part(1), receipt(&offer)).unwrap();
    let file = inbox.folder.path().join("inbox").join(sender().short()).join("a file.txt");
    assert!(fs::read(file).unwrap() == content);
}

#[test]
fn what_is_not_what_was_offered_is_removed() {
    let inbox = Box::new(MOST);
    let offer = offer(1, b"right");
    inbox.inbox.begin(part(1), &offer).unwrap();
    inbox.inbox.write(&part(1), 0, b"wrong").unwrap();
    assert_eq!(inbox.inbox.deliver(&part(1), receipt(&offer)).unwrap_err().code, Code::Broken);
    assert_eq!((inbox.parts(), inbox.names().len()), (0, 0));
    assert_eq!(inbox.inbox.begin(part(1), &offer), Ok(Opened::At(0)), "from its beginning");
}

#[test]
fn an_inbox_holds_no_more_than_it_may() {
    let off = Box::new(0);
    assert_eq!(off.inbox.begin(part(1), &offer(1, b"x")).unwrap_err().code, Code::Off);
    assert!(!off.folder.path().join("inbox").exists());
    let inbox = Box::new(MOST);
    let large = |number, size| Offer { size, ..offer(number, b"x") };
    assert_eq!(inbox.inbox.begin(part(1), &large(1, MOST + 1)).unwrap_err().code, Code::TooLarge);
    inbox.receive(2, &vec![1; usize::try_from(CHUNK).unwrap()]);
    inbox.inbox.begin(part(3), &large(3, MOST - 2 * CHUNK)).unwrap();
    let refused = inbox.inbox.begin(part(4), &large(4, CHUNK + 1)).unwrap_err();
    assert_eq!(refused.code, Code::NoRoom, "the room of what comes is spoken for");
    inbox.inbox.forget(&part(3));
    inbox.inbox.begin(part(4), &large(4, CHUNK + 1)).unwrap();
}

#[test]
fn an_inbox_of_more_files_than_are_counted_takes_no_more() {
    let inbox = Box::new(MOST);
    let folder = inbox.folder.path().join("inbox").join("many");
    durable::create_folder(&folder).unwrap();
    for nth in 0..=MAX_COUNTED {
        fs::File::create(folder.join(nth.to_string())).unwrap();
    }
    assert_eq!(inbox.inbox.begin(part(1), &offer(1, b"x")).unwrap_err().code, Code::NoRoom);
}

#[test]
fn whoever_closes_does_not_wait_for_the_count() {
    let inbox = Box::new(MOST);
    inbox.inbox.begin(part(1), &offer(1, b"x")).unwrap();
    let _counts = lock(&inbox.inbox.turn);
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            inbox.inbox.close(&part(1));
            told.send(()).unwrap();
        });
        heard.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
    });
}

#[test]
fn what_is_left_of_senders_that_gave_up_makes_room_without_a_restart() {
    let inbox = Box::new(MOST);
    let old = inbox.inbox.part(&part(1));
    fs::File::create(&old).unwrap().set_len(MOST).unwrap();
    let large = Offer { size: MOST, ..offer(2, b"x") };
    assert_eq!(inbox.inbox.begin(part(2), &large).unwrap_err().code, Code::NoRoom);
    let days = std::time::Duration::from_hours(15 * 24);
    let then = std::time::SystemTime::from(Mint::system().now()).checked_sub(days).unwrap();
    fs::OpenOptions::new().write(true).open(&old).unwrap().set_modified(then).unwrap();
    assert_eq!(inbox.inbox.begin(part(2), &large), Ok(Opened::At(0)));
    assert!(!old.exists());
}

#[test]
fn what_is_withdrawn_before_it_has_its_name_has_no_receipt() {
    let inbox = Box::new(MOST);
    let offer = offer(1, b"content");
    inbox.inbox.begin(part(1), &offer).unwrap();
    inbox.inbox.write(&part(1), 0, b"content").unwrap();
    // The disk takes the record, and then no name.
    let folder = inbox.folder.path().join("inbox").join(sender().short());
    durable::create_folder(&folder).unwrap();
    let record =
        Record { receipt: receipt(&offer), sender: sender().short(), name: offer.name.clone(), file: None };
    let bytes = serde_json::to_vec(&record).unwrap();
    durable::write(&inbox.inbox.record(&part(1)), &bytes, durable::Mode::Private).unwrap();
    inbox.inbox.forget(&part(1));
    assert_eq!(inbox.inbox.begin(part(1), &offer), Ok(Opened::At(0)));
}
