//! `[models]` of `echo.toml`: where models are, and what they may take.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use echo_core::Reach;
use models::{Models, Settings};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::endpoint::Remote;

/// The folder below the home.
const FOLDER: &str = "models";
/// The most bytes of a key file.
const MAX_KEY: u64 = 4 * 1024;
/// The most threads.
const MAX_THREADS: u32 = 256;

/// `[models]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSettings {
    /// The folder with `models.json`; below the home when it is relative.
    folder: Option<PathBuf>,
    /// Mebibytes of all loaded models together.
    resident_mib: Option<u32>,
    /// Minutes that a model stays loaded that nobody asks.
    idle_minutes: Option<u32>,
    /// On how many threads a model computes.
    threads: Option<u32>,
    /// Models somewhere else.
    endpoint: Option<EndpointSettings>,
}

/// `[models.endpoint]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointSettings {
    /// Such as `http://127.0.0.1:8080/v1`.
    url: String,
    /// The model there that makes text.
    text: Option<String>,
    /// The model there that makes vectors.
    embedding: Option<String>,
    /// The file with the key; below the home when it is relative.
    key_file: Option<PathBuf>,
}

impl ModelSettings {
    /// The models of a home.
    pub fn open(&self, home: &Path, reach: Reach) -> Result<Models, String> {
        let defaults = Settings::new(home.join(self.folder.as_deref().unwrap_or(Path::new(FOLDER))));
        let threads = self.threads.unwrap_or(defaults.threads);
        if !(1..=MAX_THREADS).contains(&threads) {
            return Err(format!("[models] threads is {threads} in echo.toml; 1 to {MAX_THREADS} are taken"));
        }
        let settings = Settings {
            resident_bytes: self.resident_mib.map_or(defaults.resident_bytes, |mib| u64::from(mib) << 20),
            idle: self.idle_minutes.map_or(defaults.idle, |minutes| Duration::from_mins(u64::from(minutes))),
            threads,
            endpoint: match &self.endpoint {
                Some(endpoint) => Some(Arc::new(endpoint.open(home, reach)?)),
                None => None,
            },
            ..defaults
        };
        Models::open(settings).map_err(|e| e.to_string())
    }
}

impl EndpointSettings {
    fn open(&self, home: &Path, reach: Reach) -> Result<Remote, String> {
        let key = self.key_file.as_ref().map(|path| read_key(&home.join(path))).transpose()?;
        Remote::new(&self.url, key, self.text.clone(), self.embedding.clone(), reach)
            .map_err(|e| format!("[models.endpoint] in echo.toml: {e}"))
    }
}

fn read_key(path: &Path) -> Result<Zeroizing<String>, String> {
    let bytes = durable::read(path, MAX_KEY).map_err(|e| e.to_string())?;
    let bytes =
        bytes.ok_or_else(|| format!("{} does not exist: check `key_file` in echo.toml", path.display()))?;
    let bytes = Zeroizing::new(bytes);
    let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err(format!("{} holds no key: one line of ASCII is taken", path.display()));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(home: &Path, text: &str) -> Result<Models, String> {
        toml::from_str::<ModelSettings>(text).map_err(|e| e.to_string())?.open(home, Reach::Anywhere)
    }

    #[test]
    fn nothing_has_to_be_set() {
        let home = tempfile::tempdir().unwrap();
        assert!(open(home.path(), "").unwrap().cards().is_empty());
    }

    #[test]
    fn an_endpoint_answers_for_what_it_is_said_to_have() {
        let home = tempfile::tempdir().unwrap();
        durable::write(&home.path().join("key"), b"abc\n", durable::Mode::Private).unwrap();
        let endpoint =
            "threads = 2\n[endpoint]\nurl = \"http://127.0.0.1:9/v1\"\ntext = \"big\"\nkey_file = \"key\"\n";
        let models = open(home.path(), endpoint).unwrap();
        assert_eq!(models.text().unwrap().name, "big");
        assert!(models.embedder().is_none());
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_setting() {
        let home = tempfile::tempdir().unwrap();
        durable::write(&home.path().join("bad"), b"a b\n", durable::Mode::Private).unwrap();
        let endpoint = |rest: &str| format!("[endpoint]\nurl = \"http://127.0.0.1:9/v1\"\n{rest}\n");
        for (text, words) in [
            ("threads = 0".to_owned(), "threads"),
            ("therads = 1".to_owned(), "therads"),
            (endpoint(""), "neither `text` nor"),
            (endpoint("text = \"x\"\nkey_file = \"none\""), "key_file"),
            (endpoint("text = \"x\"\nkey_file = \"bad\""), "holds no key"),
        ] {
            let error = open(home.path(), &text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
