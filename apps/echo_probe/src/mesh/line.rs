//! What a program of the same user may ask the running node, and the answers.

use std::{path::PathBuf, sync::Arc};

use ::mesh::{NodeId, Target, bulk::TransferId};
use echo_core::Mint;
use jiff::SignedDuration;
use mesh_daemon::FileError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trust::Envelope;

use super::{Shared, Standing};

/// The longest that a call may be waited for, in seconds.
const MAX_SECONDS: u32 = 600;

/// A question.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Question {
    /// How the mesh stands.
    Report,
    /// Have a skill called.
    Call {
        /// At this node; at the nearest that offers it when none is named.
        node: Option<NodeId>,
        /// Which skill.
        skill: String,
        /// What to do it on.
        input: Value,
        /// What pays for it.
        grant: Box<Envelope>,
        /// The idempotency key, a UUID.
        key: String,
        /// How long to wait, in seconds.
        seconds: u32,
    },
    /// Send a file.
    Send {
        /// Which.
        path: PathBuf,
        /// To whom.
        node: NodeId,
    },
    /// How transfers stand.
    Transfers,
    /// What proves that a file was delivered.
    Receipt {
        /// Which transfer.
        id: TransferId,
    },
    /// End a transfer.
    CancelTransfer {
        /// Which.
        id: TransferId,
    },
}

/// Answers questions.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) shared: Arc<Shared>,
    pub(super) mint: Mint,
}

impl Line {
    /// The answer: what was asked for, or `error` with the reason.
    pub(super) async fn answer(self, question: Value) -> Value {
        let standing = self.shared.standing().clone();
        let daemon = match standing {
            Standing::Runs(daemon) => daemon,
            Standing::Off(why) => {
                return json!({ "error": format!("the mesh does not run: {why}; it is tried again by itself") });
            }
        };
        match serde_json::from_value(question) {
            Ok(Question::Report) => json!({ "report": *daemon.report() }),
            Ok(Question::Call { node, skill, input, grant, key, seconds }) => {
                let target = node.map_or_else(|| Target::Capability(skill.clone()), Target::Node);
                let wait = SignedDuration::from_secs(i64::from(seconds.clamp(1, MAX_SECONDS)));
                let deadline = self.mint.now().saturating_add(wait).unwrap_or(echo_core::Timestamp::MAX);
                match daemon.call(target, skill, input, *grant, key, deadline).await {
                    Ok((output, answer)) => json!({ "output": output, "answer": answer }),
                    Err(why) => json!({ "error": why.to_string() }),
                }
            }
            Ok(Question::Send { path, node }) => {
                let sent = daemon.send_file(path, node).await;
                said(sent.map(|id| json!({ "id": id })))
            }
            Ok(Question::Transfers) => {
                said(daemon.transfers().await.map(|transfers| json!({ "transfers": transfers })))
            }
            Ok(Question::Receipt { id }) => json!({ "receipt": daemon.file_receipt(&id) }),
            Ok(Question::CancelTransfer { id }) => {
                said(daemon.cancel_transfer(id).await.map(|cancelled| json!({ "cancelled": cancelled })))
            }
            Err(why) => json!({ "error": format!("not a question of this version: {why}") }),
        }
    }
}

fn said(done: Result<Value, FileError>) -> Value {
    done.unwrap_or_else(|why| json!({ "error": why.to_string() }))
}
