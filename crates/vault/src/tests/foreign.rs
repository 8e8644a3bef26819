//! Files under a passphrase that other programs made. `scripts/suites/age` makes them, and looks at the other ways.

use crate::age_file::open_with_passphrase;

#[test]
#[ignore = "scripts/suites/age makes the files"]
fn a_passphrase_file_of_others_opens() {
    let folder = std::path::PathBuf::from(std::env::var_os("ECHO_FOREIGN_AGE").unwrap());
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let (passphrase, value) = (String::from_utf8(read("passphrase")).unwrap(), read("value"));
    for name in ["go.passphrase.age", "npm.passphrase.age"] {
        let opened = open_with_passphrase(passphrase.trim_end(), &read(name), value.len()).unwrap();
        assert!(*opened == value, "{name}");
        assert!(open_with_passphrase("another horse", &read(name), value.len()).is_none(), "{name}");
    }
}
