//! The tools: one a skill, and those with which a caller finds its way to a case.

use std::sync::Arc;

use agents::{Capability, Skill, SkillSpec};
use rmcp::{
    handler::server::tool::schema_for_type,
    model::{JsonObject, Tool, ToolAnnotations},
};
use serde_json::{Value, json};

use crate::arguments::{
    IdArgument, Nothing, OpenArguments, PageArguments, QuestionArguments, SkillArguments,
};

/// What a tool's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Job {
    Skill(Skill),
    ListForms,
    OpenCase,
    ListCases,
    ReadCase,
    ReadCall,
    ListDevices,
}

/// A skill that can be asked for here. What changes a device is approved by a person, not by a model; and whoever speaks
/// MCP has a model of its own.
fn offered(skill: Skill) -> bool {
    skill.may_be_asked_by_programs() && skill.needs_case()
}

/// The name of a skill's tool: names with a full stop are refused by some clients.
fn name_of(skill: Skill) -> String {
    skill.as_str().replace('.', "_")
}

impl Job {
    /// What `name` stands for.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let skill = Skill::ALL.iter().copied().find(|skill| offered(*skill) && name_of(*skill) == name);
        skill.map(Self::Skill).or(match name {
            "list_forms" => Some(Self::ListForms),
            "open_case" => Some(Self::OpenCase),
            "list_cases" => Some(Self::ListCases),
            "read_case" => Some(Self::ReadCase),
            "read_call" => Some(Self::ReadCall),
            "list_devices" => Some(Self::ListDevices),
            _ => None,
        })
    }
}

/// Every tool.
pub(crate) fn all() -> Vec<Tool> {
    let agents = agents::builtin();
    let skills =
        agents.iter().flat_map(|agent| &agent.skills).filter(|spec| offered(spec.name)).map(of_skill);
    let read =
        |tool: Tool| tool.annotate(ToolAnnotations::new().read_only(true).idempotent(true).open_world(false));
    let open = Tool::new(
        "open_case",
        "Opens a support case by filling in an intake form; it is triaged at once, which is charged as triage.classify.",
        schema_for_type::<OpenArguments>(),
    );
    let records = [
        read(Tool::new(
            "list_forms",
            "Lists the intake forms with their fields.",
            schema_for_type::<Nothing>(),
        )),
        open.annotate(ToolAnnotations::new().read_only(false).destructive(false).open_world(false)),
        read(Tool::new("list_cases", "Lists cases, newest first.", schema_for_type::<PageArguments>())),
        read(Tool::new(
            "read_case",
            "Reads a case with its timeline, calls, findings, proposed changes, proofs and receipts.",
            schema_for_type::<IdArgument>(),
        )),
        read(Tool::new(
            "read_call",
            "Reads a call of a skill by its id, `call_...`, with its receipt once it has one.",
            schema_for_type::<IdArgument>(),
        ))
        .with_raw_output_schema(call_schema()),
        read(Tool::new("list_devices", "Lists devices, newest first.", schema_for_type::<PageArguments>())),
    ];
    skills.chain(records).collect()
}

fn of_skill(spec: &SkillSpec) -> Tool {
    let schema = match spec.name {
        Skill::AdvisoryAnswer => schema_for_type::<QuestionArguments>(),
        _ => schema_for_type::<SkillArguments>(),
    };
    let description = format!("{} Metered, and charged as the plan says.", spec.description);
    let changes = spec.capabilities.contains(&Capability::ChangeDevice);
    Tool::new(name_of(spec.name), description, schema)
        .with_title(spec.title.clone())
        .with_raw_output_schema(call_schema())
        .annotate(ToolAnnotations::new().read_only(false).destructive(changes).open_world(false))
}

/// What a skill's tool answers.
fn call_schema() -> Arc<JsonObject> {
    let schema = json!({
        "type": "object",
        "required": ["call", "receipt"],
        "properties": {
            "call": {
                "type": "object",
                "description": "The call: its state (running, done, failed), its output, or why it failed.",
                "required": ["id", "skill", "state"],
                "properties": {
                    "id": {"type": "string"},
                    "skill": {"type": "string"},
                    "state": {"type": "string", "enum": ["running", "done", "failed"]}
                }
            },
            "receipt": {
                "type": ["object", "null"],
                "description": "The signed receipt with its inclusion proof; null while there is none, and when nothing was charged."
            }
        }
    });
    match schema {
        Value::Object(schema) => Arc::new(schema),
        _ => unreachable!("an object is written above"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_has_a_job_and_a_name_that_all_clients_take() {
        for tool in all() {
            assert!(Job::named(&tool.name).is_some(), "{}", tool.name);
            assert!(tool.name.len() <= 64);
            assert!(tool.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", tool.name);
        }
    }

    #[test]
    fn every_skill_on_a_case_but_the_one_that_people_approve_is_a_tool() {
        let names: Vec<String> = all().into_iter().map(|tool| tool.name.into_owned()).collect();
        for skill in Skill::ALL {
            let expected = !["remediation.apply", "model.chat", "model.embed"].contains(&skill.as_str());
            assert_eq!(names.contains(&name_of(*skill)), expected, "{skill}");
        }
        assert_eq!(Job::named("remediation_apply"), None);
    }
}
