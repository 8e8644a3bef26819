//! The platform's own metrics, in the names of OpenTelemetry's semantic conventions where they have one.

use std::{
    sync::atomic::{AtomicI64, AtomicU64},
    time::Duration,
};

use desk::Desk;
use dossier::LogName;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::MoreMetrics;

/// The buckets of OpenTelemetry's `http.server.request.duration`, in seconds.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(clippy::struct_field_names, reason = "the names are the convention's, with _ for its full stops")]
struct Served {
    http_request_method: &'static str,
    http_route: String,
    http_response_status_code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLog {
    log: &'static str,
}

/// All metrics.
pub(crate) struct Metrics {
    registry: Registry,
    served: Family<Served, Histogram, fn() -> Histogram>,
    sizes: Family<OfLog, Gauge<i64, AtomicI64>>,
    ready: Gauge<i64, AtomicI64>,
    alarms: Gauge<i64, AtomicI64>,
    quarantined: Gauge<i64, AtomicI64>,
    started: Gauge<f64, AtomicU64>,
    streams: Gauge<i64, AtomicI64>,
}

impl Metrics {
    pub(crate) fn new(more: &MoreMetrics) -> Self {
        let mut registry = Registry::default();
        more.register(&mut registry);
        let served: Family<Served, Histogram, fn() -> Histogram> =
            Family::new_with_constructor(|| Histogram::new(SECONDS));
        let (sizes, ready, alarms, started, streams) =
            (Family::default(), Gauge::default(), Gauge::default(), Gauge::default(), Gauge::default());
        let words = "Requests by method, route and status";
        registry.register_with_unit("http_server_request_duration", words, Unit::Seconds, served.clone());
        registry.register("echo_ledger_entries", "Entries in each ledger", sizes.clone());
        registry.register("echo_ready", "Whether the platform can do its work: 1 or 0", ready.clone());
        let words = "Witnesses that contradict a ledger, and ledgers with two histories";
        registry.register("echo_witness_alarms", words, alarms.clone());
        let quarantined = Gauge::default();
        let words = "Passages that are kept out of the memory because they speak to a model";
        registry.register("echo_quarantined_passages", words, quarantined.clone());
        registry.register(
            "echo_start_time_seconds",
            "When it started, in seconds since 1970",
            started.clone(),
        );
        registry.register("echo_event_streams", "Open event streams", streams.clone());
        Self { registry, served, sizes, ready, alarms, quarantined, started, streams }
    }

    /// Counts a request that was answered.
    pub(crate) fn served(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let labels = Served {
            http_request_method: method,
            http_route: route.to_owned(),
            http_response_status_code: status,
        };
        self.served.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// All metrics as text (`OpenMetrics` 1.0).
    pub(crate) async fn text(&self, desk: &Desk, streams: usize) -> Result<String, std::fmt::Error> {
        for name in LogName::ALL {
            let size = i64::try_from(desk.log(name).size()).unwrap_or(i64::MAX);
            self.sizes.get_or_create(&OfLog { log: name.as_str() }).set(size);
        }
        let health = desk.health().await;
        self.ready.set(i64::from(health.ready));
        self.alarms.set(i64::try_from(health.alarms.len()).unwrap_or(i64::MAX));
        self.quarantined.set(i64::try_from(health.quarantined).unwrap_or(i64::MAX));
        self.started.set(health.started.as_duration().as_secs_f64());
        self.streams.set(i64::try_from(streams).unwrap_or(i64::MAX));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
