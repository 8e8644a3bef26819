//! `backup` as its users meet it: made, checked, damaged, forgotten, brought back from paper.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;

use crate::fixture::{TOURED, echo_cli, stderr, stdout};

/// A toured home of its own, with a disk beside it.
struct House(tempfile::TempDir);

impl House {
    fn new() -> Self {
        let house = Self(tempfile::tempdir().unwrap());
        copy(&TOURED.home, &house.path("home"));
        fs::create_dir(house.path("disk")).unwrap();
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, line: &str) -> Output {
        let mut command = echo_cli(&["--home", "home", "backup"]);
        command.current_dir(self.0.path()).args(line.split(' ')).output().unwrap()
    }

    fn done(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", stderr(&output));
        stdout(&output)
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.done(&format!("--json {line}"))).unwrap()
    }

    fn refused(&self, line: &str, code: i32) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(code), "{line}: {}{}", stdout(&output), stderr(&output));
        stderr(&output)
    }
}

fn put(path: &Path, content: impl AsRef<[u8]>) {
    durable::write(path, content.as_ref(), durable::Mode::Private).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn a_home_is_backed_up_and_brought_back_from_two_pages_of_paper() {
    let house = House::new();
    let said = house.done("init --place disk/repo");
    assert!(said.contains("[backup]") && said.contains("recovery sheet"), "{said}");
    assert!(house.done("list --place disk/repo").contains("holds no snapshot yet"));
    let made = house.json("run --place disk/repo --tag weekly");
    assert!(made["snapshot"]["files"].as_u64().unwrap() > 40, "{made}");
    assert!(house.done("list --place disk/repo").contains("weekly"));
    assert!(house.done("check --place disk/repo").contains("1 snapshots are sound"));
    house.done("sheet --place disk/repo --out sheet.html");
    assert!(house.refused("sheet --place disk/repo --out sheet.html", 1).contains("is there already"));
    let page = fs::read_to_string(house.path("sheet.html")).unwrap();
    let shares: Vec<&str> =
        page.split("<code>").skip(1).map(|rest| rest.split("</code>").next().unwrap()).collect();
    assert_eq!(shares.len(), 3);
    durable::write(&house.path("one"), shares[0].as_bytes(), durable::Mode::Private).unwrap();
    let two = format!("# typed\n{}\n{}\n", shares[2], shares[0].to_uppercase());
    durable::write(&house.path("two"), two.as_bytes(), durable::Mode::Private).unwrap();
    let key = fs::read_to_string(house.path("home/backup.key")).unwrap();

    fs::remove_dir_all(house.path("home")).unwrap();
    assert!(house.refused("restore --place disk/repo --to new", 1).contains("recovery sheet"));
    assert!(house.refused("restore --place disk/repo --shares one --to new", 1).contains("2 are needed"));
    assert_eq!(house.done("key --shares two"), key);
    let back = house.json("restore --place disk/repo --shares two --to new");
    let held: Vec<&str> =
        back["held"].as_array().unwrap().iter().map(|h| h["what"].as_str().unwrap()).collect();
    assert_eq!(held, ["trust", "keystore", "aeterna", "genesis", "database", "memory"]);
    assert_eq!(fs::read_to_string(house.path("new/backup.key")).unwrap(), key);
    assert!(house.refused("restore --place disk/repo --shares two --to new", 1).contains("is not empty"));
}

#[test]
fn what_cannot_be_done_says_what_to_do() {
    let house = House::new();
    for (line, code, words) in [
        ("run", 2, "--place DIR"),
        ("run --place disk/repo", 1, "echo_cli backup init"),
        ("init --place nowhere/repo", 1, "plug the disk in"),
        ("init --place home", 1, "is not empty"),
        ("check --place disk --read 0%", 2, "write none, 10% or all"),
    ] {
        let said = house.refused(line, code);
        assert!(said.contains(words), "{line}: {said}");
    }
    house.done("init --place disk/repo");
    assert!(house.refused("init --place disk/repo", 1).contains("already"));
    assert!(house.refused("list --place disk", 1).contains("holds no repository"));
    assert!(
        house.refused("restore beef --place disk/repo --to new", 1).contains("there is no snapshot beef")
    );
    assert!(!house.path("new").exists());
    put(&house.path("home/echo.toml"), "[backup]\nplace = \"../disk/repo\"\nkeep = { last = 1 }\n");
    house.done("run");
    house.done("run");
    let gone = house.json("forget --last 1");
    assert_eq!((gone["kept"].as_u64(), gone["forgotten"].as_array().unwrap().len()), (Some(1), 1));
}

#[test]
fn a_damaged_pack_is_found_by_the_check() {
    let house = House::new();
    house.done("init --place disk/repo");
    house.done("run --place disk/repo");
    let pack = fs::read_dir(house.path("disk/repo/data"))
        .unwrap()
        .flat_map(|two| fs::read_dir(two.unwrap().path()).unwrap())
        .map(|pack| pack.unwrap().path())
        .max_by_key(|pack| fs::metadata(pack).unwrap().len())
        .unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    bytes[100] ^= 1;
    put(&pack, bytes);
    let said = house.refused("check --place disk/repo", 3);
    assert!(said.contains("damaged"), "{said}");
    assert!(house.done("check --place disk/repo --read none").contains("sound"));
    assert!(!house.run("restore --place disk/repo --to new").status.success());
    let left = fs::read_dir(house.path("new")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "nothing that looks like a home stays");
}
