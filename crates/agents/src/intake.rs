//! Intake forms: a template asks, a filled one opens a case.
//!
//! A template is YAML as `intake/schema.json` says. Its signature is checked before it comes here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::named::named;

/// The most bytes of a template.
pub const MAX_FORM_BYTES: usize = 64 * 1024;
/// The most fields of a form.
pub const MAX_FIELDS: usize = 40;
/// The most choices of a field.
pub const MAX_CHOICES: usize = 40;
/// The most characters of an id.
pub const MAX_ID_CHARS: usize = 60;
/// The most characters of a title, label or choice.
pub const MAX_LABEL_CHARS: usize = 200;
/// The most characters of a description.
pub const MAX_DESCRIPTION_CHARS: usize = 1_000;
/// The most characters of one answer, and what holds where a field says nothing.
pub const MAX_ANSWER_CHARS: u32 = 4_000;

named! {
    /// How a field is answered.
    FieldKind, "kind of field" {
        /// In the customer's own words.
        Text = "text",
        /// With one of the field's choices.
        Choice = "choice",
        /// With `yes` or `no`.
        YesNo = "yes_no",
    }
}

/// A form template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Its id, such as `slow-computer`.
    pub id: String,
    /// Counts up from 1.
    pub version: u32,
    /// For people.
    pub title: String,
    /// When to use it.
    #[serde(default)]
    pub description: String,
    /// What it asks, in this order.
    pub fields: Vec<Field>,
}

/// One question of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its id within the form, such as `since_when`.
    pub id: String,
    /// The question.
    pub label: String,
    /// How it is answered.
    pub kind: FieldKind,
    /// Whether it must be answered.
    #[serde(default)]
    pub required: bool,
    /// The most characters of a text; [`MAX_ANSWER_CHARS`] when not said.
    #[serde(default = "max_answer_chars")]
    pub max_length: u32,
    /// What a choice is made from; empty for other kinds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

fn max_answer_chars() -> u32 {
    MAX_ANSWER_CHARS
}

/// Why a text is not a form template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Larger than [`MAX_FORM_BYTES`].
    #[error("the form is larger than {MAX_FORM_BYTES} bytes: shorten it")]
    TooLarge,
    /// Not the YAML that is expected.
    #[error("the form cannot be read: {0}")]
    Yaml(String),
    /// Something in it breaks a rule.
    #[error("the form's {part} {rule}")]
    Rule {
        /// Which part, such as "field `email`".
        part: String,
        /// What it must be.
        rule: String,
    },
}

/// A filled form, ready to open a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filled {
    /// The form's id.
    pub form: String,
    /// The form's version.
    pub version: u32,
    /// The answers by field, trimmed; fields without an answer are not there.
    pub answers: BTreeMap<String, String>,
}

/// What is wrong with the answer to one field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{field}: {problem}")]
pub struct FieldFault {
    /// Which field.
    pub field: String,
    /// What is wrong and what to do, for people.
    pub problem: String,
}

impl Form {
    /// Reads a template.
    pub fn parse(yaml: &str) -> Result<Self, FormError> {
        if yaml.len() > MAX_FORM_BYTES {
            return Err(FormError::TooLarge);
        }
        let form: Self = serde_saphyr::from_str(yaml)
            .map_err(|error| FormError::Yaml(error.to_string().chars().take(500).collect()))?;
        form.check()?;
        Ok(form)
    }

    /// Takes a customer's answers, or says everything that is wrong with them.
    pub fn fill(&self, mut answers: BTreeMap<String, String>) -> Result<Filled, Vec<FieldFault>> {
        let mut faults = Vec::new();
        let mut taken = BTreeMap::new();
        for field in &self.fields {
            let answer = answers.remove(&field.id).unwrap_or_default();
            match field.take(answer.trim()) {
                Ok(None) => {}
                Ok(Some(answer)) => {
                    taken.insert(field.id.clone(), answer.to_owned());
                }
                Err(problem) => faults.push(fault(&field.id, &problem)),
            }
        }
        for unknown in answers.keys().take(MAX_FIELDS) {
            let name: String = unknown.chars().take(MAX_ID_CHARS).collect();
            faults.push(fault(&name, "this form has no such field"));
        }
        if faults.is_empty() {
            Ok(Filled { form: self.id.clone(), version: self.version, answers: taken })
        } else {
            Err(faults)
        }
    }

    fn check(&self) -> Result<(), FormError> {
        rule(is_id(&self.id, '-'), "id", "must be lower-case words joined by hyphens")?;
        rule(self.version > 0, "version", "must be 1 or more")?;
        rule(is_label(&self.title), "title", "must be one line of 1 to 200 characters")?;
        let described = self.description.chars().count() <= MAX_DESCRIPTION_CHARS;
        rule(described, "description", "must be at most 1000 characters")?;
        rule((1..=MAX_FIELDS).contains(&self.fields.len()), "fields", "must be 1 to 40")?;
        let mut seen = BTreeSet::new();
        for field in &self.fields {
            let part = format!("field `{}`", field.id.chars().take(MAX_ID_CHARS).collect::<String>());
            rule(seen.insert(&field.id), &part, "is there twice")?;
            field.check(&part)?;
        }
        Ok(())
    }
}

impl Field {
    fn check(&self, part: &str) -> Result<(), FormError> {
        rule(is_id(&self.id, '_'), part, "must have an id of lower-case words joined by underscores")?;
        rule(is_label(&self.label), part, "must have a label of one line of 1 to 200 characters")?;
        let fits = (1..=MAX_ANSWER_CHARS).contains(&self.max_length);
        rule(fits, part, "must have a max_length from 1 to 4000")?;
        if self.kind != FieldKind::Choice {
            return rule(self.choices.is_empty(), part, "has choices, but its kind is not choice");
        }
        rule((2..=MAX_CHOICES).contains(&self.choices.len()), part, "must have 2 to 40 choices")?;
        let plain = |choice: &String| is_label(choice) && choice.trim() == choice;
        let each = self.choices.iter().all(plain);
        rule(each, part, "must have choices of one line of 1 to 200 characters")?;
        let different: BTreeSet<&String> = self.choices.iter().collect();
        rule(different.len() == self.choices.len(), part, "has the same choice twice")
    }

    /// The answer if it fits; nothing for an empty one that may be empty.
    fn take<'a>(&self, answer: &'a str) -> Result<Option<&'a str>, String> {
        if answer.is_empty() {
            return if self.required { Err("please answer this".to_owned()) } else { Ok(None) };
        }
        let limit = usize::try_from(self.max_length).unwrap_or(usize::MAX);
        match self.kind {
            FieldKind::Text if answer.chars().nth(limit).is_some() => {
                Err(format!("please use at most {limit} characters"))
            }
            FieldKind::Text if answer.chars().any(|c| c.is_control() && !c.is_whitespace()) => {
                Err("please write plain text, without control characters".to_owned())
            }
            FieldKind::Choice if !self.choices.iter().any(|choice| choice == answer) => {
                Err(format!("please choose one of: {}", self.choices.join(", ")))
            }
            FieldKind::YesNo if !matches!(answer, "yes" | "no") => Err("please answer yes or no".to_owned()),
            _ => Ok(Some(answer)),
        }
    }
}

impl Filled {
    /// What the customer said, for triage: the answers in the order of their ids with an empty line between. A
    /// bare `yes` or `no` says nothing without its question and is left out.
    pub fn text(&self) -> String {
        let said = |answer: &&String| !matches!(answer.as_str(), "yes" | "no");
        let answers: Vec<&str> = self.answers.values().filter(said).map(String::as_str).collect();
        answers.join("\n\n")
    }
}

fn rule(holds: bool, part: &str, rule: &str) -> Result<(), FormError> {
    if holds {
        return Ok(());
    }
    Err(FormError::Rule { part: part.to_owned(), rule: rule.to_owned() })
}

fn fault(field: &str, problem: &str) -> FieldFault {
    FieldFault { field: field.to_owned(), problem: problem.to_owned() }
}

fn is_id(id: &str, joint: char) -> bool {
    id.len() <= MAX_ID_CHARS
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.split(joint).all(|part| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        })
}

fn is_label(label: &str) -> bool {
    !label.trim().is_empty()
        && label.chars().count() <= MAX_LABEL_CHARS
        && !label.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
