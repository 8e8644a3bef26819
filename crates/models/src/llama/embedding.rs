//! Vectors of texts.

use std::num::NonZeroU32;

use llama_cpp_2::{
    context::{LlamaContext, params::LlamaPoolingType},
    llama_backend::LlamaBackend,
    llama_batch::LlamaBatch,
    model::LlamaModel,
    token::LlamaToken,
};

use super::{context_params, failed};
use crate::{Embedded, Embedder, MAX_CONTEXT, ModelError, ModelRef, engine::Loading};

/// How many tokens of several texts are computed together: each looks at all, so more would cost more than they save.
const TOGETHER: usize = 384;
/// The most texts that are computed together.
const TEXTS: usize = 64;
/// No token is made of more bytes: what is longer is cut before it is taken apart.
const TOKEN_BYTES: usize = 64;

/// A loaded model for vectors.
pub(super) struct LlamaEmbedder<'a> {
    model: &'a LlamaModel,
    file: &'a Loading<'a>,
    context: LlamaContext<'a>,
    batch: LlamaBatch<'a>,
    reference: ModelRef,
    /// Tokens that it reads of one text.
    longest: usize,
}

impl<'a> LlamaEmbedder<'a> {
    /// A model that was loaded.
    pub fn new(
        backend: &'a LlamaBackend,
        model: &'a LlamaModel,
        file: &'a Loading<'a>,
    ) -> Result<Self, ModelError> {
        let longest = file.header.context.min(MAX_CONTEXT) as usize;
        let most = longest.max(TOGETHER);
        let room = u32::try_from(most).unwrap_or(MAX_CONTEXT);
        let pooling = if file.header.pooled { LlamaPoolingType::Unspecified } else { LlamaPoolingType::Mean };
        let params = context_params(file)
            .with_n_ctx(NonZeroU32::new(room))
            .with_n_batch(room)
            .with_n_ubatch(room)
            .with_n_seq_max(u32::try_from(TEXTS).unwrap_or(1))
            .with_kv_unified(true)
            .with_embeddings(true)
            .with_pooling_type(pooling);
        let context = model.new_context(backend, params).map_err(|e| failed(file, e))?;
        let batch = LlamaBatch::new(most, 1);
        Ok(Self { model, file, context, batch, reference: file.card.reference(), longest })
    }

    /// A text's tokens, the special ones at its ends among them.
    fn tokens(&self, text: &str) -> Vec<LlamaToken> {
        let end = text.floor_char_boundary(self.longest.saturating_mul(TOKEN_BYTES));
        let vocab = self.model.vocab();
        let mut tokens = vocab.tokenize(&text.as_bytes()[..end], true, false);
        if tokens.len() > self.longest {
            // The last one says that the text ends.
            let last = tokens.pop();
            tokens.truncate(self.longest - 1);
            tokens.extend(last);
        }
        if tokens.is_empty() {
            tokens.push(vocab.eos());
        }
        tokens
    }

    /// The vectors of some texts that fit into one batch.
    fn compute(
        &mut self,
        texts: &[&(usize, Vec<LlamaToken>)],
        vectors: &mut [Vec<f32>],
    ) -> Result<(), String> {
        self.batch.clear();
        for (nth, (_, tokens)) in (0..).zip(texts) {
            self.batch.add_sequence(tokens, nth, true).map_err(|e| e.to_string())?;
        }
        self.context.clear_kv_cache();
        self.context.decode(&mut self.batch).map_err(|e| e.to_string())?;
        for (nth, (place, _)) in (0..).zip(texts) {
            let vector = self.context.embeddings_seq_ith(nth).map_err(|e| e.to_string())?;
            vectors[*place] = normal(vector).ok_or("it made a vector that is none")?;
        }
        Ok(())
    }
}

impl Embedder for LlamaEmbedder<'_> {
    fn reference(&self) -> &ModelRef {
        &self.reference
    }

    fn dimensions(&self) -> usize {
        usize::try_from(self.model.n_embd_out()).unwrap_or(0)
    }

    fn embed(&mut self, texts: &[&str]) -> Result<Embedded, ModelError> {
        let mut sorted: Vec<(usize, Vec<LlamaToken>)> =
            texts.iter().map(|text| self.tokens(text)).enumerate().collect();
        let all = sorted.iter().map(|(_, tokens)| tokens.len()).sum::<usize>();
        sorted.sort_by_key(|(_, tokens)| tokens.len());
        let mut vectors = vec![Vec::new(); texts.len()];
        let (mut batch, mut length) = (Vec::new(), 0);
        for text in &sorted {
            let full = length + text.1.len() > TOGETHER || batch.len() == TEXTS;
            if full && !batch.is_empty() {
                self.compute(&batch, &mut vectors).map_err(|reason| failed(self.file, reason))?;
                batch.clear();
                length = 0;
            }
            batch.push(text);
            length += text.1.len();
        }
        if !batch.is_empty() {
            self.compute(&batch, &mut vectors).map_err(|reason| failed(self.file, reason))?;
        }
        let tokens = u32::try_from(all).unwrap_or(u32::MAX);
        Ok(Embedded { model: self.reference.clone(), vectors, tokens })
    }
}

/// The vector of length 1 with the same direction; nothing for one without.
fn normal(vector: &[f32]) -> Option<Vec<f32>> {
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    #[expect(clippy::cast_possible_truncation, reason = "vectors have single precision")]
    let scaled = |x: &f32| (f64::from(*x) / length) as f32;
    (length.is_finite() && length > 0.0).then(|| vector.iter().map(scaled).collect())
}
