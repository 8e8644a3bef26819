//! Where a node may be reached, in the words of a [`mesh::Sighting`].

use std::fmt;

/// The most bytes of a place.
pub const MAX_PLACE: usize = 1_024;
/// The most addresses in one.
pub const MAX_HOSTS: usize = 8;

/// A place to knock at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Its own little HTTP listener: `host:port,host:port#token`. The hosts are tried in turn; the token goes with the offer.
    Http {
        /// One machine's addresses, `host:port` each.
        hosts: Vec<String>,
        /// What it announced by multicast.
        token: Option<String>,
    },
    /// Behind a gateway: the URL of its relay (`ws:` or `wss:`).
    Gateway(String),
}

/// What stays the same of a place while its addresses change: the token when it has one, else all of it.
pub fn stable(place: &str) -> &str {
    place.split_once('#').map_or(place, |(_, token)| token)
}

/// Whether this is a gateway, behind which there are many nodes.
pub fn is_gateway(place: &str) -> bool {
    place.starts_with("ws://") || place.starts_with("wss://")
}

/// Why a text is no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no place: write `host:port`, or a gateway's `wss://` address")]
pub struct NoPlace(String);

impl std::str::FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let fail = || NoPlace(text.chars().take(80).collect());
        if text.len() > MAX_PLACE {
            return Err(fail());
        }
        if is_gateway(text) {
            return Ok(Self::Gateway(text.to_owned()));
        }
        let (hosts, token) = match text.split_once('#') {
            Some((hosts, token)) => (hosts, Some(token.to_owned())),
            None => (text, None),
        };
        let hosts: Vec<String> = hosts.split(',').map(str::to_owned).collect();
        let sound = |host: &String| {
            host.rsplit_once(':').is_some_and(|(name, port)| {
                let name_is_sound = !name.is_empty()
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_[]:%".contains(&b));
                let digits = port.bytes().all(|b| b.is_ascii_digit());
                name_is_sound && digits && port.parse::<u16>().is_ok_and(|port| port > 0)
            })
        };
        let token_is_sound =
            token.as_ref().is_none_or(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_graphic()));
        if hosts.len() > MAX_HOSTS || !hosts.iter().all(sound) || !token_is_sound {
            return Err(fail());
        }
        Ok(Self::Http { hosts, token })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { hosts, token } => {
                f.write_str(&hosts.join(","))?;
                token.iter().try_for_each(|token| write!(f, "#{token}"))
            }
            Self::Gateway(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_are_read_as_they_were_written() {
        for text in [
            "10.0.0.1:80",
            "a.example:7000#abc",
            "10.0.0.1:80,[fe80::1%3]:80#0f",
            "wss://gate.example/v1/mesh/relay",
        ] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_token_outlives_the_addresses_it_was_seen_at() {
        assert_eq!(stable("10.0.0.1:80#abc"), stable("10.0.0.1:80,10.0.0.2:80#abc"));
        assert_ne!(stable("10.0.0.1:80"), stable("10.0.0.2:80"));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "host",
            "host:0",
            "host:99999",
            "host:+80",
            ":80",
            "a b:80",
            "h:1#",
            "http://x:80/",
            "h:1\r\nX: y:2",
        ] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_place_that_comes_back_or_none(text in "\\PC{0,60}") {
            if let Ok(place) = text.parse::<Place>() {
                prop_assert_eq!(place.to_string().parse::<Place>(), Ok(place));
            }
        }
    }
}
