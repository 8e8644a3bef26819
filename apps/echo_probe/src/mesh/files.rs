//! `echo_probe mesh send`, `transfers` and `cancel`: asks the running probe to carry files.

use std::{
    fmt::Write as _,
    io::{IsTerminal as _, Write as _, stderr},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use ::mesh::bulk::{Stage, TransferId, TransferView, Way};
use serde_json::{Value, json};

use super::{command::ask, line::Question};
use crate::{
    cli::{MeshCancel, MeshSend, Status},
    failure::Failure,
    show,
};

/// How long a running probe may take to look at all of a file: 4 GiB from a slow disk.
const LOOKING: Duration = Duration::from_mins(10);
/// How long it may take to say how transfers stand.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is asked.
const EVERY: Duration = Duration::from_millis(250);
/// How long a line of progress may get.
const LINE: usize = 100;

pub(super) fn send(options: &MeshSend) -> Result<(), Failure> {
    let home = options.home.path()?;
    let path = options.file.canonicalize().map_err(|why| {
        Failure::Usage(format!("cannot read {}: {why}; check the path", options.file.display()))
    })?;
    let path = as_text(path)?;
    let answer = ask(&home, &Question::Send { path, node: options.node }, LOOKING)?;
    let id: TransferId = read(&answer["id"])?;
    if options.no_wait {
        return if options.json { show::json(&answer) } else { show::data(&format!("{id}\n")) };
    }
    let ended = follow(&home, id)?;
    let receipt = ask(&home, &Question::Receipt { id }, PATIENCE)?["receipt"].clone();
    if options.json {
        show::json(&json!({ "transfer": ended, "receipt": receipt }))?;
    }
    match ended.stage {
        Stage::Delivered if options.json => Ok(()),
        Stage::Delivered => show::data(&format!(
            "{} is delivered, and the receiver has signed so\n",
            show::plain(ended.name.as_str())
        )),
        Stage::Cancelled => Err(Failure::Failed(format!("{id} was cancelled"))),
        _ => Err(Failure::Failed(format!("{id} was not delivered: {}", show::plain(&ended.why)))),
    }
}

/// A question is text, so its path must be.
fn as_text(path: PathBuf) -> Result<PathBuf, Failure> {
    if path.to_str().is_some() {
        return Ok(path);
    }
    Err(Failure::Usage(format!("{} is not UTF-8, so it cannot be asked for: rename it", path.display())))
}

/// Waits until it has ended, and shows on standard error how far it is.
fn follow(home: &Path, id: TransferId) -> Result<TransferView, Failure> {
    let terminal = stderr().is_terminal();
    let mut last = String::new();
    loop {
        let mut known = transfers(home)?.into_iter();
        let view = known
            .find(|view| view.id == id && view.way == Way::Out)
            .ok_or_else(|| Failure::Failed(format!("{id} is no longer known to the probe")))?;
        let line = progress(&view);
        if terminal {
            let _ = write!(stderr().lock(), "\r\x1b[2K{line}");
        } else if last != view.why {
            view.why.clone_into(&mut last);
            if !last.is_empty() {
                show::say(&format!("waiting: {}", show::plain(&last)));
            }
        }
        if view.stage.is_end() {
            if terminal {
                let _ = writeln!(stderr().lock());
            }
            return Ok(view);
        }
        thread::sleep(EVERY);
    }
}

fn progress(view: &TransferView) -> String {
    const WIDTH: u64 = 30;
    let filled = view.done.saturating_mul(WIDTH).checked_div(view.size).unwrap_or(WIDTH);
    let bar: String = (0..WIDTH).map(|at| if at < filled { '#' } else { '.' }).collect();
    let mut line = format!("[{bar}] {} of {}", bytes(view.done), bytes(view.size));
    if view.rate > 0 {
        let _ = write!(line, ", {}/s", bytes(view.rate));
    }
    if !view.why.is_empty() {
        let _ = write!(line, ", {}", show::plain(&view.why));
    }
    line.chars().take(LINE).collect()
}

pub(super) fn list(options: &Status) -> Result<(), Failure> {
    let views = transfers(&options.home.path()?)?;
    if options.json {
        return show::json(&views);
    }
    if views.is_empty() {
        return show::data("no file is on its way, and none was sent lately: what came is in mesh/inbox\n");
    }
    let mut text = String::new();
    for view in &views {
        writeln!(text, "{}", row(view)).map_err(Failure::of)?;
    }
    show::data(&text)
}

fn row(view: &TransferView) -> String {
    let way = if view.way == Way::Out { "to" } else { "from" };
    let stage = match view.stage {
        Stage::Waiting => "waiting",
        Stage::Offered => "offered",
        Stage::Moving => "moving",
        Stage::Checking => "checking",
        Stage::Delivered => "delivered",
        Stage::Failed => "failed",
        Stage::Cancelled => "cancelled",
    };
    let mut row = format!(
        "{} {stage:<9} {} of {}, {}, {way} {}",
        view.id,
        bytes(view.done),
        bytes(view.size),
        show::plain(view.name.as_str()),
        view.node
    );
    if view.rate > 0 {
        let _ = write!(row, ", {}/s", bytes(view.rate));
    }
    if !view.why.is_empty() {
        let _ = write!(row, "\n    {}", show::plain(&view.why));
    }
    row
}

pub(super) fn cancel(options: &MeshCancel) -> Result<(), Failure> {
    let answer = ask(&options.home.path()?, &Question::CancelTransfer { id: options.id }, PATIENCE)?;
    if answer["cancelled"] == Value::Bool(true) {
        return show::data(&format!("{} is cancelled\n", options.id));
    }
    Err(Failure::Failed(format!("{} is not under way: see `echo_probe mesh transfers`", options.id)))
}

fn transfers(home: &Path) -> Result<Vec<TransferView>, Failure> {
    read(&ask(home, &Question::Transfers, PATIENCE)?["transfers"])
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    serde_json::from_value(value.clone())
        .map_err(|e| Failure::Failed(format!("the running probe is of another version: {e}")))
}

/// A number of bytes, rounded for people.
fn bytes(count: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, unit)| count >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", count / unit, count % unit * 10 / unit),
        None => format!("{count} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};

    use super::*;

    #[test]
    fn a_path_that_is_no_text_is_refused_before_it_is_asked_for() {
        let odd = Path::new(OsStr::from_bytes(b"/tmp/\xff.txt"));
        assert!(matches!(as_text(odd.to_owned()), Err(Failure::Usage(why)) if why.contains("rename it")));
        assert_eq!(as_text("/tmp/ä.txt".into()).unwrap(), Path::new("/tmp/ä.txt"));
    }

    #[test]
    fn bytes_are_rounded_for_people() {
        for (count, text) in
            [(0, "0 bytes"), (1_023, "1023 bytes"), (1_536, "1.5 KiB"), (64 << 20, "64.0 MiB")]
        {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(bytes(u64::MAX), "17179869183.9 GiB");
    }
}
