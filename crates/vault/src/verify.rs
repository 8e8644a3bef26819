//! Whether every file opens and stands where it says.

use echo_core::Mint;
use serde::Serialize;

use crate::{
    Actor, Vault, VaultError,
    audit::{Event, What},
    index::VersionState,
};

/// What was found when every file was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// How many versions open and stand where they say.
    pub good: usize,
    /// What does not, and why.
    pub problems: Vec<String>,
}

impl Vault {
    /// Opens every file. That the index, the description, the wrapped identity and the audit are whole is checked
    /// before, as it is with every access.
    pub fn verify(&self, actor: &Actor, mint: &Mint) -> Result<Checked, VaultError> {
        self.session(actor, mint, |session| {
            session.note(actor, mint.now(), &Event::granted(What::Verify))?;
            let mut checked = Checked::default();
            for entry in session.index.entries.iter().filter(|e| e.state == VersionState::Live) {
                match self.open(entry) {
                    Ok(_) => checked.good += 1,
                    Err(error) => checked.problems.push(error.to_string()),
                }
            }
            let known: std::collections::BTreeSet<String> = session
                .index
                .entries
                .iter()
                .filter(|e| e.state == VersionState::Live)
                .map(crate::Entry::path)
                .collect();
            for stray in self.disk.files("secrets")?.into_iter().filter(|path| !known.contains(path)) {
                checked.problems.push(format!("{stray} is not in index.json: nobody reads it; remove it"));
            }
            Ok(checked)
        })
    }
}
