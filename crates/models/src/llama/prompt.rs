//! A conversation as tokens, by the model's own template.
//!
//! The template is filled with marks in place of what was said; then the template's parts become tokens with its special
//! ones, and what was said becomes tokens without: nobody ends a turn or speaks as another by writing `<|im_end|>`.

use llama_cpp_2::{
    model::{LlamaChatMessage, LlamaChatTemplate, LlamaModel},
    token::LlamaToken,
};

use crate::{Message, Speaker};

/// Begins and ends a mark. Templates are text without control characters.
const MARK: char = '\u{2}';
/// What is taken when a model brings no template.
const FALLBACK: &str = "chatml";

/// A model's template.
pub(super) struct Prompts<'a> {
    model: &'a LlamaModel,
    template: LlamaChatTemplate,
}

impl<'a> Prompts<'a> {
    /// The model's template, tried on a short conversation.
    pub fn new(model: &'a LlamaModel) -> Result<Self, String> {
        let fallback = || LlamaChatTemplate::new(FALLBACK).map_err(|e| e.to_string());
        let template = model.chat_template(None).or_else(|_| fallback())?;
        let prompts = Self { model, template };
        let trial = Message { speaker: Speaker::User, content: String::new() };
        prompts.tokens(&[trial]).map(|_| prompts)
    }

    /// The conversation as tokens, up to where the model's answer begins.
    pub fn tokens(&self, messages: &[Message]) -> Result<Vec<LlamaToken>, String> {
        let filled = self.fill(messages)?;
        let vocab = self.model.vocab();
        let mut tokens = Vec::new();
        // Between the marks the parts take turns: template, number of a message, template, ...
        for (nth, part) in filled.split(MARK).enumerate() {
            if nth % 2 == 0 {
                tokens.extend(vocab.tokenize(part.as_bytes(), nth == 0, true));
                continue;
            }
            let message = part.parse::<usize>().ok().and_then(|nth| messages.get(nth));
            let message = message.ok_or("its chat template has marks of its own")?;
            tokens.extend(vocab.tokenize(message.content.as_bytes(), false, false));
        }
        Ok(tokens)
    }

    fn fill(&self, messages: &[Message]) -> Result<String, String> {
        let marked = messages.iter().enumerate().map(|(nth, message)| {
            let role = match message.speaker {
                Speaker::System => "system",
                Speaker::User => "user",
                Speaker::Assistant => "assistant",
            };
            LlamaChatMessage::new(role.to_owned(), format!("{MARK}{nth}{MARK}")).map_err(|e| e.to_string())
        });
        let marked = marked.collect::<Result<Vec<_>, _>>()?;
        let filled = self.model.apply_chat_template(&self.template, &marked, true);
        filled.map_err(|_| "its chat template is not one that llama.cpp knows".to_owned())
    }
}
