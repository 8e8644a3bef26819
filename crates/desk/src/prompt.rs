//! Whether the words that a model is told are still the signed ones.

use agents::drafting;
use trust::{KeyRole, content};

use crate::{Desk, content::PROMPT, desk::blocking};

impl Desk {
    /// Reads the prompt's template from the disk again, and compares it with the one in force: what was changed since
    /// the start, or is not signed, is drift. The one in force stays as it is.
    pub(crate) async fn check_prompt(&self) {
        let path = self.home().join("manifest").join(PROMPT);
        let registry = self.registry().clone();
        let role = KeyRole::PlaybookAuthor;
        let read =
            blocking(move || Ok(content::read_verified(&path, &registry, role).map_err(|e| e.to_string())));
        let signed = read.await.map_err(|e| e.to_string()).and_then(|read| read);
        let text = signed.and_then(|bytes| String::from_utf8(bytes).map_err(|e| e.to_string()));
        let signed = text.and_then(|text| drafting::template(&text).map_err(|e| e.to_string()));
        let drift = match (signed, &self.content().prompt) {
            (Err(why), _) => Some(why),
            (Ok(signed), Some(used)) if signed.digest == used.digest => None,
            (Ok(_), _) => {
                Some("another one was signed since the start: start the platform again to use it".to_owned())
            }
        };
        if let Some(why) = &drift {
            tracing::warn!(why, "the prompt has drifted from its signed template");
        }
        *self.memory_room().drift() = drift;
    }

    /// What is said while the prompt is not the signed one.
    pub(crate) fn prompt_trouble(&self) -> Option<String> {
        let refused = || "it is refused, so no model is asked for drafts".to_owned();
        let drift = self.memory_room().drift().clone();
        let why = drift.or_else(|| self.content().prompt.is_none().then(refused))?;
        Some(format!("manifest/{PROMPT} is not the template that its author signed: {why}"))
    }
}
