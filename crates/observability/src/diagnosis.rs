//! What a technician would look at first, in one document.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    bounds::{self, BoundsError, MAX_NAME, MAX_TEXT},
    collector::Collector,
    error::ObserveError,
    facts::HostFacts,
    metrics::Metrics,
    notes::{self, MAX_NOTES, Note, Severity},
    ports::{self, ListeningPort, MAX_LISTENING},
    processes::{self, Process},
    services::{self, MAX_FAILED_SERVICES},
};

/// The most processes in one diagnosis.
pub const MAX_TOP_PROCESSES: usize = 10;

/// A machine's state at one moment, and what is remarkable about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Diagnosis {
    /// When it was made.
    pub at: Timestamp,
    /// What the machine is.
    pub facts: HostFacts,
    /// How it does.
    pub metrics: Metrics,
    /// Five that used most CPU time since they started, then the largest in memory; at most [`MAX_TOP_PROCESSES`].
    pub top_processes: Vec<Process>,
    /// Ports that wait, at most [`MAX_LISTENING`].
    pub listening: Vec<ListeningPort>,
    /// systemd units that failed, at most [`MAX_FAILED_SERVICES`].
    pub failed_services: Vec<String>,
    /// Why the services are not known, when they are not.
    pub services_note: Option<String>,
    /// What is remarkable, the gravest first; at most [`MAX_NOTES`].
    pub notes: Vec<Note>,
}

/// Diagnoses this machine. Only facts and metrics are needed: whatever else cannot be read becomes a note.
pub fn diagnose(collector: &mut Collector, at: Timestamp) -> Result<Diagnosis, ObserveError> {
    let facts = HostFacts::collect()?;
    let metrics = collector.sample()?;
    let (failed_services, services_note) = services::failed();
    let mut notes = notes::on(&facts, &metrics, &failed_services);
    let (listening, more) = ports::listening().unwrap_or_else(|error| {
        notes.push(Note::new(Severity::Info, error.to_string()));
        Default::default()
    });
    if more {
        let text = format!("more than {MAX_LISTENING} ports listen: the rest is not shown");
        notes.push(Note::new(Severity::Info, text));
    }
    let top_processes = processes::top(MAX_TOP_PROCESSES).unwrap_or_else(|error| {
        notes.push(Note::new(Severity::Info, error.to_string()));
        Vec::new()
    });
    Ok(Diagnosis { at, facts, metrics, top_processes, listening, failed_services, services_note, notes })
}

impl Diagnosis {
    /// Checks every list, text and number against its bound.
    pub fn validate(&self) -> Result<(), BoundsError> {
        self.facts.validate()?;
        self.metrics.validate()?;
        bounds::count("top_processes", self.top_processes.len(), MAX_TOP_PROCESSES)?;
        self.top_processes.iter().try_for_each(Process::validate)?;
        bounds::count("listening", self.listening.len(), MAX_LISTENING)?;
        self.listening.iter().try_for_each(ListeningPort::validate)?;
        bounds::count("failed_services", self.failed_services.len(), MAX_FAILED_SERVICES)?;
        self.failed_services.iter().try_for_each(|name| bounds::text("failed_services", name, MAX_NAME))?;
        bounds::text("services_note", self.services_note.as_deref().unwrap_or_default(), MAX_TEXT)?;
        bounds::count("notes", self.notes.len(), MAX_NOTES)?;
        self.notes.iter().try_for_each(Note::validate)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small server.
    pub(crate) fn facts() -> HostFacts {
        HostFacts {
            hostname: "web1".into(),
            os_id: "debian".into(),
            os_name: "Debian GNU/Linux".into(),
            os_version: "12".into(),
            kernel: "6.1.0-18-amd64".into(),
            arch: "amd64".into(),
            boot_time: Timestamp::UNIX_EPOCH,
            cpu_count: 2,
            cpu_model: "Some CPU".into(),
            memory_total: 4 << 30,
            virtualisation: None,
            machine_id_digest: None,
            init: "systemd".into(),
            package_manager: Some("apt".into()),
        }
    }

    #[test]
    fn this_machine_has_a_diagnosis_that_reads_back() {
        let diagnosis = diagnose(&mut Collector::new(), Timestamp::UNIX_EPOCH).unwrap();
        diagnosis.validate().unwrap();
        assert!(!diagnosis.top_processes.is_empty());
        let json = serde_json::to_string(&diagnosis).unwrap();
        assert_eq!(serde_json::from_str::<Diagnosis>(&json).unwrap(), diagnosis);
    }

    #[test]
    fn what_exceeds_a_bound_is_refused() {
        let changes: [fn(&mut Diagnosis); 6] = [
            |d| d.facts.hostname = "x".repeat(MAX_NAME + 1),
            |d| d.metrics.cpu_utilization = f64::NAN,
            |d| d.failed_services = vec![String::new(); MAX_FAILED_SERVICES + 1],
            |d| d.services_note = Some("a\u{7}".into()),
            |d| d.notes = vec![Note::new(Severity::Info, "x"); MAX_NOTES + 1],
            |d| d.top_processes[0].cpu_seconds = f64::INFINITY,
        ];
        let good = diagnose(&mut Collector::new(), Timestamp::UNIX_EPOCH).unwrap();
        for (i, change) in changes.iter().enumerate() {
            let mut diagnosis = good.clone();
            change(&mut diagnosis);
            assert!(diagnosis.validate().is_err(), "change {i}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let mut json = serde_json::to_value(facts()).unwrap();
        json["machine_id"] = "raw".into();
        assert!(serde_json::from_value::<HostFacts>(json).is_err());
    }
}
