//! What a stop or a crash cut off: calls that the platform itself was doing when it ended.

use agents::Skill;
use store::{Filter, Scope};

use crate::{Desk, DeskError, SkillCall};

/// What a caller reads about a call that was cut off.
const REASON: &str = "the platform stopped while it worked on this: ask again; nothing is charged";

impl Desk {
    /// Ends, free of charge, the running calls that no device works on: whoever did them is gone.
    pub(crate) async fn end_interrupted(&self) -> Result<(), DeskError> {
        let mut tx = self.store().read().await?;
        let running = tx.all::<SkillCall>(&Scope::All, &Filter::in_state("running")).await?;
        drop(tx);
        for call in running.into_iter().filter(|call| call.command.is_none() && is_ours(call.skill)) {
            let mut work = self.work("Echo").await?;
            work.fail_call(&call.id, REASON).await?;
            work.commit().await?;
        }
        Ok(())
    }
}

/// Whether the platform does it without a device.
fn is_ours(skill: Skill) -> bool {
    matches!(skill, Skill::TriageClassify | Skill::AdvisoryAnswer | Skill::ModelChat | Skill::ModelEmbed)
}
