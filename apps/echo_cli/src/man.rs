//! The manual, made from the command line itself.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::{Args, Command, CommandFactory as _};
use durable::Mode;

use crate::{Failure, cli::Cli};

/// Where the manual goes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Write one page a command into this folder; without it, the main page is printed
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the main page (roff), or writes all pages.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    match &arguments.out {
        None => Ok(io::stdout().lock().write_all(&page(&command)?)?),
        Some(folder) => {
            durable::create_folder(folder)?;
            write_pages(&command, "echo_cli", folder)
        }
    }
}

/// Writes the page of a command and those of its subcommands, `echo_cli-case-open.1` and the like.
fn write_pages(command: &Command, name: &str, folder: &Path) -> Result<(), Failure> {
    durable::write(&folder.join(format!("{name}.1")), &page(command)?, Mode::Public)?;
    for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
        write_pages(below, &format!("{name}-{}", below.get_name()), folder)?;
    }
    Ok(())
}

fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut roff = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut roff)?;
    Ok(roff)
}
