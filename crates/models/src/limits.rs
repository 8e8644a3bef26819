//! What a question may be.

use crate::{Chat, ModelError};

/// The most messages of a conversation.
pub const MAX_MESSAGES: usize = 128;
/// The most bytes of all messages together.
pub const MAX_PROMPT: usize = 256 * 1024;
/// The most tokens of an answer.
pub const MAX_ANSWER: u32 = 8192;
/// The most stop words.
pub const MAX_STOPS: usize = 8;
/// The longest stop word, in bytes.
pub const MAX_STOP: usize = 64;
/// The longest time for an answer, in milliseconds: ten minutes.
pub const MAX_BUDGET: u64 = 600_000;
/// The most texts that are turned into vectors at once.
pub const MAX_TEXTS: usize = 2048;
/// The most bytes of all of them together.
pub const MAX_TEXT_BYTES: usize = 8 << 20;

/// Whether a conversation can be gone on with.
pub(crate) fn check_chat(chat: &Chat) -> Result<(), ModelError> {
    let invalid = |what, reason: String| Err(ModelError::Invalid { what, reason });
    if chat.messages.is_empty() || chat.messages.len() > MAX_MESSAGES {
        return invalid(
            "the messages",
            format!("there are {}; 1 to {MAX_MESSAGES} are taken", chat.messages.len()),
        );
    }
    let bytes = chat.messages.iter().map(|message| message.content.len()).sum::<usize>();
    if bytes > MAX_PROMPT {
        return invalid("the messages", format!("they have {bytes} bytes; up to {MAX_PROMPT} are taken"));
    }
    if !(1..=MAX_ANSWER).contains(&chat.max_tokens) {
        return invalid(
            "the answer's tokens",
            format!("they are {}; 1 to {MAX_ANSWER} are taken", chat.max_tokens),
        );
    }
    if !(0.0..=2.0).contains(&chat.temperature) {
        return invalid("the temperature", format!("it is {}; 0 to 2 are taken", chat.temperature));
    }
    if !(chat.top_p > 0.0 && chat.top_p <= 1.0) {
        return invalid("top_p", format!("it is {}; above 0 and up to 1 are taken", chat.top_p));
    }
    if chat.stop.len() > MAX_STOPS || chat.stop.iter().any(|stop| stop.is_empty() || stop.len() > MAX_STOP) {
        return invalid("the stop words", format!("up to {MAX_STOPS} of 1 to {MAX_STOP} bytes are taken"));
    }
    if !(1..=MAX_BUDGET).contains(&chat.budget_millis) {
        return invalid("the time", format!("it is {} ms; 1 to {MAX_BUDGET} are taken", chat.budget_millis));
    }
    Ok(())
}

/// Whether texts can be turned into vectors.
pub(crate) fn check_texts(texts: &[String]) -> Result<(), ModelError> {
    let invalid = |reason| Err(ModelError::Invalid { what: "the texts", reason });
    if texts.is_empty() || texts.len() > MAX_TEXTS {
        return invalid(format!("there are {}; 1 to {MAX_TEXTS} are taken at once", texts.len()));
    }
    let bytes = texts.iter().map(String::len).sum::<usize>();
    if bytes > MAX_TEXT_BYTES {
        return invalid(format!("they have {bytes} bytes; up to {MAX_TEXT_BYTES} are taken at once"));
    }
    Ok(())
}
