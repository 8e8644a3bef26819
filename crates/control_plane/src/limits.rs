//! Rate limits: so many requests a minute, of each caller and from each address.
//!
//! Told in the headers of draft-ietf-httpapi-ratelimit-headers-10; a refusal is 429 with `Retry-After`
//! (RFC 6585, section 4).

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{Extensions, HeaderValue, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

use crate::{RateLimits, problem::Problem, state::Shared};

/// The most callers or addresses that are remembered at once; beyond it, strangers share one allowance.
const MAX_KEYS: usize = 50_000;
/// After how many requests those that were quiet are forgotten.
const SWEEP_EVERY: usize = 4_096;
/// The routes that hand out tokens for something that can be guessed.
const SIGN_INS: [&str; 3] = ["/v1/sign-in", "/v1/refresh", "/v1/enrol"];

type Limiter<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// All limits of the API.
pub(crate) struct Limits {
    callers: Bucket<String>,
    addresses: Bucket<IpAddr>,
    sign_ins: Bucket<IpAddr>,
}

struct Bucket<K: std::hash::Hash + Eq + Clone> {
    name: &'static str,
    per_minute: u32,
    limiter: Limiter<K>,
    stranger: K,
    seen: AtomicUsize,
}

/// What is left of one allowance.
#[derive(Debug, Clone, Copy)]
struct Left {
    name: &'static str,
    per_minute: u32,
    remaining: u32,
    /// Seconds until something more is there.
    reset: u64,
}

/// What a request used up on its way in, for the headers on its way out.
#[derive(Debug, Clone, Default)]
struct Used(Arc<Mutex<Vec<Left>>>);

impl Used {
    fn note(extensions: &Extensions, left: Left) {
        if let Some(used) = extensions.get::<Self>() {
            used.0.lock().unwrap_or_else(PoisonError::into_inner).push(left);
        }
    }
}

impl Limits {
    pub(crate) fn new(limits: RateLimits) -> Self {
        let caller = Quota::per_minute(limits.per_caller).allow_burst(limits.caller_burst);
        let unknown = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        Self {
            callers: Bucket::new("caller", caller, limits.per_caller.get(), String::new()),
            addresses: Bucket::new(
                "address",
                Quota::per_minute(limits.per_address),
                limits.per_address.get(),
                unknown,
            ),
            sign_ins: Bucket::new(
                "sign-in",
                Quota::per_minute(limits.sign_in),
                limits.sign_in.get(),
                unknown,
            ),
        }
    }

    /// Counts a request of a caller.
    pub(crate) fn caller(&self, subject: &str, extensions: &Extensions) -> Result<(), Problem> {
        self.callers.take(subject.to_owned(), extensions)
    }
}

impl<K: std::hash::Hash + Eq + Clone> Bucket<K> {
    fn new(name: &'static str, quota: Quota, per_minute: u32, stranger: K) -> Self {
        let limiter = DefaultKeyedRateLimiter::keyed(quota).with_middleware();
        Self { name, per_minute, limiter, stranger, seen: AtomicUsize::new(0) }
    }

    fn take(&self, key: K, extensions: &Extensions) -> Result<(), Problem> {
        if self.seen.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            self.limiter.retain_recent();
        }
        let key = if self.limiter.len() > MAX_KEYS { self.stranger.clone() } else { key };
        let per_minute = self.per_minute;
        match self.limiter.check_key(&key) {
            Ok(snapshot) => {
                let remaining = snapshot.remaining_burst_capacity();
                let reset = u64::from(60_u32.div_ceil(per_minute));
                Used::note(extensions, Left { name: self.name, per_minute, remaining, reset });
                Ok(())
            }
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                let reset = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                Used::note(extensions, Left { name: self.name, per_minute, remaining: 0, reset });
                let detail =
                    format!("more than {per_minute} requests a minute: wait {reset} s and try again");
                let status = StatusCode::TOO_MANY_REQUESTS;
                Err(Problem::new(status, "rate-limit", "Too many requests", detail).retry_after(reset))
            }
        }
    }
}

/// Layer: limits each address, and tells in the answer what is left.
pub(crate) async fn by_address(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_default();
    if route == "/healthz" {
        // Whoever watches whether the process is up must not be told to slow down.
        return next.run(request).await;
    }
    let used = Used::default();
    request.extensions_mut().insert(used.clone());
    let address = address(request.extensions());
    let mut allowed = shared.limits.addresses.take(address, request.extensions());
    if allowed.is_ok() && SIGN_INS.contains(&route.as_str()) {
        allowed = shared.limits.sign_ins.take(address, request.extensions());
    }
    let mut response = match allowed {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let used = used.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    tell(&mut response, &used);
    response
}

/// Who is at the other end: an IPv4 address, or the network of an IPv6 address, since a host there has 2^64.
fn address(extensions: &Extensions) -> IpAddr {
    match extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical()) {
        Some(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        Some(ip) => ip,
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

fn tell(response: &mut Response, used: &[Left]) {
    let (mut policy, mut left) = (String::new(), String::new());
    for (index, one) in used.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        // Writing into a String cannot fail.
        let _ = write!(policy, "{comma}\"{}\";q={};w=60", one.name, one.per_minute);
        let _ = write!(left, "{comma}\"{}\";r={};t={}", one.name, one.remaining, one.reset);
    }
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        if let Ok(value) = HeaderValue::from_str(&value)
            && !value.is_empty()
        {
            response.headers_mut().insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn bucket(per_minute: u32) -> Bucket<String> {
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap());
        Bucket::new("caller", quota, per_minute, String::new())
    }

    #[test]
    fn one_callers_haste_does_not_slow_another() {
        let bucket = bucket(2);
        let nothing = Extensions::new();
        assert!(bucket.take("a".to_owned(), &nothing).is_ok());
        assert!(bucket.take("a".to_owned(), &nothing).is_ok());
        let refused = bucket.take("a".to_owned(), &nothing).unwrap_err();
        assert_eq!(refused.status, 429);
        assert!((1..=30).contains(&refused.retry_after.unwrap()));
        assert!(bucket.take("b".to_owned(), &nothing).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let of = |text: &str| {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo(SocketAddr::new(text.parse().unwrap(), 1)));
            address(&extensions)
        };
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
