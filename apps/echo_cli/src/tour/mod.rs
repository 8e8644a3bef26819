//! `tour`: the whole story on one machine, with the real programs and real answers.
//!
//! A list of steps, each of which does one thing with the platform and tells what came of it. The platform and
//! the probe run as children and never outlive the tour.

mod begin;
mod diagnose;
mod fix;
mod pay;
mod program;
mod progress;
mod prove;
mod scratch;
mod stop;
mod wait;

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::{Value, json};

use self::{
    program::Program,
    progress::{Progress, Told},
    stop::Stop,
};
use crate::{Failure, answer, api::Api, failure::Kind, out::Out, place, user};

pub use wait::wait_for_call;

/// How to take the tour.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Go through to the end and stop; without it, the change is left for you to approve and everything keeps
    /// running
    #[arg(long)]
    once: bool,
    /// Keep the temporary home that `--once` makes when no `--home` is given
    #[arg(long)]
    keep: bool,
    /// Let the fix change this very machine; without it, a copy of its configuration is changed
    #[arg(long)]
    live: bool,
}

/// What a step does.
type Step = fn(&mut Tour) -> Result<Told, Failure>;

/// The steps up to the point where a person decides.
const FIRST: [(&str, Step); 10] = [
    ("start the platform", begin::start),
    ("sign in", begin::sign_in),
    ("make a customer", begin::customer),
    ("copy the configuration", begin::copy),
    ("enrol this machine", begin::enrol),
    ("open a case", diagnose::open),
    ("diagnose the machine", diagnose::diagnose),
    ("scan the posture", diagnose::scan),
    ("ask the advisor", diagnose::ask),
    ("plan the fix", fix::plan),
];

/// The rest of the way.
const THEN: [(&str, Step); 7] = [
    ("approve and apply", fix::apply),
    ("prove the fix", fix::proof),
    ("close the case", pay::close),
    ("settle the invoice", pay::settle),
    ("export the case", prove::export),
    ("verify it elsewhere", prove::verify),
    ("stop everything", prove::stop),
];

/// What the tour knows so far.
struct Tour {
    /// The platform's home.
    home: PathBuf,
    /// Everything that the tour makes beside the platform's own files.
    folder: PathBuf,
    live: bool,
    stop: Stop,
    platform: Option<Program>,
    probe: Option<Program>,
    api: Option<Api>,
    /// The one-time link that the platform printed.
    link: String,
    customer: String,
    device: String,
    case: String,
    change: String,
    invoice: String,
}

/// Takes the tour.
pub fn run(arguments: &Arguments, home: Option<PathBuf>, out: Out) -> Result<(), Failure> {
    let stop = Stop::on_signals()?;
    let (home, _removed_at_the_end) = choose_home(arguments, home)?;
    let mut tour = Tour::new(&home, arguments.live, stop)?;
    let mut progress =
        Progress::new(out, if arguments.once { FIRST.len() + THEN.len() } else { FIRST.len() });
    let mut walked = tour.walk(&FIRST, &mut progress);
    if walked.is_ok() {
        walked = if arguments.once { tour.walk(&THEN, &mut progress) } else { tour.leave_running(out) };
    }
    // The children end here, so that their logs are whole.
    tour.end();
    if let Err(failure) = walked {
        // Whoever stopped the tour, or stopped listening, knows why it ended.
        if failure.kind != Kind::Unread && tour.stop.check().is_ok() {
            progress::show_logs(&tour.folder);
        }
        return Err(failure);
    }
    if arguments.once && arguments.keep {
        progress.kept(&home)?;
    }
    Ok(())
}

/// The home, and what removes it at the end when it is a temporary one.
fn choose_home(
    arguments: &Arguments,
    home: Option<PathBuf>,
) -> Result<(PathBuf, Option<tempfile::TempDir>), Failure> {
    if home.is_some() || !arguments.once {
        let home = place::platform(home)?;
        durable::create_folder(&home)?;
        let home = home
            .canonicalize()
            .map_err(|error| Failure::failed(format!("cannot use {}: {error}", home.display())))?;
        return Ok((home, None));
    }
    let made = tempfile::Builder::new().prefix("echo-tour-").tempdir().map_err(|error| {
        Failure::failed(format!("cannot make a temporary home: {error}"))
            .hint("choose a home with --home DIR")
    })?;
    if arguments.keep { Ok((made.keep(), None)) } else { Ok((made.path().to_owned(), Some(made))) }
}

impl Tour {
    fn new(home: &Path, live: bool, stop: Stop) -> Result<Self, Failure> {
        let folder = home.join("tour");
        durable::create_folder(&folder)?;
        for log in progress::LOGS {
            // The logs of an earlier tour explain nothing about this one.
            let _ = fs::remove_file(folder.join(log));
        }
        Ok(Self {
            home: home.to_owned(),
            folder,
            live,
            stop,
            platform: None,
            probe: None,
            api: None,
            link: String::new(),
            customer: String::new(),
            device: String::new(),
            case: String::new(),
            change: String::new(),
            invoice: String::new(),
        })
    }

    fn walk(&mut self, steps: &[(&str, Step)], progress: &mut Progress) -> Result<(), Failure> {
        for (title, step) in steps {
            self.stop.check()?;
            progress.begin(title)?;
            let told = step(self).and_then(|told| self.children_run(title).map(|()| told));
            progress.end(title, told)?;
        }
        Ok(())
    }

    /// Whether the platform and the probe still run, as they should until the last step.
    fn children_run(&mut self, title: &str) -> Result<(), Failure> {
        for child in [&mut self.platform, &mut self.probe].into_iter().flatten() {
            if let Some(status) = child.ended() {
                return Err(Failure::failed(format!(
                    "{} ended during \"{title}\" with {status}",
                    child.name()
                ))
                .hint("its log says why"));
            }
        }
        Ok(())
    }

    /// Hands over to the person, until a signal.
    fn leave_running(&mut self, out: Out) -> Result<(), Failure> {
        let api = self.api()?;
        let me = api.get("/v1/me")?;
        let person = answer::text(&me, "/subject")?;
        let link = answer::owned(&user::sign_in_link(api, person)?, "/link")?;
        if out.is_json() {
            out.json_line(&json!({"open": link, "case": self.case, "change_set": self.change}))?;
        } else {
            out.line("")?;
            out.line(&format!("Open {link}"))?;
            out.line(
                "The fix waits for your approval in the dashboard. Ctrl-C stops everything; the home stays:",
            )?;
            out.line(&format!("  {}", self.home.display()))?;
        }
        while self.stop.check().is_ok() {
            self.children_run("waiting")?;
            std::thread::sleep(wait::PAUSE);
        }
        Ok(())
    }

    /// Stops the children, the probe first: the platform waits for the requests that are open.
    fn end(&mut self) {
        for child in [&mut self.probe, &mut self.platform] {
            // Dropping a program stops it.
            drop(child.take());
        }
    }

    fn api(&self) -> Result<&Api, Failure> {
        self.api.as_ref().ok_or_else(|| Failure::failed("nobody is signed in"))
    }

    /// Asks a skill of the case's agents, and waits until it is done.
    fn ask(&self, body: &Value, bound: std::time::Duration) -> Result<Value, Failure> {
        let api = self.api()?;
        let call = api.post(&format!("/v1/cases/{}/calls", self.case), body)?;
        wait_for_call(api, answer::text(&call, "/id")?, bound, &|| self.stop.check())
    }

    fn case_view(&self) -> Result<Value, Failure> {
        self.api()?.get(&format!("/v1/cases/{}", self.case))
    }
}
