//! The session of a person: a file of their own, 0600, with the tokens that a sign-in gave.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use durable::Mode;
use echo_core::{Timestamp, clock::from_millis};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Failure, answer};

/// The most bytes of a session file.
const MAX_SESSION: u64 = 64 * 1024;
/// An access token is renewed when it lives no longer than this, in seconds.
const MARGIN_SECONDS: i64 = 30;

/// A session.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// The platform's address.
    pub url: String,
    /// Renews the access token, once.
    pub refresh_token: String,
    /// Goes with every request.
    pub access_token: String,
    /// Until when the access token is good.
    pub expires: Timestamp,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("url", &self.url)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The session that the platform's answer to a sign-in or a refresh gives.
    pub fn from_tokens(url: &str, tokens: &Value, now: Timestamp) -> Result<Self, Failure> {
        let seconds = answer::number(tokens, "/expires_in")?;
        Ok(Self {
            url: url.to_owned(),
            refresh_token: answer::owned(tokens, "/refresh_token")?,
            access_token: answer::owned(tokens, "/access_token")?,
            expires: from_millis(now.as_millisecond().saturating_add(seconds.saturating_mul(1000))),
        })
    }

    /// Whether the access token should be renewed before it is used.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        now.as_second().saturating_add(MARGIN_SECONDS) >= self.expires.as_second()
    }
}

/// The folder that holds the session.
#[derive(Debug, Clone)]
pub struct SessionFile(PathBuf);

impl SessionFile {
    /// The session file in `home`.
    pub fn new(home: &Path) -> Self {
        Self(home.join("session.json"))
    }

    /// Reads the session.
    pub fn load(&self) -> Result<Session, Failure> {
        let bytes = durable::read(&self.0, MAX_SESSION)?.ok_or_else(|| {
            Failure::failed(format!("nobody is signed in: there is no {}", self.0.display())).hint(
                "sign in with the link that the platform prints when it starts: `echo_cli login --link -`",
            )
        })?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Failure::failed(format!("{} is damaged: {error}", self.0.display()))
                .hint("sign in again: `echo_cli login --link -`")
        })
    }

    /// Writes the session, readable by its owner alone.
    pub fn save(&self, session: &Session) -> Result<(), Failure> {
        if let Some(folder) = self.0.parent() {
            durable::create_folder(folder)?;
        }
        let bytes = serde_json::to_vec_pretty(session).map_err(Failure::failed)?;
        Ok(durable::write(&self.0, &bytes, Mode::Private)?)
    }

    /// Forgets the session.
    pub fn remove(&self) -> Result<(), Failure> {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure::failed(format!("cannot remove {}: {error}", self.0.display())))
            }
            _ => Ok(()),
        }
    }

    /// Waits for the right to renew the session: a refresh token is good once, and a second use ends the session.
    /// The right ends when the answer is dropped.
    pub fn lock(&self) -> Result<File, Failure> {
        let path = self.0.with_extension("lock");
        let failed =
            |error: std::io::Error| Failure::failed(format!("cannot lock {}: {error}", path.display()));
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    fn session() -> Session {
        let tokens =
            json!({"access_token": "a", "refresh_token": "r", "expires_in": 600, "token_type": "Bearer"});
        Session::from_tokens("http://127.0.0.1:1", &tokens, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn a_session_is_private_and_reads_back() {
        let home = tempfile::tempdir().unwrap();
        let file = SessionFile::new(&home.path().join("new"));
        assert!(file.load().unwrap_err().to_string().contains("login"));
        file.save(&session()).unwrap();
        assert_eq!(file.load().unwrap(), session());
        assert_eq!(std::fs::metadata(&file.0).unwrap().permissions().mode() & 0o777, 0o600);
        file.remove().unwrap();
        file.remove().unwrap();
        assert!(file.load().is_err());
    }

    #[test]
    fn a_token_is_stale_before_it_expires() {
        let at = |seconds: i64| from_millis(seconds * 1000);
        assert!(!session().is_stale(at(569)));
        assert!(session().is_stale(at(570)));
    }

    #[test]
    fn secrets_are_not_printed_by_debug() {
        assert!(!format!("{:?}", session()).contains("refresh"));
    }
}
