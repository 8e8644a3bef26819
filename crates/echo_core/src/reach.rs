//! How far a program may reach out: the one rule that everything asks before it dials.
//!
//! Offline ([`Reach::Local`]) two things are left: this machine, and the mesh on the local network. No name is looked up,
//! for the question itself would leave the machine.

use std::net::IpAddr;

/// How far a program may reach out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// As far as it is told to.
    #[default]
    Anywhere,
    /// To this machine, and to nodes of the mesh at addresses of the local network.
    Local,
}

/// The setting says that nothing goes there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what} is off: the platform works offline, and {host} is {why}; start it without `offline` to reach it"
)]
pub struct OutOfReach {
    what: &'static str,
    host: String,
    why: &'static str,
}

/// The most characters of a host that a message shows.
const SHOWN: usize = 100;

impl Reach {
    /// Whether the mesh may send to this address.
    pub fn address(self, ip: IpAddr) -> bool {
        self == Self::Anywhere || is_near(ip)
    }

    /// Whether a service may be asked at the host of a URL, such as `[::1]`. Offline, only one on this machine.
    pub fn service(self, what: &'static str, host: &str) -> Result<(), OutOfReach> {
        let here = host == "localhost" || literal(host).is_some_and(|ip| ip.is_loopback());
        if self == Self::Anywhere || here {
            return Ok(());
        }
        Err(OutOfReach::new(what, host, "not this machine"))
    }

    /// Whether the mesh may dial `HOST` or `HOST:PORT`. Offline, only an address of this machine or of the local network.
    pub fn place(self, what: &'static str, place: &str) -> Result<(), OutOfReach> {
        if self == Self::Anywhere {
            return Ok(());
        }
        match literal(place).or_else(|| literal(place.rsplit_once(':')?.0)) {
            Some(ip) if is_near(ip) => Ok(()),
            Some(_) => Err(OutOfReach::new(what, place, "no address of the local network")),
            None => Err(OutOfReach::new(what, place, "a name that would have to be looked up")),
        }
    }
}

impl OutOfReach {
    fn new(what: &'static str, host: &str, why: &'static str) -> Self {
        let host: String = host.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        Self { what, host: if host.is_empty() { "nowhere".to_owned() } else { host }, why }
    }
}

/// An address as it stands in a URL or before a port; a scope (RFC 4007, section 11) is this machine's affair.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.split('%').next()?.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// This machine, or its local network: RFC 1918, RFC 3927, RFC 4193, and link-local unicast of RFC 4291.
fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offline_a_service_is_on_this_machine() {
        for here in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "::1", "[::ffff:127.0.0.1]"] {
            assert_eq!(Reach::Local.service("a model", here), Ok(()), "{here}");
        }
        for away in
            ["", "192.168.1.2", "localhost.example.org", "127.0.0.1.example.org", "[fe80::1]", "8.8.8.8"]
        {
            let error = Reach::Local.service("a model", away).unwrap_err().to_string();
            assert!(error.starts_with("a model is off"), "{error}");
            assert_eq!(Reach::Anywhere.service("a model", away), Ok(()));
        }
    }

    #[test]
    fn offline_the_mesh_dials_addresses_of_the_local_network_and_no_names() {
        for near in [
            "10.0.0.1:4000",
            "192.168.1.2",
            "169.254.1.1:1",
            "[fe80::1%2]:4000",
            "[fd00::1]:1",
            "fd00::1",
            "127.0.0.1:1",
        ] {
            assert_eq!(Reach::Local.place("a peer", near), Ok(()), "{near}");
        }
        for (away, why) in [
            ("192.0.2.1:80", "local network"),
            ("[2001:db8::1]:80", "local network"),
            ("100.64.0.1:1", "local network"),
            ("printer:80", "looked up"),
            ("printer.local:80", "looked up"),
            ("localhost:80", "looked up"),
            ("", "looked up"),
            (":80", "looked up"),
        ] {
            let error = Reach::Local.place("a peer", away).unwrap_err().to_string();
            assert!(error.contains(why), "{away}: {error}");
            assert_eq!(Reach::Anywhere.place("a peer", away), Ok(()));
        }
    }

    #[test]
    fn a_mapped_address_is_the_address_it_stands_for() {
        assert!(!Reach::Local.address("::ffff:8.8.8.8".parse().unwrap()));
        assert!(Reach::Local.address("::ffff:10.0.0.1".parse().unwrap()));
        let away = "192.0.2.1".parse().unwrap();
        assert!(!Reach::Local.address(away) && Reach::Anywhere.address(away));
    }
}
