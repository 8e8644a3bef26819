//! `bundle start`: becomes the platform of the active system.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    process::Command,
};

use bundle::Launch;
use clap::Args;
use echo_core::Mint;

use super::{refused, slots::Where};
use crate::Failure;

/// What to start.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    at: Where,
    /// Say what would be started, and start nothing; a system on trial loses a start all the same
    #[arg(long)]
    dry: bool,
    /// What the platform is told
    #[arg(last = true, value_name = "ARGUMENTS")]
    platform: Vec<OsString>,
}

/// Starts the platform; returns only when that does not work.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let prefix = arguments.at.open()?;
    let launch = prefix.launch(Mint::system().now()).map_err(refused)?;
    tell(&launch);
    if arguments.dry {
        return Ok(());
    }
    let error = become_platform(&launch, &arguments.platform);
    // A program that cannot even begin needs no more tries, when there is one to go back to.
    if launch.tries.is_none() {
        return Err(error);
    }
    let Ok(back) = prefix.roll_back(&error.to_string(), Mint::system().now()) else { return Err(error) };
    tell(&back);
    drop(prefix);
    Err(become_platform(&back, &arguments.platform))
}

fn become_platform(launch: &Launch, arguments: &[OsString]) -> Failure {
    let program = launch.folder.join("bin/echo_os_prime");
    // The lock of the installation is closed by the exec.
    let error = Command::new(&program).args(arguments).exec();
    Failure::failed(format!("cannot start {}: {error}", program.display()))
        .hint("say `echo_cli bundle rollback`, or install the bundle again")
}

fn tell(launch: &Launch) {
    let mut words = format!("starting version {} from slot {}", launch.version, launch.slot);
    if let Some(given_up) = &launch.given_up {
        words = format!("version {given_up} was given up; {words}");
    }
    if let Some(tries) = launch.tries {
        words = format!("{words}, on trial, starts left: {tries}");
    }
    // When stderr is gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{words}");
}
