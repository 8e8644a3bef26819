//! The candidates of a session description (RFC 8839, section 5.1), taken out of it: their number is bounded here, and names
//! that browsers give in place of addresses are kept apart to be looked up.

use str0m::Candidate;

use crate::session::MAX_REMOTE;

/// A description and what was taken out of it.
#[derive(Debug)]
pub struct Split {
    /// The description without candidates.
    pub sdp: String,
    /// The candidates with an address.
    pub candidates: Vec<Candidate>,
    /// The candidates with a `.local` name instead.
    pub named: Vec<Named>,
}

/// A candidate whose address is a multicast name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The name, such as `8f3a….local`.
    pub name: String,
    line: String,
}

impl Named {
    /// The candidate, with the address that the name stands for.
    pub fn at(&self, address: std::net::IpAddr) -> Option<Candidate> {
        Candidate::from_sdp_string(&self.line.replacen(&self.name, &address.to_string(), 1)).ok()
    }
}

/// Takes the candidates out; those beyond [`MAX_REMOTE`], and what cannot be read, are left away.
pub fn split(sdp: &str) -> Split {
    let mut split =
        Split { sdp: String::with_capacity(sdp.len()), candidates: Vec::new(), named: Vec::new() };
    for line in sdp.lines() {
        let Some(candidate) = line.strip_prefix("a=").filter(|line| line.starts_with("candidate:")) else {
            if line != "a=end-of-candidates" {
                split.sdp.push_str(line);
                split.sdp.push_str("\r\n");
            }
            continue;
        };
        if split.candidates.len() + split.named.len() < MAX_REMOTE {
            sort_in(candidate, &mut split.candidates, &mut split.named);
        }
    }
    split
}

/// Reads one candidate line without its `a=`.
pub fn sort_in(line: &str, candidates: &mut Vec<Candidate>, named: &mut Vec<Named>) {
    let Some(address) = line.split_ascii_whitespace().nth(4) else { return };
    if is_multicast_name(address) {
        named.push(Named { name: address.to_owned(), line: line.to_owned() });
    } else if let Ok(candidate) = Candidate::from_sdp_string(line) {
        candidates.push(candidate);
    }
}

/// Whether a name is one that only multicast DNS knows, with a single label before `.local` as browsers make them.
fn is_multicast_name(name: &str) -> bool {
    let label = name.strip_suffix(".local").unwrap_or_default();
    (1..=63).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOST: &str = "a=candidate:1 1 udp 2113929471 203.0.113.100 10100 typ host";
    const NAME: &str =
        "a=candidate:2 1 udp 2113937151 8f3a2b10-77aa-4c3d-9f00-0a1b2c3d4e5f.local 54321 typ host";

    #[test]
    fn candidates_are_taken_out_and_names_kept_apart() {
        let taken = split(&format!("v=0\r\n{HOST}\r\n{NAME}\r\na=mid:0\r\na=end-of-candidates\r\n"));
        assert_eq!(taken.sdp, "v=0\r\na=mid:0\r\n");
        assert_eq!(taken.candidates[0].addr(), "203.0.113.100:10100".parse().unwrap());
        let found = taken.named[0].at("10.0.0.9".parse().unwrap()).unwrap();
        assert_eq!(found.addr(), "10.0.0.9:54321".parse().unwrap());
    }

    #[test]
    fn a_flood_of_candidates_is_cut() {
        let taken = split(&vec![HOST; 1_000].join("\r\n"));
        assert_eq!(taken.candidates.len(), MAX_REMOTE);
    }

    #[test]
    fn names_that_reach_beyond_the_link_are_not_looked_up() {
        for name in ["evil.example.local", ".local", "a b.local", "router.lan", "local"] {
            assert!(!is_multicast_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(a=candidate:)?[ -~\\r\\n]{0,200}") {
            let taken = split(&text);
            for named in taken.named {
                let _ = named.at("::1".parse().unwrap());
            }
        }
    }
}
