//! What a rotation needs next, and the versions of the registry that it asks for. Pure: keystore, registry and
//! notice in, one step out.

use echo_core::Timestamp;
use trust::{KeyId, KeyRecord, KeyRole, KeyState, Registry, Retirement, Revocation, RoleKeys};

use crate::{DeprecationNotice, Replacement, Rotation, RotationKind, Stage, plan::later};

/// For how long a version counts, in seconds: two years.
pub const VALID_SECONDS: i64 = 2 * 365 * 24 * 3600;

/// What is done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The keystore puts a prepared key away that goes before it ever signed.
    Discard(KeyId),
    /// The keystore makes a key for a role.
    MakeKey(KeyRole),
    /// The rotation's file names the keys that were made.
    NameKeys,
    /// The version with the new keys is to be signed and added.
    Publish,
    /// A prepared key signs from now on.
    Switch(KeyId),
    /// The notice is written.
    Announce,
    /// The old keys still count until then.
    Wait(Timestamp),
    /// The version without the old keys, which counted until then, is to be signed and added.
    Withdraw(Timestamp),
    /// The keystore puts an old key out of use.
    PutAway(KeyId),
    /// Nothing.
    Nothing,
}

/// All that a step is worked out from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) records: &'a [KeyRecord],
    pub(crate) notice: Option<&'a DeprecationNotice>,
    pub(crate) now: Timestamp,
}

impl View<'_> {
    fn state(&self, id: &KeyId) -> Option<KeyState> {
        self.records.iter().find(|r| r.id == *id).map(|r| r.state)
    }
}

impl Rotation {
    /// What is to be done next.
    pub(crate) fn step(&self, view: View<'_>) -> Step {
        if !self.stage.is_open() {
            return Step::Nothing;
        }
        // In wrong hands with the others: it must not come to be the new one.
        if let Some(id) = self.old_ids().find(|id| view.state(id) == Some(KeyState::Prepared)) {
            return Step::Discard(id);
        }
        let prepared = |role| view.records.iter().any(|r| r.role == role && r.state == KeyState::Prepared);
        let unnamed = || self.replacements.iter().filter(|r| r.new.is_empty());
        if let Some(missing) = unnamed().find(|r| !prepared(r.role)) {
            return Step::MakeKey(missing.role);
        }
        if unnamed().next().is_some() {
            return Step::NameKeys;
        }
        if !self.is_published(view.registry) {
            return Step::Publish;
        }
        if let Some(id) = self.to_switch(view) {
            return Step::Switch(id);
        }
        let Some(notice) = view.notice else { return Step::Announce };
        if !self.is_withdrawn(view.registry) {
            let until = notice.refuse_from;
            return if view.now < until { Step::Wait(until) } else { Step::Withdraw(until) };
        }
        self.to_put_away(view).map_or(Step::Nothing, Step::PutAway)
    }

    fn to_switch(&self, view: View<'_>) -> Option<KeyId> {
        let ids = self.replacements.iter().flat_map(|r| &r.new).map(trust::PublicKey::id);
        ids.into_iter().find(|id| view.state(id) == Some(KeyState::Prepared))
    }

    fn to_put_away(&self, view: View<'_>) -> Option<KeyId> {
        let done = |state| match self.kind {
            RotationKind::Scheduled => matches!(state, KeyState::Retired | KeyState::Revoked),
            RotationKind::Emergency => state == KeyState::Revoked,
        };
        self.old_ids().find(|id| view.state(id).is_some_and(|state| !done(state)))
    }

    /// How far it is. `out` says whether a next version is out for signatures.
    pub(crate) fn stage_at(&self, view: View<'_>, out: bool) -> Stage {
        match self.step(view) {
            Step::Discard(_) | Step::MakeKey(_) | Step::NameKeys => Stage::Begun,
            Step::Publish if out => Stage::Published,
            Step::Publish => Stage::Prepared,
            Step::Switch(_) => Stage::CrossSigned,
            Step::Announce | Step::PutAway(_) if self.is_withdrawn(view.registry) => match self.kind {
                RotationKind::Scheduled => Stage::Retired,
                RotationKind::Emergency => Stage::Revoked,
            },
            Step::Announce | Step::Wait(_) | Step::Withdraw(_) | Step::PutAway(_) => Stage::Grace,
            Step::Nothing if self.stage == Stage::Abandoned => Stage::Abandoned,
            Step::Nothing => Stage::Done,
        }
    }

    /// The version that brings the new keys in; with the old ones out when one version does it all.
    pub(crate) fn publishing(&self, newest: &Registry, created: Timestamp) -> Registry {
        let mut next = renewed(newest, created);
        for change in &self.replacements {
            if let Some(held) = next.role_mut(change.role) {
                let come = change.new.iter().filter(|key| !held.keys.contains(key)).copied();
                let come: Vec<_> = come.collect();
                held.keys.extend(come);
            }
        }
        if self.at_once() { self.without_old(next, created, created) } else { next }
    }

    /// The version that takes the old keys out; what they signed counts `until` then.
    pub(crate) fn withdrawing(&self, newest: &Registry, created: Timestamp, until: Timestamp) -> Registry {
        self.without_old(renewed(newest, created), created, until)
    }

    fn without_old(&self, mut next: Registry, created: Timestamp, until: Timestamp) -> Registry {
        for change in &self.replacements {
            let Some(held) = next.role_mut(change.role) else { continue };
            let before = held.threshold;
            held.keys.retain(|key| !change.old.contains(key));
            held.threshold = change.threshold;
            let known = |next: &Registry, key| next.retired.iter().any(|r| r.key == key);
            for key in &change.old {
                match self.kind {
                    RotationKind::Emergency if next.revocation(&key.id()).is_none() => {
                        next.revoked.push(Revocation {
                            key: key.id(),
                            at: created,
                            reason: self.reason.clone(),
                        });
                    }
                    RotationKind::Scheduled if !known(&next, *key) => next.retired.push(Retirement {
                        role: change.role,
                        key: *key,
                        threshold: before,
                        until,
                        reason: self.reason.clone(),
                    }),
                    // Another rotation took it out before.
                    RotationKind::Emergency | RotationKind::Scheduled => {}
                }
            }
        }
        next
    }

    /// The root that stands in the end, when the root changes: its keepers sign the first version too, so that no
    /// house hands itself over to keys that nobody has.
    pub(crate) fn coming_root(&self, newest: &Registry) -> Option<RoleKeys> {
        let change: &Replacement = self.replacements.iter().find(|r| r.role == KeyRole::Root)?;
        let stay =
            newest.root.keys.iter().filter(|key| !change.old.contains(key) && !change.new.contains(key));
        let keys = stay.chain(&change.new).copied().collect();
        Some(RoleKeys { keys, threshold: change.threshold })
    }
}

/// The version after `newest` that changes nothing but its dates.
pub fn renewed(newest: &Registry, created: Timestamp) -> Registry {
    Registry {
        version: newest.version.saturating_add(1),
        created,
        expires: newest.expires.max(later(created, VALID_SECONDS)),
        ..newest.clone()
    }
}
