//! Files between two daemons, over real links.

use std::{fs, path::Path, time::Instant};

use echo_core::Digest;
use mesh::{
    FileReceipt,
    bulk::{Stage, TransferId, TransferView},
};

use super::*;

const SIZE: usize = 64 * 1024 * 1024;

fn write(path: &Path, size: usize) -> Vec<u8> {
    let content: Vec<u8> = (0..size).map(|i| u8::try_from((i / 4_096 + i) % 251).unwrap()).collect();
    durable::write(path, &content, durable::Mode::Private).unwrap();
    content
}

async fn view(of: &Running, id: TransferId) -> Option<TransferView> {
    of.daemon.transfers().await.unwrap().into_iter().find(|view| view.id == id)
}

/// Waits until a transfer is there, at most a minute.
async fn until(of: &Running, id: TransferId, there: impl Fn(&TransferView) -> bool) -> TransferView {
    for _ in 0..6_000 {
        if let Some(view) = view(of, id).await.filter(&there) {
            return view;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came so far: {:?}", view(of, id).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_arrives_whole_though_the_receiver_restarts_in_the_middle() {
    let house = House::new();
    let (anna, bert) = (house.device("anna"), house.device("bert"));
    let there = house.start(&bert, &[]).await;
    let here = house.start(&anna, &[there.place()]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.bin");
    let content = write(&path, SIZE);

    let began = Instant::now();
    let id = here.daemon.send_file(path, bert.id()).await.unwrap();
    let half = until(&here, id, |view| view.done > view.size / 3).await;
    assert_eq!(half.stage, Stage::Moving, "it was too fast to be cut");
    there.stop().await;
    until(&here, id, |view| view.stage == Stage::Waiting).await;
    let place = here.place();
    let again = house.start(&bert, &[place]).await;
    let resumed = until(&here, id, |view| view.stage == Stage::Moving).await;
    assert!(resumed.done > half.size / 3, "it began anew at {}", resumed.done);
    let done = until(&here, id, |view| view.stage.is_end()).await;
    assert_eq!((done.stage, done.why.as_str()), (Stage::Delivered, ""));
    eprintln!("{} MiB, with a restart in between: {:?}", SIZE >> 20, began.elapsed());

    let receipt = here.daemon.file_receipt(&id).unwrap();
    let receipt = FileReceipt::verify(&receipt, &anna.id(), &bert.id()).unwrap();
    assert_eq!((receipt.digest, receipt.size), (Digest::of(&content), done.size));
    let inbox = house.box_of(&bert).join("inbox");
    let arrived = fs::read(inbox.join(anna.id().short()).join("image.bin")).unwrap();
    assert!(arrived == content);
    assert_eq!(fs::read_dir(inbox.join(".parts")).unwrap().count(), 0);
    again.stop().await;
    here.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_answered_while_files_go_and_what_is_cancelled_is_gone() {
    let house = House::new();
    let (anna, bert) = (house.device("anna"), house.device("bert"));
    let mut there = house.start(&bert, &[]).await;
    let here = house.start(&anna, &[there.place()]).await;
    eventually("anna is linked with bert", || !here.daemon.report().view.links.is_empty()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.bin");
    write(&path, SIZE);
    let first = here.daemon.send_file(path.clone(), bert.id()).await.unwrap();
    let second = here.daemon.send_file(path, bert.id()).await.unwrap();
    until(&here, second, |view| view.done > 0).await;
    let grant = house.grant(anna.id());
    let (answer, _) = tokio::join!(call(&here, bert.id(), &grant, KEY), work(&mut there, 1));
    assert_eq!(answer.unwrap(), json!({ "number": 1 }));
    let still = view(&here, first).await.unwrap();
    assert!(!still.stage.is_end(), "the call waited for the files");

    assert!(here.daemon.cancel_transfer(first).await.unwrap());
    assert!(there.daemon.cancel_transfer(second).await.unwrap());
    assert_eq!(until(&here, first, |view| view.stage.is_end()).await.stage, Stage::Cancelled);
    let refused = until(&here, second, |view| view.stage.is_end()).await;
    assert!(refused.why.contains("does not want it"), "{}", refused.why);
    let parts = house.box_of(&bert).join("inbox").join(".parts");
    eventually("no part is left", || fs::read_dir(&parts).unwrap().count() == 0).await;
    assert!(!here.daemon.cancel_transfer(first).await.unwrap(), "it has ended");
}
