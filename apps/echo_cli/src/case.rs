//! `case`: support cases from opening to export.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use durable::Mode;
use echo_core::{CaseId, CustomerId, DeviceId};
use serde_json::{Value, json};

use crate::{Failure, answer, api::Api, out::Out, tour::wait_for_call};

/// How long `ask --wait` waits for a device.
const WAIT: Duration = Duration::from_mins(2);

/// What to do with cases.
#[derive(Debug, Subcommand)]
pub enum Case {
    /// List the cases, newest first
    List {
        /// Only those in this state: open, `awaiting_approval`, applying, resolved, standing, closed
        #[arg(long)]
        state: Option<String>,
    },
    /// Show a case with its timeline
    Show {
        /// Its id
        id: CaseId,
    },
    /// Open a case by filling an intake form
    Open(Open),
    /// Ask one of the case's agents: `diagnostics.probe`, `scanner.posture`, `remediation.plan`, `advisory.answer`
    Ask {
        /// The case
        id: CaseId,
        /// The skill: see `agent list`
        skill: String,
        /// The question, for `advisory.answer`
        #[arg(long)]
        question: Option<String>,
        /// Wait until the device has answered
        #[arg(long)]
        wait: bool,
    },
    /// Sort a case by hand; triage learns from it
    Sort {
        /// The case
        id: CaseId,
        /// What it is about: a label of the platform's set
        #[arg(long)]
        category: String,
    },
    /// Close a case: its invoice is drawn
    Close {
        /// The case
        id: CaseId,
    },
    /// Export a case: one file that proves it anywhere, see `verify`
    Export {
        /// The case
        id: CaseId,
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// What opens a case.
#[derive(Debug, Args)]
pub struct Open {
    /// Whose case; demanded from the operator's people
    #[arg(long)]
    customer: Option<CustomerId>,
    /// Which machine it is about
    #[arg(long)]
    device: Option<DeviceId>,
    /// The intake form, such as `general-help`
    #[arg(long)]
    form: String,
    /// An answer, `field=text`; once for each field
    #[arg(long = "answer", value_name = "FIELD=TEXT", value_parser = pair)]
    answers: Vec<(String, String)>,
}

impl Case {
    /// Does it.
    pub fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        match self {
            Self::List { state } => {
                let query = state
                    .as_deref()
                    .map(|s| format!("?state={}", crate::api::escaped(s)))
                    .unwrap_or_default();
                out.list(
                    &api.list(&format!("/v1/cases{query}"))?,
                    &[
                        ("id", "/id"),
                        ("number", "/number"),
                        ("state", "/state"),
                        ("severity", "/severity"),
                        ("title", "/title"),
                        ("opened", "/opened"),
                    ],
                )
            }
            Self::Show { id } => show(&api.get(&format!("/v1/cases/{id}"))?, out),
            Self::Open(open) => show(&api.post("/v1/cases", &open.body())?, out),
            Self::Ask { id, skill, question, wait } => ask(api, id, skill, question.as_deref(), *wait, out),
            Self::Sort { id, category } => {
                show(&api.post(&format!("/v1/cases/{id}/category"), &json!({ "category": category }))?, out)
            }
            Self::Close { id } => show(&api.post(&format!("/v1/cases/{id}/close"), &json!({}))?, out),
            Self::Export { id, out: file } => {
                let bytes = api.get_bytes(&format!("/v1/cases/{id}/export"))?;
                durable::write(file, &bytes, Mode::Private)?;
                if out.is_json() {
                    return out.json(&json!({"case": id, "file": file, "bytes": bytes.len()}));
                }
                out.line(&format!(
                    "wrote {} ({} bytes); check it with `echo_cli verify`",
                    file.display(),
                    bytes.len()
                ))
            }
        }
    }
}

impl Open {
    fn body(&self) -> Value {
        let answers: BTreeMap<_, _> = self.answers.iter().cloned().collect();
        json!({"customer": self.customer, "device": self.device, "form": self.form, "answers": answers})
    }
}

fn ask(
    api: &Api,
    id: &CaseId,
    skill: &str,
    question: Option<&str>,
    wait: bool,
    out: Out,
) -> Result<(), Failure> {
    let mut body = json!({ "skill": skill });
    if let (Some(question), Some(fields)) = (question, body.as_object_mut()) {
        fields.insert("question".to_owned(), question.into());
    }
    let mut call = api.post(&format!("/v1/cases/{id}/calls"), &body)?;
    if wait {
        call = wait_for_call(api, answer::text(&call, "/id")?, WAIT, &|| Ok(()))?;
    }
    out.one(
        &call,
        &[
            ("id", "/id"),
            ("skill", "/skill"),
            ("state", "/state"),
            ("answer", "/output/answer"),
            ("change set", "/change_set"),
            ("receipt", "/receipt"),
            ("error", "/error"),
        ],
    )
}

fn show(view: &Value, out: Out) -> Result<(), Failure> {
    out.one(
        view,
        &[
            ("id", "/case/id"),
            ("number", "/case/number"),
            ("title", "/case/title"),
            ("customer", "/customer_name"),
            ("device", "/device_name"),
            ("state", "/case/state"),
            ("category", "/case/triage/category"),
            ("sorted as", "/case/sorted/label"),
            ("severity", "/case/severity"),
            ("findings", "/findings"),
            ("proofs", "/proofs"),
            ("receipts", "/receipts"),
            ("invoice", "/invoice/invoice/number"),
            ("total", "/invoice/invoice/total"),
        ],
    )?;
    if out.is_json() {
        return Ok(());
    }
    for change in answer::list(view, "/change_sets")? {
        out.line(&format!(
            "change     {} ({})",
            answer::shown(change, "/id"),
            answer::shown(change, "/state")
        ))?;
    }
    out.line("")?;
    out.list(answer::list(view, "/timeline")?, &[("at", "/at"), ("who", "/actor"), ("what", "/title")])
}

/// `field=text`.
fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(field, _)| !field.is_empty())
        .map(|(field, answer)| (field.to_owned(), answer.to_owned()))
        .ok_or_else(|| "expected FIELD=TEXT, such as what_happened=\"It is slow\"".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_hold_equals_signs() {
        assert_eq!(pair("a=b=c").unwrap(), ("a".to_owned(), "b=c".to_owned()));
        assert!(pair("=x").is_err() && pair("x").is_err());
    }
}
