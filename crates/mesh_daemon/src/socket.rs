//! The way in for programs of the same user: a Unix socket in the home directory, one JSON line each way.

use std::{future::Future, os::unix::fs::PermissionsExt as _, path::Path, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::timeout,
};

/// The most bytes of a line.
pub const MAX_LINE: u64 = 2 * 1024 * 1024;
/// The most programs that are served at once.
const MAX_SERVED: usize = 16;
/// How long a program may take to ask.
const ASKING: Duration = Duration::from_secs(5);

/// Why the socket is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Nobody listens.
    #[error("{path} does not answer ({why}): is the program running, with the mesh switched on?")]
    Away {
        /// Which socket.
        path: String,
        /// Why.
        why: std::io::Error,
    },
    /// It cannot be made.
    #[error("cannot listen on {path}: {why}")]
    Listen {
        /// Which socket.
        path: String,
        /// Why.
        why: std::io::Error,
    },
    /// The answer is not what it should be.
    #[error("the answer cannot be read: {0}")]
    Malformed(String),
}

/// Answers every line on the socket at `path` until dropped. Only the owner may connect.
pub async fn serve<A, F>(path: &Path, answer: A) -> Result<(), SocketError>
where
    A: Fn(Value) -> F + Send + Sync + 'static,
    F: Future<Output = Value> + Send,
{
    let failed = |why| SocketError::Listen { path: path.display().to_string(), why };
    // One that a killed program left behind: the home's lock says that nobody uses it.
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let (answer, seats) = (Arc::new(answer), Arc::new(Semaphore::new(MAX_SERVED)));
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else { return Ok(()) };
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(why) => {
                tracing::warn!(%why, "a program could not be let in");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            let _seat = seat;
            if let Err(why) = one(stream, &*answer).await {
                tracing::debug!(%why, "a program went away");
            }
        });
    }
}

async fn one<A, F>(stream: UnixStream, answer: &A) -> std::io::Result<()>
where
    A: Fn(Value) -> F,
    F: Future<Output = Value>,
{
    let (read, mut write) = stream.into_split();
    let mut line = Vec::new();
    let mut read = BufReader::new(read).take(MAX_LINE);
    match timeout(ASKING, read.read_until(b'\n', &mut line)).await {
        Ok(done) => done?,
        Err(_) => return Ok(()),
    };
    let said = match serde_json::from_slice(&line) {
        Ok(question) => answer(question).await,
        Err(why) => {
            serde_json::json!({ "error": format!("not a line of JSON within {MAX_LINE} bytes: {why}") })
        }
    };
    let mut bytes = serde_json::to_vec(&said).expect("a JSON value is always JSON");
    bytes.push(b'\n');
    write.write_all(&bytes).await?;
    write.shutdown().await
}

/// Asks the program that listens at `path`.
pub async fn ask(path: &Path, question: &Value, patience: Duration) -> Result<Value, SocketError> {
    let away = |why| SocketError::Away { path: path.display().to_string(), why };
    let stream = UnixStream::connect(path).await.map_err(away)?;
    let (read, mut write) = stream.into_split();
    let mut bytes = serde_json::to_vec(question).expect("a JSON value is always JSON");
    bytes.push(b'\n');
    write.write_all(&bytes).await.map_err(away)?;
    let mut line = Vec::new();
    let mut read = BufReader::new(read).take(MAX_LINE);
    timeout(patience, read.read_until(b'\n', &mut line))
        .await
        .map_err(|_| SocketError::Malformed("none came in time".to_owned()))?
        .map_err(away)?;
    serde_json::from_slice(&line).map_err(|e| SocketError::Malformed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_question_gets_its_answer_and_nonsense_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mesh.sock");
        let at = path.clone();
        let running = tokio::spawn(async move {
            serve(&at, |question: Value| async move { json!({ "you said": question }) }).await
        });
        while !path.exists() {
            tokio::task::yield_now().await;
        }
        let patience = Duration::from_secs(5);
        assert_eq!(ask(&path, &json!({"a": 1}), patience).await.unwrap(), json!({"you said": {"a": 1}}));
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut raw = UnixStream::connect(&path).await.unwrap();
        raw.write_all(b"no json\n").await.unwrap();
        let mut said = String::new();
        raw.read_to_string(&mut said).await.unwrap();
        assert!(said.contains("not a line of JSON"), "{said}");
        running.abort();
        let _ = running.await;
        assert!(ask(&path, &json!({}), patience).await.is_err());
    }
}
