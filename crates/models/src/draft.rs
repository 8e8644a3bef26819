//! GGUF files for tests: as small as a file can be that says what a model says.

/// A file in the making.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub version: u32,
    pub keys: Vec<(String, u32, Vec<u8>)>,
    pub tensors: Vec<(String, Vec<u64>, u32, u64)>,
    pub data: usize,
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

pub(crate) fn array(kind: u32, length: u64, elements: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), elements].concat()
}

impl Draft {
    /// A model of an architecture that Echo takes: two layers, eight numbers a token, three tokens, one tensor.
    pub fn of(architecture: &str) -> Self {
        let mut draft = Self {
            version: 3,
            keys: Vec::new(),
            tensors: vec![("token_embd.weight".to_owned(), vec![8, 3], 0, 0)],
            data: 96,
        };
        draft.set("general.architecture", 8, text(architecture));
        draft.set("general.name", 8, text("A draft"));
        for (name, number) in [
            ("context_length", 64_u32),
            ("embedding_length", 8),
            ("block_count", 2),
            ("attention.head_count", 2),
        ] {
            draft.set(&format!("{architecture}.{name}"), 4, number.to_le_bytes().to_vec());
        }
        draft.set("tokenizer.ggml.tokens", 9, array(8, 3, &["a", "b", "c"].map(text).concat()));
        draft
    }

    /// Says something, in place of what was said.
    pub fn set(&mut self, key: &str, kind: u32, value: Vec<u8>) {
        self.keys.retain(|(name, ..)| name != key);
        self.keys.push((key.to_owned(), kind, value));
    }

    pub fn without(mut self, key: &str) -> Self {
        self.keys.retain(|(name, ..)| name != key);
        self
    }

    pub fn with(mut self, key: &str, kind: u32, value: Vec<u8>) -> Self {
        self.set(key, kind, value);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = [&b"GGUF"[..], &self.version.to_le_bytes()].concat();
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.keys.len() as u64).to_le_bytes());
        for (name, kind, value) in &self.keys {
            bytes.extend([text(name), kind.to_le_bytes().to_vec(), value.clone()].concat());
        }
        for (name, dimensions, kind, offset) in &self.tensors {
            bytes.extend(text(name));
            bytes.extend(u32::try_from(dimensions.len()).unwrap().to_le_bytes());
            bytes.extend(dimensions.iter().flat_map(|length| length.to_le_bytes()));
            bytes.extend(kind.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(32) + self.data, 0);
        bytes
    }
}
