//! House-keeping: what no compiler checks, checked by one command.
//!
//! `cargo xtask tidy` holds the workspace to its own rules: which crate may use which, how long a file may be,
//! what may not be switched off, and whether the links in the documents lead somewhere.
//! `cargo xtask constitution` holds the guarantees against the tests that enforce them; `cargo xtask documents` writes what
//! is made of other files, `cargo xtask sbom FILE` what the programs are made of. `cargo xtask advisories DIR` holds the lock file against `RustSec`'s advisories.
//!
//! What may not come in: anything a shipped program needs. This package depends on no other room of Echo, so
//! that it still builds when one of them does not.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to a person")]

mod advisories;
mod constitution;
mod layers;
mod licences;
mod links;
mod lock;
mod manuals;
mod report;
mod rules;
mod sbom;
mod tidy;
mod tree;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

const USAGE: &str = "\
usage: cargo xtask tidy              check layers, file lengths, forbidden words, scripts, links and documents
       cargo xtask constitution      check that each article's tests exist; with --run, run them
       cargo xtask documents         write the playbooks' manual and the licences anew
       cargo xtask sbom FILE         write what the programs are made of (CycloneDX 1.6)
       cargo xtask advisories DIR    check Cargo.lock against DIR/osv/*rustsec*.tar.gz";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = workspace_root();
    let outcome = match words.as_slice() {
        ["tidy"] => tidy::run(&root),
        ["constitution"] => constitution::run(&root, false),
        ["constitution", "--run"] => constitution::run(&root, true),
        ["documents"] => manuals::write(&root),
        ["sbom", file] => sbom::run(&root, Path::new(file)),
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
