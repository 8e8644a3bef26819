//! `health`: how the platform is: whether it can work, its network, its clock.

use serde_json::Value;

use crate::{
    Failure, answer,
    api::Api,
    out::{Out, printable},
};

/// The parts of the answer that stand in lines of their own.
const FIELDS: [(&str, &str); 6] = [
    ("ready", "/ready"),
    ("network", "/network_words"),
    ("offline", "/network/offline"),
    ("clock", "/now"),
    ("runs since", "/started"),
    ("kept out of the memory", "/quarantined"),
];

/// Prints it; fails when the platform cannot do its work.
pub fn run(api: &Api, out: Out) -> Result<(), Failure> {
    let health = api.get("/v1/health")?;
    out.one(&health, &FIELDS)?;
    if !out.is_json() {
        said(&health, out)?;
    }
    if health["ready"] == Value::Bool(true) {
        return Ok(());
    }
    Err(Failure::failed("the platform cannot do its work").hint("see the problems above, and its log"))
}

fn said(health: &Value, out: Out) -> Result<(), Failure> {
    let lines = |pointer| answer::list(health, pointer).map(<[Value]>::to_vec).unwrap_or_default();
    for (what, pointer) in [("problem", "/problems"), ("alarm", "/alarms")] {
        for line in lines(pointer) {
            out.line(&printable(&format!("{what}: {}", line.as_str().unwrap_or_default())))?;
        }
    }
    if let Some(why) = health["mesh"].as_str() {
        out.line(&printable(&format!("problem: the mesh has stopped: {why}")))?;
    }
    for set in lines("/clock_set") {
        let shown = |pointer| answer::shown(&set, pointer);
        let word = if set["accepted"] == Value::Bool(true) { ", accepted by a person" } else { "" };
        let (from, to) = (shown("/from"), shown("/to"));
        let line =
            format!("{}: the clock was set from {from} to {to}{word} ({})", shown("/id"), shown("/noticed"));
        out.line(&printable(&line))?;
    }
    Ok(())
}
