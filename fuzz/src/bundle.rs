//! Bundles, deltas and manifests: they come on sticks, from anybody.

use std::{io::Cursor, path::Component, path::Path};

use ::bundle::{Bundle, BundleError, Chunks as _, Delta, Kind, MAX_CHUNK, Manifest, check_content};

/// What is taken keeps the rules that everything after it relies on; nothing is taken beyond its bounds.
pub fn check(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        hold(&manifest);
        let again = serde_json::to_vec(&manifest).expect("a manifest becomes JSON");
        assert_eq!(Manifest::parse(&again).ok(), Some(manifest), "what is written reads back");
    }
    if let Ok(mut bundle) = Bundle::read("fuzz", Cursor::new(bytes)) {
        hold(&bundle.head().manifest);
        let (content, end) = (check_content(&mut bundle, &mut |_| {}), bundle.evidence());
        if let (Ok(checked), Ok(_)) = (content, end) {
            assert_eq!(checked.bytes, bundle.head().manifest.content_bytes(), "all content was read");
        }
    }
    if let Ok(mut delta) = Delta::read("fuzz", Cursor::new(bytes)) {
        hold(&delta.head().manifest);
        // A delta is never applied to what it does not lead from.
        if let Ok(mut other) = Bundle::read("fuzz", Cursor::new(bytes)) {
            assert!(
                matches!(delta.on(&mut other).map(drop), Err(BundleError::OtherBase { .. })),
                "its own base"
            );
        }
    }
}

fn hold(manifest: &Manifest) {
    for file in &manifest.files {
        let plain = Path::new(&file.path).components().all(|part| matches!(part, Component::Normal(_)));
        assert!(
            plain && Kind::of(&file.path) == Some(file.kind),
            "a path that leads elsewhere: {:?}",
            file.path
        );
        let sizes = file.chunks.iter().map(|index| u64::from(manifest.chunks[*index as usize].size));
        assert_eq!(sizes.sum::<u64>(), file.size, "the sizes of {:?}", file.path);
    }
    assert!(
        manifest.chunks.iter().all(|chunk| chunk.packed <= chunk.size && chunk.size as usize <= MAX_CHUNK)
    );
}
