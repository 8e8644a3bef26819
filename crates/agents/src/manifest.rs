//! What an agent says of itself: its skills, what they may touch, what they are billed as.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{named::named, remediation::Risk, schema, skill::Skill};

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
        /// A language model answers. What it says is data, and decides nothing.
        Model = "model",
    }
}

named! {
    /// What a skill reads.
    Data, "kind of data" {
        /// What the caller gives with the call, and nothing else.
        Given = "given",
        /// What the customer wrote and answered when the case was opened.
        CaseText = "case_text",
        /// What earlier calls found: triage, diagnoses, findings.
        CaseEvidence = "case_evidence",
        /// What is known of the device: its system, its last posture.
        DeviceFacts = "device_facts",
        /// The device itself: its load, disks, services, settings.
        DeviceState = "device_state",
        /// The signed playbooks.
        Playbooks = "playbooks",
        /// The operator's documents, and the same customer's closed cases.
        Memory = "memory",
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
    /// All that it reads.
    pub data: Vec<Data>,
    /// What a call may do to a device or its people; a proposal's own risk may be higher.
    pub risk: Risk,
    /// The least approval it needs; a proposal's risk may ask for more.
    pub approval: Approval,
    /// What a caller gives, as JSON Schema (draft 2020-12); see [`schema::check`].
    pub input: Value,
    /// What it answers, as JSON Schema.
    pub output: Value,
}

/// The agents that come with Echo: triage, diagnostics, scanner, remediation, advisory, model.
pub fn builtin() -> Vec<AgentManifest> {
    use Capability::{ReadCase, ReadDevice};

    let triage = spec(
        Skill::TriageClassify,
        "Sort a case",
        "Gives category, severity, queue and a playbook hint, with the words that decided.",
        &[ReadCase],
        &[Data::CaseText, Data::DeviceFacts],
    );
    let probe = spec(
        Skill::DiagnosticsProbe,
        "Probe a device",
        "Reads load, memory, disks and services of a device; changes nothing.",
        &[ReadDevice],
        &[Data::DeviceState],
    );
    let scan = spec(
        Skill::ScannerPosture,
        "Scan the security posture",
        "Runs a posture policy on a device and reports what passed and failed; changes nothing.",
        &[ReadDevice],
        &[Data::DeviceState],
    );
    let answer = spec(
        Skill::AdvisoryAnswer,
        "Answer a question",
        "Answers from the case's evidence and from what is remembered, citing each sentence, and says so when nothing bears on it.",
        &[ReadCase],
        &[Data::CaseEvidence, Data::DeviceFacts, Data::Playbooks, Data::Memory],
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
        AgentManifest {
            engine: EngineKind::Model,
            ..agent("model", "Models", "Lets programs use the platform's language models.", model())
        },
    ]
}

fn remediation() -> Vec<SkillSpec> {
    use Capability::{ChangeDevice, ReadCase, ReadDevice};

    let plan = spec(
        Skill::RemediationPlan,
        "Propose a fix",
        "Picks the playbooks that fix the findings and has the device draw the diff; changes nothing.",
        &[ReadCase, ReadDevice],
        &[Data::CaseEvidence, Data::Playbooks, Data::DeviceState],
    );
    let apply = spec(
        Skill::RemediationApply,
        "Apply an approved fix",
        "Applies exactly the approved plan on the device, verifies it, and rolls back if that fails.",
        &[ReadCase, ReadDevice, ChangeDevice],
        &[Data::CaseEvidence, Data::Playbooks, Data::DeviceState],
    );
    vec![plan, SkillSpec { approval: Approval::Technician, risk: Risk::High, ..apply }]
}

fn model() -> Vec<SkillSpec> {
    let chat = spec(
        Skill::ModelChat,
        "Chat with a model",
        "Goes on with a conversation. Nothing that the model says is carried out.",
        &[],
        &[Data::Given],
    );
    let embed = spec(
        Skill::ModelEmbed,
        "Turn texts into vectors",
        "Gives each text as a vector of length 1, so that texts of like meaning lie close.",
        &[],
        &[Data::Given],
    );
    vec![chat, embed]
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

fn spec(
    skill: Skill,
    title: &str,
    description: &str,
    capabilities: &[Capability],
    data: &[Data],
) -> SkillSpec {
    SkillSpec {
        name: skill,
        title: title.to_owned(),
        description: description.to_owned(),
        sku: skill.as_str().to_owned(),
        capabilities: capabilities.to_vec(),
        data: data.to_vec(),
        risk: Risk::Low,
        approval: Approval::None,
        input: schema::input(skill).clone(),
        output: schema::output(skill).clone(),
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
            assert_eq!(changes, spec.risk > Risk::Low, "{}", spec.name);
        }
    }

    #[test]
    fn every_skill_says_what_it_reads_takes_and_gives() {
        for spec in builtin().into_iter().flat_map(|agent| agent.skills) {
            assert!(!spec.data.is_empty(), "{}", spec.name);
            assert_eq!(spec.input["type"], "object", "{}", spec.name);
            assert!(spec.output["type"].is_string(), "{}", spec.name);
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
