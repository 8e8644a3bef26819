//! Domain: one file that holds a whole Echo, from which it is installed, updated and proven without any network.
//!
//! `atlas_os-VERSION.atlas` is a plain POSIX tar: the signed [`Manifest`], the trust chain that tells who may sign, and
//! the content as chunks, each once and each under its own digest. [`build()`] makes one, the same bytes from the same
//! inputs; [`Bundle`] reads it and believes nothing; [`Judge`] says whether its signer counts; [`copy()`] mends a torn
//! copy; [`Delta`] holds what one bundle has and another lacks; [`Prefix`] is an installation with two slots, of which
//! one always works.
//!
//! What may not come in: HTTP, SQL, the command line, the wall clock, what a program of the bundle does. Who says
//! whether a system is in health is the caller; here is only what follows from it.

mod bounds;
mod build;
mod content;
mod copy;
mod delta;
mod delta_make;
mod error;
mod evidence;
mod judge;
mod manifest;
mod pack;
mod paths;
mod reader;
mod slots;
mod tape;
#[cfg(test)]
mod test_house;
#[cfg(test)]
mod tests;
mod tree;

pub use bounds::*;
pub use build::{Built, Plan, build};
pub use content::{Checked, Chunks, check_content};
pub use copy::{Copied, copy};
pub use delta::Delta;
pub use delta_make::{Made, diff};
pub use error::{BundleError, Refusal};
pub use evidence::{ENTRY_KIND, Entered, Evidence, attach};
pub use judge::{Judge, Verdict};
pub use manifest::{Chunk, FileEntry, Kind, MANIFEST_TYPE, Manifest};
pub use reader::{Bundle, Head};
pub use slots::{
    Disk, Event, Happened, Health, Install, Launch, Prefix, RealDisk, Slot, SlotName, Standing, State,
    StateError,
};
pub use tree::Tree;
