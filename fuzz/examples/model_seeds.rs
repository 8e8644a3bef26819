//! Writes headers of model files into `corpus/gguf`, for libFuzzer to begin with: good ones of each kind, and near misses.

use std::{error::Error, path::Path};

use durable::Mode;

/// A header in the making (ggml, `docs/gguf.md`).
struct Draft {
    keys: Vec<(String, u32, Vec<u8>)>,
    dimensions: Vec<u64>,
    kind: u32,
    data: usize,
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

impl Draft {
    fn of(architecture: &str) -> Self {
        let mut keys = vec![("general.architecture".to_owned(), 8, text(architecture))];
        let measures = [
            ("context_length", 64_u32),
            ("embedding_length", 8),
            ("block_count", 2),
            ("attention.head_count", 2),
        ];
        for (name, number) in measures {
            keys.push((format!("{architecture}.{name}"), 4, number.to_le_bytes().to_vec()));
        }
        let tokens =
            [&8_u32.to_le_bytes()[..], &3_u64.to_le_bytes(), &["a", "b", "c"].map(text).concat()].concat();
        keys.push(("tokenizer.ggml.tokens".to_owned(), 9, tokens));
        Self { keys, dimensions: vec![8, 3], kind: 0, data: 96 }
    }

    fn with(mut self, name: &str, kind: u32, value: &[u8]) -> Self {
        self.keys.push((name.to_owned(), kind, value.to_vec()));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes =
            [&b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0"[..], &(self.keys.len() as u64).to_le_bytes()].concat();
        for (name, kind, value) in &self.keys {
            bytes.extend([text(name), kind.to_le_bytes().to_vec(), value.clone()].concat());
        }
        bytes.extend(
            [
                text("token_embd.weight"),
                u32::try_from(self.dimensions.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec(),
            ]
            .concat(),
        );
        bytes.extend(self.dimensions.iter().flat_map(|length| length.to_le_bytes()));
        bytes.extend([&self.kind.to_le_bytes()[..], &0_u64.to_le_bytes()].concat());
        bytes.resize(bytes.len().next_multiple_of(32) + self.data, 0);
        bytes
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let every_type =
        (0_u32..=12).filter(|kind| ![8, 9].contains(kind)).fold(Draft::of("qwen3"), |draft, kind| {
            let width = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8][kind as usize];
            draft.with(&format!("x.{kind}"), kind, &vec![1; width])
        });
    let array = |kind: u32, length: u64| [&kind.to_le_bytes()[..], &length.to_le_bytes()].concat();
    let good = Draft::of("llama").bytes();
    let seeds = [
        ("llama", good.clone()),
        ("bert", Draft::of("bert").with("bert.pooling_type", 4, &[1, 0, 0, 0]).bytes()),
        ("quantised", Draft { dimensions: vec![32, 2], kind: 8, data: 68, ..Draft::of("gemma3") }.bytes()),
        ("every_type", every_type.bytes()),
        ("aligned", Draft::of("phi3").with("general.alignment", 4, &[64, 0, 0, 0]).bytes()),
        ("layers_apart", Draft::of("llama").with("llama.attention.head_count_kv", 9, &array(4, 0)).bytes()),
        (
            "template",
            Draft::of("llama").with("tokenizer.chat_template", 8, &text(&"{{ x }}".repeat(50))).bytes(),
        ),
        ("unknown_architecture", Draft::of("mamba").bytes()),
        ("nested_array", Draft::of("llama").with("x", 9, &[array(9, 1), array(9, 1)].concat()).bytes()),
        ("huge_array", Draft::of("llama").with("x", 9, &array(4, 1 << 40)).bytes()),
        ("tensor_outside", Draft { data: 95, ..Draft::of("llama") }.bytes()),
        ("cut", good[..good.len() / 2].to_vec()),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/gguf");
    durable::create_folder(&folder)?;
    for (name, bytes) in seeds {
        durable::write(&folder.join(name), &bytes, Mode::Public)?;
    }
    Ok(())
}
