//! Domain: a home kept elsewhere, encrypted and deduplicated, and brought back.
//!
//! The format is restic's (<https://restic.readthedocs.io/en/stable/100_references.html>), read and written by `rustic_core`:
//! whoever has the key restores with `restic` itself, without Echo. Three things happen here. [`Staging`] makes a copy of a
//! home in which everything is of one moment; [`Repo`] keeps copies and gives them back; [`Sheet`] is the paper that opens a
//! repository when the home with its key is gone.
//!
//! Everything blocks: whoever serves calls it beside his tasks.
//!
//! What may not come in: HTTP, SQL (a running database is copied by whoever has it open), command lines, schedules.

mod check;
mod error;
mod home;
mod keep;
mod key;
mod place;
mod progress;
mod proof;
pub mod qr;
mod repo;
mod restore;
mod settings;
mod sheet;
mod staging;
mod take;
mod turn;

pub use check::{Checked, Read};
pub use error::BackupError;
pub use home::{How, KEY_FILE, LEFT_OUT, Left, MAX_DEPTH, MAX_FILES, STAGING_PREFIX, how};
pub use keep::{Forgotten, Keep};
pub use key::RepoKey;
pub use progress::{Step, Tell, silent};
pub use proof::{Held, verify_home};
pub use repo::{Repo, Snapshot};
pub use restore::{Arrival, Restored};
pub use settings::Settings;
pub use sheet::Sheet;
pub use staging::{Copied, Staging};
pub use take::TAG;
pub use turn::Turn;
