//! Triages a file of tickets (CSV: `Document,Topic_group`, one a line) and counts our categories against theirs.
//!
//! `cargo run -p agents --example triage_csv -- FILE`
//!
//! The two sets of classes are different, so this measures no accuracy: it shows where cases would go, and how
//! often triage leaves them to a person.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to a person")]

use std::{collections::BTreeMap, io::Read as _, process::ExitCode};

use agents::{Category, Engine as _, TriageInput, Triager};

/// The most bytes of a file.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Default)]
struct Row {
    total: u32,
    abstained: u32,
    categories: BTreeMap<Category, u32>,
}

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: triage_csv FILE");
        return ExitCode::FAILURE;
    };
    let mut text = String::new();
    let read = std::fs::File::open(&path).and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text));
    if let Err(error) = read {
        eprintln!("cannot read {path}: {error}");
        return ExitCode::FAILURE;
    }
    print(&count(&text));
    ExitCode::SUCCESS
}

fn count(text: &str) -> BTreeMap<&str, Row> {
    let triager = Triager::default();
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    // The class is the last column; commas before it belong to the text.
    for (document, class) in text.lines().skip(1).filter_map(|line| line.rsplit_once(',')) {
        let row = rows.entry(class).or_default();
        let input = TriageInput { text: document.to_owned(), ..TriageInput::default() };
        match triager.run(&input) {
            Ok(triage) => {
                row.total += 1;
                row.abstained += u32::from(triage.abstained);
                *row.categories.entry(triage.category).or_default() += 1;
            }
            Err(error) => eprintln!("skipped a ticket: {error}"),
        }
    }
    rows
}

fn print(rows: &BTreeMap<&str, Row>) {
    print!("{:<24}{:>8}{:>10}", "their class", "tickets", "abstained");
    for category in Category::ALL {
        print!("{category:>12}");
    }
    println!();
    for (class, row) in rows {
        print!("{class:<24}{:>8}{:>9.1}%", row.total, percent(row.abstained, row.total));
        for category in Category::ALL {
            print!("{:>12}", row.categories.get(category).unwrap_or(&0));
        }
        println!();
    }
    let (total, abstained) =
        rows.values().fold((0, 0), |sum, row| (sum.0 + row.total, sum.1 + row.abstained));
    println!("{:<24}{total:>8}{:>9.1}%", "all", percent(abstained, total));
}

fn percent(part: u32, whole: u32) -> f64 {
    100.0 * f64::from(part) / f64::from(whole.max(1))
}
