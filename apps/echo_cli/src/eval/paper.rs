//! The report as a paper: an in-toto statement about what was evaluated, signed by the attestor.

use std::path::{Path, PathBuf};

use durable::Mode;
use echo_core::Digest;
use evals::Report;
use trust::{
    KeyPair, KeyRole,
    statement::{Statement, Subject},
};

use crate::{
    Failure,
    passphrase::{Opening, refused},
    place,
};

/// The attestor key of the platform's home.
pub fn key(home: Option<PathBuf>, opening: &Opening) -> Result<KeyPair, Failure> {
    let home = place::platform(home)?;
    let keystore = opening
        .open(&home, None)
        .map_err(|failure| Failure { hint: format!("{}; or give --unsigned", failure.hint), ..failure })?;
    Ok(keystore.signer(KeyRole::Attestor).map_err(refused)?.clone())
}

/// Writes the report, in an envelope when there is a key.
pub fn write(path: &Path, report: &Report, key: Option<&KeyPair>) -> Result<(), Failure> {
    let bytes = match key {
        None => serde_json::to_vec_pretty(report),
        Some(key) => statement(report)
            .and_then(|statement| statement.sign(&[key]))
            .and_then(|envelope| serde_json::to_vec_pretty(&envelope)),
    };
    let bytes = bytes.map_err(Failure::failed)?;
    Ok(durable::write(path, &bytes, Mode::Public)?)
}

fn statement(report: &Report) -> serde_json::Result<Statement<&Report>> {
    let mut subjects: Vec<Subject> =
        report.inputs.iter().map(|input| Subject::new(&input.name, input.digest)).collect();
    subjects.push(Subject::new("figures", Digest::of(&serde_json::to_vec(&report.suites)?)));
    Ok(Statement::new(Report::PREDICATE, subjects, report))
}
