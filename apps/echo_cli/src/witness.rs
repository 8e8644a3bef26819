//! `witness`: the witnesses that cosign the platform's ledgers, and the logs that the platform witnesses itself.

use std::path::{Path, PathBuf};

use ::witness::{Accepted, Policy};
use clap::Subcommand;
use echo_core::Digest;
use serde_json::{Value, json};

use crate::{
    Failure, answer,
    api::Api,
    ledgers::text,
    out::{Colour, Out},
};

/// What to do with witnesses.
#[derive(Debug, Subcommand)]
pub enum Witness {
    /// List the witnesses that are asked, the groups and the quorum
    List,
    /// Ask one more witness to cosign both ledgers
    Add {
        /// Its name here, without spaces
        name: String,
        /// Its verifier key, which its operator hands out
        vkey: String,
        /// Its submission prefix, such as `https://witness.example/prefix`
        url: String,
    },
    /// Forget a witness or a group; first take it out of the groups and the quorum that name it
    Remove {
        /// Its name
        name: String,
    },
    /// Make a group: so many of its members have to cosign
    Group {
        /// The group's name
        name: String,
        /// How many
        threshold: u32,
        /// Names of witnesses and groups that are there
        #[arg(required = true)]
        members: Vec<String>,
    },
    /// Say who has to cosign a ledger's head before it counts: a witness, a group, or `none`
    Quorum {
        /// The name
        name: String,
    },
    /// Say how each witness stands to each ledger: the last size it cosigned, when, and what went wrong
    Status,
    /// Have the witnesses asked now, those too that failed a moment ago
    Ask,
    /// Print the platform's own verifier key as a witness
    Vkey,
    /// The logs that the platform witnesses
    #[command(subcommand)]
    Log(Log),
    /// Check a cosigned checkpoint against a policy, without any platform or network
    Verify {
        /// The file with the checkpoint: `/v1/ledgers/LOG/checkpoint.cosigned`, or from `HOME/treasury`
        #[arg(long, value_name = "FILE")]
        checkpoint: PathBuf,
        /// The file with the policy (C2SP tlog-policy): `/v1/ledgers/LOG/policy`, compared by another way
        #[arg(long, value_name = "FILE")]
        policy: PathBuf,
    },
}

/// What to do with the logs that the platform witnesses.
#[derive(Debug, Subcommand)]
pub enum Log {
    /// List them
    List,
    /// Witness one more log
    Add {
        /// The log's verifier key; its name is the log's origin
        vkey: String,
    },
    /// Witness a log no more; what was cosigned of it stays known
    Remove {
        /// The log's origin
        origin: String,
    },
}

const EDIT: &str = "/v1/witnesses";
const LOGS: &str = "/v1/witnessed-logs";

impl Witness {
    /// Does it.
    pub fn run(&self, online: impl Fn() -> Result<Api, Failure>, out: Out) -> Result<(), Failure> {
        let edit = |edit: Value| online()?.post(EDIT, &edit).and_then(|now| list(&now, out));
        match self {
            Self::List => list(&online()?.get(EDIT)?, out),
            Self::Add { name, vkey, url } => {
                edit(json!({"edit": "add", "name": name, "vkey": vkey, "url": url}))
            }
            Self::Remove { name } => edit(json!({"edit": "remove", "name": name})),
            Self::Group { name, threshold, members } => {
                edit(json!({"edit": "group", "name": name, "threshold": threshold, "members": members}))
            }
            Self::Quorum { name } => edit(json!({"edit": "quorum", "name": name})),
            Self::Status => status(&online()?.get(EDIT)?, out),
            Self::Ask => {
                let now = online()?.post("/v1/witnesses/ask", &json!({}))?;
                if out.is_json() {
                    return out.json(&now);
                }
                out.line("the witnesses are being asked: see `echo_cli witness status` in a moment")
            }
            Self::Vkey => vkey(&online()?, out),
            Self::Log(command) => command.run(&online()?, out),
            Self::Verify { checkpoint, policy } => verify(checkpoint, policy, out),
        }
    }
}

impl Log {
    fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        let now = match self {
            Self::List => api.get(LOGS)?,
            Self::Add { vkey } => api.post(LOGS, &json!({"edit": "add", "vkey": vkey}))?,
            Self::Remove { origin } => api.post(LOGS, &json!({"edit": "remove", "origin": origin}))?,
        };
        let columns = [("log", "/origin"), ("size", "/size"), ("cosigned", "/cosigned")];
        out.list(answer::list(&now, "")?, &columns)
    }
}

/// Prints the witnesses, the groups and the quorum.
fn list(now: &Value, out: Out) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(now);
    }
    out.list(answer::list(now, "/witnesses")?, &[("witness", "/name"), ("asked at", "/url")])?;
    for group in answer::list(now, "/groups")? {
        let members: Vec<&str> = answer::list(group, "/members")?.iter().filter_map(Value::as_str).collect();
        let (name, threshold) = (answer::shown(group, "/name"), answer::shown(group, "/threshold"));
        out.line(&format!("group {name}: {threshold} of {}", members.join(", ")))?;
    }
    out.line(&format!("quorum: {}", answer::text(now, "/quorum")?))
}

/// Prints one row for each witness and ledger; what contradicts a ledger stands below in full.
fn status(now: &Value, out: Out) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(now);
    }
    let mut rows = Vec::new();
    for witness in answer::list(now, "/witnesses")? {
        for ledger in answer::list(witness, "/ledgers")? {
            let mut row = ledger.clone();
            row["name"] = witness["name"].clone();
            rows.push(row);
        }
    }
    let columns = [
        ("witness", "/name"),
        ("ledger", "/log"),
        ("size", "/size"),
        ("cosigned", "/cosigned"),
        ("asked again", "/next"),
        ("last error", "/error"),
    ];
    out.list(&rows, &columns)?;
    nodes(now, out)?;
    for row in rows.iter().filter(|row| row["contradiction"].is_string()) {
        let words = format!(
            "ALARM: the witness {} of the {} ledger {}",
            answer::shown(row, "/name"),
            answer::shown(row, "/log"),
            answer::shown(row, "/contradiction")
        );
        out.painted(&out.paint(Colour::Red, &crate::out::printable(&words)))?;
    }
    Ok(())
}

/// Prints which nodes of the mesh cosigned, and in full which ledgers have two histories.
fn nodes(now: &Value, out: Out) -> Result<(), Failure> {
    let nodes = answer::list(now, "/nodes")?;
    if !nodes.is_empty() {
        out.line("")?;
        let columns = [
            ("node of the mesh", "/node"),
            ("name", "/name"),
            ("ledger", "/log"),
            ("size", "/size"),
            ("cosigned", "/cosigned"),
        ];
        out.list(nodes, &columns)?;
    }
    for fork in answer::list(now, "/forks")? {
        let words = format!(
            "ALARM: the {} ledger has two histories: its key signed two roots of {} entries, {} and {}; known since {}",
            answer::shown(fork, "/log"),
            answer::shown(fork, "/size"),
            answer::shown(fork, "/roots/0"),
            answer::shown(fork, "/roots/1"),
            answer::shown(fork, "/at")
        );
        out.painted(&out.paint(Colour::Red, &crate::out::printable(&words)))?;
    }
    Ok(())
}

fn vkey(api: &Api, out: Out) -> Result<(), Failure> {
    let key = String::from_utf8(api.get_bytes("/v1/witness/vkey")?).map_err(Failure::failed)?;
    if out.is_json() { out.json(&json!({"vkey": key.trim_end()})) } else { out.line(key.trim_end()) }
}

fn verify(checkpoint: &Path, policy: &Path, out: Out) -> Result<(), Failure> {
    let missing = "check the path";
    let note = text(checkpoint, ledger::MAX_NOTE_BYTES as u64, missing)?;
    let policy = read_policy(policy)?;
    let Accepted { checkpoint, cosigned } = policy.evaluate(&note).map_err(Failure::unverified)?;
    let names: Vec<&str> = cosigned.iter().map(|member| member.name.as_str()).collect();
    if out.is_json() {
        let members: Vec<Value> =
            cosigned.iter().map(|m| json!({"name": m.name, "posix_seconds": m.at})).collect();
        return out.json(&json!({
            "verified": true, "origin": checkpoint.origin, "size": checkpoint.size,
            "root": Digest(checkpoint.root).hex(), "cosigned": members, "quorum": policy.quorum(),
        }));
    }
    let by = if names.is_empty() { "nobody; the policy demands none".to_owned() } else { names.join(", ") };
    out.painted(&format!(
        "{} {} of {} entries, cosigned by {}",
        out.paint(Colour::Green, "✓"),
        crate::out::printable(&checkpoint.origin),
        checkpoint.size,
        crate::out::printable(&by)
    ))
}

/// Reads a policy file.
pub fn read_policy(path: &Path) -> Result<Policy, Failure> {
    let text = text(path, ::witness::MAX_POLICY_BYTES as u64, "check the path")?;
    Policy::parse(&text).map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}
