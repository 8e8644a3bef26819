//! The one interface of everything that does a skill's thinking.

use crate::skill::Skill;

/// Does one skill: a pure function from typed input to typed output.
///
/// The deterministic engines implement it, and so will local models: an engine takes no time, no randomness and
/// no connection, and an answer that it is not sure of says so in the output.
pub trait Engine {
    /// What it reads.
    type Input;
    /// What it finds.
    type Output;

    /// The skill that it does.
    fn skill(&self) -> Skill;

    /// Does the work. The same input gives the same output.
    fn run(&self, input: &Self::Input) -> Result<Self::Output, EngineError>;
}

/// Why an engine refused its input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The input is beyond a bound.
    #[error("{skill} refused its input: {what} may hold at most {limit} {unit}; send less")]
    TooLarge {
        /// Which skill.
        skill: Skill,
        /// Which part of the input.
        what: &'static str,
        /// The bound.
        limit: usize,
        /// Of what: bytes or items.
        unit: &'static str,
    },
    /// The same id came twice.
    #[error("{skill} refused its input: {what} `{id}` is given twice; give each once")]
    Duplicate {
        /// Which skill.
        skill: Skill,
        /// Which kind of thing.
        what: &'static str,
        /// Its id, shortened.
        id: String,
    },
}

/// Fails when `given` is more than `limit`.
pub(crate) fn bound(
    skill: Skill,
    what: &'static str,
    given: usize,
    limit: usize,
    unit: &'static str,
) -> Result<(), EngineError> {
    if given > limit {
        return Err(EngineError::TooLarge { skill, what, limit, unit });
    }
    Ok(())
}
