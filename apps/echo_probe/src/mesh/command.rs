//! `echo_probe mesh`: asks the running probe how the mesh stands, and has skills called.

use std::{fmt::Write as _, path::Path, time::Duration};

use ::mesh::{NodeId, doctor::Level};
use echo_core::Mint;
use mesh_daemon::{Report, SocketError};
use serde_json::Value;
use trust::Envelope;

use super::{SOCKET, files, line::Question};
use crate::{
    cli::{MeshCall, MeshCommand, MeshDoctor},
    failure::Failure,
    show,
};

/// How long a running probe may take to say how it stands.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of a grant's file.
const MAX_GRANT: u64 = 256 * 1024;

/// Carries out `echo_probe mesh …`.
pub(crate) fn run(command: &MeshCommand) -> Result<(), Failure> {
    match command {
        MeshCommand::Status(options) => {
            let (answer, report) = report(&options.home.path()?)?;
            if options.json {
                show::json(&answer["report"])
            } else {
                show::data(&status(&report).map_err(Failure::of)?)
            }
        }
        MeshCommand::Doctor(options) => doctor(options),
        MeshCommand::Call(options) => call(options),
        MeshCommand::Send(options) => files::send(options),
        MeshCommand::Transfers(options) => files::list(options),
        MeshCommand::Cancel(options) => files::cancel(options),
    }
}

fn doctor(options: &MeshDoctor) -> Result<(), Failure> {
    let (_, report) = report(&options.home.path()?)?;
    let wanted = |about: Option<NodeId>| options.node.is_none_or(|node| about == Some(node));
    let findings: Vec<_> = report.findings.iter().filter(|finding| wanted(finding.about)).collect();
    if options.json {
        return show::json(&findings);
    }
    if findings.is_empty() {
        return show::data("nothing is known of that node, and nothing is the matter here\n");
    }
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.level {
            Level::Problem => "problem",
            Level::Note => "note",
            Level::Fine => "fine",
        };
        writeln!(text, "{mark:<8} {}", show::plain(&finding.what)).map_err(Failure::of)?;
        writeln!(text, "         because {}", show::plain(&finding.because)).map_err(Failure::of)?;
        if !finding.advice.is_empty() {
            writeln!(text, "         try: {}", show::plain(&finding.advice)).map_err(Failure::of)?;
        }
    }
    show::data(&text)
}

fn status(report: &Report) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let view = &report.view;
    writeln!(text, "this node    {} ({})", show::plain(&view.name), view.me)?;
    writeln!(
        text,
        "trust        registry {}, revoked nodes {}, notices {}",
        view.trust.registry, view.trust.revocations, view.trust.notices
    )?;
    writeln!(text, "waiting      {} answered calls to settle", view.unsettled)?;
    if view.members.is_empty() {
        writeln!(text, "nobody else is known yet: see `echo_probe mesh doctor`")?;
    }
    for member in &view.members {
        let link = view.links.iter().find(|link| link.node == member.node);
        let way = match link {
            Some(link) if link.relayed => "relayed".to_owned(),
            Some(_) => "direct".to_owned(),
            None if member.reachable => format!("over {} nodes", member.hops.unwrap_or_default()),
            None => "not reached".to_owned(),
        };
        let rtt = link.and_then(|link| link.rtt_micros);
        let rtt = rtt
            .map_or_else(String::new, |micros| format!(", {}.{} ms", micros / 1_000, micros % 1_000 / 100));
        writeln!(text, "{:<12} {way}{rtt}, {}", show::plain(&member.name), member.node)?;
    }
    for refusal in &view.refusals {
        writeln!(
            text,
            "refused      {} ({}): {}",
            show::plain(&refusal.who),
            refusal.code,
            show::plain(&refusal.reason)
        )?;
    }
    Ok(text)
}

fn call(options: &MeshCall) -> Result<(), Failure> {
    let input: Value = match &options.input {
        Some(text) => {
            serde_json::from_str(text).map_err(|e| Failure::Usage(format!("--input is not JSON: {e}")))?
        }
        None => Value::Object(serde_json::Map::new()),
    };
    let question = Question::Call {
        node: options.node,
        skill: options.skill.clone(),
        input,
        grant: Box::new(grant(&options.grant)?),
        key: options.key.clone().unwrap_or_else(|| {
            uuid::Builder::from_random_bytes(Mint::system().bytes()).into_uuid().to_string()
        }),
        seconds: u32::from(options.seconds.get()),
    };
    let patience = Duration::from_secs(u64::from(options.seconds.get())) + PATIENCE;
    let answer = ask(&options.home.path()?, &question, patience)?;
    if options.json { show::json(&answer) } else { show::json(&answer["output"]) }
}

fn grant(path: &Path) -> Result<Envelope, Failure> {
    let missing = || Failure::Usage(format!("{} does not exist: check the path", path.display()));
    let bytes = durable::read(path, MAX_GRANT).map_err(Failure::of)?.ok_or_else(missing)?;
    serde_json::from_slice(&bytes).map_err(|e| {
        Failure::Usage(format!("{} is not a grant ({e}): see `echo_cli mesh grant`", path.display()))
    })
}

fn report(folder: &Path) -> Result<(Value, Report), Failure> {
    let answer = ask(folder, &Question::Report, PATIENCE)?;
    let report = serde_json::from_value(answer["report"].clone())
        .map_err(|e| Failure::Failed(format!("the running probe is of another version: {e}")))?;
    Ok((answer, report))
}

pub(super) fn ask(folder: &Path, question: &Question, patience: Duration) -> Result<Value, Failure> {
    let question = serde_json::to_value(question).expect("questions are texts, numbers and envelopes");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::of)?;
    let asked = runtime.block_on(mesh_daemon::ask(&folder.join(SOCKET), &question, patience));
    let answer = asked.map_err(|e| {
        Failure::Failed(match e {
            SocketError::Away { .. } => format!("{e}; start it with `echo_probe run --mesh`"),
            e => format!("the running probe did not answer as it should: {e}; ask again"),
        })
    })?;
    match answer.get("error").and_then(Value::as_str) {
        Some(why) => Err(Failure::Failed(why.to_owned())),
        None => Ok(answer),
    }
}
