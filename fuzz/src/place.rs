//! Places where a node may be reached, as people and multicast give them.

use mesh_link::place::{MAX_HOSTS, MAX_PLACE, Place};

/// A place that reads is written as it was, and is within its bounds.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(place) = text.parse::<Place>() else { return };
    assert!(text.len() <= MAX_PLACE);
    assert_eq!(place.to_string(), text);
    if let Place::Http { hosts, token } = place {
        assert!((1..=MAX_HOSTS).contains(&hosts.len()));
        // They go into a URL and a header.
        let plain = |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        assert!(hosts.iter().all(plain) && token.iter().all(plain), "{text}");
        assert!(hosts.iter().all(|host| !host.contains(['/', '@', '#', '?', '+'])), "{text}");
    }
}
