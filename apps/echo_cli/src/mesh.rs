//! `mesh`: which nodes are there, why one is not reached, and what may be called while the platform is away.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use durable::Mode;
use echo_core::{CaseId, Timestamp};
use serde_json::{Value, json};

use crate::{
    Failure, answer,
    api::{Api, escaped},
    out::Out,
};

/// What to do with the mesh.
#[derive(Debug, Subcommand)]
pub enum Mesh {
    /// List the nodes, with how each is reached
    Nodes,
    /// Show one node
    Node {
        /// The node, as its did:key
        did: String,
    },
    /// Say why a node is not reached, or not directly, and what to do
    Doctor {
        /// The node, as its did:key; every one when left out
        node: Option<String>,
    },
    /// Let a node call a case's skills at other nodes, also while the platform is out of reach
    Grant {
        /// The case that pays
        case: CaseId,
        /// Who may call: the did:key of a device of the case's customer
        #[arg(long, value_name = "NODE")]
        holder: String,
        /// Which skill (may be given again)
        #[arg(long, default_value = "diagnostics.probe")]
        skill: Vec<String>,
        /// How many calls
        #[arg(long, value_name = "N", default_value_t = 10)]
        calls: u32,
        /// For how many hours
        #[arg(long, value_name = "N", default_value_t = 24)]
        hours: u32,
        /// Where to write the grant, for `echo_probe mesh call --grant`
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// List a case's grants, with how many calls were charged
    Grants {
        /// The case
        case: CaseId,
    },
    /// Replay the telemetry of the nodes, oldest first
    Pulses {
        /// Of this node only, by its did:key
        #[arg(long, value_name = "NODE")]
        node: Option<String>,
        /// From this time on
        #[arg(long, value_name = "TIME")]
        from: Option<Timestamp>,
        /// Until this time
        #[arg(long, value_name = "TIME")]
        to: Option<Timestamp>,
    },
    /// Say which devices have not acknowledged a deprecation notice
    Notices,
}

impl Mesh {
    /// Does it.
    pub fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        match self {
            Self::Nodes => nodes(api, out),
            Self::Node { did } => out.one(
                &api.get(&format!("/v1/mesh/nodes/{}", escaped(did)))?,
                &[
                    ("name", "/name"),
                    ("node", "/node"),
                    ("device", "/device"),
                    ("reachable", "/reachable"),
                    ("path", "/path/kind"),
                    ("why", "/path/why"),
                    ("round trip (us)", "/path/rtt_micros"),
                    ("since", "/since"),
                    ("last seen", "/last_seen"),
                ],
            ),
            Self::Doctor { node } => doctor(api, node.as_deref(), out),
            Self::Grant { case, holder, skill, calls, hours, out: file } => {
                let wanted = json!({ "holder": holder, "skills": skill, "calls": calls, "hours": hours });
                grant(api, case, &wanted, file, out)
            }
            Self::Grants { case } => out.list(
                &api.list(&format!("/v1/cases/{case}/grants"))?,
                &[
                    ("id", "/grant/id"),
                    ("holder", "/grant/holder"),
                    ("calls", "/grant/most_calls"),
                    ("charged", "/used"),
                    ("refused", "/refused"),
                    ("until", "/grant/until"),
                    ("state", "/state"),
                ],
            ),
            Self::Pulses { node, from, to } => {
                let mut query = Vec::new();
                query.extend(node.as_ref().map(|node| format!("node={}", escaped(node))));
                query.extend(from.map(|from| format!("from={}", escaped(&from.to_string()))));
                query.extend(to.map(|to| format!("to={}", escaped(&to.to_string()))));
                out.list(
                    &api.list(&format!("/v1/mesh/pulses?{}", query.join("&")))?,
                    &[("at", "/at"), ("device", "/device"), ("cpu", "/cpu"), ("memory used", "/memory_used")],
                )
            }
            Self::Notices => out.list(
                &api.list("/v1/trust/notices/standings")?,
                &[
                    ("refuse from", "/refuse_from"),
                    ("acknowledged", "/acknowledged"),
                    ("waiting", "/waiting"),
                    ("text", "/text"),
                ],
            ),
        }
    }
}

fn grant(api: &Api, case: &CaseId, wanted: &Value, file: &Path, out: Out) -> Result<(), Failure> {
    let made = api.post(&format!("/v1/cases/{case}/grants"), wanted)?;
    let envelope = serde_json::to_vec(&made["envelope"]).map_err(Failure::failed)?;
    durable::write(file, &envelope, Mode::Private)?;
    if out.is_json() {
        return out.json(&made);
    }
    out.line(&format!(
        "wrote the grant {} to {}, good for {} calls until {}",
        answer::shown(&made, "/grant/id"),
        file.display(),
        answer::shown(&made, "/grant/most_calls"),
        answer::shown(&made, "/grant/until")
    ))
}

fn nodes(api: &Api, out: Out) -> Result<(), Failure> {
    let list = api.list("/v1/mesh/nodes")?;
    if list.is_empty() && !out.is_json() {
        let first = api.get("/v1/mesh/nodes?limit=1")?;
        if first["on"] == Value::Bool(false) {
            return out.line("the mesh is off: start the platform with --mesh");
        }
    }
    out.list(
        &list,
        &[
            ("name", "/name"),
            ("reachable", "/reachable"),
            ("path", "/path/kind"),
            ("round trip (us)", "/path/rtt_micros"),
            ("node", "/node"),
        ],
    )
}

fn doctor(api: &Api, node: Option<&str>, out: Out) -> Result<(), Failure> {
    let doctor = api.get("/v1/mesh/doctor")?;
    if let Some(why) = doctor["report"]["stopped"].as_str() {
        let failure = Failure::failed(format!("the mesh has stopped by itself: {why}"));
        return Err(failure.hint("look into the platform's log, and start the platform again"));
    }
    if doctor["on"] == Value::Bool(false) {
        return Err(Failure::failed("the mesh is off").hint("start the platform with --mesh"));
    }
    let about = |finding: &&Value| node.is_none_or(|node| finding["about"] == node);
    let findings: Vec<Value> =
        answer::list(&doctor, "/report/findings")?.iter().filter(about).cloned().collect();
    if out.is_json() {
        return out.json(&Value::Array(findings));
    }
    if findings.is_empty() {
        return out.line("nothing is known of that node, and nothing is the matter here");
    }
    for finding in &findings {
        out.line(&format!("{:<8} {}", answer::shown(finding, "/level"), answer::shown(finding, "/what")))?;
        out.line(&format!("         because {}", answer::shown(finding, "/because")))?;
        if finding["advice"] != "" {
            out.line(&format!("         try: {}", answer::shown(finding, "/advice")))?;
        }
    }
    Ok(())
}
