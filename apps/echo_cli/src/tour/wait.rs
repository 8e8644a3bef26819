//! Waiting for a device to do its work.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Failure, answer, api::Api};

/// The pause between two looks.
pub const PAUSE: Duration = Duration::from_millis(150);

/// Waits until a skill call is done, and answers it. A call that failed is a failure with its reason.
pub fn wait_for_call(
    api: &Api,
    id: &str,
    bound: Duration,
    check: &dyn Fn() -> Result<(), Failure>,
) -> Result<Value, Failure> {
    let deadline = Instant::now() + bound;
    loop {
        check()?;
        let call = api.get(&format!("/v1/calls/{id}"))?;
        match answer::text(&call, "/state")? {
            "running" if Instant::now() < deadline => thread::sleep(PAUSE),
            "running" => {
                return Err(Failure::failed(format!("{id} was not done within {} s", bound.as_secs())).hint(
                    "is `echo_probe run` working on the device? it takes its work when it is connected",
                ));
            }
            "failed" => {
                return Err(Failure::failed(format!(
                    "{} did not work: {}",
                    answer::shown(&call, "/skill"),
                    answer::shown(&call, "/error")
                ))
                .hint("nothing is charged for it; the case's timeline says more"));
            }
            _ => return Ok(call),
        }
    }
}
