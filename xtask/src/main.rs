//! House-keeping: what no compiler checks, checked by one command.
//!
//! `cargo xtask tidy` holds the workspace to its own rules: which crate may use which, how long a file may be,
//! what may not be switched off, and whether the links in the documents lead somewhere.
//! `cargo xtask advisories DIR` holds the lock file against `RustSec`'s advisories.
//!
//! What may not come in: anything a shipped program needs. This package depends on no other room of Echo, so
//! that it still builds when one of them does not.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to a person")]

mod advisories;
mod layers;
mod links;
mod lock;
mod report;
mod rules;
mod tidy;
mod tree;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

const USAGE: &str = "\
usage: cargo xtask tidy              check layers, file lengths, forbidden words, scripts and links
       cargo xtask advisories DIR    check Cargo.lock against DIR/osv/*rustsec*.tar.gz";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = workspace_root();
    let outcome = match words.as_slice() {
        ["tidy"] => tidy::run(&root),
        ["advisories", dir] => advisories::run(&root, Path::new(dir)),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(report) => {
            println!("{report}");
            if report.errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

/// The folder of the workspace: the one above this package's.
fn workspace_root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}
