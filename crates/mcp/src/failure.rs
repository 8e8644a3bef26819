//! What a caller is told when something was not done.
//!
//! What the model can do something about is a tool's error, with words; what it cannot is an error of the protocol.

use desk::DeskError;
use rmcp::{
    ErrorData,
    model::{CallToolResult, ContentBlock},
};

/// A tool's error, or the protocol's where the platform itself is at fault.
pub(crate) fn of_tool(error: &DeskError) -> Result<CallToolResult, ErrorData> {
    if is_ours(error) { Err(internal(error)) } else { Ok(told(error.to_string())) }
}

/// A tool's error in these words.
pub(crate) fn told(words: impl Into<String>) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(words)])
}

/// The error of a resource or prompt that could not be read.
pub(crate) fn of_reading(error: &DeskError) -> ErrorData {
    match error {
        DeskError::NotFound { .. } => ErrorData::resource_not_found(error.to_string(), None),
        error if is_ours(error) => internal(error),
        error => ErrorData::invalid_request(error.to_string(), None),
    }
}

fn is_ours(error: &DeskError) -> bool {
    matches!(error, DeskError::Store(_) | DeskError::Home(_) | DeskError::Internal(_))
}

/// These words may name files and queries: they are for the operator's log alone.
fn internal(error: &DeskError) -> ErrorData {
    tracing::error!(%error, "a request by MCP could not be done");
    let words = "the platform could not do this: try again with the same idempotency_key, and if it happens again ask the \
                 operator to read the log";
    ErrorData::internal_error(words, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_the_operator_should_read_stays_out_of_the_answer() {
        let error = DeskError::Home("/srv/echo/echo.keystore.json is gone".to_owned());
        let told = of_tool(&error).unwrap_err().message.into_owned() + &of_reading(&error).message;
        assert!(!told.contains("/srv"), "{told}");
    }

    #[test]
    fn what_the_model_can_mend_is_told_in_words() {
        let told = of_tool(&DeskError::NotEntitled("the plan has no scans left".to_owned())).unwrap();
        assert_eq!(told.is_error, Some(true));
        assert!(format!("{:?}", told.content).contains("no scans left"));
    }
}
