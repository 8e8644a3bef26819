//! `echo_os_prime`: the platform. Parses its settings, opens the home, serves, and stops cleanly.

mod certificates;
mod clock;
mod endpoint;
mod jobs;
mod machine;
mod mesh;
mod mesh_ledgers;
mod model_settings;
mod network;
mod schedule;
mod serve;
mod settings;
mod smart;
mod timer;
mod witnesses;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::EnvFilter;

use crate::settings::{Args, Settings};

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(
            std::env::var_os("NO_COLOR").is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr()),
        )
        .with_env_filter(
            EnvFilter::try_from_env("ECHO_LOG")
                .unwrap_or_else(|_| EnvFilter::new("warn,desk=info,rmcp=error")),
        )
        .init();
    let done = Settings::read(args).and_then(serve::run);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}
