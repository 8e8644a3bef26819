//! Cookies, read and written (RFC 6265).

use axum::http::{HeaderMap, HeaderValue, header};

/// The most bytes of a cookie's value that are looked at.
const MAX_VALUE: usize = 8 * 1024;

/// The value of the cookie `name`.
pub(crate) fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .filter(|value| !value.is_empty() && value.len() <= MAX_VALUE)
}

/// A `Set-Cookie` line that no script can read and no other site can send along. An empty `value` forgets it.
/// Nothing when `value` may not stand in a header.
pub(crate) fn set(name: &str, value: &str, path: &str, seconds: i64, secure: bool) -> Option<HeaderValue> {
    let secure = if secure { "; Secure" } else { "" };
    let line = format!("{name}={value}; HttpOnly; SameSite=Strict; Path={path}; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; echo_access=x.y=z ; b"));
        headers.append(header::COOKIE, HeaderValue::from_static("c=3"));
        assert_eq!(read(&headers, "echo_access"), Some("x.y=z"));
        assert_eq!(read(&headers, "c"), Some("3"));
        assert_eq!((read(&headers, "b"), read(&headers, "access")), (None, None));
    }

    #[test]
    fn a_value_cannot_break_out_of_its_header() {
        assert_eq!(set("a", "x\r\nSet-Cookie: b=1", "/", 1, false), None);
        let line = set("a", "x", "/session", 600, true).unwrap();
        assert_eq!(line, "a=x; HttpOnly; SameSite=Strict; Path=/session; Max-Age=600; Secure");
    }
}
