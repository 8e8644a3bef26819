//! The keystore's file, and keys that were exported from it.

use std::path::Path;

use durable::Mode;
use trust::{
    Keystore, Unlock,
    keystore::{KEY_FILE, KEYSTORE_FILE, open_exported},
};

/// The key file of the corpus' keystores. It protects nothing.
pub const KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707\n";

/// A keystore is read or refused; a refusal names the file.
pub fn check(bytes: &[u8]) {
    let home = tempfile::tempdir_in(fast_folder()).expect("a temporary folder can be made");
    for (name, bytes) in [(KEYSTORE_FILE, bytes), (KEY_FILE, KEY.as_bytes())] {
        durable::write(&home.path().join(name), bytes, Mode::Private).expect("the temporary folder has room");
    }
    let opened = Keystore::open(home.path(), &Unlock::KeyFile);
    if let Err(refused) = opened {
        assert!(refused.to_string().contains("key"), "it does not say what is wrong: {refused}");
    }
    let _ = open_exported(bytes, "a passphrase");
}

/// Memory where there is such a folder: the check is run a million times.
fn fast_folder() -> &'static Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { Path::new("/tmp") }
}
