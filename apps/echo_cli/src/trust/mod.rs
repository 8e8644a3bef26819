//! `trust`: who signs what for a platform's home, and how those keys are replaced.

mod ceremony;
mod report;
mod rotate;
mod show;
mod status;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use echo_core::{Mint, RotationId};
use governance::{GovernanceError, House};
use trust::Keystore;

use crate::{
    Failure,
    out::Out,
    passphrase::{Opening, refused},
    place,
    stopped::Stopped,
};

/// What to do about the keys that others trust.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say who signs what, until when, and which keys are retiring, retired and revoked
    ///
    /// Reads the home's files; the platform may run.
    Show,
    /// Replace the keys of a role, in good order or in an emergency
    ///
    /// In good order a new key is made and published beside the old one, signing goes over to it, a notice says
    /// until when the old one is taken, and after that day `trust resume` retires it: what it signed goes on counting.
    /// With `--grace 0` that happens at once. With `--emergency` the old key is revoked at once, and nothing that it
    /// ever signed counts; a rotation of that role that is under way is given up for it.
    #[command(after_help = STOPPED)]
    Rotate(rotate::Arguments),
    /// Say which rotations there are, and what each waits for
    Status,
    /// Go on with the rotations under way: after their day, after a ceremony, after a crash
    #[command(after_help = STOPPED)]
    Resume {
        #[command(flatten)]
        opening: Opening,
    },
    /// Give up a rotation whose new keys were never published
    #[command(after_help = STOPPED)]
    Abandon {
        /// The rotation's id, as `trust status` prints it
        id: RotationId,
        #[command(flatten)]
        opening: Opening,
    },
    /// List the notices about keys that go out of use
    Notices,
    /// Have the trust registry signed by people who keep the root's keys elsewhere
    #[command(subcommand)]
    Ceremony(ceremony::Command),
}

/// What is said below the help of the commands that write.
const STOPPED: &str = "The platform must be stopped, and cannot start meanwhile. At its next start it signs with the \
    new keys, and enters into its ledger what changed.\nRun it as the user that the platform runs as. See docs/rotation.md.";

impl Command {
    /// Does it, in the platform's home: the one that was said, or the usual one. A keeper's machine has none.
    pub fn run(&self, said: Option<PathBuf>, out: Out) -> Result<(), Failure> {
        if let Self::Ceremony(command) = self {
            return command.run(said, out);
        }
        let home = &place::platform(said)?;
        match self {
            Self::Show => show::run(home, out),
            Self::Rotate(arguments) => rotate::run(arguments, home, out),
            Self::Status => status::run(home, out),
            Self::Resume { opening } => with_house(home, opening, |house| rotate::resume(house, out)),
            Self::Abandon { id, opening } => {
                with_house(home, opening, |house| rotate::abandon(house, id, out))
            }
            Self::Notices => status::notices(home, out),
            Self::Ceremony(_) => Ok(()),
        }
    }
}

/// Does something with the home's keys while its platform is stopped.
fn with_house(
    home: &Path,
    opening: &Opening,
    act: impl FnOnce(&mut House<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let _stopped = Stopped::hold(home)?;
    let mut keystore: Keystore = opening.open(home, None)?;
    let mint = Mint::system();
    let mut house = House::open(home, &mut keystore, &mint).map_err(failed)?;
    act(&mut house)
}

/// Why the keys are not changed, with what helps.
fn failed(error: GovernanceError) -> Failure {
    match error {
        GovernanceError::Keystore(error) => refused(error),
        GovernanceError::Plan(_) => Failure::usage(error)
            .hint("`echo_cli trust show` lists the keys, `echo_cli trust rotate --help` the options"),
        GovernanceError::Identity(_) => Failure::usage(error),
        other => Failure::failed(other),
    }
}
