//! Prompts: a playbook in words, so that a model can tell a person what a fix would do. A playbook is carried out as it was
//! signed, on a device, after a person approved the diff: never from this text.

use std::fmt::Write as _;

use access::{Action, Principal};
use desk::Desk;
use playbooks::{Risk, Template};
use rmcp::{
    ErrorData,
    model::{GetPromptResult, JsonObject, ListPromptsResult, Prompt, PromptArgument, PromptMessage, Role},
};

use crate::failure;

/// The longest case id that is put into a prompt.
const MAX_CASE: usize = 64;

/// Every playbook.
pub(crate) fn list(desk: &Desk, principal: &Principal) -> Result<ListPromptsResult, ErrorData> {
    may_read(principal)?;
    let prompts = desk.content().playbooks_at(desk.now()).map(|playbook| {
        let case = PromptArgument::new("case").with_description("The case it is for: `case_...`.");
        Prompt::new(playbook.id.clone(), Some(playbook.description.clone()), Some(vec![case]))
            .with_title(playbook.name.clone())
    });
    Ok(ListPromptsResult::with_all_items(prompts.collect()))
}

/// One playbook in words.
pub(crate) fn read(
    desk: &Desk,
    principal: &Principal,
    name: &str,
    arguments: Option<&JsonObject>,
) -> Result<GetPromptResult, ErrorData> {
    may_read(principal)?;
    let content = desk.content();
    let playbook =
        content.playbooks_at(desk.now()).find(|playbook| playbook.id == name).ok_or_else(|| {
            ErrorData::invalid_params("there is no such playbook: list the prompts to see them", None)
        })?;
    let case = arguments.and_then(|given| given.get("case")).and_then(|case| case.as_str());
    let case = match case {
        Some(case) if case.len() <= MAX_CASE => Some(
            case.parse::<echo_core::CaseId>()
                .map_err(|error| ErrorData::invalid_params(format!("`case`: {error}"), None))?,
        ),
        Some(_) => return Err(ErrorData::invalid_params("`case`: this is no case's id", None)),
        None => None,
    };
    let words = in_words(playbook, case.as_ref());
    Ok(GetPromptResult::new(vec![PromptMessage::new_text(Role::User, words)])
        .with_description(playbook.name.clone()))
}

fn may_read(principal: &Principal) -> Result<(), ErrorData> {
    principal.require(Action::ReadCase).map_err(|denied| failure::of_reading(&denied.into()))
}

fn in_words(playbook: &Template, case: Option<&echo_core::CaseId>) -> String {
    let risk = match playbook.risk {
        Risk::Low => "low: nobody should notice",
        Risk::Medium => "medium: somebody may have to change how they work",
        Risk::High => "high: somebody may be locked out, or a service may stop",
    };
    let mut words = format!(
        "Playbook `{}`, version {}: {}\n\n{}\n\nRisk: {risk}.\nUndone by: {}\n\nSteps:\n",
        playbook.id, playbook.version, playbook.name, playbook.description, playbook.rollback
    );
    for (number, step) in playbook.steps.iter().enumerate() {
        // Writing into a String cannot fail.
        let _ = writeln!(words, "{}. {}", number + 1, step.describe());
    }
    words.push_str(
        "\nExplain to the person in plain words what this changes, what it risks and how it is undone. You cannot apply it: ",
    );
    match case {
        Some(case) => {
            let _ = write!(words, "call `remediation_plan` with the case {case}");
        }
        None => words.push_str("call `remediation_plan` with the case's id"),
    }
    words.push_str(" to have the device draw the diff, which a person then approves or rejects.\n");
    words
}
