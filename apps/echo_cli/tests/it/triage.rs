//! `triage` on small files: what it writes, and what it refuses.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use durable::Mode;
use serde_json::Value;

use crate::fixture::{echo_cli, stderr, stdout};

/// A folder with tickets of two topics.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let mut csv = "Document,Topic_group\n".to_owned();
        for n in 0..20 {
            writeln!(csv, "the printer jams on floor {n} please replace the toner,Printing").unwrap();
            writeln!(csv, "\"mailbox {n} is full, outlook cannot send mail\",Mail").unwrap();
        }
        place.write("tickets.csv", csv.as_bytes());
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        durable::write(&self.path(name), bytes, Mode::Public).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        echo_cli(arguments).current_dir(self.0.path()).output().unwrap()
    }

    fn trained(self) -> Self {
        let trained = self.run(&["triage", "train", "--csv", "tickets.csv", "--model", "model"]);
        assert!(trained.status.success(), "{}", stderr(&trained));
        self
    }

    /// What training on this CSV is refused with.
    fn refused(&self, csv: &[u8], further: &[&str]) -> String {
        self.write("bad.csv", csv);
        let refused =
            self.run(&[&["triage", "train", "--csv", "bad.csv", "--model", "none"], further].concat());
        assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
        assert!(!self.path("none").exists());
        stderr(&refused)
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_model_is_learned_and_its_card_says_what_it_is() {
    let place = Place::new();
    let trained = place.run(&["--json", "triage", "train", "--csv", "tickets.csv", "--model", "model"]);
    assert!(trained.status.success(), "{}", stderr(&trained));
    assert!(stderr(&trained).contains("held back part 3 of 3"), "{}", stderr(&trained));
    let printed: Value = serde_json::from_slice(&trained.stdout).unwrap();
    let card: Value = serde_json::from_slice(&fs::read(place.path("model/model.json")).unwrap()).unwrap();
    assert_eq!(printed, card);
    assert_eq!(card["labels"], serde_json::json!(["Mail", "Printing"]));
    assert_eq!((&card["cases"], &card["held_back"]["accuracy"]), (&40.into(), &1.0.into()));
    let digest = |name: &str| echo_core::Digest::of(&fs::read(place.path(name)).unwrap()).to_string();
    assert_eq!(
        (card["model"].as_str().unwrap(), card["data"].as_str().unwrap()),
        (&*digest("model/model.bin"), &*digest("tickets.csv"))
    );
    assert_eq!(names(place.0.path()), ["model", "tickets.csv"], "nothing is left behind");
}

#[test]
fn the_same_tickets_give_the_same_model_and_replace_the_one_before() {
    let place = Place::new().trained();
    let bytes = || fs::read(place.path("model/model.bin")).unwrap();
    let first = bytes();
    for (seed, same) in [("1", true), ("2", false)] {
        let again =
            place.run(&["triage", "train", "--csv", "tickets.csv", "--model", "model", "--seed", seed]);
        assert!(again.status.success(), "{}", stderr(&again));
        assert_eq!(bytes() == first, same);
    }
    assert_eq!(names(place.0.path()), ["model", "tickets.csv"]);
    assert_eq!(names(&place.path("model")), ["model.bin", "model.json"]);
}

#[test]
fn predictions_stand_in_new_columns() {
    let place = Place::new().trained();
    place.write("new.csv", b"\xef\xbb\xbfid,Document\n7,\"Printer, toner: \"\"empty\"\"\"\n8,\n");
    let arguments = ["triage", "predict", "--csv", "new.csv", "--model", "model", "--out", "out.csv"];
    let said = place.run(&[&arguments[..], &["--why", "--threshold", "0"]].concat());
    assert!(said.status.success() && stdout(&said).contains("1 answered, 1 abstained"), "{}", stderr(&said));
    let written = fs::read_to_string(place.path("out.csv")).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines[0], "id,Document,predicted,confidence,abstained,why");
    assert!(lines[1].starts_with("7,\"Printer, toner: \"\"empty\"\"\",Printing,0."), "{written}");
    assert!(lines[1].contains(",false,") && lines[1].contains("toner"), "{written}");
    assert!(lines[2].starts_with("8,,") && lines[2].ends_with(",true,"), "{written}");
    let never = place.run(&[&arguments[..], &["--threshold", "1"]].concat());
    assert!(stdout(&never).contains("0 answered, 2 abstained"), "{}", stdout(&never));
    let twice = place.run(&["triage", "predict", "--csv", "out.csv", "--model", "model", "--out", "x.csv"]);
    assert!(stderr(&twice).contains("has a column `predicted` already"), "{}", stderr(&twice));
}

#[test]
fn an_evaluation_prints_figures_of_every_label_and_the_curve() {
    let place = Place::new().trained();
    let text = place.run(&["triage", "evaluate", "--csv", "tickets.csv", "--folds", "2"]);
    for part in
        ["40 tickets, in 2 parts", "accuracy 1.0000, macro-F1 1.0000", "Printing", "answered  accuracy"]
    {
        assert!(stdout(&text).contains(part), "{part}: {} {}", stdout(&text), stderr(&text));
    }
    let json = place.run(&["--json", "triage", "evaluate", "--csv", "tickets.csv", "--model", "model"]);
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&report["folds"], &report["figures"]["cases"]), (&Value::Null, &40.into()));
    assert!(report["spent"]["cpu_seconds"].as_f64().unwrap() > 0.0, "{report}");
}

#[test]
fn a_csv_that_cannot_be_learned_from_is_refused_with_its_reason() {
    let place = Place::new();
    let giant = format!("Document,Topic_group\n\"{}\",a\n", "x".repeat(1024 * 1024 + 1));
    let few = "Document,Topic_group\na b,x\na b,y\n";
    for (csv, reason) in [
        (b"".as_slice(), "it is empty"),
        (b"Document,Topic_group\n", "no rows"),
        (b"Text,Topic_group\na,b\n", "no column `Document`, only: Text, Topic_group"),
        (b"Document,Label\na,b\n", "no column `Topic_group`"),
        (b"Document,Topic_group\na,b\na,b,c\n", "line 3 has 3 fields"),
        (b"Document,Topic_group\na,b\n\xff\xfe,c\n", "line 3: it is not text in UTF-8"),
        (b"\x7fELF\x02\x01\x00\x00", "not text in UTF-8"),
        (giant.as_bytes(), "line 2: a field has more than 1048576 bytes"),
        (b"Document,Topic_group\na,x\nb,x\n", "every row is labelled `x`"),
        (b"Document,Topic_group\na,x\nb,\n", "line 3: the label is empty"),
        (few.as_bytes(), "cannot learn from 2 cases"),
    ] {
        let said = place.refused(csv, &[]);
        assert!(said.contains(reason), "{reason}: {said}");
    }
}

#[test]
fn a_label_outside_the_set_is_refused_by_its_line() {
    let place = Place::new();
    place.write("labels", b"Printing\nMail\n");
    let said = place.refused(b"Document,Topic_group\na,Mail\nb,Coffee\n", &["--labels", "labels"]);
    assert!(said.contains("line 3: the label `Coffee` is not one of the set"), "{said}");
    assert!(said.contains("hint: the set is: Printing, Mail"), "{said}");
}

#[test]
fn what_is_no_model_is_neither_read_nor_replaced() {
    let place = Place::new().trained();
    let predict =
        || place.run(&["triage", "predict", "--csv", "tickets.csv", "--model", "model", "--out", "out.csv"]);
    let good = fs::read(place.path("model/model.bin")).unwrap();
    for bad in [&good[..good.len() / 2], b"nothing"] {
        place.write("model/model.bin", bad);
        assert!(stderr(&predict()).contains("not the one that model.json speaks of"));
    }
    fs::remove_file(place.path("model/model.json")).unwrap();
    assert!(stderr(&predict()).contains("there is no"));
    assert!(!place.path("out.csv").exists());
    fs::create_dir(place.path("photos")).unwrap();
    place.write("photos/cat", b"");
    let over = place.run(&["triage", "train", "--csv", "tickets.csv", "--model", "photos"]);
    assert_eq!((over.status.code(), names(&place.path("photos"))), (Some(1), vec!["cat".to_owned()]));
    assert!(stderr(&over).contains("is not a model's folder"), "{}", stderr(&over));
    let wrong = place.run(&["triage", "train", "--csv", "tickets.csv", "--model", "m", "--precision", "2"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));
}
