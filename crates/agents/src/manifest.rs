//! What an agent says of itself: its skills, what they may touch, what they are billed as.

use serde::{Deserialize, Serialize};

use crate::{named::named, skill::Skill};

named! {
    /// What a skill may touch.
    Capability, "capability" {
        /// Reads a case: its text, answers, findings.
        ReadCase = "read_case",
        /// Reads a device's state; changes nothing on it.
        ReadDevice = "read_device",
        /// Changes a device.
        ChangeDevice = "change_device",
    }
}

named! {
    /// Who must agree before a skill runs or a proposal is carried out; later ones weigh more.
    Approval, "approval" {
        /// Nobody: nothing is changed.
        None = "none",
        /// A technician of the operator, or the customer.
        Technician = "technician",
        /// The customer whose device it is.
        Customer = "customer",
    }
}

named! {
    /// What kind of engine does an agent's work.
    EngineKind, "engine" {
        /// The same input always gives the same output.
        Deterministic = "deterministic",
    }
}

/// A service agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentManifest {
    /// What stands before the full stop in its skills' names.
    pub id: String,
    /// For people.
    pub name: String,
    /// Semantic version of the agent's behaviour.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// What it can do.
    pub skills: Vec<SkillSpec>,
    /// How it does it.
    pub engine: EngineKind,
}

/// One skill of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkillSpec {
    /// The skill, written by its name.
    pub name: Skill,
    /// For people.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// The id in the catalogue under which a use is priced.
    pub sku: String,
    /// All that it may touch.
    pub capabilities: Vec<Capability>,
    /// The least approval it needs; a proposal's risk may ask for more.
    pub approval: Approval,
}

/// The agents that come with Echo: triage, diagnostics, scanner, remediation, advisory.
pub fn builtin() -> Vec<AgentManifest> {
    use Capability::{ReadCase, ReadDevice};

    let triage = spec(
        Skill::TriageClassify,
        "Sort a case",
        "Gives category, severity, queue and a playbook hint, with the words that decided.",
        &[ReadCase],
    );
    let probe = spec(
        Skill::DiagnosticsProbe,
        "Probe a device",
        "Reads load, memory, disks and services of a device; changes nothing.",
        &[ReadDevice],
    );
    let scan = spec(
        Skill::ScannerPosture,
        "Scan the security posture",
        "Runs a posture policy on a device and reports what passed and failed; changes nothing.",
        &[ReadDevice],
    );
    let answer = spec(
        Skill::AdvisoryAnswer,
        "Answer a question",
        "Answers only from the case's evidence, citing each sentence, and says so when nothing bears on it.",
        &[ReadCase],
    );
    vec![
        agent("triage", "Triage", "Reads a new case and says where it belongs.", vec![triage]),
        agent("diagnostics", "Diagnostics", "Measures a device that misbehaves.", vec![probe]),
        agent("scanner", "Scanner", "Checks how safely a device is set up.", vec![scan]),
        agent(
            "remediation",
            "Remediation",
            "Turns findings into a change that can be undone.",
            remediation(),
        ),
        agent("advisory", "Advisory", "Answers questions about a case.", vec![answer]),
    ]
}

fn remediation() -> Vec<SkillSpec> {
    use Capability::{ChangeDevice, ReadCase, ReadDevice};

    let plan = spec(
        Skill::RemediationPlan,
        "Propose a fix",
        "Picks the playbooks that fix the findings and has the device draw the diff; changes nothing.",
        &[ReadCase, ReadDevice],
    );
    let apply = spec(
        Skill::RemediationApply,
        "Apply an approved fix",
        "Applies exactly the approved plan on the device, verifies it, and rolls back if that fails.",
        &[ReadCase, ReadDevice, ChangeDevice],
    );
    vec![plan, SkillSpec { approval: Approval::Technician, ..apply }]
}

fn agent(id: &str, name: &str, description: &str, skills: Vec<SkillSpec>) -> AgentManifest {
    AgentManifest {
        id: id.to_owned(),
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        description: description.to_owned(),
        skills,
        engine: EngineKind::Deterministic,
    }
}

fn spec(skill: Skill, title: &str, description: &str, capabilities: &[Capability]) -> SkillSpec {
    SkillSpec {
        name: skill,
        title: title.to_owned(),
        description: description.to_owned(),
        sku: skill.as_str().to_owned(),
        capabilities: capabilities.to_vec(),
        approval: Approval::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_skill_belongs_to_exactly_one_builtin_agent() {
        for skill in Skill::ALL {
            let owners: Vec<_> = builtin()
                .into_iter()
                .filter(|agent| agent.skills.iter().any(|spec| spec.name == *skill))
                .map(|agent| agent.id)
                .collect();
            assert_eq!(owners, [skill.agent()], "{skill}");
        }
    }

    #[test]
    fn only_a_skill_that_somebody_approves_may_change_a_device() {
        for spec in builtin().into_iter().flat_map(|agent| agent.skills) {
            let changes = spec.capabilities.contains(&Capability::ChangeDevice);
            assert_eq!(changes, spec.approval > Approval::None, "{}", spec.name);
        }
    }

    #[test]
    fn a_manifest_with_an_unknown_field_is_refused() {
        let mut json = serde_json::to_value(&builtin()[0]).unwrap();
        assert!(serde_json::from_value::<AgentManifest>(json.clone()).is_ok());
        json["root"] = true.into();
        assert!(serde_json::from_value::<AgentManifest>(json).is_err());
    }
}
