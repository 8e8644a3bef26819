//! Answers to questions about a case, from the case's own evidence.

use std::collections::BTreeSet;

use access::Principal;
use agents::{Evidence, EvidenceKind, Question, Skill};
use echo_core::Id as _;
use playbooks::Template;
use store::{Filter, Scope};

use crate::{Case, DeskError, Finding, FindingState, SkillCall, TimelineKind, work::Work};

/// The longest question, in characters.
const MAX_QUESTION: usize = 1_000;

impl Work<'_> {
    /// Lets the advisor answer a question, with the evidence it used.
    pub(crate) async fn advise(
        &mut self,
        principal: &Principal,
        case: &Case,
        question: &str,
    ) -> Result<SkillCall, DeskError> {
        let question = question.trim();
        if question.is_empty() || question.chars().count() > MAX_QUESTION {
            return Err(DeskError::invalid("question", "ask something in 1 to 1000 characters"));
        }
        let input = Question { text: question.to_owned(), evidence: self.evidence(case).await? };
        let mut call = self.admit(principal, case, Skill::AdvisoryAnswer, &input).await?;
        match agents::Engine::run(&agents::Advisor, &input) {
            Ok(advice) => {
                // An honest "nothing here bears on it" is no answer, and costs nothing.
                let billable = !advice.abstained;
                let answer = advice.answer.clone();
                self.complete(&mut call, case, &advice, None, billable).await?;
                self.note(case, TimelineKind::Advised, format!("Asked: {question}"), answer, None).await?;
            }
            Err(error) => self.fail(&mut call, case, &error.to_string()).await?,
        }
        Ok(call)
    }

    async fn evidence(&mut self, case: &Case) -> Result<Vec<Evidence>, DeskError> {
        let scope = Scope::Customer(case.customer.clone());
        let under = Filter::under(case.id.as_str());
        let mut evidence = Vec::new();
        if let Some(triage) = &case.triage {
            evidence.push(Evidence {
                id: case.id.to_string(),
                kind: EvidenceKind::Triage,
                title: "Triage".to_owned(),
                text: triage.summary.clone(),
            });
        }
        let mut findings = self.tx.all::<Finding>(&scope, &under).await?;
        findings.sort_by_key(|f| std::cmp::Reverse(f.result.severity));
        evidence.extend(findings.iter().map(of_finding));
        for call in self.tx.all::<SkillCall>(&scope, &under).await? {
            if call.skill != Skill::DiagnosticsProbe {
                continue;
            }
            let Some(output) = call.output else { continue };
            let diagnosis: observability::Diagnosis = serde_json::from_value(output)?;
            evidence.push(Evidence {
                id: call.id.to_string(),
                kind: EvidenceKind::Diagnosis,
                title: "Diagnosis of the machine".to_owned(),
                text: crate::result::describe(&diagnosis),
            });
        }
        let open: BTreeSet<u32> =
            findings.iter().filter(|f| f.state == FindingState::Open).map(|f| f.result.check).collect();
        let useful = |p: &&Template| p.fixes.iter().any(|check| open.contains(check));
        evidence.extend(self.desk.content().playbooks_at(self.now).filter(useful).map(of_playbook));
        Ok(evidence)
    }
}

fn of_finding(finding: &Finding) -> Evidence {
    let result = &finding.result;
    Evidence {
        id: finding.id.to_string(),
        kind: EvidenceKind::Finding,
        title: format!("{} ({} severity)", result.title, crate::finding::urgency(result.severity)),
        text: format!("{} {}", result.rationale, result.remediation),
    }
}

fn of_playbook(template: &Template) -> Evidence {
    Evidence {
        id: template.id.clone(),
        kind: EvidenceKind::Playbook,
        title: template.name.clone(),
        text: format!("{} Roll back: {}", template.description, template.rollback),
    }
}
