//! `bundle`: one file with a whole Echo, and the installations that are made from it. No platform and no network.

mod build;
mod exchange;
mod install;
mod slots;
mod start;
mod told;
mod verify;
mod witness;

use std::path::PathBuf;

use bundle::{BundleError, StateError};
use clap::Subcommand;

use crate::{Failure, out::Out, place};

/// What to do with bundles.
#[derive(Debug, Subcommand)]
pub enum Bundle {
    /// Build a bundle from a folder, signed by the operator of the home
    ///
    /// The same folder, version, time and keys make the same bytes.
    Build(build::Arguments),
    /// Verify a bundle: signature, trust chain, every chunk, every file
    Verify(verify::Arguments),
    /// Print what a bundle or a delta says of itself, unverified
    Show {
        /// The bundle or delta
        file: PathBuf,
        /// Name every file
        #[arg(long)]
        files: bool,
    },
    /// Enter a bundle into the home's genesis ledger, and put the proof with its cosignatures into the bundle
    ///
    /// The platform must be stopped. Say it again when witnesses have cosigned a later head: the proof is made anew.
    Witness(witness::Arguments),
    /// Copy a bundle, or finish a torn copy: what is there and right is not written again
    Copy {
        /// The bundle
        from: PathBuf,
        /// The copy, new, torn or damaged
        to: PathBuf,
    },
    /// Write what a newer bundle has and an older one lacks
    Diff {
        /// The older bundle
        old: PathBuf,
        /// The newer bundle
        new: PathBuf,
        /// Where to write the delta
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Make the newer bundle from the older one and a delta: the very same file
    Patch {
        /// The older bundle
        old: PathBuf,
        /// The delta
        delta: PathBuf,
        /// Where to write the newer bundle
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Install a bundle into a folder
    Install(install::Install),
    /// Update an installation from a bundle or a delta; the system before it stays, to go back to
    Update(install::Update),
    /// Say what is installed
    Status(slots::Where),
    /// Check the active system, and hold it to be in good health
    ///
    /// Reads every file and runs each program once. A system that is never in good health is given up after three starts.
    Health(slots::Where),
    /// Go back to the system before
    Rollback(slots::Rollback),
    /// Start the active system's platform; a system on trial that has no starts left is given up first
    ///
    /// `PREFIX/bin/echo_os_prime` does this.
    Start(start::Arguments),
}

impl Bundle {
    /// Does it. `home` is what `--home` said.
    pub fn run(self, home: Option<PathBuf>, out: Out) -> Result<(), Failure> {
        match self {
            Self::Build(arguments) => build::run(&arguments, &place::platform(home)?, out),
            Self::Verify(arguments) => verify::run(&arguments, out),
            Self::Show { file, files } => verify::show(&file, files, out),
            Self::Witness(arguments) => witness::run(&arguments, &place::platform(home)?, out),
            Self::Copy { from, to } => exchange::copy(&from, &to, out),
            Self::Diff { old, new, out: to } => exchange::diff(&old, &new, &to, out),
            Self::Patch { old, delta, out: to } => exchange::patch(&old, &delta, &to, out),
            Self::Install(arguments) => install::install(&arguments, out),
            Self::Update(arguments) => install::update(&arguments, out),
            Self::Status(arguments) => slots::status(&arguments, out),
            Self::Health(arguments) => slots::health(&arguments, out),
            Self::Rollback(arguments) => slots::roll_back(&arguments, out),
            Self::Start(arguments) => start::run(&arguments),
        }
    }
}

/// Why the bundle's room did not do something, with the exit code that says whose fault it is.
fn refused(error: BundleError) -> Failure {
    match &error {
        BundleError::State(StateError::NoRoot | StateError::OtherRoot { .. }) => Failure::usage(error),
        _ if error.is_verdict() => Failure::unverified(error),
        _ => Failure::failed(error),
    }
}
