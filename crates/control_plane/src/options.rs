//! What the program that runs the API decides.

use std::{fmt, num::NonZeroU32, sync::Arc};

use axum::Router;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

/// How to run the API.
#[derive(Debug, Clone)]
pub struct Options {
    /// Becomes `true` when the program stops: event streams and waiting devices are then answered at once. A sender
    /// that is dropped means the same.
    pub shutdown: watch::Receiver<bool>,
    /// How much each caller may ask.
    pub limits: RateLimits,
    /// What else `GET /metrics` shows.
    pub metrics: MoreMetrics,
    /// Routes of other faces for callers with a good token, within the same limits: they find the caller's
    /// [`access::Principal`] among a request's extensions.
    pub guarded: Router,
}

impl Options {
    /// The usual limits, and the given signal to stop.
    pub fn new(shutdown: watch::Receiver<bool>) -> Self {
        Self {
            shutdown,
            limits: RateLimits::default(),
            metrics: MoreMetrics::default(),
            guarded: Router::new(),
        }
    }
}

/// Puts metrics into a registry.
type Register = dyn Fn(&mut Registry) + Send + Sync;

/// Metrics of what the program runs beside the API.
#[derive(Clone, Default)]
pub struct MoreMetrics(Option<Arc<Register>>);

impl MoreMetrics {
    /// Metrics that `register` puts into the registry, once.
    pub fn of(register: impl Fn(&mut Registry) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(register)))
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        if let Some(register) = &self.0 {
            register(registry);
        }
    }
}

impl fmt::Debug for MoreMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "MoreMetrics" } else { "no more metrics" })
    }
}

/// How much may be asked, in requests a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Of one person or device, over all of its tokens.
    pub per_caller: NonZeroU32,
    /// How many of those at once.
    pub caller_burst: NonZeroU32,
    /// From one address: an IPv4 address, or the first 64 bits of an IPv6 address.
    pub per_address: NonZeroU32,
    /// Sign-ins, refreshes and enrolments from one address.
    pub sign_in: NonZeroU32,
}

impl Default for RateLimits {
    /// 600 a caller (120 at once), 1200 an address, 30 sign-ins an address.
    fn default() -> Self {
        const fn n(value: u32) -> NonZeroU32 {
            NonZeroU32::new(value).expect("the limits below are not zero")
        }
        Self { per_caller: n(600), caller_burst: n(120), per_address: n(1200), sign_in: n(30) }
    }
}
