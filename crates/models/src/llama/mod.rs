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
    #[cfg(target_arch = "x86_64")]
    if let Some(lacking) = lacking() {
        return Err(failed(
            file,
            format!(
                "the engine was built for processors with {lacking}, which this one has not: build it here with \
                 scripts/models, or for older ones with scripts/models --portable, or set an endpoint in echo.toml"
            ),
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

/// What the C++ code was built for (`.cargo/config.toml`, `scripts/models`) and this processor lacks: it would end the process.
#[cfg(target_arch = "x86_64")]
fn lacking() -> Option<&'static str> {
    use std::arch::is_x86_feature_detected as has;
    let on = |built: Option<&str>| built == Some("ON");
    [
        ("AVX2", !(has!("avx2") && has!("fma") && has!("f16c") && has!("bmi2"))),
        (
            "AVX-512",
            on(option_env!("GGML_AVX512")) && !(has!("avx512f") && has!("avx512bw") && has!("avx512vl")),
        ),
        ("AVX-512 VNNI", on(option_env!("GGML_AVX512_VNNI")) && !has!("avx512vnni")),
        ("AVX-512 VBMI", on(option_env!("GGML_AVX512_VBMI")) && !has!("avx512vbmi")),
        ("AVX-512 BF16", on(option_env!("GGML_AVX512_BF16")) && !has!("avx512bf16")),
        ("AVX-VNNI", on(option_env!("GGML_AVX_VNNI")) && !has!("avxvnni")),
    ]
    .into_iter()
    .find_map(|(name, lacks)| lacks.then_some(name))
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
