//! Remediation: picks the playbooks that fix a device's findings, few and mild, and says who must approve.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use echo_core::{FindingId, Id as _};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Engine, EngineError, bound},
    manifest::Approval,
    named::named,
    skill::Skill,
    triage::Severity,
};

/// The most findings of one proposal.
pub const MAX_FINDINGS: usize = 10_000;
/// The most playbooks to choose from.
pub const MAX_PLAYBOOKS: usize = 200;
/// The most checks that one playbook may say it fixes.
pub const MAX_FIXES: usize = 500;

named! {
    /// What a playbook may break; later ones more.
    Risk, "risk" {
        /// Nothing that a user would notice.
        Low = "low",
        /// A service may behave differently.
        Medium = "medium",
        /// Somebody may be locked out, or a service may stop.
        High = "high",
    }
}

/// What remediation reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemediationInput {
    /// What needs attention.
    pub findings: Vec<FindingBrief>,
    /// What there is to fix it with.
    pub playbooks: Vec<PlaybookBrief>,
}

/// A finding, as far as a proposal needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingBrief {
    /// Which finding.
    pub id: FindingId,
    /// The id of the posture check that failed.
    pub check: u32,
    /// How much it hurts.
    pub severity: Severity,
    /// In a few words.
    pub title: String,
}

/// A playbook, as far as a proposal needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaybookBrief {
    /// Its id, such as `ssh-hardening`.
    pub id: String,
    /// For people.
    pub name: String,
    /// Counts up.
    pub version: u32,
    /// The ids of the posture checks that it makes pass.
    pub fixes: Vec<u32>,
    /// What it may break.
    pub risk: Risk,
}

/// What remediation proposes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// The ids of the chosen playbooks, in the order to run them.
    pub playbooks: Vec<String>,
    /// Which playbook fixes which finding.
    pub covers: Vec<Cover>,
    /// The findings that no playbook fixes: a person must.
    #[schemars(with = "Vec<String>")]
    pub uncovered: Vec<FindingId>,
    /// The largest risk of a chosen playbook; low when there is none.
    pub risk: Risk,
    /// Who must approve; nobody only when nothing is proposed.
    pub approval: Approval,
    /// Why these, in a few sentences.
    pub because: String,
}

/// A finding with what fixes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cover {
    /// Which finding.
    #[schemars(with = "String")]
    pub finding: FindingId,
    /// Its posture check.
    pub check: u32,
    /// The id of the playbook.
    pub playbook: String,
}

/// Who must approve a change of this risk. Nothing changes a device without somebody's approval.
pub fn approval_for(risk: Risk) -> Approval {
    match risk {
        Risk::Low => Approval::Technician,
        Risk::Medium | Risk::High => Approval::Customer,
    }
}

/// The remediation engine: greedy set cover, then without what the others cover.
#[derive(Debug, Clone, Copy, Default)]
pub struct Remediator;

impl Engine for Remediator {
    type Input = RemediationInput;
    type Output = Proposal;

    fn skill(&self) -> Skill {
        Skill::RemediationPlan
    }

    fn run(&self, input: &RemediationInput) -> Result<Proposal, EngineError> {
        check(input)?;
        let checks: BTreeSet<u32> = input.findings.iter().map(|finding| finding.check).collect();
        let mut chosen = cover(&checks, &input.playbooks);
        drop_useless(&checks, &mut chosen);

        let mut fixed_by: BTreeMap<u32, &PlaybookBrief> = BTreeMap::new();
        for playbook in chosen.iter().rev() {
            fixed_by.extend(playbook.fixes.iter().map(|check| (*check, *playbook)));
        }
        let (mut covers, mut uncovered) = (Vec::new(), Vec::new());
        for finding in &input.findings {
            match fixed_by.get(&finding.check) {
                Some(playbook) => covers.push(Cover {
                    finding: finding.id.clone(),
                    check: finding.check,
                    playbook: playbook.id.clone(),
                }),
                None => uncovered.push(finding.id.clone()),
            }
        }
        let risk = chosen.iter().map(|playbook| playbook.risk).max();
        let approval = risk.map_or(Approval::None, approval_for);
        Ok(Proposal {
            because: because(&chosen, &covers, uncovered.len(), approval),
            playbooks: chosen.iter().map(|playbook| playbook.id.clone()).collect(),
            covers,
            uncovered,
            risk: risk.unwrap_or(Risk::Low),
            approval,
        })
    }
}

fn check(input: &RemediationInput) -> Result<(), EngineError> {
    let skill = Skill::RemediationPlan;
    bound(skill, "the findings", input.findings.len(), MAX_FINDINGS, "items")?;
    bound(skill, "the playbooks", input.playbooks.len(), MAX_PLAYBOOKS, "items")?;
    for playbook in &input.playbooks {
        bound(skill, "the fixes of a playbook", playbook.fixes.len(), MAX_FIXES, "items")?;
    }
    unique(skill, "finding", input.findings.iter().map(|finding| finding.id.as_str()))?;
    unique(skill, "playbook", input.playbooks.iter().map(|playbook| playbook.id.as_str()))
}

fn unique<'a>(
    skill: Skill,
    what: &'static str,
    ids: impl Iterator<Item = &'a str>,
) -> Result<(), EngineError> {
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(EngineError::Duplicate { skill, what, id: id.chars().take(60).collect() });
        }
    }
    Ok(())
}

/// Again and again the playbook that fixes most of what is left; among equals the milder, then the first by id.
fn cover<'a>(checks: &BTreeSet<u32>, playbooks: &'a [PlaybookBrief]) -> Vec<&'a PlaybookBrief> {
    let mut left: Vec<_> = playbooks.iter().map(|playbook| (wanted(playbook, checks), playbook)).collect();
    let mut chosen = Vec::new();
    loop {
        let best = left
            .iter()
            .filter(|(fixes, _)| !fixes.is_empty())
            .max_by_key(|(fixes, playbook)| (fixes.len(), Reverse(playbook.risk), Reverse(&playbook.id)));
        let Some((fixed, playbook)) = best.cloned() else {
            return chosen;
        };
        chosen.push(playbook);
        for (fixes, _) in &mut left {
            fixes.retain(|check| !fixed.contains(check));
        }
    }
}

/// Drops each playbook whose fixes the others bring as well, the riskiest first, the last chosen among equals.
fn drop_useless(checks: &BTreeSet<u32>, chosen: &mut Vec<&PlaybookBrief>) {
    let mut times: BTreeMap<u32, usize> = BTreeMap::new();
    for check in chosen.iter().flat_map(|playbook| wanted(playbook, checks)) {
        *times.entry(check).or_default() += 1;
    }
    let mut order = chosen.clone();
    order.reverse();
    order.sort_by_key(|playbook| Reverse(playbook.risk));
    for playbook in order {
        let fixes = wanted(playbook, checks);
        if fixes.iter().all(|check| times.get(check).is_some_and(|times| *times > 1)) {
            chosen.retain(|one| one.id != playbook.id);
            for check in fixes {
                times.entry(check).and_modify(|times| *times -= 1);
            }
        }
    }
}

/// The checks among `checks` that a playbook fixes.
fn wanted(playbook: &PlaybookBrief, checks: &BTreeSet<u32>) -> BTreeSet<u32> {
    playbook.fixes.iter().copied().filter(|check| checks.contains(check)).collect()
}

fn because(chosen: &[&PlaybookBrief], covers: &[Cover], uncovered: usize, approval: Approval) -> String {
    let total = covers.len() + uncovered;
    if total == 0 {
        return "There are no findings, so there is nothing to change.".to_owned();
    }
    if chosen.is_empty() {
        return format!("No playbook fixes any of the {total} findings: a technician must look at them.");
    }
    let each: Vec<String> = chosen
        .iter()
        .map(|playbook| {
            let fixed = covers.iter().filter(|cover| cover.playbook == playbook.id).count();
            format!("{} fixes {fixed} at {} risk", playbook.id, playbook.risk)
        })
        .collect();
    let rest = match uncovered {
        0 => String::new(),
        1 => " One finding is left for a technician.".to_owned(),
        more => format!(" {more} findings are left for a technician."),
    };
    format!(
        "Of {total} findings {} can be fixed: {}.{rest} The {approval} must approve before anything changes.",
        covers.len(),
        each.join(", ")
    )
}

#[cfg(test)]
mod tests;
