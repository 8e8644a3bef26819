//! Which paths a bundle may name: plain ones, inside of its folder, with one spelling.

use std::path::{Component, Path};

use crate::MAX_PATH_BYTES;

/// Whether `path` is plain: relative, its parts joined by `/`, none of them `.` or `..` or hidden, nothing but printable
/// characters. What a file system could read in two ways (`\`, `:`, spaces at an end) is refused too, for a bundle is also
/// read on sticks that others formatted.
pub fn check(path: &str) -> Result<(), String> {
    let fail = |why: &str| Err(format!("the path {:?} {why}", path.chars().take(120).collect::<String>()));
    if path.is_empty() || path.len() > MAX_PATH_BYTES {
        return fail(&format!("has not 1 to {MAX_PATH_BYTES} bytes"));
    }
    if path.chars().any(|c| c.is_control() || matches!(c, '\\' | ':' | '\u{202e}' | '\u{2066}'..='\u{2069}'))
    {
        return fail("holds characters that a path may not");
    }
    let parts = path.split('/');
    if parts.clone().any(|part| part.is_empty() || part.starts_with('.') || part.trim() != part) {
        return fail("leaves its folder, or has an empty or hidden part");
    }
    // What the standard library reads must be what we read.
    let plain = Path::new(path).components().all(|c| matches!(c, Component::Normal(_)));
    if !plain || Path::new(path).components().count() != parts.count() {
        return fail("is not a plain one");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_paths_pass() {
        for good in ["a", "bin/echo_cli", "documents/a b.md", "x/y/z-1.2_3", "ä/ö"] {
            check(good).unwrap();
        }
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        let long = "x/".repeat(200);
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "a/./b",
            ".ssh/key",
            "a\\b",
            "C:x",
            "a\nb",
            "a\0b",
            " a",
            "a /b",
            "\u{202e}a",
            &long,
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_stays_below_its_folder(path in "[a-z./ ]{0,12}") {
            if check(&path).is_ok() {
                prop_assert!(path.split('/').all(|part| !part.is_empty() && !part.starts_with('.')));
                prop_assert_eq!(Path::new("/base").join(&path).components().count(), 2 + path.split('/').count());
            }
        }
    }
}
