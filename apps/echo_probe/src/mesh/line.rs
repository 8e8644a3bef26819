//! What a program of the same user may ask the running node, and the answers.

use ::mesh::{NodeId, Target};
use echo_core::Mint;
use jiff::SignedDuration;
use mesh_daemon::Daemon;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use trust::Envelope;

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
}

/// Answers questions.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) daemon: Daemon,
    pub(crate) mint: Mint,
}

impl Line {
    /// The answer: what was asked for, or `error` with the reason.
    pub(crate) async fn answer(self, question: Value) -> Value {
        match serde_json::from_value(question) {
            Ok(Question::Report) => json!({ "report": *self.daemon.report() }),
            Ok(Question::Call { node, skill, input, grant, key, seconds }) => {
                let target = node.map_or_else(|| Target::Capability(skill.clone()), Target::Node);
                let wait = SignedDuration::from_secs(i64::from(seconds.clamp(1, MAX_SECONDS)));
                let deadline = self.mint.now().saturating_add(wait).unwrap_or(echo_core::Timestamp::MAX);
                match self.daemon.call(target, skill, input, *grant, key, deadline).await {
                    Ok((output, answer)) => json!({ "output": output, "answer": answer }),
                    Err(why) => json!({ "error": why.to_string() }),
                }
            }
            Err(why) => json!({ "error": format!("not a question of this version: {why}") }),
        }
    }
}
