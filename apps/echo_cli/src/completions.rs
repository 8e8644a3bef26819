//! Completions for shells.

use std::io::{self, Write as _};

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use crate::{Failure, cli::Cli};

/// Which shell.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The shell, such as `bash`: put the output where it looks for completions
    shell: Shell,
}

/// Prints the completions.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut Cli::command(), "echo_cli", &mut script);
    Ok(io::stdout().lock().write_all(&script)?)
}
