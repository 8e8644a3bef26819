//! A rotation as its file holds it: what is wanted, and how far it was when somebody last looked.

use echo_core::{Id as _, NoticeId, RotationId, Timestamp};
use serde::{Deserialize, Serialize};
use trust::{KeyId, KeyRole, PublicKey, Registry};

/// Why keys are replaced, which says how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RotationKind {
    /// In good order: old and new count side by side for a while; what the old one signed goes on counting.
    Scheduled,
    /// The old key is in wrong hands: it is revoked with the first version, and nothing it signed counts.
    Emergency,
}

/// How far a rotation is. Worked out anew each time; kept for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// It is known what is wanted.
    Begun,
    /// The new keys are made; they sign nothing.
    Prepared,
    /// The next version, with the new keys, is out for the signatures of the root's keepers.
    Published,
    /// Enough keepers of the old and the new root have signed it: it is in the trust chain.
    CrossSigned,
    /// The new keys sign; the old ones are retiring and still count.
    Grace,
    /// The old keys are out of the registry; what they signed until their day counts.
    Retired,
    /// The old keys are revoked.
    Revoked,
    /// Nothing is left to do.
    Done,
    /// Given up: an emergency came between, or nobody wants it any more. Never acted on again.
    Abandoned,
}

impl Stage {
    /// The stage's name, as files carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Prepared => "prepared",
            Self::Published => "published",
            Self::CrossSigned => "cross_signed",
            Self::Grace => "grace",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
            Self::Done => "done",
            Self::Abandoned => "abandoned",
        }
    }

    /// Whether something is left to do.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Done | Self::Abandoned)
    }
}

/// Keys of one role that take the place of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    /// What they sign.
    pub role: KeyRole,
    /// The keys that go.
    pub old: Vec<PublicKey>,
    /// The keys that come; empty until the keystore has made one.
    pub new: Vec<PublicKey>,
    /// How many keys of the role must sign in the end.
    pub threshold: u32,
}

/// The job of replacing keys (`HOME/governance/rotation-<id>.json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// Its id.
    pub id: RotationId,
    /// In good order, or in a hurry.
    pub kind: RotationKind,
    /// What is replaced; one entry a role.
    pub replacements: Vec<Replacement>,
    /// Why, for people.
    pub reason: String,
    /// How long old and new count side by side, in seconds. With 0 one version retires the old ones at once.
    pub grace_seconds: i64,
    /// When it was begun.
    pub begun: Timestamp,
    /// How far it was when somebody last looked.
    pub stage: Stage,
    /// When it came to that stage.
    pub reached: Timestamp,
    /// From when on the old keys are refused, once it was announced. A notice that is written anew says the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuse_from: Option<Timestamp>,
    /// The rotations whose roles this emergency took over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supersedes: Vec<RotationId>,
}

impl Rotation {
    /// The id of the notice that announces it.
    pub fn notice(&self) -> NoticeId {
        let (_, hex) = self.id.as_str().split_once('_').expect("an id has a prefix");
        format!("notice_{hex}").parse().expect("a notice's id has the digits of its rotation's")
    }

    /// Whether one version does it all: the new keys in, the old ones out.
    pub fn at_once(&self) -> bool {
        self.kind == RotationKind::Emergency || self.grace_seconds == 0
    }

    /// Whether its first version is in the registry: all the new keys are listed, and the old ones are out when one
    /// version does it all.
    pub fn is_published(&self, registry: &Registry) -> bool {
        let listed = self.replacements.iter().all(|r| {
            let listed = registry.role(r.role).map_or(&[][..], |held| &held.keys);
            !r.new.is_empty() && r.new.iter().all(|key| listed.contains(key))
        });
        listed && (!self.at_once() || self.is_withdrawn(registry))
    }

    /// Whether the registry lists none of the old keys any more; in an emergency, whether it has revoked them all.
    pub fn is_withdrawn(&self, registry: &Registry) -> bool {
        let gone = |key: &PublicKey| match self.kind {
            RotationKind::Scheduled => true,
            RotationKind::Emergency => registry.revocation(&key.id()).is_some(),
        };
        self.replacements.iter().all(|r| {
            let listed = registry.role(r.role).map_or(&[][..], |held| &held.keys);
            r.old.iter().all(|key| !listed.contains(key) && gone(key))
        })
    }

    /// Whether the platform must not run now: keys that sign papers are retired at once, by a version whose date is
    /// set and that is not in the chain yet. What they signed meanwhile would count for nothing afterwards.
    pub fn holds_the_platform(&self, registry: &Registry) -> bool {
        self.stage.is_open()
            && self.kind == RotationKind::Scheduled
            && self.at_once()
            && self.replacements.iter().any(|r| r.role != KeyRole::Root)
            && !self.is_published(registry)
    }

    /// Takes the replacements of `roles` out, which an emergency took over; whether there were any. With nothing
    /// left, the rotation is given up as it is.
    pub(crate) fn give_up(&mut self, roles: &[KeyRole], now: Timestamp) -> bool {
        if !self.stage.is_open() || !self.replacements.iter().any(|r| roles.contains(&r.role)) {
            return false;
        }
        if self.replacements.iter().all(|r| roles.contains(&r.role)) {
            (self.stage, self.reached) = (Stage::Abandoned, now);
        } else {
            self.replacements.retain(|r| !roles.contains(&r.role));
        }
        true
    }

    /// The ids of the keys that go.
    pub fn old_ids(&self) -> impl Iterator<Item = KeyId> {
        self.replacements.iter().flat_map(|r| r.old.iter().map(PublicKey::id))
    }
}
