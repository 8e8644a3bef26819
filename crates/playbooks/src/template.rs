//! Playbook templates: what a fix is called, what it fixes, how risky it is, and its steps.

use serde::{Deserialize, Serialize};

use crate::step::{MAX_TEXT, Step};

/// The most bytes of YAML one template may have.
pub const MAX_TEMPLATE_BYTES: usize = 256 * 1024;
/// The most steps of one template.
pub const MAX_STEPS: usize = 64;
/// The most checks one template may fix.
pub const MAX_FIXES: usize = 64;
const MAX_ID: usize = 64;
const MAX_NAME: usize = 120;

/// How much can go wrong for the people who use the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Nobody should notice.
    Low,
    /// Somebody may have to change how they work.
    Medium,
    /// Somebody may be locked out, or a service may stop.
    High,
}

/// A playbook, as its YAML file says it (`playbooks/schema.json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// Its kebab-case id, such as `ssh-hardening`; at most 64 characters.
    pub id: String,
    /// A short title for people.
    pub name: String,
    /// Grows with every change of the steps; from 1.
    pub version: u32,
    /// What it does and why, for people.
    pub description: String,
    /// The posture checks that pass once it has run.
    pub fixes: Vec<u32>,
    /// How much can go wrong.
    pub risk: Risk,
    /// What undoing it means, in words for a person.
    pub rollback: String,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// A template without its steps, for lists and proposals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaybookSummary {
    /// The template's id.
    pub id: String,
    /// Its title.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// The posture checks that pass once it has run.
    pub fixes: Vec<u32>,
    /// How much can go wrong.
    pub risk: Risk,
    /// What undoing it means.
    pub rollback: String,
    /// What it does and why.
    pub description: String,
}

/// Why a template is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// More than [`MAX_TEMPLATE_BYTES`].
    #[error("the playbook has {0} bytes, more than {MAX_TEMPLATE_BYTES}: split it")]
    TooLarge(usize),
    /// Not the YAML of a template.
    #[error("the playbook is not a valid template: {0}")]
    Yaml(String),
    /// Well-formed, but it makes no sense.
    #[error("playbook `{playbook}`: {why}")]
    Invalid {
        /// Which template.
        playbook: String,
        /// What is wrong, and where.
        why: String,
    },
}

impl Template {
    /// Reads a template and checks every bound. Who signed it is the caller's business.
    pub fn parse(yaml: &str) -> Result<Self, TemplateError> {
        if yaml.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateError::TooLarge(yaml.len()));
        }
        let template: Self = serde_saphyr::from_str(yaml).map_err(|e| TemplateError::Yaml(e.to_string()))?;
        template.check()?;
        Ok(template)
    }

    /// The template without its steps.
    pub fn summary(&self) -> PlaybookSummary {
        PlaybookSummary {
            id: self.id.clone(),
            name: self.name.clone(),
            version: self.version,
            fixes: self.fixes.clone(),
            risk: self.risk,
            rollback: self.rollback.clone(),
            description: self.description.clone(),
        }
    }

    fn check(&self) -> Result<(), TemplateError> {
        let fault = self.fault().or_else(|| {
            self.steps
                .iter()
                .enumerate()
                .find_map(|(at, step)| step.fault().map(|why| format!("step {}: {why}", at + 1)))
        });
        fault.map_or(Ok(()), |why| {
            Err(TemplateError::Invalid { playbook: self.id.chars().take(MAX_ID).collect(), why })
        })
    }

    fn fault(&self) -> Option<String> {
        if !is_kebab(&self.id) {
            return Some(format!(
                "the id must be lower-case words joined by `-`, at most {MAX_ID} characters"
            ));
        }
        if self.version == 0 {
            return Some("the version starts at 1".to_owned());
        }
        for (what, text, most) in [
            ("name", &self.name, MAX_NAME),
            ("description", &self.description, MAX_TEXT),
            ("rollback", &self.rollback, MAX_TEXT),
        ] {
            if text.trim().is_empty() || text.len() > most {
                return Some(format!("`{what}` must have 1 to {most} bytes"));
            }
        }
        for (what, found, most) in
            [("steps", self.steps.len(), MAX_STEPS), ("fixes", self.fixes.len(), MAX_FIXES)]
        {
            if found == 0 || found > most {
                return Some(format!("{found} {what}: 1 to {most} are allowed"));
            }
        }
        None
    }
}

/// Whether `id` is made of lower-case words and digits joined by single hyphens.
pub(crate) fn is_kebab(id: &str) -> bool {
    id.len() <= MAX_ID
        && id.split('-').all(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "id: a-1\nname: A\nversion: 1\ndescription: d\nfixes: [1]\nrisk: low\nrollback: r\n\
        steps:\n  - file_line: {path: /etc/a, line: x}\n";

    #[test]
    fn a_template_reads_and_sums_up() {
        let template = Template::parse(GOOD).unwrap();
        assert_eq!((template.summary().id.as_str(), template.steps.len()), ("a-1", 1));
    }

    #[test]
    fn faults_are_named() {
        for (from, to, says) in [
            ("id: a-1", "id: A_1", "lower-case"),
            ("version: 1", "version: 0", "starts at 1"),
            ("fixes: [1]", "fixes: []", "0 fixes"),
            ("/etc/a", "etc/a", "step 1"),
            ("/etc/a", "/etc/../a", "step 1"),
            ("/etc/a", "/proc/a", "step 1"),
            ("rollback: r", "rollback: r\nextra: 1", "extra"),
            ("file_line", "shell", "shell"),
        ] {
            let error = Template::parse(&GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(says), "{to}: {error}");
        }
        assert!(matches!(
            Template::parse(&" ".repeat(MAX_TEMPLATE_BYTES + 1)),
            Err(TemplateError::TooLarge(_))
        ));
    }

    proptest! {
        #[test]
        fn arbitrary_yaml_never_panics(text in "\\PC{0,200}", cut in 0_usize..150) {
            let _ = Template::parse(&text);
            let mut half: String = GOOD.chars().take(cut).collect();
            half.push_str(&text);
            let _ = Template::parse(&half);
        }
    }
}
