//! `mcp`: the platform's MCP server on standard input and output, for clients that start a program.
//!
//! Carries each message to the platform's `/mcp` and its answer back, as lines (MCP, "stdio" and "streamable HTTP"
//! transports). It knows no tool: what there is, and who may use it, the platform says.

use std::{
    io::{BufRead as _, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    Failure,
    api::Api,
    http::{Answer, Http},
};

/// Where the platform speaks MCP.
const PATH: &str = "/mcp";
/// The longest line; the platform takes no longer request.
const MAX_LINE: u64 = 256 * 1024;
/// The most requests that wait for the platform at once; further ones wait to be read.
const AT_ONCE: usize = 16;
/// The most bytes of a key file.
const MAX_KEY: u64 = 1024;
/// Where a message says which version of the protocol it speaks.
const VERSION_IN_META: &str = "/params/_meta/io.modelcontextprotocol~1protocolVersion";
/// An error of the server's own (JSON-RPC 2.0, section 5.1).
const SERVER_ERROR: i32 = -32000;
const PARSE_ERROR: i32 = -32700;

/// By whose right, and where.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A file with an agent key (`echo_cli agent-key make`); without one, whoever is signed in asks
    #[arg(long, value_name = "FILE", requires = "url")]
    key_file: Option<PathBuf>,
    /// The platform's address, with --key-file
    #[arg(long, value_name = "URL", requires = "key_file")]
    url: Option<String>,
}

/// Carries messages until standard input ends.
pub fn run(arguments: &Arguments, session: impl FnOnce() -> Result<Api, Failure>) -> Result<(), Failure> {
    let right = match (&arguments.key_file, &arguments.url) {
        (Some(file), Some(url)) => Right::Key(url.clone(), key(file)?),
        _ => Right::Session(session()?),
    };
    let bridge = Bridge {
        http: Http::new(right.base()),
        version: Mutex::new(None),
        out: Mutex::new(std::io::stdout()),
    };
    let mut lines = std::io::stdin().lock();
    let mut said = Ok(());
    thread::scope(|scope| {
        let mut waiting = Vec::new();
        while said.is_ok() {
            let mut line = Vec::new();
            match lines.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    said = Err(Failure::failed(format!("standard input cannot be read: {error}")));
                    break;
                }
            }
            if line.len() as u64 > MAX_LINE {
                said = Err(Failure::failed(format!("a message is longer than {MAX_LINE} bytes")));
                break;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            match right.token() {
                Ok(token) => {
                    let bridge = &bridge;
                    waiting.push(scope.spawn(move || bridge.carry(&line, &token)));
                }
                Err(error) => said = Err(error),
            }
            waiting.retain(|asked: &thread::ScopedJoinHandle<'_, _>| !asked.is_finished());
            if waiting.len() >= AT_ONCE {
                // The oldest is likely to end first. A thread that panicked has said so.
                let _ = waiting.remove(0).join();
            }
        }
    });
    said
}

/// Who asks.
enum Right {
    Key(String, Zeroizing<String>),
    Session(Api),
}

impl Right {
    fn base(&self) -> &str {
        match self {
            Self::Key(url, _) => url,
            Self::Session(api) => api.base(),
        }
    }

    fn token(&self) -> Result<Zeroizing<String>, Failure> {
        match self {
            Self::Key(_, key) => Ok(key.clone()),
            Self::Session(api) => api.token().map(Zeroizing::new),
        }
    }
}

fn key(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let bytes = durable::read(file, MAX_KEY)?.map(Zeroizing::new).ok_or_else(|| {
        Failure::failed(format!("there is no file {}", file.display()))
            .hint("make one: `echo_cli agent-key make`")
    })?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Failure::failed(format!("{} holds no agent key", file.display()))
            .hint("it is one line: `echo_key_...`")
    })?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

struct Bridge {
    http: Http,
    /// The version that was agreed on, once it was.
    version: Mutex<Option<String>>,
    out: Mutex<std::io::Stdout>,
}

impl Bridge {
    fn carry(&self, line: &[u8], token: &str) {
        let message: Value = match serde_json::from_slice(line) {
            Ok(message) => message,
            Err(error) => return self.say(&failed(&Value::Null, PARSE_ERROR, &format!("not JSON: {error}"))),
        };
        let id = message.get("id").cloned();
        let answer = self.http.relay(PATH, token, &self.headers(&message), line);
        match answer {
            Ok(answer) => self.answered(&message, id.as_ref(), &answer),
            Err(failure) => {
                if let Some(id) = id {
                    self.say(&failed(&id, SERVER_ERROR, &failure.message));
                }
            }
        }
    }

    /// The headers that repeat what the message says, so that whoever stands between can route by them.
    fn headers(&self, message: &Value) -> Vec<(&'static str, String)> {
        let mut headers = vec![("Accept", "application/json, text/event-stream".to_owned())];
        let agreed = self.version.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let version = message.pointer(VERSION_IN_META).and_then(Value::as_str).map(str::to_owned).or(agreed);
        headers.extend(version.map(|version| ("MCP-Protocol-Version", version)));
        if let Some(method) = message.get("method").and_then(Value::as_str) {
            headers.push(("Mcp-Method", method.to_owned()));
            let params = message.get("params");
            let name = params.and_then(|p| p.get("name").or_else(|| p.get("uri"))).and_then(Value::as_str);
            headers.extend(name.map(|name| ("Mcp-Name", in_header(name))));
        }
        headers
    }

    fn answered(&self, asked: &Value, id: Option<&Value>, answer: &Answer) {
        let said: Option<Value> = serde_json::from_slice(&answer.body).ok();
        match (said, id) {
            (Some(said), _) if said.get("jsonrpc").is_some() => {
                if asked["method"] == "initialize"
                    && let Some(version) = said.pointer("/result/protocolVersion").and_then(Value::as_str)
                {
                    *self.version.lock().unwrap_or_else(PoisonError::into_inner) = Some(version.to_owned());
                }
                self.say(&said);
            }
            // What asks for no answer gets none.
            (_, None) => {}
            (_, Some(id)) if (200..300).contains(&answer.status) => {
                self.say(&failed(id, SERVER_ERROR, "the platform's answer is no message of MCP"));
            }
            (_, Some(id)) => self.say(&failed(id, SERVER_ERROR, &answer.problem().message)),
        }
    }

    /// One message, one line. A client that is gone needs none.
    fn say(&self, message: &Value) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(out, "{message}").and_then(|()| out.flush());
    }
}

/// A text for a header: as it is when it is plain, else in base64 (MCP 2026-07-28, "Mcp-Name").
fn in_header(text: &str) -> String {
    let plain =
        !text.is_empty() && text.trim() == text && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if plain { text.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(text)) }
}

fn failed(id: &Value, code: i32, words: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": words}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_header_can_hold_is_wrapped() {
        assert_eq!(in_header("triage_classify"), "triage_classify");
        assert_eq!(in_header("é\n"), "=?base64?w6kK?=");
    }

    #[test]
    fn an_error_keeps_the_id_it_answers() {
        assert_eq!(failed(&json!("7"), SERVER_ERROR, "x")["id"], "7");
    }
}
