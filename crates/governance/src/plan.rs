//! What somebody wants replaced, and whether that can be.

use std::collections::BTreeSet;

use echo_core::{Mint, Timestamp};
use trust::{KeyId, KeyRecord, KeyRole, KeyState, PublicKey, Registry, RoleKeys, registry::MAX_TEXT};

use crate::{GovernanceError, Replacement, Rotation, RotationKind, Stage};

/// The seconds of a day.
pub const DAY_SECONDS: i64 = 24 * 3600;
/// The longest that old and new keys count side by side: a year.
pub const MAX_GRACE_SECONDS: i64 = 365 * DAY_SECONDS;

/// What somebody wants replaced.
#[derive(Debug, Clone)]
pub struct Plan {
    /// In good order, or in a hurry.
    pub kind: RotationKind,
    /// What is replaced, by role.
    pub wishes: Vec<Wish>,
    /// Why, for people. An emergency must say it.
    pub reason: String,
    /// How long old and new count side by side, in seconds.
    pub grace_seconds: i64,
}

/// The replacement of keys in one role.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Which role.
    pub role: KeyRole,
    /// The keys that go; empty means the one key of the role, and in an emergency all of them that were made here.
    pub old: Vec<KeyId>,
    /// The keys that come, made elsewhere; empty means that the keystore makes one. For the root alone.
    pub new: Vec<PublicKey>,
    /// How many keys of the role must sign afterwards; nothing means as many as now. For the root alone.
    pub threshold: Option<u32>,
}

impl Wish {
    /// One key made here for the one that signs now.
    pub fn simple(role: KeyRole) -> Self {
        Self { role, old: Vec::new(), new: Vec::new(), threshold: None }
    }
}

impl Plan {
    /// The rotation that does it, once it can be done: `registry` is the newest, `open` are the rotations that have
    /// not ended, `records` are the keystore's. An emergency takes its roles over from those that are open.
    pub(crate) fn begin(
        self,
        registry: &Registry,
        open: &[Rotation],
        records: &[KeyRecord],
        mint: &Mint,
    ) -> Result<Rotation, GovernanceError> {
        self.check(open)?;
        let view = View { kind: self.kind, registry, open, records };
        let replacements =
            self.wishes.iter().map(|wish| replacement(wish, view)).collect::<Result<Vec<_>, _>>()?;
        let busy =
            |r: &&Rotation| r.replacements.iter().any(|x| self.wishes.iter().any(|w| w.role == x.role));
        let supersedes = open.iter().filter(busy).map(|r| r.id.clone()).collect();
        let now = mint.now();
        Ok(Rotation {
            id: mint.id(),
            kind: self.kind,
            replacements,
            reason: self.reason,
            grace_seconds: if self.kind == RotationKind::Emergency { 0 } else { self.grace_seconds },
            begun: now,
            stage: Stage::Begun,
            reached: now,
            refuse_from: None,
            supersedes,
        })
    }

    fn check(&self, open: &[Rotation]) -> Result<(), GovernanceError> {
        let roles: BTreeSet<KeyRole> = self.wishes.iter().map(|w| w.role).collect();
        if roles.is_empty() || roles.len() != self.wishes.len() {
            return Err(refused("name each role once"));
        }
        if let Some(role) = roles.iter().find(|role| is_identity(**role)) {
            return Err(GovernanceError::Identity(*role));
        }
        if self.reason.len() > MAX_TEXT || self.reason.contains(char::is_control) {
            return Err(refused(format!("give the reason in one line of at most {MAX_TEXT} bytes")));
        }
        if self.kind == RotationKind::Emergency && self.reason.trim().is_empty() {
            return Err(refused("an emergency needs a reason, which everybody will read"));
        }
        if !(0..=MAX_GRACE_SECONDS).contains(&self.grace_seconds) {
            return Err(refused(format!(
                "the grace period is at most {} days",
                MAX_GRACE_SECONDS / DAY_SECONDS
            )));
        }
        let busy = |r: &&Rotation| r.replacements.iter().any(|x| roles.contains(&x.role));
        match open.iter().find(busy) {
            // A stolen key waits for nothing.
            Some(other) if self.kind == RotationKind::Scheduled => Err(refused(format!(
                "{} is under way for such a role: end it first with `echo_cli trust resume`, or give it up with \
                 `echo_cli trust abandon {}`",
                other.id, other.id
            ))),
            _ => Ok(()),
        }
    }
}

/// Whether a role's key is the identity of something that others follow.
fn is_identity(role: KeyRole) -> bool {
    matches!(role, KeyRole::GenesisLedger | KeyRole::AeternaLedger | KeyRole::Witness)
}

/// What a replacement is worked out from.
#[derive(Clone, Copy)]
struct View<'a> {
    kind: RotationKind,
    registry: &'a Registry,
    open: &'a [Rotation],
    records: &'a [KeyRecord],
}

fn replacement(wish: &Wish, view: View<'_>) -> Result<Replacement, GovernanceError> {
    let (role, registry) = (wish.role, view.registry);
    let held = registry.role(role).ok_or_else(|| refused(format!("nobody signs as {role}")))?;
    let other_threshold = wish.threshold.is_some_and(|needed| needed != held.threshold);
    if role != KeyRole::Root && (!wish.new.is_empty() || other_threshold) {
        return Err(refused(format!(
            "the platform itself signs as {role}, with one key of its keystore: only the root takes keys made \
             elsewhere, and another number of signatures"
        )));
    }
    let old = going(wish, held, view)?;
    let known = |key: &PublicKey| {
        held.keys.contains(key)
            || registry.retired.iter().any(|r| r.key == *key)
            || registry.revocation(&key.id()).is_some()
    };
    if let Some(key) = wish.new.iter().find(|key| known(key)) {
        return Err(refused(format!("the key {} signs already, or signed before: make a new one", key.id())));
    }
    let (coming, going): (BTreeSet<KeyId>, BTreeSet<KeyId>) =
        (wish.new.iter().map(PublicKey::id).collect(), old.iter().map(PublicKey::id).collect());
    if coming.len() != wish.new.len() || going.len() != old.len() {
        return Err(refused("name each key once"));
    }
    let threshold = wish.threshold.unwrap_or(held.threshold);
    let stay = held.keys.iter().filter(|key| !going.contains(&key.id())).count();
    // Where only keys go that sign no more, those that sign stay as they are.
    let retired_alone = stay == held.keys.len() && wish.new.is_empty();
    let new = if retired_alone { held.keys.clone() } else { wish.new.clone() };
    let count = if retired_alone { stay } else { stay + new.len().max(1) };
    if threshold == 0 || threshold as usize > count {
        return Err(refused(format!("{threshold} of {count} {role} keys cannot sign")));
    }
    Ok(Replacement { role, old, new, threshold })
}

/// The keys that go.
fn going(wish: &Wish, held: &RoleKeys, view: View<'_>) -> Result<Vec<PublicKey>, GovernanceError> {
    let role = wish.role;
    let emergency = view.kind == RotationKind::Emergency;
    let made_here = |key: &PublicKey| view.records.iter().any(|r| r.public == *key);
    let all_go = emergency && (role != KeyRole::Root || held.keys.iter().all(made_here));
    let mut old = match (wish.old.as_slice(), held.keys.as_slice()) {
        ([], [one]) => vec![*one],
        ([], all) if all_go => all.to_vec(),
        ([], many) => {
            return Err(refused(format!("{} keys sign as {role}: name the one that goes", many.len())));
        }
        (named, _) => named.iter().map(|id| listed(held, id, role, view)).collect::<Result<_, _>>()?,
    };
    if !emergency {
        return Ok(old);
    }
    // What another rotation was about to put away or to bring in was in the same hands; a retired key alone was not.
    let signs = old.iter().any(|key| held.keys.contains(key));
    let prepared = view.records.iter().filter(|r| signs && r.role == role && r.state == KeyState::Prepared);
    let mut more: Vec<PublicKey> = prepared.map(|r| r.public).collect();
    let taken_over = |r: &&Rotation| wish.old.is_empty() || r.kind == RotationKind::Emergency;
    let theirs = view.open.iter().filter(taken_over).flat_map(|r| &r.replacements).filter(|x| x.role == role);
    more.extend(theirs.flat_map(|x| &x.old));
    for key in more {
        if !old.contains(&key) {
            old.push(key);
        }
    }
    Ok(old)
}

/// The key named `id` that signs; in an emergency one that is retired as well.
fn listed(held: &RoleKeys, id: &KeyId, role: KeyRole, view: View<'_>) -> Result<PublicKey, GovernanceError> {
    let retired = view.registry.retired.iter().filter(|r| {
        view.kind == RotationKind::Emergency && r.role == role && view.registry.revocation(id).is_none()
    });
    held.keys.iter().chain(retired.map(|r| &r.key)).find(|key| key.id() == *id).copied().ok_or_else(|| {
        refused(format!("no {role} key {id} signs: `echo_cli trust show` lists those that do"))
    })
}

fn refused(why: impl Into<String>) -> GovernanceError {
    GovernanceError::Plan(why.into())
}

/// `seconds` after `at`.
pub(crate) fn later(at: Timestamp, seconds: i64) -> Timestamp {
    echo_core::clock::from_millis(at.as_millisecond().saturating_add(seconds.saturating_mul(1000)))
}
