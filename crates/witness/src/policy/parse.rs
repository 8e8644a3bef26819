//! Reads a policy file.

use std::collections::BTreeSet;

use ledger::note::{self, Vkey};

use super::{
    Group, MAX_LINE_BYTES, MAX_LOGS, MAX_POLICY_BYTES, MAX_WITNESSES, NONE, Policy, PolicyLog, PolicyWitness,
};
use crate::WitnessKey;

/// Why a text is not a policy, or an edit of one is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// It is too large, or holds too much of something.
    #[error("the policy has too many {0}: take some away")]
    TooLarge(&'static str),
    /// A character that the format does not take.
    #[error("line {line}: a policy holds no control characters but tabs and line feeds: remove them")]
    Character {
        /// Which line, from 1.
        line: usize,
    },
    /// A line that is none of the four kinds.
    #[error("line {line}: expected {expected}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A key cannot be used.
    #[error("line {line}: {reason}")]
    Key {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The same key or name stands twice.
    #[error("{0} stands in the policy already: give another name, or remove the first")]
    Twice(String),
    /// A name that nothing before it defines.
    #[error(
        "{0} is used but not defined before: name witnesses and groups that are there, and take a name out of groups and the quorum before you remove it"
    )]
    Undefined(String),
    /// What should be removed is not there.
    #[error("there is no {0} in the policy: list what there is")]
    Unknown(String),
    /// A part of a line that is empty or holds spaces.
    #[error("names, keys and addresses have no spaces or control characters and are not empty")]
    Word,
    /// There is no quorum line, or more than one.
    #[error("a policy has exactly one quorum line: `quorum NAME` or `quorum none`")]
    Quorum,
}

/// A policy while it is read.
#[derive(Default)]
struct Draft {
    policy: Policy,
    quorum: Option<String>,
    keys: BTreeSet<[u8; 32]>,
    names: BTreeSet<String>,
    members: BTreeSet<String>,
}

impl Policy {
    /// Reads a policy file of at most [`MAX_POLICY_BYTES`] bytes.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLarge("bytes"));
        }
        let mut draft = Draft::default();
        for (number, line) in (1..).zip(text.split('\n')) {
            if line.len() > MAX_LINE_BYTES {
                return Err(PolicyError::TooLarge("bytes in a line"));
            }
            if line.chars().any(|c| c.is_ascii_control() && c != '\t') {
                return Err(PolicyError::Character { line: number });
            }
            let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            draft.line(number, &words)?;
        }
        let quorum = draft.quorum.ok_or(PolicyError::Quorum)?;
        Ok(Self { quorum, ..draft.policy })
    }
}

impl Draft {
    fn line(&mut self, line: usize, words: &[&str]) -> Result<(), PolicyError> {
        match words {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", vkey, rest @ ..] if rest.len() <= 1 => self.log(line, vkey, rest.first().copied()),
            ["witness", name, vkey, rest @ ..] if rest.len() <= 1 => {
                self.witness(line, name, vkey, rest.first().copied())
            }
            ["group", name, threshold, members @ ..] if !members.is_empty() => {
                self.group(line, name, threshold, members)
            }
            ["quorum", name] => self.quorum(name),
            _ => Err(PolicyError::Line {
                line,
                expected: "`log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME all|any|COUNT NAME...` or `quorum NAME`",
            }),
        }
    }

    fn log(&mut self, line: usize, text: &str, url: Option<&str>) -> Result<(), PolicyError> {
        let vkey: Vkey =
            text.parse().map_err(|e: ledger::ProofError| PolicyError::Key { line, reason: e.to_string() })?;
        if !self.keys.insert(vkey.bytes()) {
            return Err(PolicyError::Twice(format!("the key of {}", vkey.name)));
        }
        if self.policy.logs.len() >= MAX_LOGS {
            return Err(PolicyError::TooLarge("logs"));
        }
        let log = PolicyLog { vkey, text: text.to_owned(), url: url.map(str::to_owned) };
        self.policy.logs.push(log);
        Ok(())
    }

    fn witness(&mut self, line: usize, name: &str, vkey: &str, url: Option<&str>) -> Result<(), PolicyError> {
        let key: WitnessKey =
            vkey.parse().map_err(|e: crate::KeyError| PolicyError::Key { line, reason: e.to_string() })?;
        if !self.keys.insert(key.bytes()) {
            return Err(PolicyError::Twice(format!("the key of {}", key.name())));
        }
        if self.policy.witnesses.len() >= MAX_WITNESSES {
            return Err(PolicyError::TooLarge("witnesses"));
        }
        self.define(name)?;
        let witness = PolicyWitness { name: name.to_owned(), key, url: url.map(str::to_owned) };
        self.policy.witnesses.push(witness);
        Ok(())
    }

    fn group(
        &mut self,
        line: usize,
        name: &str,
        threshold: &str,
        members: &[&str],
    ) -> Result<(), PolicyError> {
        if self.policy.groups.len() >= MAX_WITNESSES {
            return Err(PolicyError::TooLarge("groups"));
        }
        let threshold = match threshold {
            "all" => Some(members.len()),
            "any" => Some(1),
            count => note::decimal(count).and_then(|k| usize::try_from(k).ok()),
        };
        let threshold = threshold.filter(|k| (1..=members.len()).contains(k)).ok_or(PolicyError::Line {
            line,
            expected: "`all`, `any`, or how many of the members, from 1 to all of them",
        })?;
        for member in members {
            if !self.names.contains(*member) {
                return Err(PolicyError::Undefined((*member).to_owned()));
            }
            if !self.members.insert((*member).to_owned()) {
                return Err(PolicyError::Twice(format!("{member} as a member of a group")));
            }
        }
        self.define(name)?;
        let members = members.iter().map(|m| (*m).to_owned()).collect();
        self.policy.groups.push(Group { name: name.to_owned(), threshold, members });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), PolicyError> {
        if self.quorum.is_some() {
            return Err(PolicyError::Quorum);
        }
        if name != NONE && !self.names.contains(name) {
            return Err(PolicyError::Undefined(name.to_owned()));
        }
        self.quorum = Some(name.to_owned());
        Ok(())
    }

    fn define(&mut self, name: &str) -> Result<(), PolicyError> {
        if name == NONE || !self.names.insert(name.to_owned()) {
            return Err(PolicyError::Twice(name.to_owned()));
        }
        Ok(())
    }
}
