//! Which logs and which witnesses are trusted, and how many witnesses are enough (C2SP tlog-policy).
//!
//! Reads UTF-8 alone, where the format takes any octets, and keys of the types that Echo verifies: 0x01 for logs, 0x04
//! for witnesses. Comments are not kept.

mod evaluate;
mod parse;

use std::fmt::{self, Write as _};

use ledger::note::Vkey;

use crate::WitnessKey;

pub use self::{
    evaluate::{Accepted, Member, Unaccepted},
    parse::PolicyError,
};

/// The most bytes of a policy.
pub const MAX_POLICY_BYTES: usize = 256 * 1024;
/// The most bytes of one line.
pub const MAX_LINE_BYTES: usize = 8 * 1024;
/// The most logs.
pub const MAX_LOGS: usize = 256;
/// The most witnesses, and the most groups.
pub const MAX_WITNESSES: usize = 64;
/// The quorum that demands nobody.
const NONE: &str = "none";

/// A trust policy. Whatever is in here went through the parser's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: String,
}

/// One log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLog {
    vkey: Vkey,
    text: String,
    /// Where it is read, when the policy says so.
    pub url: Option<String>,
}

impl PolicyLog {
    /// The log's origin line, which is its key's name.
    pub fn origin(&self) -> &str {
        &self.vkey.name
    }

    /// Its verifier key.
    pub fn vkey(&self) -> &str {
        &self.text
    }

    /// Whether a signature line is by this log's key, by name and id.
    pub(crate) fn signed(&self, name: &str, signature: &[u8]) -> bool {
        name == self.vkey.name && signature.get(..4) == Some(self.vkey.id().as_slice())
    }
}

/// One witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    /// Its name in this policy, which groups and the quorum use.
    pub name: String,
    /// Its verifier key.
    pub key: WitnessKey,
    /// Its submission prefix (C2SP tlog-witness), when the policy says so.
    pub url: Option<String>,
}

/// Some witnesses or groups of which so many have to cosign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// How many of the members; from 1 to all of them.
    pub threshold: usize,
    /// Names of witnesses and of groups that stand before this one.
    pub members: Vec<String>,
}

impl Default for Policy {
    /// Knows nobody and demands nobody.
    fn default() -> Self {
        Self { logs: Vec::new(), witnesses: Vec::new(), groups: Vec::new(), quorum: NONE.to_owned() }
    }
}

impl Policy {
    /// The logs.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// The groups, each after those that it names.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The name of the witness or group that has to cosign; nothing when nobody has to.
    pub fn quorum(&self) -> Option<&str> {
        (self.quorum != NONE).then_some(self.quorum.as_str())
    }

    /// With one log more.
    pub fn with_log(&self, vkey: &str, url: Option<&str>) -> Result<Self, PolicyError> {
        self.with_line(&["log", vkey, url.unwrap_or_default()])
    }

    /// With one witness more.
    pub fn with_witness(&self, name: &str, vkey: &str, url: Option<&str>) -> Result<Self, PolicyError> {
        self.with_line(&["witness", name, vkey, url.unwrap_or_default()])
    }

    /// With one group more.
    pub fn with_group(&self, group: &Group) -> Result<Self, PolicyError> {
        let threshold = group.threshold.to_string();
        let mut words = vec!["group", &group.name, &threshold];
        words.extend(group.members.iter().map(String::as_str));
        self.with_line(&words)
    }

    /// With another quorum: a witness, a group, or `none`.
    pub fn with_quorum(&self, name: &str) -> Result<Self, PolicyError> {
        word(name)?;
        Self { quorum: name.to_owned(), ..self.clone() }.checked()
    }

    /// Without the log of this origin.
    pub fn without_log(&self, origin: &str) -> Result<Self, PolicyError> {
        let mut next = self.clone();
        next.logs.retain(|log| log.origin() != origin);
        if next.logs.len() == self.logs.len() {
            return Err(PolicyError::Unknown(origin.chars().take(80).collect()));
        }
        next.checked()
    }

    /// Without the witness or group of this name. Refused while a group or the quorum names it.
    pub fn without(&self, name: &str) -> Result<Self, PolicyError> {
        let mut next = self.clone();
        next.witnesses.retain(|witness| witness.name != name);
        next.groups.retain(|group| group.name != name);
        if next.witnesses.len() + next.groups.len() == self.witnesses.len() + self.groups.len() {
            return Err(PolicyError::Unknown(name.chars().take(80).collect()));
        }
        next.checked()
    }

    /// The same without any addresses, for those who only verify.
    #[must_use]
    pub fn without_urls(mut self) -> Self {
        self.logs.iter_mut().for_each(|log| log.url = None);
        self.witnesses.iter_mut().for_each(|witness| witness.url = None);
        self
    }

    /// The policy with one line more before its quorum: every edit goes through the parser, so there is one set of
    /// rules.
    fn with_line(&self, words: &[&str]) -> Result<Self, PolicyError> {
        for given in words.iter().filter(|w| !w.is_empty()) {
            word(given)?;
        }
        if words.iter().take(words.len() - 1).any(|w| w.is_empty()) {
            return Err(PolicyError::Word);
        }
        let text = self.to_string();
        let quorum = text.rfind("quorum ").unwrap_or(text.len());
        Self::parse(&format!("{}{}\n{}", &text[..quorum], words.join(" ").trim_end(), &text[quorum..]))
    }

    fn checked(&self) -> Result<Self, PolicyError> {
        Self::parse(&self.to_string())
    }
}

/// Whether a text is one word of a line.
fn word(text: &str) -> Result<(), PolicyError> {
    let whole = !text.is_empty() && !text.contains(|c: char| c == ' ' || c.is_ascii_control());
    if whole { Ok(()) } else { Err(PolicyError::Word) }
}

/// The policy's text; it parses back to the same policy.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let url = |url: &Option<String>| url.as_ref().map(|u| format!(" {u}")).unwrap_or_default();
        for log in &self.logs {
            writeln!(text, "log {}{}", log.text, url(&log.url))?;
        }
        for witness in &self.witnesses {
            writeln!(text, "witness {} {}{}", witness.name, witness.key, url(&witness.url))?;
        }
        for group in &self.groups {
            writeln!(text, "group {} {} {}", group.name, group.threshold, group.members.join(" "))?;
        }
        writeln!(text, "quorum {}", self.quorum)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests;
