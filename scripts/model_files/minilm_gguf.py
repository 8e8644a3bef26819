#!/usr/bin/env python3
"""Turns all-MiniLM-L6-v2 (safetensors) into a GGUF file that llama.cpp runs.

    minilm_gguf.py MODEL_FOLDER OUT.gguf [--weights f32|f16|bf16|q8_0]

MODEL_FOLDER holds config.json, vocab.txt and model.safetensors as sentence-transformers publishes them. The matrices
get the type of --weights; what is small (biases, norms, positions) stays in single precision. The same input gives the
same bytes. Names and keys: the package `gguf`, as llama.cpp's own converter writes them.
"""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np

TYPES = {"F32": np.float32, "F16": np.float16}
# llama.cpp marks the beginning of a word in its WordPiece vocabularies, where BERT marks what goes on (`##ing`).
WORD = "\u2581"


def tensors(path):
    """Name and array of each tensor (safetensors: the header's length, the header as JSON, the bytes)."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    for name, about in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__" and about["dtype"] in TYPES:
            begin, end = about["data_offsets"]
            flat = np.frombuffer(data[8 + length + begin : 8 + length + end], TYPES[about["dtype"]])
            yield name, flat.reshape(about["shape"]).astype(np.float32)


def word(token):
    """A token as llama.cpp writes it."""
    if token.startswith("[") and token.endswith("]"):
        return token
    return token[2:] if token.startswith("##") else WORD + token


def kind(token):
    """Whether a token is text."""
    if token == "[UNK]":
        return gguf.TokenType.UNKNOWN
    special = token.startswith("[") and token.endswith("]") and len(token) > 2
    return gguf.TokenType.CONTROL if special else gguf.TokenType.NORMAL


def describe(writer, folder):
    """Writes the keys; the number of layers."""
    config = json.loads((folder / "config.json").read_text())
    tokens = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert len(tokens) == config["vocab_size"], f"{len(tokens)} tokens, and config.json says {config['vocab_size']}"
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_license("apache-2.0")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_type_count(config["type_vocab_size"])
    writer.add_token_list([word(token) for token in tokens])
    writer.add_token_types([kind(token) for token in tokens])
    writer.add_unk_token_id(tokens.index("[UNK]"))
    writer.add_sep_token_id(tokens.index("[SEP]"))
    writer.add_pad_token_id(tokens.index("[PAD]"))
    writer.add_mask_token_id(tokens.index("[MASK]"))
    writer.add_bos_token_id(tokens.index("[CLS]"))
    writer.add_eos_token_id(tokens.index("[SEP]"))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    return config["num_hidden_layers"]


def main():
    """Converts."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--weights", choices=("f32", "f16", "bf16", "q8_0"), default="f32")
    chosen = options.parse_args()
    weights = {
        "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
        "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
        "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
        "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    }[chosen.weights]
    writer = gguf.GGUFWriter(chosen.out, "bert")
    layers = describe(writer, chosen.folder)
    writer.add_file_type(weights[1])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, layers)
    for name, array in sorted(tensors(chosen.folder / "model.safetensors")):
        # The pooler is for another task, the position numbers are 0, 1, 2, ...
        if name.startswith("pooler.") or name.endswith("position_ids"):
            continue
        known = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert known, f"{name} has no name in llama.cpp"
        large = array.ndim == 2 and not known.startswith(("position_embd", "token_types"))
        own = weights[0] if large else gguf.GGMLQuantizationType.F32
        writer.add_tensor(known, gguf.quants.quantize(array, own), raw_dtype=own)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
