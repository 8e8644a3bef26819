//! App: `echo_probe`, the agent on a device.
//!
//! It enrols the machine with a one-time token, sends pulses, and carries out the commands that the operator has
//! signed: diagnose, scan, plan, apply. It believes nothing but the trust root that it pinned when it enrolled.
//!
//! Data flow: `platform` (HTTP) -> `work` (poll, journal, answer) -> `accept` (who signed it) -> `execute` (do it);
//! beside it `pulse` (sample, keep, send). Two threads; a kill at any moment loses nothing that was promised.
//!
//! What may not come in: async, SQL, the platform's crates, and any rule of scanning, planning or signing: those
//! live in `security`, `playbooks`, `observability` and `trust`.

mod accept;
mod address;
mod backoff;
mod care;
mod cli;
mod diagnose;
mod enroll;
mod execute;
mod failure;
mod home;
mod journal;
mod machine;
mod mesh;
mod notice;
mod pin;
mod platform;
mod pulse;
mod pulse_sender;
mod run;
mod scan;
mod show;
mod status;
mod stop;
mod work;

#[cfg(test)]
mod test_house;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    log_to_stderr();
    let done = match cli.command {
        Command::Enroll(options) => enroll::enroll(&options),
        Command::Run(options) => run::run(&options),
        Command::Diagnose(options) => diagnose::run(&options),
        Command::Scan(options) => scan::run(&options),
        Command::Status(options) => status::run(&options),
        Command::Mesh(command) => mesh::run(&command),
        Command::Completions { shell } => cli::completions(shell),
        Command::Man => cli::man(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            show::complain(&failure.to_string());
            failure.exit_code()
        }
    }
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("ECHO_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
        && std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr).init();
}
