//! How often strangers may ask for something that costs a signature's check: a bucket an address, and one for all.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Offers that one address may send at once, and how long until it may send one more.
pub const PER_ADDRESS: (u32, Duration) = (16, Duration::from_millis(250));
/// The same for all addresses together.
pub const IN_ALL: (u32, Duration) = (200, Duration::from_millis(10));
/// The most addresses that are told apart; the others share one bucket.
pub const MAX_ADDRESSES: usize = 1_024;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: u32,
    filled: Instant,
}

impl Bucket {
    fn take(&mut self, now: Instant, (most, every): (u32, Duration)) -> bool {
        let elapsed = now.saturating_duration_since(self.filled).as_nanos() / every.as_nanos();
        let gained = u32::try_from(elapsed).unwrap_or(u32::MAX);
        if gained >= most - self.left {
            (self.left, self.filled) = (most, now);
        } else {
            self.left += gained;
            self.filled += every * gained;
        }
        let some = self.left > 0;
        self.left -= u32::from(some);
        some
    }

    fn is_full(&self, now: Instant, (most, every): (u32, Duration)) -> bool {
        now.saturating_duration_since(self.filled) >= every * (most - self.left)
    }
}

/// The buckets.
#[derive(Debug)]
pub struct Limits {
    all: Bucket,
    each: HashMap<IpAddr, Bucket>,
}

impl Limits {
    /// Full buckets.
    pub fn new(now: Instant) -> Self {
        Self { all: Bucket { left: IN_ALL.0, filled: now }, each: HashMap::new() }
    }

    /// Whether this address may ask once more now.
    pub fn allow(&mut self, now: Instant, from: IpAddr) -> bool {
        let mut from = network(from);
        if self.each.len() >= MAX_ADDRESSES && !self.each.contains_key(&from) {
            self.each.retain(|_, bucket| !bucket.is_full(now, PER_ADDRESS));
            if self.each.len() >= MAX_ADDRESSES {
                from = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            }
        }
        let bucket = self.each.entry(from).or_insert(Bucket { left: PER_ADDRESS.0, filled: now });
        bucket.take(now, PER_ADDRESS) && self.all.take(now, IN_ALL)
    }
}

/// An IPv6 machine has a whole /64 to send from: it counts as one.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn one_address_cannot_use_up_what_all_share() {
        let now = Instant::now();
        let mut limits = Limits::new(now);
        let taken = (0..10_000).filter(|_| limits.allow(now, at(1))).count();
        assert_eq!(taken, PER_ADDRESS.0 as usize);
        assert!(limits.allow(now, at(2)));
        assert!(limits.allow(now + PER_ADDRESS.1, at(1)), "its bucket fills again");
        assert!(!limits.allow(now + PER_ADDRESS.1, at(1)));
    }

    #[test]
    fn ten_thousand_addresses_share_one_bound_and_bounded_memory() {
        let now = Instant::now();
        let mut limits = Limits::new(now);
        let address = |n: u32| IpAddr::V4((0x0a00_0000 + n).into());
        assert_eq!((0..10_000).filter(|n| limits.allow(now, address(*n))).count(), IN_ALL.0 as usize);
        assert!(limits.each.len() <= MAX_ADDRESSES + 1);
    }

    #[test]
    fn a_machine_s_ipv6_addresses_count_as_one() {
        let now = Instant::now();
        let mut limits = Limits::new(now);
        let address = |n: u128| IpAddr::V6((0x2001_0db8_u128 << 96 | n).into());
        assert_eq!((0..1_000).filter(|n| limits.allow(now, address(*n))).count(), PER_ADDRESS.0 as usize);
    }
}
