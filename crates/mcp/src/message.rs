//! Reading a message as the server does, without doing it: for checks of what may be sent.

use rmcp::model::{ClientJsonRpcMessage, ClientRequest, JsonObject, JsonRpcMessage};

use crate::{
    arguments::{self, IdArgument, Nothing, OpenArguments, PageArguments, QuestionArguments, SkillArguments},
    tools::Job,
};

/// What a message is, once it was read up to a tool's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// A call of a tool of ours, whose arguments fit.
    Call,
    /// Another message of the protocol.
    Other,
}

/// Reads a client's message, and the arguments of a tool's call.
///
/// # Errors
/// Why it is no message, or what does not fit the tool's schema.
pub fn read_message(bytes: &[u8]) -> Result<Told, String> {
    let message: ClientJsonRpcMessage = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    let JsonRpcMessage::Request(request) = message else { return Ok(Told::Other) };
    let ClientRequest::CallToolRequest(call) = request.request else { return Ok(Told::Other) };
    let job = Job::named(&call.params.name).ok_or("there is no such tool")?;
    fits(job, call.params.arguments).map_err(|error| error.message.into_owned())?;
    Ok(Told::Call)
}

fn fits(job: Job, given: Option<JsonObject>) -> Result<(), rmcp::ErrorData> {
    match job {
        Job::ListForms => arguments::read::<Nothing>(given).map(drop),
        Job::OpenCase => arguments::read::<OpenArguments>(given).map(drop),
        Job::ListCases | Job::ListDevices => arguments::read::<PageArguments>(given).map(drop),
        Job::ReadCase | Job::ReadCall => arguments::read::<IdArgument>(given).map(drop),
        Job::Skill(agents::Skill::AdvisoryAnswer) => arguments::read::<QuestionArguments>(given).map(drop),
        Job::Skill(_) => arguments::read::<SkillArguments>(given).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(name: &str, arguments: &serde_json::Value) -> Result<Told, String> {
        let message = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments},
        });
        read_message(message.to_string().as_bytes())
    }

    #[test]
    fn a_call_is_read_up_to_its_arguments() {
        assert_eq!(call("triage_classify", &json!({"case": "case_1"})), Ok(Told::Call));
        assert!(
            call("triage_classify", &json!({"case": "case_1", "sudo": true})).unwrap_err().contains("sudo")
        );
        assert!(call("remediation_apply", &json!({"case": "case_1"})).is_err());
        assert_eq!(read_message(br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#), Ok(Told::Other));
        assert!(read_message(b"[").is_err());
    }
}
