//! Text, one token after the other.

use std::{
    num::NonZeroU32,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use llama_cpp_2::{
    context::LlamaContext, llama_backend::LlamaBackend, llama_batch::LlamaBatch, model::LlamaModel,
    sampling::LlamaSampler, token::LlamaToken,
};

use super::{context_params, failed, prompt::Prompts};
use crate::{
    Chat, Completion, Finish, MAX_CONTEXT, ModelError, ModelRef, TextModel, engine::Loading, speech::Speech,
};

/// How many tokens of a prompt are read at once.
const STEP: usize = 512;
/// Contexts are multiples of so many tokens.
const GRAIN: usize = 256;

/// A loaded text model. Each conversation gets memory of its own, of the size that it needs, and gives it back: nothing of
/// one is there when the next begins.
pub(super) struct LlamaText<'a> {
    backend: &'a LlamaBackend,
    model: &'a LlamaModel,
    file: &'a Loading<'a>,
    prompts: Prompts<'a>,
    reference: ModelRef,
    context: u32,
}

impl<'a> LlamaText<'a> {
    /// A model that was loaded.
    pub fn new(
        backend: &'a LlamaBackend,
        model: &'a LlamaModel,
        file: &'a Loading<'a>,
    ) -> Result<Self, ModelError> {
        let unfit = |reason| ModelError::Unfit { path: file.path.to_owned(), reason };
        let prompts = Prompts::new(model).map_err(unfit)?;
        let context = file.header.context.min(MAX_CONTEXT);
        Ok(Self { backend, model, file, prompts, reference: file.card.reference(), context })
    }

    /// Memory for one conversation of `tokens` tokens at most.
    fn conversation(&self, tokens: usize) -> Result<LlamaContext<'a>, ModelError> {
        let room = tokens.next_multiple_of(GRAIN).min(self.context as usize);
        let room = u32::try_from(room).ok().and_then(NonZeroU32::new);
        let step = u32::try_from(STEP).unwrap_or(u32::MAX);
        let params = context_params(self.file).with_n_ctx(room).with_n_batch(step).with_n_ubatch(step);
        self.model.new_context(self.backend, params).map_err(|e| failed(self.file, e))
    }
}

impl TextModel for LlamaText<'_> {
    fn reference(&self) -> &ModelRef {
        &self.reference
    }

    fn context(&self) -> u32 {
        self.context
    }

    fn complete(
        &mut self,
        chat: &Chat,
        each: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, ModelError> {
        let until = Instant::now() + Duration::from_millis(chat.budget_millis);
        let tokens = self.prompts.tokens(&chat.messages).map_err(|reason| failed(self.file, reason))?;
        let context = self.context as usize;
        if tokens.len() >= context {
            let reason = format!(
                "it has {} tokens, and the model reads less than {context}: shorten it",
                tokens.len()
            );
            return Err(ModelError::Invalid { what: "the prompt", reason });
        }
        let most = (chat.max_tokens as usize).min(context - tokens.len());
        let mut answer = Answer {
            context: self.conversation(tokens.len() + most)?,
            batch: LlamaBatch::new(STEP, 1),
            sampler: sampler(chat),
            speech: Speech::new(&chat.stop),
            until,
            place: 0,
            count: 0,
        };
        let finish = answer.go(self, &tokens, most, each).map_err(|reason| failed(self.file, reason))?;
        let (rest, text) = answer.speech.end();
        // Nothing more would come anyway.
        let _ = each(&rest);
        let count = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
        Ok(Completion {
            model: self.reference.clone(),
            text,
            prompt_tokens: count(tokens.len()),
            completion_tokens: count(answer.count),
            finish,
        })
    }
}

/// An answer in the making.
struct Answer<'a, 'c> {
    context: LlamaContext<'a>,
    batch: LlamaBatch<'a>,
    sampler: LlamaSampler,
    speech: Speech<'c>,
    until: Instant,
    /// Tokens that the model has read.
    place: i32,
    /// Tokens of the answer.
    count: usize,
}

impl Answer<'_, '_> {
    fn go(
        &mut self,
        of: &LlamaText<'_>,
        prompt: &[LlamaToken],
        most: usize,
        each: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Finish, String> {
        let vocab = of.model.vocab();
        for step in prompt.chunks(STEP) {
            if let Some(finish) = self.interrupted(each("")) {
                return Ok(finish);
            }
            self.read(step)?;
        }
        loop {
            let token = self.sampler.sample(&self.context, -1);
            if vocab.is_eog(token) {
                return Ok(Finish::Stop);
            }
            self.count += 1;
            let heard = each(self.speech.push(&vocab.token_to_piece(token, false, None)));
            if self.speech.stopped() {
                return Ok(Finish::Stop);
            }
            if self.count >= most {
                return Ok(Finish::Length);
            }
            if let Some(finish) = self.interrupted(heard) {
                return Ok(finish);
            }
            self.read(&[token])?;
        }
    }

    fn interrupted(&self, heard: ControlFlow<()>) -> Option<Finish> {
        if Instant::now() >= self.until {
            return Some(Finish::Late);
        }
        heard.is_break().then_some(Finish::Cancelled)
    }

    /// Reads tokens; only what follows the last is asked for.
    fn read(&mut self, tokens: &[LlamaToken]) -> Result<(), String> {
        self.batch.clear();
        for (nth, token) in tokens.iter().enumerate() {
            let last = nth + 1 == tokens.len();
            self.batch.add(*token, self.place, &[0], last).map_err(|e| e.to_string())?;
            self.place += 1;
        }
        self.context.decode(&mut self.batch).map_err(|e| e.to_string())
    }
}

fn sampler(chat: &Chat) -> LlamaSampler {
    if chat.temperature <= 0.0 {
        return LlamaSampler::greedy();
    }
    let steps = [
        LlamaSampler::top_p(chat.top_p, 1),
        LlamaSampler::temp(chat.temperature),
        LlamaSampler::dist(chat.seed),
    ];
    LlamaSampler::chain(steps, true)
}
