//! Domain: how the keys of a house are replaced, and how that is announced.
//!
//! A [`Rotation`] is a job that people run, stop and resume: a new key is made, a next version of the trust registry
//! is signed by the old and the new root, signing goes over, a [`DeprecationNotice`] says until when the old key is
//! taken, and in the end it is retired, or revoked at once when it was stolen. What is to be done next is worked
//! out from the keystore, the trust chain and the notice; the rotation's file says what is wanted, not what was
//! done. A [`Ceremony`] carries a proposed version between the machines of the root's keepers.
//!
//! Data flow: wish -> [`House::begin`] -> [`House::run`], again and again -> next versions, notice, done.
//!
//! What may not come in: HTTP, SQL, the command line, ledgers, the clock. Files go through `durable`.

mod ceremony;
mod changes;
mod error;
mod folder;
mod house;
mod notice;
mod plan;
mod resign;
mod rotation;
mod step;

pub use ceremony::{Ceremony, MAX_CEREMONY_BYTES, Need};
pub use changes::changes;
pub use error::GovernanceError;
pub use folder::{FOLDER, MAX_NOTICES, MAX_ROTATIONS, ceremony_path, notice_path, notices, rotations};
pub use house::{House, Progress};
pub use notice::{
    Action, Deprecated, DeprecationNotice, MAX_NOTICE_BYTES, NOTICE_TYPE, NoticeKind, Standing, believed,
    narrowed,
};
pub use plan::{DAY_SECONDS, MAX_GRACE_SECONDS, Plan, Wish};
pub use rotation::{Replacement, Rotation, RotationKind, Stage};
pub use step::{VALID_SECONDS, renewed};
