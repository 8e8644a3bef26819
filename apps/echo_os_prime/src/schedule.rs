//! Carries out what the scheduler orders: starts runs, stops them, says what came of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use desk::{Desk, ScheduleStep};
use echo_core::{Id as _, Mint, TokenId};
use rustix::time::{ClockId, clock_gettime};
use scheduler::{Finish, Instants, Order};
use tokio::{
    sync::watch,
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::sleep,
};

use crate::{
    jobs::{self, Given, Means, Said},
    machine::Machine,
};

/// How long to wait after a step that could not be made.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);
/// The most bytes of the boot's id.
const MAX_BOOT: u64 = 64;

/// Makes steps until the platform stops; then stops the runs, which the next start makes again.
pub async fn run(desk: Desk, means: Means, mut stopping: watch::Receiver<bool>) {
    let mut hands = Hands::new(desk, means);
    let mut machine = Machine::new(&hands.given.desk);
    loop {
        let wait = hands.step(&machine.happened()).await;
        let done = tokio::select! {
            () = sleep(wait) => None,
            () = hands.given.desk.schedule_wanted() => None,
            done = hands.runs.join_next_with_id(), if !hands.runs.is_empty() => done,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        if let Some(done) = done {
            hands.done(done).await;
        }
    }
    hands.stop().await;
}

/// The runs under way.
struct Hands {
    given: Given,
    /// Another one for each start: what an earlier one had under way is not this one's.
    holder: String,
    boot: String,
    runs: JoinSet<Said>,
    tasks: BTreeMap<String, AbortHandle>,
}

impl Hands {
    fn new(desk: Desk, means: Means) -> Self {
        let given = Given { desk, means: Arc::new(means) };
        let holder = Mint::system().id::<TokenId>().as_str().to_owned();
        Self { given, holder, boot: boot(), runs: JoinSet::new(), tasks: BTreeMap::new() }
    }

    /// Both clocks now.
    fn now(&self) -> Instants {
        let time = clock_gettime(ClockId::Boottime);
        let monotonic = time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000);
        Instants { wall: self.given.desk.now(), monotonic, boot: self.boot.clone() }
    }

    /// Makes a step and does what it orders; how long to wait until the next one.
    async fn step(&mut self, events: &[scheduler::Event]) -> Duration {
        let alive: BTreeSet<String> = self.tasks.keys().cloned().collect();
        let now = self.now();
        let step = ScheduleStep { now: &now, holder: &self.holder, alive: &alive, events };
        match self.given.desk.schedule_step(step).await {
            Ok(turn) => {
                for order in turn.orders {
                    self.carry_out(order);
                }
                Duration::from_millis(u64::try_from(turn.sleep_millis).unwrap_or(0))
            }
            Err(error) => {
                tracing::warn!(%error, "the scheduler could not make a step");
                AFTER_TROUBLE
            }
        }
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Start { job, run, attempt, .. } => {
                tracing::debug!(job, run, attempt, "a job begins");
                let given = self.given.clone();
                let task = self.runs.spawn(async move {
                    match jobs::job(&job) {
                        Some(job) => (job.run)(given).await,
                        None => Err(format!("this build has no job {job}: take it out of the schedule")),
                    }
                });
                self.tasks.insert(run, task);
            }
            Order::Stop { run, .. } => {
                if let Some(task) = self.tasks.get(&run) {
                    task.abort();
                }
            }
        }
    }

    async fn done(&mut self, done: Result<(Id, Said), JoinError>) {
        let (id, finish) = match done {
            Ok((id, Ok(said))) => (id, Finish::Done(said)),
            Ok((id, Err(why))) => (id, Finish::Failed(why)),
            Err(error) if error.is_cancelled() => (error.id(), Finish::Stopped),
            Err(error) => (error.id(), Finish::Failed("it panicked: see the platform's log".to_owned())),
        };
        let Some(run) = self.tasks.iter().find(|(_, task)| task.id() == id).map(|(run, _)| run.clone())
        else {
            return;
        };
        self.tasks.remove(&run);
        match &finish {
            Finish::Done(said) => tracing::info!(run, said, "a job did its work"),
            Finish::Failed(why) => tracing::warn!(run, why, "a job failed"),
            Finish::Stopped => tracing::warn!(run, "a job was stopped"),
        }
        let now = self.now();
        match self.given.desk.schedule_finish(&now, (&self.holder, &run), finish).await {
            Ok(true) => {}
            Ok(false) => tracing::warn!(run, "the run had been taken for lost"),
            // Its lease runs out, and it is made again under the same key.
            Err(error) => tracing::warn!(%error, run, "what a job came to could not be kept"),
        }
    }

    async fn stop(mut self) {
        self.runs.abort_all();
        while let Some(done) = self.runs.join_next_with_id().await {
            self.done(done).await;
        }
    }
}

/// Which start of the machine this is; `unknown` where the kernel does not say.
fn boot() -> String {
    let path = std::path::Path::new("/proc/sys/kernel/random/boot_id");
    let read = durable::read(path, MAX_BOOT).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
    read.map_or_else(|| "unknown".to_owned(), |id| id.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_start_of_the_machine_has_a_name() {
        assert!(boot().len() >= 7);
        assert_eq!(boot(), boot());
    }
}
