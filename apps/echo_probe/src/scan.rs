//! `echo_probe scan`: compares a system with a policy file, on the screen.

use std::fmt::Write as _;

use echo_core::Mint;
use security::{MAX_POLICY, Outcome, Policy, Report};

use crate::{cli, failure::Failure, machine::Machine, show};

/// Scans and prints the report. Failed checks are an answer, not a failure.
pub(crate) fn run(options: &cli::Scan) -> Result<(), Failure> {
    let machine = Machine::new(options.root.as_deref(), false)?;
    let path = &options.policy;
    let bytes = durable::read(path, MAX_POLICY as u64)
        .map_err(Failure::of)?
        .ok_or_else(|| Failure::Failed(format!("{} does not exist: check the path", path.display())))?;
    let text = String::from_utf8(bytes)
        .map_err(|e| Failure::Failed(format!("{} is not a text file: {e}", path.display())))?;
    let policy = Policy::parse(&text).map_err(|e| Failure::Failed(format!("{}: {e}", path.display())))?;
    let report = security::evaluate(&policy, &*machine.system(), Mint::system().now());
    if options.json {
        return show::json(&report);
    }
    let table = table(&report).map_err(Failure::of)?;
    show::data(&table)
}

fn table(report: &Report) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for check in &report.checks {
        let word = match check.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::NotApplicable => "n/a",
            Outcome::Invalid => "invalid",
        };
        writeln!(text, "{word:<8} {:>6}  {}", check.check, show::plain(&check.title))?;
        if matches!(check.outcome, Outcome::Failed | Outcome::Invalid) {
            writeln!(text, "{:18}{}", "", show::plain(&check.reason))?;
        }
    }
    writeln!(
        text,
        "{}: {} passed, {} failed, {} do not apply, {} could not be asked; score {} of 100",
        show::plain(&report.policy_name),
        report.passed,
        report.failed,
        report.not_applicable,
        report.invalid,
        report.score
    )?;
    Ok(text)
}
