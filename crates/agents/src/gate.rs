//! The one way in: no skill runs without authorisation, entitlement and a closed breaker.

use echo_core::Timestamp;

use crate::{breaker::Breaker, skill::Skill};

/// A wish to call a skill, with what the caller found out before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Which skill.
    pub skill: Skill,
    /// What the access policy said.
    pub authorised: bool,
    /// What the customer's plan said; the error is a reason for people.
    pub entitlement: Result<(), String>,
    /// The time now.
    pub now: Timestamp,
}

/// Why a skill may not be called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The policy says no.
    #[error("you may not call {skill} here: ask the operator for a role that allows it")]
    Unauthorised {
        /// Which skill.
        skill: Skill,
    },
    /// The plan does not hold it.
    #[error("the plan does not cover {skill}: {reason}")]
    NotEntitled {
        /// Which skill.
        skill: Skill,
        /// What the plan said.
        reason: String,
    },
    /// The skill failed too often and rests.
    #[error("{skill} failed several times and rests: try again in {retry_after_seconds} seconds")]
    BreakerOpen {
        /// Which skill.
        skill: Skill,
        /// When to come back; at least 1.
        retry_after_seconds: u64,
    },
}

/// The gate itself.
#[derive(Debug, Clone, Copy)]
pub struct Gate;

impl Gate {
    /// Asks the three questions in their order; `breaker` is the one of the asked skill.
    pub fn admit(ask: &Ask, breaker: &mut Breaker) -> Result<Admitted, Refusal> {
        let skill = ask.skill;
        if !ask.authorised {
            return Err(Refusal::Unauthorised { skill });
        }
        if let Err(reason) = &ask.entitlement {
            return Err(Refusal::NotEntitled { skill, reason: reason.clone() });
        }
        match breaker.admit(ask.now) {
            Ok(epoch) => Ok(Admitted { skill, at: ask.now, epoch }),
            Err(retry_after_seconds) => Err(Refusal::BreakerOpen { skill, retry_after_seconds }),
        }
    }
}

/// The right to run one skill once. Only [`Gate::admit`] makes one, and only [`Admitted::complete`] ends it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "tell the breaker how the call ended with `complete`"]
pub struct Admitted {
    skill: Skill,
    at: Timestamp,
    epoch: u64,
}

impl Admitted {
    /// Which skill may run.
    pub fn skill(&self) -> Skill {
        self.skill
    }

    /// When the call was let in.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Reports how the call ended. `ok` is false when the skill itself failed, not when it refused bad input.
    pub fn complete(self, ok: bool, breaker: &mut Breaker, now: Timestamp) {
        breaker.report(self.epoch, ok, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breaker::{COOL_DOWN_SECONDS, THRESHOLD};

    fn ask() -> Ask {
        Ask {
            skill: Skill::ScannerPosture,
            authorised: true,
            entitlement: Ok(()),
            now: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn authorisation_is_asked_before_the_plan() {
        let ask = Ask { authorised: false, entitlement: Err("none left".to_owned()), ..ask() };
        let refusal = Gate::admit(&ask, &mut Breaker::new()).unwrap_err();
        assert_eq!(refusal, Refusal::Unauthorised { skill: Skill::ScannerPosture });
    }

    #[test]
    fn a_call_outside_the_plan_is_refused_with_the_reason() {
        let ask = Ask { entitlement: Err("take the plan care".to_owned()), ..ask() };
        let refusal = Gate::admit(&ask, &mut Breaker::new()).unwrap_err();
        assert!(refusal.to_string().contains("take the plan care"), "{refusal}");
    }

    #[test]
    fn a_skill_that_keeps_failing_is_refused_with_a_time_to_come_back() {
        let (ask, mut breaker) = (ask(), Breaker::new());
        for _ in 0..THRESHOLD {
            Gate::admit(&ask, &mut breaker).unwrap().complete(false, &mut breaker, ask.now);
        }
        let wait = u64::try_from(COOL_DOWN_SECONDS).unwrap();
        assert_eq!(
            Gate::admit(&ask, &mut breaker),
            Err(Refusal::BreakerOpen { skill: ask.skill, retry_after_seconds: wait })
        );
    }

    #[test]
    fn refused_calls_do_not_touch_the_breaker() {
        let mut breaker = Breaker::new();
        let _ = Gate::admit(&Ask { authorised: false, ..ask() }, &mut breaker);
        assert_eq!(breaker, Breaker::new());
    }
}
