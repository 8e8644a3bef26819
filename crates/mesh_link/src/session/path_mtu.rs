//! The largest datagram that arrives on the path in use: padded connectivity checks, which are not cut in pieces, the largest
//! first, until one is answered (RFC 8899 does the same in the small).

use std::time::{Duration, Instant};

use super::probe::Path;

/// The sizes that are tried, in bytes of the IP packet.
pub const SIZES: [u32; 6] = [1_500, 1_400, 1_280, 1_024, 768, 576];
/// How often one size is tried before it counts as lost.
pub const TRIES: u32 = 3;
/// How long after a path came into use the search begins.
pub const BEGINS_AFTER: Duration = Duration::from_millis(500);
/// How long one try waits.
pub const WAITS: Duration = Duration::from_millis(300);

/// The search on one path, and what it found.
#[derive(Debug, Default)]
pub struct PathMtu {
    path: Option<Path>,
    next: Option<Instant>,
    tried: u32,
    found: Option<u32>,
}

/// What is around the payload of a datagram: the headers of IP (RFC 791, RFC 8200) and UDP.
fn around(path: Path) -> u32 {
    if path.0.is_ipv4() { 28 } else { 48 }
}

impl PathMtu {
    /// The largest that came through, in bytes of the IP packet.
    pub fn found(&self) -> Option<u32> {
        self.found
    }

    /// When [`PathMtu::ask`] is wanted next.
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// The path in use; none while it is a relay, whose own paths are its own affair.
    pub fn follow(&mut self, now: Instant, path: Option<Path>) {
        if self.path != path {
            *self = Self { path, next: path.map(|_| now + BEGINS_AFTER), tried: 0, found: None };
        }
    }

    /// What to send now: a check of this many bytes of payload on this path.
    pub fn ask(&mut self, now: Instant) -> Option<(Path, usize)> {
        let path = self.path.filter(|_| self.next.is_some_and(|at| at <= now))?;
        let Some(size) = SIZES.get((self.tried / TRIES) as usize) else {
            // Not even the smallest: it does not answer such checks at all.
            self.next = None;
            return None;
        };
        self.tried += 1;
        self.next = Some(now + WAITS);
        Some((path, (size - around(path)) as usize))
    }

    /// A check with this much payload was answered on a path.
    pub fn answered(&mut self, path: Path, payload: usize) {
        let size = u32::try_from(payload).unwrap_or_default() + around(path);
        if self.path == Some(path) && SIZES.contains(&size) && self.found.is_none_or(|found| found < size) {
            self.found = Some(size);
            self.next = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> Path {
        (([10, 0, 0, 1], 1).into(), ([10, 0, 0, 2], 2).into())
    }

    /// What a path that lets `limit` through is found to let through, and how many datagrams that took.
    fn search(limit: u32) -> (Option<u32>, usize) {
        let (mut mtu, mut now, mut asked) = (PathMtu::default(), Instant::now(), 0);
        mtu.follow(now, Some(path()));
        while let Some(next) = mtu.next() {
            now = next;
            if let Some((path, payload)) = mtu.ask(now) {
                asked += 1;
                if payload + 28 <= limit as usize {
                    mtu.answered(path, payload);
                }
            }
        }
        (mtu.found(), asked)
    }

    #[test]
    fn the_largest_size_that_comes_through_is_found() {
        assert_eq!(search(65_000), (Some(1_500), 1));
        assert_eq!(search(1_420), (Some(1_400), 4));
        assert_eq!(search(1_000), (Some(768), 13));
        assert_eq!(search(500), (None, 18), "it ends");
    }

    #[test]
    fn another_path_is_measured_anew_and_a_relay_not_at_all() {
        let (mut mtu, now) = (PathMtu::default(), Instant::now());
        mtu.follow(now, Some(path()));
        mtu.answered(path(), 1_472);
        assert_eq!(mtu.found(), Some(1_500));
        mtu.follow(now, Some(path()));
        assert_eq!(mtu.found(), Some(1_500), "the same path");
        mtu.follow(now, None);
        assert_eq!((mtu.found(), mtu.next()), (None, None));
    }
}
