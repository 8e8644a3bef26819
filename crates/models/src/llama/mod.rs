//! llama.cpp in this process, by the crate `llama-cpp-2`'s safe interface.

mod embedding;
mod prompt;
mod text;

use std::sync::OnceLock;

use llama_cpp_2::{
    context::params::LlamaContextParams,
    llama_backend::LlamaBackend,
    model::{LlamaModel, params::LlamaModelParams},
};

use crate::{
    Embedder, ModelError, TextModel,
    engine::{Engine, Loading},
};

/// The engine.
#[derive(Debug)]
pub(crate) struct Llama;

impl Engine for Llama {
    fn text(&self, file: &Loading<'_>, serve: &mut dyn FnMut(&mut dyn TextModel)) -> Result<(), ModelError> {
        let backend = backend(file)?;
        let model = load(backend, file)?;
        serve(&mut text::LlamaText::new(backend, &model, file)?);
        Ok(())
    }

    fn embedding(
        &self,
        file: &Loading<'_>,
        serve: &mut dyn FnMut(&mut dyn Embedder),
    ) -> Result<(), ModelError> {
        let backend = backend(file)?;
        let model = load(backend, file)?;
        serve(&mut embedding::LlamaEmbedder::new(backend, &model, file)?);
        Ok(())
    }
}

/// The engine's global state: made once, for llama.cpp takes no second one.
fn backend(file: &Loading<'_>) -> Result<&'static LlamaBackend, ModelError> {
    static BACKEND: OnceLock<Option<LlamaBackend>> = OnceLock::new();
    // The C++ code is built for these (`.cargo/config.toml`): without them it would end the process.
    #[cfg(target_arch = "x86_64")]
    if !(std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")) {
        return Err(failed(
            file,
            "this processor has no AVX2, which the engine was built for: set an endpoint in echo.toml",
        ));
    }
    #[cfg(target_arch = "x86_64")]
    if option_env!("GGML_AVX512") == Some("ON") && !std::arch::is_x86_feature_detected!("avx512f") {
        return Err(failed(
            file,
            "this processor has no AVX-512, which the engine was built for: build it on this machine",
        ));
    }
    let made = BACKEND.get_or_init(|| {
        let mut backend = LlamaBackend::init().ok()?;
        // What goes wrong comes back as an error; the rest is for developers of llama.cpp.
        backend.void_logs();
        Some(backend)
    });
    made.as_ref().ok_or_else(|| failed(file, "llama.cpp is in use by another part of this program"))
}

fn load(backend: &LlamaBackend, file: &Loading<'_>) -> Result<LlamaModel, ModelError> {
    let params = LlamaModelParams::default().with_use_mmap(true).with_n_gpu_layers(0);
    LlamaModel::load_from_file(backend, file.path, &params).map_err(|error| ModelError::Unfit {
        path: file.path.to_owned(),
        reason: format!("llama.cpp does not take it ({error}): its weights do not fit its header"),
    })
}

fn context_params(file: &Loading<'_>) -> LlamaContextParams {
    let threads = i32::try_from(file.threads.max(1)).unwrap_or(1);
    LlamaContextParams::default().with_n_threads(threads).with_n_threads_batch(threads).with_no_perf(true)
}

#[expect(clippy::needless_pass_by_value, reason = "errors are handed over as they come")]
fn failed(file: &Loading<'_>, reason: impl ToString) -> ModelError {
    ModelError::Failed { model: file.card.name.clone(), reason: reason.to_string() }
}
