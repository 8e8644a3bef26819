//! `echo_cli`: the person's tool. Talks to a platform, and verifies its papers without one.
//!
//! Each subcommand is one file with its arguments and its work. A command reads arguments, asks the platform over
//! HTTP ([`api`]) or opens files, and prints through [`out::Out`]; failures come back as [`Failure`] and are
//! printed here, once, with the exit code: 0 done, 1 failed, 2 usage, 3 verification failed.
//!
//! Data flow: arguments -> one command -> stdout (data) and stderr (words).
//!
//! What may not come in: the domain's decisions. What a case is and what it costs is the platform's business;
//! what a proof is, `dossier`'s and `ledger`'s.

mod agent;
mod agent_key;
mod answer;
mod api;
mod atlas;
mod attestation;
mod backup;
mod case;
mod change;
mod cli;
mod completions;
mod confirm;
mod content;
mod customer;
mod device;
mod docs;
mod eval;
mod events;
mod failure;
mod finding;
mod health;
mod http;
mod invoice;
mod keystore;
mod ledger_bundle;
mod ledger_proofs;
mod ledgers;
mod library;
mod login;
mod man;
mod mcp;
mod mesh;
mod model;
mod out;
mod passphrase;
mod place;
mod plan;
mod receipt;
mod schedule;
mod session;
mod stopped;
mod tour;
mod treasury;
mod triage;
mod trust;
mod user;
mod vault;
mod verify;
mod witness;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser as _;

pub(crate) use failure::Failure;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.kind != failure::Kind::Unread {
                // When stderr is gone there is nobody left to tell.
                let _ = writeln!(io::stderr().lock(), "error: {}", out::printable(&failure.to_string()));
            }
            failure.code()
        }
    }
}
