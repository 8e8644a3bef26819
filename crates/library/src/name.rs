//! What a document is called in the library.

/// The most bytes of a name.
const MAX_BYTES: usize = 80;

/// The name that a file gets: its own in lower case, with a dash for whatever is no letter, digit or dot. Nothing when
/// there is neither a letter nor a digit in it.
pub fn slug(file: &str) -> Option<String> {
    let mut name = String::new();
    for c in file.chars().flat_map(char::to_lowercase) {
        match c {
            c if c.is_alphanumeric() => name.push(c),
            '.' if !name.is_empty() && !name.ends_with('.') => {
                if name.ends_with('-') {
                    name.pop();
                }
                name.push('.');
            }
            _ if !name.is_empty() && !name.ends_with(['-', '.']) => name.push('-'),
            _ => {}
        }
    }
    if name.len() > MAX_BYTES {
        // The end tells more than the middle: it has the kind of file.
        let ending: String = name.rsplit_once('.').map(|(_, e)| format!(".{e}")).unwrap_or_default();
        let ending = if ending.len() < 9 { ending } else { String::new() };
        name.truncate(name.floor_char_boundary(MAX_BYTES - ending.len()));
        name.truncate(name.trim_end_matches(['-', '.']).len());
        name.push_str(&ending);
    }
    let name = name.trim_end_matches(['-', '.']).to_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_can_be_typed_and_keeps_its_kind() {
        assert_eq!(slug("Printer Manual (2024).PDF").as_deref(), Some("printer-manual-2024.pdf"));
        assert_eq!(slug("../../etc/passwd").as_deref(), Some("etc-passwd"));
        assert_eq!(slug("Прочти меня.md").as_deref(), Some("прочти-меня.md"));
        assert_eq!(slug("…/?"), None);
        let long = slug(&format!("{}.html", "a".repeat(300))).unwrap();
        assert!(long.len() <= MAX_BYTES, "{long}");
        assert_eq!(long.rsplit_once('.').unwrap().1, "html");
    }

    proptest! {
        #[test]
        fn no_name_leaves_its_folder_or_hides(file in "\\PC{0,120}") {
            if let Some(name) = slug(&file) {
                prop_assert!(!name.contains('/') && !name.starts_with('.') && !name.contains(".."));
                prop_assert!(name.len() <= MAX_BYTES && !name.chars().any(char::is_control));
                prop_assert_eq!(slug(&name), Some(name), "a name is its own");
            }
        }
    }
}
