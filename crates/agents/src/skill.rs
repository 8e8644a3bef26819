//! The skills that this Echo offers, by their names.

use crate::named::named;

named! {
    /// One typed operation of an agent, written `agent.verb`.
    Skill, "skill" {
        /// Sorts a case: category, severity, route, playbook hint.
        TriageClassify = "triage.classify",
        /// Measures a device.
        DiagnosticsProbe = "diagnostics.probe",
        /// Scans a device's security posture.
        ScannerPosture = "scanner.posture",
        /// Proposes playbooks for findings.
        RemediationPlan = "remediation.plan",
        /// Carries out an approved plan on a device.
        RemediationApply = "remediation.apply",
        /// Answers a question from a case's evidence.
        AdvisoryAnswer = "advisory.answer",
        /// Goes on with a conversation, by a language model.
        ModelChat = "model.chat",
        /// Turns texts into vectors, by a language model.
        ModelEmbed = "model.embed",
    }
}

impl Skill {
    /// The id of the agent that has this skill: what stands before the full stop.
    pub fn agent(self) -> &'static str {
        let name = self.as_str();
        name.split_once('.').map_or(name, |(agent, _)| agent)
    }

    /// Whether it works on a case that somebody opened; a model is asked about anything.
    pub fn needs_case(self) -> bool {
        !matches!(self, Self::ModelChat | Self::ModelEmbed)
    }

    /// Whether a program may ask for it by itself. What changes a device is approved by a person.
    pub fn may_be_asked_by_programs(self) -> bool {
        self != Self::RemediationApply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skill_reads_back_from_its_name_and_from_json() {
        for skill in Skill::ALL {
            assert_eq!(skill.as_str().parse(), Ok(*skill));
            let json = serde_json::to_string(skill).unwrap();
            assert_eq!(json, format!("\"{skill}\""));
            assert_eq!(serde_json::from_str::<Skill>(&json).unwrap(), *skill);
        }
    }

    #[test]
    fn an_unknown_skill_is_refused_with_the_known_names() {
        let error = "triage.guess".parse::<Skill>().unwrap_err().to_string();
        assert!(error.contains("`triage.guess`") && error.contains("triage.classify"), "{error}");
    }

    #[test]
    fn the_agent_is_the_first_part_of_the_name() {
        assert_eq!(Skill::RemediationApply.agent(), "remediation");
    }
}
