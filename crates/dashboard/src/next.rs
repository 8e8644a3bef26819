//! Where to go after signing in: a path of this host, and never another host.

use std::fmt::Write as _;

/// The longest path that is followed, in bytes.
const MAX_NEXT: usize = 500;

/// `given` when it is a plain local path, else `/`.
pub(crate) fn local(given: Option<&str>) -> &str {
    given.filter(|path| is_local(path)).unwrap_or("/")
}

/// One slash, then no second one and no backslash (browsers read both as another host), no control characters.
/// The session's own paths are refused, or signing in would lead back to signing in.
fn is_local(path: &str) -> bool {
    let rest = path.strip_prefix('/');
    let hostile = |c: char| c.is_control() || c == '\\' || c.is_whitespace();
    path.len() <= MAX_NEXT
        && rest.is_some_and(|r| !r.starts_with('/'))
        && !path.contains(hostile)
        && !path.starts_with("/session")
        && !path.starts_with("/sign-in")
}

/// `base?next=path`, with the path percent-encoded.
pub(crate) fn with_next(base: &str, path: &str) -> String {
    let path = local(Some(path));
    if path == "/" {
        return base.to_owned();
    }
    let mut out = format!("{base}?next=");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_host_are_followed() {
        for good in ["/", "/cases", "/cases/case_1?cursor=x&state=open", "/trust#root"] {
            assert_eq!(local(Some(good)), good);
        }
        for bad in [
            "",
            "cases",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example/",
            "javascript:alert(1)",
            "/a\r\nSet-Cookie: x",
            "/session/resume",
            "/sign-in",
            "/ /evil",
            "/\t/evil.example",
        ] {
            assert_eq!(local(Some(bad)), "/", "{bad:?}");
        }
        assert_eq!(local(None), "/");
        assert_eq!(local(Some(&format!("/{}", "x".repeat(500)))), "/");
    }

    #[test]
    fn the_path_is_encoded() {
        assert_eq!(
            with_next("/sign-in", "/cases?state=open&x=%"),
            "/sign-in?next=/cases%3Fstate%3Dopen%26x%3D%25"
        );
        assert_eq!(with_next("/sign-in", "//evil"), "/sign-in");
    }
}
