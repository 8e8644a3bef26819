//! What somebody wants replaced, and whether that can be.

use std::collections::BTreeSet;

use echo_core::{Mint, Timestamp};
use trust::{KeyId, KeyRole, PublicKey, Registry, registry::MAX_TEXT};

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
    /// The keys that go; empty means the one key of the role.
    pub old: Vec<KeyId>,
    /// The keys that come, made elsewhere; empty means that the keystore makes one.
    pub new: Vec<PublicKey>,
    /// How many keys of the role must sign afterwards; nothing means as many as now.
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
    /// not ended.
    pub fn begin(
        self,
        registry: &Registry,
        open: &[Rotation],
        mint: &Mint,
    ) -> Result<Rotation, GovernanceError> {
        self.check(open)?;
        let replacements =
            self.wishes.iter().map(|wish| replacement(wish, registry)).collect::<Result<_, _>>()?;
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
        match open.iter().filter(|r| r.stage != Stage::Done).find(busy) {
            Some(other) => Err(refused(format!(
                "{} is under way for such a role: end it first with `echo_cli trust resume`",
                other.id
            ))),
            None => Ok(()),
        }
    }
}

/// Whether a role's key is the identity of something that others follow.
fn is_identity(role: KeyRole) -> bool {
    matches!(role, KeyRole::GenesisLedger | KeyRole::AeternaLedger | KeyRole::Witness)
}

fn replacement(wish: &Wish, registry: &Registry) -> Result<Replacement, GovernanceError> {
    let role = wish.role;
    let held = registry.role(role).ok_or_else(|| refused(format!("nobody signs as {role}")))?;
    let old = match (wish.old.as_slice(), held.keys.as_slice()) {
        ([], [one]) => vec![*one],
        ([], many) => {
            return Err(refused(format!("{} keys sign as {role}: name the one that goes", many.len())));
        }
        (named, _) => named.iter().map(|id| listed(&held.keys, id, role)).collect::<Result<_, _>>()?,
    };
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
    let count = stay + wish.new.len().max(1);
    if threshold == 0 || threshold as usize > count {
        return Err(refused(format!("{threshold} of {count} {role} keys cannot sign")));
    }
    Ok(Replacement { role, old, new: wish.new.clone(), threshold })
}

fn listed(keys: &[PublicKey], id: &KeyId, role: KeyRole) -> Result<PublicKey, GovernanceError> {
    keys.iter().find(|key| key.id() == *id).copied().ok_or_else(|| {
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
