//! What each kind of step makes of the overlay.

use rustix::process::geteuid;

use crate::{
    action::cut,
    lines::{KeyEdit, set_line},
    node::Node,
    overlay::{Overlay, Stop, stop},
    step::{ConfigKey, FileContent, FileLine, Permission, Presence, Step, Sysctl, When},
    target::Target,
};

const MAX_ACCOUNTS: u64 = 1024 * 1024;
/// Read last by `sysctl --system` (procps), and by systemd through its `99-sysctl.conf` link.
const SYSCTL_CONF: &str = "/etc/sysctl.conf";

/// What a step did to the overlay.
#[derive(Debug)]
pub(crate) struct Done {
    /// Whether anything differs from before the step.
    pub changed: bool,
    /// The files it looked after.
    pub paths: Vec<String>,
    /// What to know about it; may be empty.
    pub detail: String,
}

impl Done {
    fn one(changed: bool, path: &str) -> Self {
        Self { changed, paths: vec![path.to_owned()], detail: String::new() }
    }
}

/// Takes one step about files; `playbook` is who asks. Package and service steps do nothing here.
pub(crate) fn edit(overlay: &mut Overlay<'_>, step: &Step, playbook: &str) -> Result<Done, Stop> {
    match step {
        Step::FileLine(s) => file_line(overlay, s),
        Step::ConfigKey(s) => config_key(overlay, s),
        Step::Sysctl(s) => sysctl(overlay, s, playbook),
        Step::Permission(s) => permission(overlay, s),
        Step::FileContent(s) => file_content(overlay, s),
        Step::Package(_) | Step::Service(_) => {
            Ok(Done { changed: false, paths: Vec::new(), detail: String::new() })
        }
    }
}

fn guard(overlay: &mut Overlay<'_>, when: When, path: &str) -> Result<(), Stop> {
    let wanted = match when {
        When::Always => return Ok(()),
        When::Exists => path,
        When::FolderExists => path.rsplit_once('/').map_or("", |(folder, _)| folder),
    };
    if wanted.is_empty() || overlay.look(wanted)?.is_some() {
        return Ok(());
    }
    Err(Stop::Skip(format!("{wanted} is not there, so there is nothing to fix")))
}

fn file_line(overlay: &mut Overlay<'_>, step: &FileLine) -> Result<Done, Stop> {
    guard(overlay, step.when, &step.path)?;
    let text = overlay.text(&step.path)?;
    if text.is_none() && step.state == Presence::Absent {
        return Ok(Done::one(false, &step.path));
    }
    let text = set_line(&text.unwrap_or_default(), step);
    Ok(Done::one(overlay.set_text(&step.path, &text, None)?, &step.path))
}

fn config_key(overlay: &mut Overlay<'_>, step: &ConfigKey) -> Result<Done, Stop> {
    guard(overlay, step.when, &step.path)?;
    let edit = KeyEdit::from(step);
    let winners = match &step.drop_ins {
        Some(folder) => conf_files(overlay.target(), folder, "")?,
        None => Vec::new(),
    };
    let text = overlay.text(&step.path)?.unwrap_or_default();
    let mut done = Done::one(false, &step.path);
    set_in_winners(overlay, &mut done, winners, &[edit])?;
    done.changed |= overlay.set_text(&step.path, &edit.set(&text), None)?;
    Ok(done)
}

fn sysctl(overlay: &mut Overlay<'_>, step: &Sysctl, playbook: &str) -> Result<Done, Stop> {
    let dashed = format!("-{}", step.key);
    let slashed = step.key.replace('.', "/");
    let edit = |key| KeyEdit {
        key,
        value: &step.value,
        separator: " = ",
        section: None,
        comment: "#",
        before: None,
        ignore_case: false,
        accept: &step.accept,
    };
    let spellings = [edit(step.key.as_str()), edit(dashed.as_str()), edit(slashed.as_str())];
    let (folder, name) = step.file.rsplit_once('/').unwrap_or_default();
    let mut winners = conf_files(overlay.target(), folder, name)?;
    if step.file != SYSCTL_CONF && overlay.look(SYSCTL_CONF).is_ok_and(|n| n.is_some()) {
        winners.push(SYSCTL_CONF.to_owned());
    }
    let text = overlay.text(&step.file)?;
    let text = text.unwrap_or_else(|| format!("# Kernel settings kept by Echo (playbook {playbook}).\n"));
    let mut done = Done::one(false, &step.file);
    set_in_winners(overlay, &mut done, winners, &spellings)?;
    done.changed |= overlay.set_text(&step.file, &spellings[0].set(&text), None)?;
    Ok(done)
}

/// Changes a key in files that would win over the step's own.
fn set_in_winners(
    overlay: &mut Overlay<'_>,
    done: &mut Done,
    winners: Vec<String>,
    edits: &[KeyEdit<'_>],
) -> Result<(), Stop> {
    for path in winners {
        let Some(text) = overlay.text(&path)? else {
            continue;
        };
        let set = edits.iter().fold(text, |text, edit| edit.set_if_there(&text));
        if overlay.set_text(&path, &set, None)? {
            done.changed = true;
            done.detail = cut(&format!("also set in {path}, which wins over {}", done.paths[0]));
        }
        done.paths.push(path);
    }
    Ok(())
}

/// The real `*.conf` files of a folder whose names sort after `after`. Links are passed over: what they lead to
/// is either a file that is looked at by its own name, or `/dev/null`.
fn conf_files(target: &Target, folder: &str, after: &str) -> Result<Vec<String>, Stop> {
    let names = target.list(folder).map_err(|f| stop(folder, f))?;
    let paths = names
        .into_iter()
        .filter(|n| n.strip_suffix(".conf").is_some() && n.as_str() > after)
        .map(|n| format!("{folder}/{n}"));
    Ok(paths.filter(|p| matches!(target.look(p), Ok(Some(node)) if !node.folder)).collect())
}

fn permission(overlay: &mut Overlay<'_>, step: &Permission) -> Result<Done, Stop> {
    if overlay.look(&step.path)?.is_none() {
        return Err(Stop::Skip(format!("{} is not there, so there is nothing to fix", step.path)));
    }
    let target = overlay.target();
    let uid = step.owner.as_deref().map(|n| number_of(target, "/etc/passwd", n)).transpose()?;
    let gid = step.group.as_deref().map(|n| number_of(target, "/etc/group", n)).transpose()?;
    let mut left = false;
    let changed = overlay.set_attributes(&step.path, |node: &mut Node| {
        let wanted = step.mode.bits();
        node.mode = if step.or_stricter { node.mode & wanted } else { wanted };
        let owner = (uid.unwrap_or(node.uid), gid.unwrap_or(node.gid));
        if owner != (node.uid, node.gid) {
            if geteuid().is_root() {
                (node.uid, node.gid) = owner;
            } else {
                left = true;
            }
        }
    })?;
    let mut done = Done::one(changed, &step.path);
    if left {
        "the owner is left as it is: changing it needs root".clone_into(&mut done.detail);
    }
    Ok(done)
}

/// The number of an account or group by the target's own files; `root` is always 0.
fn number_of(target: &Target, file: &str, name: &str) -> Result<u32, Stop> {
    if name == "root" {
        return Ok(0);
    }
    let unknown = || Stop::Skip(format!("`{name}` is not in {file} of the target"));
    if target.look(file).map_err(|f| stop(file, f))?.is_none() {
        return Err(unknown());
    }
    let bytes = target.bytes(file, MAX_ACCOUNTS).map_err(|f| stop(file, f))?;
    String::from_utf8_lossy(&bytes)
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
        })
        .ok_or_else(unknown)
}

fn file_content(overlay: &mut Overlay<'_>, step: &FileContent) -> Result<Done, Stop> {
    guard(overlay, step.when, &step.path)?;
    if let Some(text) = overlay.text(&step.path)? {
        let low = text.to_lowercase();
        let asks = step.if_contains.iter().any(|t| low.contains(&t.to_lowercase()));
        if !step.if_contains.is_empty() && !asks {
            return Ok(Done::one(false, &step.path));
        }
    }
    let changed = overlay.set_text(&step.path, &step.content, Some(step.mode.bits()))?;
    Ok(Done::one(changed, &step.path))
}
