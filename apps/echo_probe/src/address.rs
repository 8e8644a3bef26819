//! The platform's address, and whether it may be spoken to.

use std::net::IpAddr;

use ureq::http::Uri;

/// A platform's base address: scheme, host and port, no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    base: String,
    loopback: bool,
    encrypted: bool,
}

/// Why an address is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    /// Not an address of this shape.
    #[error("`{0}` is not a platform's address: expected https://HOST[:PORT], without a path or a password")]
    Malformed(String),
    /// Plain http to another machine.
    #[error(
        "{0} is plain http to another machine, which anybody on the way can read: use https, or say --insecure-http \
         if you must"
    )]
    Insecure(String),
}

impl Address {
    /// Reads an address. Plain http is for this machine alone unless `insecure_http`.
    pub(crate) fn parse(text: &str, insecure_http: bool) -> Result<Self, AddressError> {
        let malformed = || AddressError::Malformed(text.chars().take(200).collect());
        let uri: Uri = text.trim().parse().map_err(|_| malformed())?;
        let authority = uri.authority().ok_or_else(malformed)?;
        if authority.as_str().contains('@') || !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(malformed());
        }
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(malformed()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let base = format!("{}://{authority}", if encrypted { "https" } else { "http" });
        if !encrypted && !loopback && !insecure_http {
            return Err(AddressError::Insecure(base));
        }
        Ok(Self { base, loopback, encrypted })
    }

    /// The address without a final slash.
    pub(crate) fn as_str(&self) -> &str {
        &self.base
    }

    /// Whether it is this machine: no proxy stands in between.
    pub(crate) fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Whether others can read what is said.
    pub(crate) fn is_exposed(&self) -> bool {
        !self.encrypted && !self.loopback
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for good in
            ["http://127.0.0.1:8420", "http://localhost:1/", "http://[::1]:80", "https://help.example.org"]
        {
            let address = Address::parse(good, false).unwrap();
            assert_eq!(address.as_str(), good.trim_end_matches('/'));
            assert!(!address.is_exposed());
        }
        for other in ["http://192.0.2.7:80", "http://localhost.example.org", "http://127.0.0.1.example.org"] {
            assert!(matches!(Address::parse(other, false), Err(AddressError::Insecure(_))), "{other}");
            assert!(Address::parse(other, true).unwrap().is_exposed());
        }
    }

    #[test]
    fn what_is_no_base_address_is_refused() {
        for bad in
            ["", "help.example.org", "ftp://x", "https://u:p@x", "https://x/path", "https://x?q=1", "/v1"]
        {
            assert!(matches!(Address::parse(bad, true), Err(AddressError::Malformed(_))), "{bad}");
        }
    }
}
