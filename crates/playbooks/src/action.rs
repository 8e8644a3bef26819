//! Changes that are not files: values of the running kernel, packages, services. Live systems only.

use std::io;

use serde::{Deserialize, Serialize};

use crate::{
    overlay::{Overlay, Stop},
    plan::{Change, ChangeKind, MAX_REASON},
    step::{Package, Presence, Service, ServiceAction, Sysctl},
    system::{ASK, INSTALL, System, is_installed},
    target::Target,
};

/// One such change, with how it was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub(crate) enum Action {
    /// A value of the running kernel.
    Kernel { key: String, before: String, after: String },
    /// A package is installed or not.
    Package { name: String, before: bool, after: bool },
    /// A unit is enabled and active, or neither.
    Service { unit: String, before: UnitState, after: UnitState },
    /// A unit reads its configuration again.
    Reload { unit: String, path: String },
}

/// What the service manager says of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnitState {
    /// It starts with the system.
    pub enabled: bool,
    /// It runs now.
    pub active: bool,
}

impl UnitState {
    fn words(self) -> String {
        let enabled = if self.enabled { "enabled" } else { "not enabled" };
        let active = if self.active { "running" } else { "not running" };
        format!("{enabled}, {active}")
    }
}

/// The kernel's part of a sysctl step: nothing off a live system, or when the value may stay.
pub(crate) fn kernel(target: &Target, step: &Sysctl) -> Result<Option<Action>, String> {
    if !target.is_live() {
        return Ok(None);
    }
    let path = proc_path(&step.key);
    let before = match target.look(&path) {
        Ok(Some(_)) => kernel_value(target, &step.key)?,
        _ => return Err("the running kernel has no such setting".to_owned()),
    };
    if step.accept.allows(&before, &spaced(&step.value)) {
        return Ok(None);
    }
    if !target.is_writable(&path) {
        return Err(
            "the running kernel's value cannot be changed from here; it changes at the next start".to_owned()
        );
    }
    Ok(Some(Action::Kernel { key: step.key.clone(), before, after: spaced(&step.value) }))
}

/// The change that a package step asks for.
pub(crate) fn package(target: &Target, step: &Package) -> Result<Option<Action>, Stop> {
    let Some(before) = is_installed(target, &step.name) else {
        return Err(Stop::Skip("this system does not keep its packages with dpkg".to_owned()));
    };
    let after = step.state == Presence::Present;
    Ok((before != after).then(|| Action::Package { name: step.name.clone(), before, after }))
}

/// The change that a service step asks for.
pub(crate) fn service(
    overlay: &Overlay<'_>,
    system: &dyn System,
    step: &Service,
) -> Result<Option<Action>, Stop> {
    if step.after.as_deref().is_some_and(|path| !overlay.changes(path)) {
        return Ok(None);
    }
    let mut known = None;
    for name in &step.names {
        if asks(system, &["systemctl", "cat", name])? {
            let state = state_of(system, name)?;
            if known.is_none() || state.active {
                known = Some((name, state));
            }
            if state.active {
                break;
            }
        }
    }
    let Some((unit, before)) = known else {
        return Err(Stop::Skip(format!("this system has no service {}", step.names.join(" or "))));
    };
    let unit = unit.clone();
    let both = |on| UnitState { enabled: on, active: on };
    let after = match step.action {
        ServiceAction::Enabled => both(true),
        ServiceAction::Disabled => both(false),
        ServiceAction::Reload if before.active => {
            let path = step.after.clone().unwrap_or_default();
            return Ok(Some(Action::Reload { unit, path }));
        }
        ServiceAction::Reload => return Err(Stop::Skip(format!("{unit} is not running"))),
    };
    Ok((before != after).then_some(Action::Service { unit, before, after }))
}

impl Action {
    /// The change as a plan lists it.
    pub fn change(&self) -> Change {
        let state = |on: bool| if on { "installed" } else { "not installed" }.to_owned();
        let (path, kind, before, after) = match self {
            Self::Kernel { key, before, after } => (key, ChangeKind::Kernel, before.clone(), after.clone()),
            Self::Package { name, before, after } => {
                (name, ChangeKind::Package, state(*before), state(*after))
            }
            Self::Service { unit, before, after } => {
                (unit, ChangeKind::Service, before.words(), after.words())
            }
            Self::Reload { unit, path } => {
                let after = format!("running, with the new {path}");
                (unit, ChangeKind::Service, "running".to_owned(), after.chars().take(250).collect())
            }
        };
        Change { path: path.clone(), kind, before: Some(before), after: Some(after) }
    }

    /// Makes the change.
    pub fn apply(&self, target: &Target) -> Result<(), String> {
        match self {
            Self::Kernel { key, after, .. } => write_kernel(target, key, after),
            Self::Package { name, after, .. } => install(live(target)?, name, *after),
            Self::Service { unit, after, .. } => set_state(live(target)?, unit, *after),
            Self::Reload { unit, .. } => reload(live(target)?, unit),
        }
    }

    /// Whether the change has taken hold.
    pub fn holds(&self, target: &Target) -> Result<bool, String> {
        match self {
            Self::Kernel { key, after, .. } => Ok(kernel_value(target, key)? == *after),
            Self::Package { name, after, .. } => Ok(is_installed(target, name) == Some(*after)),
            Self::Service { unit, after, .. } => Ok(state_of(live(target)?, unit).map_err(words)? == *after),
            Self::Reload { unit, .. } => Ok(state_of(live(target)?, unit).map_err(words)?.active),
        }
    }

    /// Takes the change back, if it was made. A reload is repeated, since the file is the old one again.
    pub fn restore(&self, target: &Target) -> Result<(), String> {
        match self {
            Self::Kernel { key, before, .. } if kernel_value(target, key)? == *before => Ok(()),
            Self::Kernel { key, before, .. } => write_kernel(target, key, before),
            Self::Package { name, before, .. } if is_installed(target, name) == Some(*before) => Ok(()),
            Self::Package { name, before, .. } => install(live(target)?, name, *before),
            Self::Service { unit, before, .. } => set_state(live(target)?, unit, *before),
            Self::Reload { unit, .. } => reload(live(target)?, unit),
        }
    }
}

fn live(target: &Target) -> Result<&dyn System, String> {
    target
        .system()
        .ok_or_else(|| "packages and services can be changed on the running system only".to_owned())
}

fn proc_path(key: &str) -> String {
    format!("/proc/sys/{}", key.replace('.', "/"))
}

fn kernel_value(target: &Target, key: &str) -> Result<String, String> {
    let text = target.text(&proc_path(key)).map_err(|f| f.to_string())?;
    Ok(spaced(&text))
}

/// One blank between words: the kernel answers a list of values with tabs.
fn spaced(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn write_kernel(target: &Target, key: &str, value: &str) -> Result<(), String> {
    target.write_in_place(&proc_path(key), &format!("{value}\n")).map_err(|f| format!("{key}: {f}"))
}

fn install(system: &dyn System, name: &str, present: bool) -> Result<(), String> {
    let verb = if present { "install" } else { "remove" };
    let lock = "-oDPkg::Lock::Timeout=120";
    // A package that is already there in part keeps the files that an administrator has edited.
    let keep = "-oDpkg::Options::=--force-confold";
    must(system, &["apt-get", verb, "--yes", "--quiet", lock, keep, "--no-install-recommends", name], INSTALL)
}

fn set_state(system: &dyn System, unit: &str, state: UnitState) -> Result<(), String> {
    let now = state_of(system, unit).map_err(words)?;
    if now.enabled != state.enabled {
        let verb = if state.enabled { "enable" } else { "disable" };
        must(system, &["systemctl", verb, unit], ASK)?;
    }
    if now.active != state.active {
        let verb = if state.active { "start" } else { "stop" };
        must(system, &["systemctl", verb, unit], ASK)?;
    }
    Ok(())
}

fn reload(system: &dyn System, unit: &str) -> Result<(), String> {
    must(system, &["systemctl", "try-reload-or-restart", unit], ASK)
}

fn must(system: &dyn System, argv: &[&str], limit: std::time::Duration) -> Result<(), String> {
    let shown = argv.join(" ");
    match system.run(argv, limit) {
        Ok(said) if said.ok => Ok(()),
        Ok(said) => Err(cut(&format!("`{shown}` failed: {}", said.text))),
        Err(e) => Err(cut(&format!("`{shown}` could not run: {e}"))),
    }
}

fn state_of(system: &dyn System, unit: &str) -> Result<UnitState, Stop> {
    Ok(UnitState {
        enabled: asks(system, &["systemctl", "is-enabled", "--quiet", unit])?,
        active: asks(system, &["systemctl", "is-active", "--quiet", unit])?,
    })
}

fn asks(system: &dyn System, argv: &[&str]) -> Result<bool, Stop> {
    match system.run(argv, ASK) {
        Ok(said) => Ok(said.ok),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Err(Stop::Skip(format!("this system has no `{}`", argv[0])))
        }
        Err(e) => Err(Stop::Skip(cut(&format!("`{}` could not run: {e}", argv.join(" "))))),
    }
}

fn words(stop: Stop) -> String {
    match stop {
        Stop::Skip(reason) => reason,
        Stop::Fail(error) => error.to_string(),
    }
}

/// `text` without what goes beyond the bound of a detail.
pub(crate) fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_REASON);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
