//! A ledger whose folder was put back from a backup, and one that tells another history.

use std::{fs, path::Path};

use desk::{Desk, Options};
use echo_core::Mint;

use crate::{device::House, device::open, flow::worry};

/// Opens a case, so that both ledgers grow.
async fn grow(house: &House, name: &str) {
    let customer = house.customer(name).await;
    house.desk.open_case(&house.call(), worry(&customer, None)).await.unwrap();
}

async fn closed(house: House) -> tempfile::TempDir {
    house.desk.close().await.unwrap();
    house.folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn put(path: &Path, text: &str) {
    durable::write(path, text.as_bytes(), durable::Mode::Public).unwrap();
}

async fn reason(home: &Path) -> String {
    Desk::open(Options::new(home.to_owned(), Mint::system())).await.expect_err("it is refused").to_string()
}

#[tokio::test]
async fn a_ledger_from_an_older_backup_is_refused() {
    let house = House::found().await;
    grow(&house, "Anna").await;
    let folder = closed(house).await;
    let (ledger, backup) = (folder.path().join("aeterna_ledger"), folder.path().join("backup"));
    copy(&ledger, &backup);
    let opened = open(folder.path()).await;
    let house =
        House { operator: signed_in(&opened.desk, &opened.sign_in.secret).await, desk: opened.desk, folder };
    grow(&house, "Berta").await;
    let folder = closed(house).await;
    fs::rename(&ledger, folder.path().join("newer")).unwrap();
    fs::rename(&backup, &ledger).unwrap();
    let reason = reason(folder.path()).await;
    assert!(reason.contains("aeterna ledger was set back"), "{reason}");
    fs::remove_dir_all(&ledger).unwrap();
    fs::rename(folder.path().join("newer"), &ledger).unwrap();
    open(folder.path()).await.desk.close().await.unwrap();
}

#[tokio::test]
async fn a_ledger_with_another_history_is_refused() {
    let house = House::found().await;
    let folder = closed(house).await;
    let twin = tempfile::tempdir().unwrap();
    copy(folder.path(), twin.path());
    for (folder, name, cases) in [(&folder, "Anna", 1), (&twin, "Berta", 2)] {
        let opened = open(folder.path()).await;
        let operator = signed_in(&opened.desk, &opened.sign_in.secret).await;
        let call = desk::Call::by(operator);
        for _ in 0..cases {
            let new = desk::NewCustomer { name: name.to_owned(), plan: "pay-as-you-go".parse().unwrap() };
            let customer = opened.desk.add_customer(&call, new).await.unwrap().customer.id;
            opened.desk.open_case(&call, worry(&customer, None)).await.unwrap();
        }
        opened.desk.close().await.unwrap();
    }
    let ledger = folder.path().join("aeterna_ledger");
    fs::remove_dir_all(&ledger).unwrap();
    copy(&twin.path().join("aeterna_ledger"), &ledger);
    let reason = reason(folder.path()).await;
    assert!(reason.contains("tells another history"), "{reason}");
}

async fn signed_in(desk: &Desk, secret: &str) -> access::Principal {
    let tokens = desk.sign_in(secret).await.unwrap();
    desk.authenticate(&tokens.access_token).await.unwrap()
}

#[tokio::test]
async fn health_is_red_when_the_published_checkpoint_was_changed() {
    let house = House::found().await;
    assert!(house.desk.health().await.ready);
    let path = house.folder.path().join("genesis_ledger/checkpoint");
    let good = fs::read_to_string(&path).unwrap();
    let empty = house.folder.path().join("genesis_ledger/none");
    for (bad, word) in
        [(good.replacen('\n', "0\n", 1), "does not verify"), (String::new(), "does not verify")]
    {
        put(&path, &bad);
        let health = house.desk.health().await;
        assert!(!health.ready && health.problems[0].contains(word), "{:?}", health.problems);
    }
    fs::rename(&path, &empty).unwrap();
    assert!(house.desk.health().await.problems[0].contains("is missing"));
    put(&path, &good);
    assert!(house.desk.health().await.ready);
    grow(&house, "Anna").await;
    put(&path, &good);
    assert!(house.desk.health().await.problems[0].contains("set back"));
}
