//! What is given to a skill, against the skill's schema.

use agents::{
    Skill,
    schema::{self, CaseInput, ChatInput, EmbedInput, QuestionInput},
};
use serde_json::Value;

/// The longest fault, in bytes: it quotes nothing of what was given but the way to the place.
const MAX_WORDS: usize = 2 * 1024;

/// What fits a schema is read by the skill's type; what does not is refused in few words.
pub fn check(bytes: &[u8]) {
    let Ok(given) = serde_json::from_slice::<Value>(bytes) else { return };
    for skill in Skill::ALL {
        match schema::check(*skill, &given) {
            Ok(()) => assert!(is_read(*skill, &given), "{skill} takes and does not read {given}"),
            Err(fault) => assert!(fault.to_string().len() <= MAX_WORDS, "{} bytes", fault.to_string().len()),
        }
    }
}

fn is_read(skill: Skill, given: &Value) -> bool {
    match skill {
        Skill::AdvisoryAnswer => serde_json::from_value::<QuestionInput>(given.clone()).is_ok(),
        Skill::ModelEmbed => serde_json::from_value::<EmbedInput>(given.clone()).is_ok(),
        // 16.0 is an integer to a schema and none to the type.
        Skill::ModelChat if has_float(given) => true,
        Skill::ModelChat => serde_json::from_value::<ChatInput>(given.clone()).is_ok(),
        _ => serde_json::from_value::<CaseInput>(given.clone()).is_ok(),
    }
}

fn has_float(given: &Value) -> bool {
    ["max_tokens", "seed"].iter().any(|name| given[*name].is_f64())
}
