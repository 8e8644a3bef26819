use proptest::prelude::*;

use super::*;
use crate::draft::{Draft, array, text};

fn read_all(bytes: &[u8]) -> Result<Header, GgufError> {
    read(bytes, bytes.len() as u64)
}

fn error(draft: &Draft) -> String {
    read_all(&draft.bytes()).unwrap_err().to_string()
}

#[test]
fn a_header_says_what_the_model_is() {
    let header = read_all(&Draft::of("llama").bytes()).unwrap();
    assert_eq!((header.architecture.as_str(), header.kind, header.context), ("llama", Kind::Text, 64));
    assert_eq!((header.layers, header.width, header.tokens, header.tensors), (2, 8, 3, 1));
    assert_eq!(header.name.as_deref(), Some("A draft"));
    // Two layers, two heads, keys and values of four numbers of two bytes.
    assert_eq!(header.token_bytes, 2 * 2 * 2 * 4 * 2);
    assert_eq!(read_all(&Draft::of("bert").bytes()).unwrap().kind, Kind::Embedding);
    let pooled = Draft::of("qwen3").with("qwen3.pooling_type", 4, vec![3, 0, 0, 0]);
    let header = read_all(&pooled.bytes()).unwrap();
    assert_eq!((header.kind, header.pooled), (Kind::Embedding, true));
}

#[test]
fn every_cut_file_is_refused_before_anything_is_kept() {
    let whole = Draft::of("llama").bytes();
    for end in 0..whole.len() {
        assert!(read_all(&whole[..end]).is_err(), "{end} of {} bytes", whole.len());
    }
    assert!(matches!(read_all(&whole[..whole.len() - 1]), Err(GgufError::Short { .. })));
    // A file that is cut while it is read.
    assert!(matches!(read(&whole[..40], whole.len() as u64), Err(GgufError::Short { .. })));
}

#[test]
fn counts_that_no_file_can_hold_are_refused() {
    let whole = Draft::of("llama").bytes();
    for place in [8, 16] {
        for count in [u64::MAX, 1 << 40, 1 << 17] {
            let mut hostile = whole.clone();
            hostile[place..place + 8].copy_from_slice(&count.to_le_bytes());
            assert!(matches!(read_all(&hostile), Err(GgufError::Huge { .. })), "{count} at {place}");
        }
    }
    let long = u64::MAX.to_le_bytes().to_vec();
    assert!(error(&Draft::of("llama").with("general.name", 8, long)).contains("the most that is read"));
    let array_of = |length: u64| Draft::of("llama").with("x", 9, array(4, length, &[]));
    assert!(error(&array_of(u64::MAX)).contains("the most that is read"));
    assert!(error(&array_of(MAX_ARRAY)).contains("cut off"));
}

#[test]
fn arrays_of_arrays_and_unknown_types_are_refused() {
    let nested = array(9, 1, &array(9, 1, &[]));
    assert!(error(&Draft::of("llama").with("x", 9, nested)).contains("array of the type 9"));
    assert!(error(&Draft::of("llama").with("x", 13, vec![0; 8])).contains("the type 13"));
    assert!(error(&Draft::of("llama").with("x", 7, vec![2])).contains("neither true nor false"));
    assert!(
        error(&Draft::of("llama").with("general.name", 8, vec![1, 0, 0, 0, 0, 0, 0, 0, 0xff]))
            .contains("UTF-8")
    );
}

#[test]
fn another_magic_or_version_is_refused() {
    assert_eq!(read_all(b"GGML\x03\0\0\0"), Err(GgufError::Magic));
    assert_eq!(read_all(b"PK\x03\x04 a zip"), Err(GgufError::Magic));
    for version in [0, 1, 4, 0x0300_0000] {
        let draft = Draft { version, ..Draft::of("llama") };
        assert_eq!(read_all(&draft.bytes()), Err(GgufError::Version(version)));
    }
}

#[test]
fn an_architecture_that_was_not_tried_is_refused_by_name() {
    assert_eq!(read_all(&Draft::of("mamba").bytes()), Err(GgufError::Architecture("mamba".to_owned())));
    assert!(error(&Draft::of("mamba")).contains("taken are llama"));
    assert!(error(&Draft::of("llama").without("general.architecture")).contains("no whole model"));
}

#[test]
fn a_model_without_its_measures_or_with_absurd_ones_is_refused() {
    for key in [
        "llama.context_length",
        "llama.embedding_length",
        "llama.block_count",
        "llama.attention.head_count",
        "tokenizer.ggml.tokens",
    ] {
        assert!(error(&Draft::of("llama").without(key)).contains(key), "{key}");
    }
    for key in ["llama.context_length", "llama.embedding_length", "llama.block_count"] {
        for number in [0, u32::MAX] {
            let draft = Draft::of("llama").with(key, 4, number.to_le_bytes().to_vec());
            assert!(error(&draft).contains(key), "{key} {number}");
        }
    }
    let split = Draft::of("llama").with("split.count", 2, vec![2, 0]);
    assert!(error(&split).contains("split"));
}

#[test]
fn a_tensor_outside_the_file_or_of_an_impossible_shape_is_refused() {
    let with = |dimensions: &[u64], kind: u32, offset: u64| {
        let mut draft = Draft::of("llama");
        draft.tensors = vec![("t".to_owned(), dimensions.to_vec(), kind, offset)];
        read_all(&draft.bytes())
    };
    assert!(with(&[8, 3], 0, 0).is_ok());
    assert!(matches!(with(&[8, 4], 0, 0), Err(GgufError::Short { .. })));
    assert!(matches!(with(&[8, 3], 0, 32), Err(GgufError::Short { .. })));
    assert!(matches!(with(&[1 << 40, 1 << 40], 0, 0), Err(GgufError::Short { .. })));
    assert!(matches!(with(&[8, 3], 0, u64::MAX - 31), Err(GgufError::Short { .. })));
    assert!(matches!(with(&[1; 5], 0, 0), Err(GgufError::Huge { .. })));
    for (dimensions, kind, offset) in
        [(&[8, 0][..], 0, 0), (&[8, 3], 4, 0), (&[8, 3], 8, 0), (&[8, 1], 0, 7), (&[u64::MAX], 0, 0)]
    {
        assert!(
            matches!(with(dimensions, kind, offset), Err(GgufError::Wrong(_))),
            "{dimensions:?} {kind} {offset}"
        );
    }
}

#[test]
fn what_is_there_twice_is_refused() {
    let mut draft = Draft::of("llama");
    draft.keys.push(("general.name".to_owned(), 8, text("B")));
    assert!(error(&draft).contains("twice"));
    let mut draft = Draft::of("llama");
    draft.tensors.push(draft.tensors[0].clone());
    assert!(error(&draft).contains("twice"));
}

#[test]
fn an_alignment_that_is_none_is_refused() {
    for alignment in [0_u32, 3, 1 << 20] {
        let draft = Draft::of("llama").with("general.alignment", 4, alignment.to_le_bytes().to_vec());
        assert!(error(&draft).contains("alignment"), "{alignment}");
    }
}

proptest! {
    #[test]
    fn a_changed_byte_never_moves_a_tensor_out_of_the_file(place in 0_usize..600, with in 1_u8..) {
        let mut bytes = Draft::of("llama").bytes();
        let place = place % bytes.len();
        bytes[place] ^= with;
        if let Ok(header) = read_all(&bytes) {
            prop_assert!(header.bytes <= bytes.len() as u64);
            prop_assert!(header.layers > 0 && u64::from(header.layers) <= MAX_LAYERS);
        }
    }
}
