//! What a caller is told when something was not done: JSON-RPC errors with the protocol's codes (A2A 1.0, section 9.5).

use desk::DeskError;
use serde_json::{Value, json};

/// The longest message, in characters: reasons may quote what the caller wrote.
const MAX_MESSAGE: usize = 2_000;

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    code: i32,
    /// Stays the same, for programs.
    reason: &'static str,
    message: String,
}

impl Fault {
    fn new(code: i32, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into().chars().take(MAX_MESSAGE).collect() }
    }

    /// The body is not JSON.
    pub(crate) fn unreadable(message: impl Into<String>) -> Self {
        Self::new(-32700, "PARSE_ERROR", message)
    }

    /// The body is no request.
    pub(crate) fn no_request(message: impl Into<String>) -> Self {
        Self::new(-32600, "INVALID_REQUEST", message)
    }

    /// There is no such method.
    pub(crate) fn no_method(name: &str) -> Self {
        let name: String = name.chars().take(60).collect();
        let words = format!(
            "there is no method `{name}`: this agent speaks A2A 1.0, with SendMessage, SendStreamingMessage, GetTask, \
             ListTasks, CancelTask and SubscribeToTask"
        );
        Self::new(-32601, "METHOD_NOT_FOUND", words)
    }

    /// The parameters do not fit.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(-32602, "INVALID_PARAMS", message)
    }

    /// There is no such task.
    pub(crate) fn no_task(id: &str) -> Self {
        let id: String = id.chars().take(60).collect();
        Self::new(-32001, "TASK_NOT_FOUND", format!("there is no task {id}: check the id, or list the tasks"))
    }

    /// The task goes on.
    pub(crate) fn not_cancelable(message: impl Into<String>) -> Self {
        Self::new(-32002, "TASK_NOT_CANCELABLE", message)
    }

    /// Nobody is told by calling back.
    pub(crate) fn no_push() -> Self {
        let words = "push notifications are not offered: follow a task with SubscribeToTask";
        Self::new(-32003, "PUSH_NOTIFICATION_NOT_SUPPORTED", words)
    }

    /// It is not done here.
    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new(-32004, "UNSUPPORTED_OPERATION", message)
    }

    /// A part is neither text nor data.
    pub(crate) fn content() -> Self {
        Self::new(
            -32005,
            "CONTENT_TYPE_NOT_SUPPORTED",
            "send text or data: files and addresses are not taken",
        )
    }

    /// Another version of the protocol.
    pub(crate) fn version(asked: &str) -> Self {
        let asked: String = asked.chars().take(20).collect();
        Self::new(-32009, "VERSION_NOT_SUPPORTED", format!("this agent speaks A2A 1.0, not `{asked}`"))
    }

    /// Too much is going on.
    pub(crate) fn busy(message: impl Into<String>) -> Self {
        Self::new(-32000, "UNAVAILABLE", message)
    }

    /// The answer to the request `id`.
    pub(crate) fn body(&self, id: &Value) -> Value {
        let info = json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": self.reason, "domain": "a2a-protocol.org",
        });
        json!({"jsonrpc": "2.0", "id": id, "error": {"code": self.code, "message": self.message, "data": [info]}})
    }
}

impl From<DeskError> for Fault {
    fn from(error: DeskError) -> Self {
        let words = error.to_string();
        let of = |code, reason| Self::new(code, reason, words.clone());
        match error {
            DeskError::NotFound { what: "skill call", id } => Self::no_task(&id),
            DeskError::NotFound { .. } | DeskError::Invalid { .. } | DeskError::KeyReused => {
                Self::invalid(words)
            }
            DeskError::Conflict(_) => Self::unsupported(words),
            DeskError::Unauthenticated(_) => of(-32000, "UNAUTHENTICATED"),
            DeskError::Denied(_) | DeskError::NotListed { .. } => of(-32000, "PERMISSION_DENIED"),
            DeskError::NotEntitled(_) => of(-32000, "NOT_ENTITLED"),
            DeskError::SpendCap(_) => of(-32000, "SPEND_CAP"),
            DeskError::InFlight
            | DeskError::Resting { .. }
            | DeskError::LedgerBehind(_)
            | DeskError::DiskFull
            | DeskError::Busy
            | DeskError::Model(_) => Self::busy(words),
            DeskError::Store(_) | DeskError::Home(_) | DeskError::Internal(_) => {
                // These words may name files and queries: they are for the operator's log alone.
                tracing::error!(error = words, "a request by A2A could not be done");
                let told = "the platform could not do this: send the same message again, and if it happens again ask \
                            the operator to read the log";
                Self::new(-32603, "INTERNAL", told)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_operator_should_read_stays_out_of_the_answer() {
        let told = Fault::from(DeskError::Home("/srv/echo/echo.keystore.json is gone".to_owned()));
        assert!(!told.body(&json!(1)).to_string().contains("/srv"));
    }

    #[test]
    fn a_call_that_is_not_there_is_a_task_that_is_not_there() {
        let error = DeskError::NotFound { what: "skill call", id: "call_1".to_owned() };
        assert_eq!(Fault::from(error).code, -32001);
    }
}
