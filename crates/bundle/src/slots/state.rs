//! What an installation knows about itself.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use echo_core::{Digest, Timestamp};
use semver::Version;
use serde::{Deserialize, Serialize};

/// The number of this format.
pub const FORMAT: u32 = 1;
/// How often a system on trial is started before the one before it comes back.
pub const TRIES: u32 = 3;
/// How many events are kept.
pub const MAX_EVENTS: usize = 64;
/// The most bytes of the state's file.
pub const MAX_STATE_BYTES: u64 = 256 * 1024;

/// One of the two slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotName {
    /// `slots/a`
    A,
    /// `slots/b`
    B,
}

impl SlotName {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The folder below the prefix.
    pub fn folder(self) -> &'static str {
        match self {
            Self::A => "slots/a",
            Self::B => "slots/b",
        }
    }
}

impl fmt::Display for SlotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "a",
            Self::B => "b",
        })
    }
}

/// How a system stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Standing {
    /// It is new; so often it may still be started before it is given up.
    Trial {
        /// Starts that are left.
        tries: u32,
    },
    /// It was found in good health.
    Good,
    /// It was given up.
    Failed {
        /// Why.
        why: String,
    },
}

/// What is in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Its version.
    pub version: Version,
    /// The SHA-256 of its `manifest.json`.
    pub manifest: Digest,
    /// When it was installed.
    pub installed: Timestamp,
    /// How it stands.
    pub standing: Standing,
}

/// Something that happened to an installation, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What: `installed`, `downgraded`, `in good health`, `rolled back`.
    pub what: String,
    /// Which version it made the active one, or kept.
    pub version: Version,
    /// Why, when somebody or something said so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// The state of an installation: what `state.json` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// [`FORMAT`].
    pub format: u32,
    /// The fingerprint of the trust root that the first installation named.
    pub root: Digest,
    /// Nothing below this version is installed.
    pub floor: Version,
    /// Which slot runs.
    pub active: SlotName,
    /// What is in the slots.
    pub slots: BTreeMap<SlotName, Slot>,
    /// The last events, oldest first.
    pub events: Vec<Event>,
}

/// Why an installation does not do something.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Nothing is installed there.
    #[error("nothing is installed in {}: say `echo_cli bundle install FILE --to {}`", .0.display(), .0.display())]
    Nothing(PathBuf),
    /// The state cannot be read.
    #[error("{} is damaged ({why}): install the bundle into another folder; the home of the platform is not touched by that", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Somebody else works on it.
    #[error("{} is being changed by {holder}: wait for it, then try again", path.display())]
    Locked {
        /// Which installation.
        path: PathBuf,
        /// By whom.
        holder: String,
    },
    /// The active system is on trial, and the other one is what it would fall back to.
    #[error(
        "version {version} is still on trial, and its predecessor is all there is to fall back to: say `echo_cli bundle health` when it works, or `echo_cli bundle rollback`"
    )]
    OnTrial {
        /// The active version.
        version: Version,
    },
    /// There is nothing good to go back to.
    #[error(
        "there is no other system in good health to go back to: install one with `echo_cli bundle update FILE`"
    )]
    NothingBefore,
    /// The bundle belongs to another house.
    #[error(
        "the installation trusts the root {pinned}, and {named} was named: install into another folder to change the house"
    )]
    OtherRoot {
        /// What is pinned.
        pinned: Digest,
        /// What was named.
        named: Digest,
    },
    /// A first installation needs to know whom to trust.
    #[error(
        "this is the first installation here: name the fingerprint of the trust root with --root FINGERPRINT"
    )]
    NoRoot,
}

impl State {
    /// What is in the active slot. Nothing when the file was changed by hand.
    pub fn running(&self) -> Option<&Slot> {
        self.slots.get(&self.active)
    }

    /// The slot that the active one would fall back to.
    pub fn fallback(&self) -> Option<SlotName> {
        let other = self.active.other();
        self.slots.get(&other).filter(|slot| slot.standing == Standing::Good).map(|_| other)
    }

    /// The slot whose tools are relied on: the active one when it is good, else the one before; without either, the
    /// active one is all there is.
    pub fn keeper(&self) -> SlotName {
        match self.running() {
            Some(slot) if slot.standing == Standing::Good => self.active,
            _ => self.fallback().unwrap_or(self.active),
        }
    }

    /// Writes down what happened, and forgets the oldest.
    pub fn tell(&mut self, at: Timestamp, what: &str, version: &Version, why: &str) {
        self.events.push(Event { at, what: what.to_owned(), version: version.clone(), why: why.to_owned() });
        let over = self.events.len().saturating_sub(MAX_EVENTS);
        self.events.drain(..over);
    }
}
