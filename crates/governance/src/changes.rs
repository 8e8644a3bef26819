//! What one version of the trust registry changes, in lines for people. Whoever signs reads these.

use std::{collections::BTreeSet, fmt::Display};

use trust::{KeyRole, PublicKey, Registry};

/// The lines: every difference between `before` and `after`, `+` for what comes and `-` for what goes.
pub fn changes(before: &Registry, after: &Registry) -> Vec<String> {
    let mut lines = Vec::new();
    changed(&mut lines, "version", &before.version, &after.version);
    changed(&mut lines, "made", &before.created, &after.created);
    changed(&mut lines, "expires", &before.expires, &after.expires);
    let roles: BTreeSet<KeyRole> = before.roles.keys().chain(after.roles.keys()).copied().collect();
    for role in std::iter::once(KeyRole::Root).chain(roles) {
        let keys = |registry: &Registry| registry.role(role).map_or(Vec::new(), |held| held.keys.clone());
        let needed = |registry: &Registry| registry.role(role).map_or(0, |held| held.threshold);
        let (old, new): (Vec<PublicKey>, Vec<PublicKey>) = (keys(before), keys(after));
        moved(&mut lines, &format!("{role} key"), &old, &new, |key| format!("{} {key}", key.id()));
        changed(&mut lines, &format!("{role} signatures needed"), &needed(before), &needed(after));
    }
    moved(&mut lines, "retired", &before.retired, &after.retired, |r| {
        let (role, id, until, threshold) = (r.role, r.key.id(), r.until, r.threshold);
        format!("{role} key {id} {}, counts until {until} ({threshold} needed): {}", r.key, r.reason)
    });
    moved(&mut lines, "revoked", &before.revoked, &after.revoked, |r| {
        format!("key {}, on {}: {}", r.key, r.at, r.reason)
    });
    let logs = |registry: &Registry| registry.logs.clone().into_iter().collect::<Vec<_>>();
    moved(&mut lines, "log", &logs(before), &logs(after), |(name, log)| {
        format!("{name} {} {}", log.origin, log.vkey)
    });
    lines
}

fn changed<T: PartialEq + Display>(lines: &mut Vec<String>, what: &str, before: &T, after: &T) {
    if before != after {
        lines.push(format!("  {what}: {before} -> {after}"));
    }
}

fn moved<T: PartialEq>(
    lines: &mut Vec<String>,
    what: &str,
    before: &[T],
    after: &[T],
    show: impl Fn(&T) -> String,
) {
    lines.extend(before.iter().filter(|x| !after.contains(x)).map(|x| format!("- {what}: {}", show(x))));
    lines.extend(after.iter().filter(|x| !before.contains(x)).map(|x| format!("+ {what}: {}", show(x))));
}
