//! A home whose keystore opens with a passphrase, and one whose root is kept elsewhere.

use desk::{Desk, Options};
use echo_core::Mint;
use trust::{KeyRole, Keystore, Unlock};
use zeroize::Zeroizing;

use crate::device::{House, open};

const PASSPHRASE: &str = "correct horse battery staple";

fn passphrase() -> Zeroizing<String> {
    Zeroizing::new(PASSPHRASE.to_owned())
}

/// A founded home with nobody in it.
async fn closed_home() -> tempfile::TempDir {
    let House { folder, desk, .. } = House::found().await;
    desk.close().await.unwrap();
    folder
}

#[tokio::test]
async fn a_passphrase_opens_the_home_and_nothing_else_does() {
    let folder = closed_home().await;
    let home = folder.path();
    let mut keystore = Keystore::open(home, &Unlock::KeyFile).unwrap();
    keystore.protect(home, &Unlock::Passphrase(passphrase()), &Mint::system()).unwrap();
    let options = |passphrase| Options { passphrase, ..Options::new(home.to_owned(), Mint::system()) };
    let without = Desk::open(options(None)).await.unwrap_err().to_string();
    assert!(without.contains("passphrase"), "{without}");
    let wrong = Desk::open(options(Some(Zeroizing::new("another horse".to_owned())))).await;
    assert!(wrong.is_err());
    let desk = Desk::open(options(Some(passphrase()))).await.unwrap().desk;
    desk.close().await.unwrap();
}

#[tokio::test]
async fn a_home_works_on_while_its_root_is_kept_elsewhere() {
    let folder = closed_home().await;
    let home = folder.path();
    let mint = Mint::system();
    let mut keystore = Keystore::open(home, &Unlock::KeyFile).unwrap();
    let root = keystore.signer(KeyRole::Root).unwrap().id();
    let exported = keystore.export_key(&root, PASSPHRASE, &mint).unwrap();
    keystore.remove(&exported, PASSPHRASE, "the safe in the office", &mint).unwrap();
    drop(keystore);
    let desk = open(home).await.desk;
    assert!(desk.health().await.ready);
    desk.close().await.unwrap();
}
