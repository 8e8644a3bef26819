#!/usr/bin/env python3
"""One measurement of a stack of others, as JSON: run by bench/ai/run in target/ai-venv, one process each.

    stacks.py llama MODEL.gguf PROMPT_FILE TOKENS THREADS
    stacks.py sentence-transformers MODEL_FOLDER SENTENCES_FILE THREADS
    stacks.py onnxruntime MODEL_FOLDER SENTENCES_FILE THREADS
    stacks.py export MODEL_FOLDER OUT.onnx            the same weights for ONNX Runtime, in single precision
    stacks.py reference MODEL_FOLDER SENTENCES_FILE   the sentences and their vectors, for crates/models/tests/it
"""

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

# sentence-transformers' own batch, and its own most tokens of a text.
BATCH, LONGEST = 32, 256


def sentences(path):
    """The lines of a file."""
    return Path(path).read_text(encoding="utf-8").splitlines()


def llama(model, prompt, tokens, threads):
    """Tokens a second by llama.cpp itself: the prompt with the first token, then one after the other."""
    from llama_cpp import Llama

    threads = int(threads)
    engine = Llama(model_path=model, n_ctx=1024, n_batch=512, n_threads=threads, n_threads_batch=threads, verbose=False)
    text = f"<|im_start|>user\n{Path(prompt).read_text(encoding='utf-8')}<|im_end|>\n<|im_start|>assistant\n"
    prompt = engine.tokenize(text.encode(), add_bos=False, special=True)
    engine.eval(prompt[:8])
    engine.reset()
    began = time.perf_counter()
    engine.eval(prompt)
    token = engine.sample(temp=0.0)
    first = time.perf_counter()
    for _ in range(int(tokens) - 1):
        engine.eval([token])
        token = engine.sample(temp=0.0)
    ended = time.perf_counter()
    return {
        "version": version("llama-cpp-python"),
        "prompt_tokens": len(prompt),
        "prompt_per_second": len(prompt) / (first - began),
        "generated_per_second": (int(tokens) - 1) / (ended - first),
    }


def transformer(folder, threads=2):
    """sentence-transformers' model of a folder."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(int(threads))
    return SentenceTransformer(folder, device="cpu")


def sentence_transformers(folder, path, threads):
    """Sentences a second by sentence-transformers as its manual says."""
    model, texts = transformer(folder, threads), sentences(path)
    model.encode(texts[:BATCH], batch_size=BATCH)
    began = time.perf_counter()
    model.encode(texts, batch_size=BATCH, normalize_embeddings=True)
    return {"version": version("sentence-transformers"), "sentences_per_second": len(texts) / (time.perf_counter() - began)}


def onnxruntime(folder, path, threads):
    """Sentences a second by ONNX Runtime: sorted by length, in batches, mean of the tokens, of length 1."""
    import numpy as np
    import onnxruntime as ort
    from tokenizers import Tokenizer

    options = ort.SessionOptions()
    options.intra_op_num_threads = int(threads)
    session = ort.InferenceSession(str(Path(folder) / "model.onnx"), options, providers=["CPUExecutionProvider"])
    wanted = {put.name for put in session.get_inputs()}
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    tokenizer.enable_padding()
    texts = sentences(path)

    def encode(texts):
        vectors = [None] * len(texts)
        order = sorted(range(len(texts)), key=lambda nth: -len(texts[nth]))
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            tokens = tokenizer.encode_batch([texts[nth] for nth in some])
            mask = np.array([one.attention_mask for one in tokens], np.int64)
            feed = {"input_ids": np.array([one.ids for one in tokens], np.int64), "attention_mask": mask}
            feed["token_type_ids"] = np.zeros_like(mask)
            states = session.run(None, {name: value for name, value in feed.items() if name in wanted})[0]
            means = (states * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
            means /= np.linalg.norm(means, axis=1, keepdims=True)
            for nth, vector in zip(some, means):
                vectors[nth] = vector
        return vectors

    encode(texts[:BATCH])
    began = time.perf_counter()
    encode(texts)
    return {"version": version("onnxruntime"), "sentences_per_second": len(texts) / (time.perf_counter() - began)}


def export(folder, out):
    """Writes the model for ONNX Runtime."""
    import torch
    from transformers import AutoModel

    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    names = ["input_ids", "attention_mask", "token_type_ids"]

    class States(torch.nn.Module):
        """The last layer's states, of inputs by their names."""

        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, *tensors):
            """Computes them."""
            return self.model(**dict(zip(names, tensors)), return_dict=True).last_hidden_state

    ids = torch.ones((2, 8), dtype=torch.int64)
    axes = {name: {0: "batch", 1: "length"} for name in [*names, "last_hidden_state"]}
    torch.onnx.export(
        States(), (ids, ids, torch.zeros_like(ids)), out, input_names=names, output_names=["last_hidden_state"],
        dynamic_axes=axes, opset_version=17, dynamo=False,
    )  # fmt: skip
    return {"written": out}


def reference(folder, path):
    """Each sentence with its vector."""
    texts = sentences(path)
    vectors = transformer(folder).encode(texts, normalize_embeddings=True)
    return [[text, [round(float(x), 6) for x in vector]] for text, vector in zip(texts, vectors)]


KINDS = {
    "llama": llama,
    "sentence-transformers": sentence_transformers,
    "onnxruntime": onnxruntime,
    "export": export,
    "reference": reference,
}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    print(json.dumps(KINDS[sys.argv[1]](*sys.argv[2:])))
