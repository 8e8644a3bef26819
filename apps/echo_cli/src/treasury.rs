//! `treasury`: the heads of each ledger that are kept in the other, taken away and checked.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use ::witness::{Policy, Unaccepted};
use clap::Subcommand;
use durable::Mode;
use ledger::{Checkpoint, History};
use serde_json::json;

use crate::{
    Failure, answer,
    api::Api,
    ledger_bundle, ledgers,
    out::{Colour, Out},
    witness,
};

/// The first line of an exported file.
const HEADER: &str = "echo treasury v1";
/// What stands before each checkpoint, with its ledger, size and time.
const MARK: &str = "=== ";
/// The most bytes of an exported file that is checked.
const MAX_FILE: u64 = 32 * 1024 * 1024;
/// How many entries of a ledger are read at once.
const BATCH: u64 = 4_096;
/// A platform's ledgers, as folders in its home.
const LEDGERS: [&str; 2] = ["genesis_ledger", "aeterna_ledger"];

/// What to do with the treasury.
#[derive(Debug, Subcommand)]
pub enum Treasury {
    /// List the commitments: ledgers' heads that were entered into the other ledger, newest first
    List,
    /// Enter each ledger's head into the other now, when there is something new
    Commit,
    /// Write all committed checkpoints into one text file, to keep it elsewhere
    Export {
        /// The file
        file: PathBuf,
    },
    /// Check an exported file, without any platform or network
    Verify {
        /// The exported file
        file: PathBuf,
        /// A ledger's verifier key that you kept; may be said more than once
        #[arg(long)]
        vkey: Vec<String>,
        /// A policy that you kept (C2SP tlog-policy): its quorum must have cosigned heads of its ledger; may be said more
        /// than once
        #[arg(long, value_name = "FILE")]
        policy: Vec<PathBuf>,
        /// A platform's home: each checkpoint must be a beginning of its ledger of today
        #[arg(long, value_name = "HOME")]
        ledgers: Option<PathBuf>,
    },
}

const SHOWN: [(&str, &str); 4] = [("ledger", "/log"), ("size", "/size"), ("at", "/at"), ("root", "/root")];

impl Treasury {
    /// Does it.
    pub fn run(&self, online: impl Fn() -> Result<Api, Failure>, out: Out) -> Result<(), Failure> {
        match self {
            Self::List => out.list(&online()?.list("/v1/treasury")?, &SHOWN),
            Self::Commit => {
                let made = online()?.post("/v1/treasury/commit", &json!({}))?;
                let made = answer::list(&made, "")?;
                if made.is_empty() && !out.is_json() {
                    return out.line("there is nothing new to commit to");
                }
                out.list(made, &SHOWN)
            }
            Self::Export { file } => {
                let text = online()?.get_bytes("/v1/treasury/export")?;
                let count = text.windows(5).filter(|w| *w == b"\n=== ").count();
                durable::write(file, &text, Mode::Public)?;
                if out.is_json() {
                    return out.json(&json!({"file": file.display().to_string(), "checkpoints": count}));
                }
                out.line(&format!("wrote {count} checkpoints to {}", file.display()))
            }
            Self::Verify { file, vkey, policy, ledgers } => {
                verify(file, vkey, policy, ledgers.as_deref(), out)
            }
        }
    }
}

/// The heads of one ledger.
#[derive(Default)]
struct Heads {
    roots: BTreeMap<u64, [u8; 32]>,
    /// Entries of the newest one that has the cosignatures of a quorum.
    complete: Option<u64>,
    compared: bool,
}

/// What checkpoints are judged by.
#[derive(Default)]
struct Judge {
    policies: Vec<Policy>,
    homes: BTreeMap<String, PathBuf>,
}

fn verify(
    file: &Path,
    vkeys: &[String],
    policies: &[PathBuf],
    home: Option<&Path>,
    out: Out,
) -> Result<(), Failure> {
    let judge = Judge::new(vkeys, policies, home)?;
    let exported = ledgers::text(file, MAX_FILE, "check the path")?;
    let mut logs: BTreeMap<String, Heads> = BTreeMap::new();
    for origin in judge.expected() {
        logs.entry(origin).or_default();
    }
    let mut checkpoints = 0;
    for note in notes(&exported)? {
        let (head, complete) = judge.one(note)?;
        checkpoints += 1;
        let known = logs.entry(head.origin.clone()).or_default();
        if complete {
            known.complete = known.complete.max(Some(head.size));
        }
        if known.roots.insert(head.size, head.root).is_some_and(|root| root != head.root) {
            return Err(Failure::unverified(format!(
                "{} has two heads of {} entries: the file holds two histories of one ledger",
                head.origin, head.size
            )));
        }
    }
    for (origin, heads) in &mut logs {
        if heads.roots.is_empty() {
            return Err(Failure::unverified(format!("the file holds no checkpoint of {origin}"))
                .hint("export again; a ledger that was asked for must be in it"));
        }
        if heads.complete.is_none() && judge.demands(origin) {
            return Err(Failure::unverified(format!(
                "no checkpoint of {origin} was cosigned by the quorum of its policy"
            ))
            .hint("export again after the witnesses cosigned: see `echo_cli witness status`"));
        }
        if let Some(dir) = judge.homes.get(origin) {
            compare(dir, origin, &heads.roots)?;
            heads.compared = true;
        }
    }
    tell(checkpoints, &logs, out)
}

/// Prints what held.
fn tell(checkpoints: usize, logs: &BTreeMap<String, Heads>, out: Out) -> Result<(), Failure> {
    if out.is_json() {
        let logs: Vec<_> = logs
            .iter()
            .map(|(origin, heads)| {
                json!({"origin": origin, "checkpoints": heads.roots.len(), "cosigned_size": heads.complete,
                       "compared_with_ledger": heads.compared})
            })
            .collect();
        return out.json(&json!({"verified": true, "checkpoints": checkpoints, "logs": logs}));
    }
    let tick = out.paint(Colour::Green, "✓");
    for (origin, heads) in logs {
        let cosigned = heads.complete.map_or_else(
            || "no cosignatures demanded".to_owned(),
            |size| format!("cosigned by the quorum up to {size} entries"),
        );
        let beginnings = if heads.compared { ", each a beginning of the ledger of today" } else { "" };
        let (origin, count) = (crate::out::printable(origin), heads.roots.len());
        out.painted(&format!("{tick} {origin}: rightly signed ({count}), {cosigned}{beginnings}"))?;
    }
    Ok(())
}

impl Judge {
    fn new(vkeys: &[String], policies: &[PathBuf], home: Option<&Path>) -> Result<Self, Failure> {
        let mut judge = Self::default();
        let mut plain = Policy::default();
        for vkey in vkeys {
            plain = plain.with_log(vkey.trim(), None).map_err(Failure::usage)?;
        }
        for path in policies {
            judge.policies.push(witness::read_policy(path)?);
        }
        for dir in home.iter().flat_map(|home| LEDGERS.map(|name| home.join(name))) {
            let vkey = ledgers::vkey_of(&dir, None)?;
            let log = Policy::default().with_log(&vkey, None).map_err(Failure::failed)?;
            let origin = log.logs().first().map(|log| log.origin().to_owned()).unwrap_or_default();
            let known =
                judge.policies.iter().chain([&plain]).any(|p| p.logs().iter().any(|l| l.vkey() == vkey));
            if !known {
                // A key that came with the ledger: better than none, and only what was said beforehand counts more.
                plain = plain.with_log(&vkey, None).map_err(Failure::failed)?;
            }
            judge.homes.insert(origin, dir);
        }
        judge.policies.push(plain);
        if judge.policies.iter().all(|policy| policy.logs().is_empty()) {
            return Err(Failure::usage("there is nothing to check the file against")
                .hint("say --vkey, --policy or --ledgers HOME"));
        }
        Ok(judge)
    }

    /// The origins of every ledger that was asked for: one that the file leaves out is no proof of anything.
    fn expected(&self) -> BTreeSet<String> {
        let named = self.policies.iter().flat_map(Policy::logs);
        named.map(|log| log.origin().to_owned()).chain(self.homes.keys().cloned()).collect()
    }

    /// Whether a policy demands cosignatures of this ledger.
    fn demands(&self, origin: &str) -> bool {
        self.policy(origin).is_some_and(|policy| policy.quorum().is_some())
    }

    fn policy(&self, origin: &str) -> Option<&Policy> {
        self.policies.iter().find(|p| p.logs().iter().any(|log| log.origin() == origin))
    }

    /// The head in a note, and whether it has the cosignatures that a policy demands. Heads are kept without them, too,
    /// when no witness could be asked in time.
    fn one(&self, note: &str) -> Result<(Checkpoint, bool), Failure> {
        let origin = note.split('\n').next().unwrap_or_default();
        let policy = self.policy(origin).ok_or_else(|| {
            Failure::unverified(format!("there is no key for the ledger {}", crate::out::printable(origin)))
                .hint("say its --vkey or --policy, got by another way than this file")
        })?;
        let wrong = |error: Unaccepted| {
            let size = note.split('\n').nth(1).unwrap_or_default();
            Failure::unverified(format!("the checkpoint of {origin} at {size} entries: {error}"))
        };
        match policy.evaluate(note) {
            Ok(accepted) => Ok((accepted.checkpoint, policy.quorum().is_some())),
            Err(Unaccepted::Quorum { .. }) => {
                let plain = policy.with_quorum("none").map_err(Failure::failed)?;
                Ok((plain.evaluate(note).map_err(wrong)?.checkpoint, false))
            }
            Err(error) => Err(wrong(error)),
        }
    }
}

/// The signed notes of an exported file, each under its line.
fn notes(exported: &str) -> Result<Vec<&str>, Failure> {
    let not_ours = || {
        Failure::unverified("not a file of `echo_cli treasury export`")
            .hint("export it again, or check the path")
    };
    let mut rest = exported.strip_prefix(HEADER).and_then(|r| r.strip_prefix('\n')).ok_or_else(not_ours)?;
    let mut notes = Vec::new();
    while !rest.is_empty() {
        let (line, tail) = rest.strip_prefix(MARK).and_then(|r| r.split_once('\n')).ok_or_else(not_ours)?;
        let end = tail.find("\n=== ").map_or(tail.len(), |at| at + 1);
        let (note, next) = tail.split_at(end);
        let (size, said) = (note.split('\n').nth(1), line.split(' ').nth(1));
        if said.is_none() || size != said {
            return Err(Failure::unverified(format!(
                "the line `{MARK}{line}` does not fit the checkpoint under it"
            )));
        }
        notes.push(note);
        rest = next;
    }
    Ok(notes)
}

/// Checks that each of `heads` is a beginning of the ledger in `dir`, which is checked as a whole first.
fn compare(dir: &Path, origin: &str, heads: &BTreeMap<u64, [u8; 32]>) -> Result<(), Failure> {
    let all = ledgers::sound(dir, None)?;
    let newest = heads.keys().next_back().copied().unwrap_or(0);
    if newest > all.size {
        return Err(Failure::unverified(format!(
            "{origin} had {newest} entries and has {}: it was set back",
            all.size
        )));
    }
    let mut history = History::default();
    let check = |history: &History| match heads.get(&history.size()) {
        Some(root) if *root != history.root() => Err(Failure::unverified(format!(
            "{origin} of today does not begin with the head of {} entries that was kept: it was rewritten",
            history.size()
        ))),
        _ => Ok(()),
    };
    check(&history)?;
    while history.size() < newest {
        let from = history.size();
        for entry in ledger_bundle::read(dir, all.size, from, newest.min(from + BATCH))? {
            history.push(ledger::leaf_hash(&entry));
            check(&history)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "log.example/a\n3\nroot\n\n\u{2014} log.example/a AAAAAAAA\n";

    #[test]
    fn an_export_is_cut_into_its_checkpoints() {
        let text = format!("{HEADER}\n=== genesis 3 now\n{NOTE}=== genesis 3 then\n{NOTE}");
        assert_eq!(notes(&text).unwrap(), [NOTE, NOTE]);
        assert!(notes(&format!("{HEADER}\n")).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_is_no_export_is_refused() {
        for bad in [
            "",
            "x",
            NOTE,
            "echo treasury v1",
            "echo treasury v1\nx\n",
            "echo treasury v1\n=== genesis 3 now",
        ] {
            assert!(notes(bad).is_err(), "{bad}");
        }
        assert!(notes(&format!("{HEADER}\n=== genesis 4 now\n{NOTE}")).is_err());
    }

    #[test]
    fn nothing_to_check_against_is_a_wrong_usage() {
        let refused = Judge::new(&[], &[], None).map(drop).unwrap_err();
        assert_eq!(refused.kind, crate::failure::Kind::Usage);
    }
}
