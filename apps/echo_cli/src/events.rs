//! `events`: follows what happens (server-sent events, WHATWG HTML section 9.2).

use std::{
    io::{BufRead, Read as _},
    thread,
    time::Duration,
};

use clap::Args;
use serde_json::{Value, json};

use crate::{Failure, answer, api::Api, out::Out};

/// The longest line of a stream, in bytes.
const MAX_LINE: u64 = 64 * 1024;
/// The pause before a broken stream is taken up again.
const PAUSE: Duration = Duration::from_secs(2);
/// After so many attempts in a row that brought no stream, it is given up.
const MAX_BROKEN: u32 = 5;

/// What to follow.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Begin after the event with this number; without it, with what happens from now on
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
    /// Stop after so many events
    #[arg(long, value_name = "COUNT")]
    max: Option<u64>,
}

/// One event of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    id: Option<String>,
    data: String,
}

/// Prints events as they come, until interrupted; takes a broken stream up again where it was.
pub fn run(arguments: &Arguments, api: &Api, out: Out) -> Result<(), Failure> {
    let mut after = arguments.after.map(|n| n.to_string());
    let mut left = arguments.max.unwrap_or(u64::MAX);
    let mut broken = 0;
    while left > 0 {
        let stream = match api.events(after.as_deref()) {
            Ok(stream) => Some(stream),
            Err(failure) if broken == 0 || broken >= MAX_BROKEN => return Err(failure),
            Err(_) => None,
        };
        if let Some(mut stream) = stream {
            broken = 0;
            while left > 0 {
                let Ok(Some(event)) = next(&mut stream) else { break };
                left -= 1;
                show(&event, out)?;
                after = event.id.or(after);
            }
        }
        if left > 0 {
            broken += 1;
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// The next event; nothing when the stream is over.
fn next(stream: &mut impl BufRead) -> std::io::Result<Option<Event>> {
    let mut event = Event::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        if stream.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            if !event.data.is_empty() {
                return Ok(Some(event));
            }
            event = Event::default();
            continue;
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => event.id = Some(value.to_owned()),
            "data" if event.data.len() as u64 <= MAX_LINE => {
                if !event.data.is_empty() {
                    event.data.push('\n');
                }
                event.data.push_str(value);
            }
            // An empty field name is a comment: the platform's sign of life.
            _ => {}
        }
    }
}

fn show(event: &Event, out: Out) -> Result<(), Failure> {
    let data: Value = serde_json::from_str(&event.data).unwrap_or_else(|_| json!({ "what": event.data }));
    if out.is_json() {
        return out.json_line(&json!({"seq": event.id, "event": data}));
    }
    let shown = |pointer| answer::shown(&data, pointer);
    out.line(&format!("{}  {:<8} {}  {}", shown("/at"), shown("/topic"), shown("/id"), shown("/what")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_and_comments_skipped() {
        let mut stream =
            &b": hello\n\nid: 7\nevent: x\ndata: {\"a\":\r\ndata: 1}\n\ndata:last\n\nid: 9\n"[..];
        let first = next(&mut stream).unwrap().unwrap();
        assert_eq!(first, Event { id: Some("7".into()), data: "{\"a\":\n1}".into() });
        assert_eq!(next(&mut stream).unwrap().unwrap().data, "last");
        assert_eq!(next(&mut stream).unwrap(), None);
    }
}
