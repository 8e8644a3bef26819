//! What a case is sorted as: by triage, and by a technician, whose word counts and is learned from.

use access::{Action, Principal};
use agents::{
    Engine as _, Seen, Skill, Trace, Triage, TriageFacts, TriageInput, Triager,
    triage::{MAX_COMPARED, Related, related},
};
use echo_core::{CaseId, Digest, Id as _, PageRequest, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Filter, Scope};

use crate::{Call, Case, CaseState, CaseView, Desk, DeskError, Device, SkillCall, TimelineKind, work::Work};

/// What a technician sorted a case as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sorted {
    /// A label of the set.
    pub label: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Whether it was said by hand; without it, a technician closed the case as triage had sorted it.
    pub by_hand: bool,
}

/// What a case is to be sorted as.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SortCase {
    /// The id of a label.
    pub category: String,
}

/// A case that resembles another one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RelatedCase {
    /// Which.
    pub case: CaseId,
    /// Its number for people.
    pub number: i64,
    /// One line of what was asked.
    pub title: String,
    /// Where it stands.
    pub state: CaseState,
    /// How much it resembles, 0 to 1.
    pub score: f64,
    /// Whether it says the same again.
    pub duplicate: bool,
}

impl Case {
    /// What it is sorted as: by a technician, or else by triage.
    pub fn label(&self) -> Option<&str> {
        let sorted = self.sorted.as_ref().map(|sorted| sorted.label.as_str());
        sorted.or(self.triage.as_ref().and_then(|triage| triage.label.as_deref()))
    }

    /// A technician who closes a case as triage sorted it says that it is right.
    pub(crate) fn confirm(&mut self, principal: &Principal, at: Timestamp) {
        if self.sorted.is_some() || principal.require(Action::WorkCase).is_err() {
            return;
        }
        let label = self.triage.as_ref().and_then(|triage| triage.label.clone());
        self.sorted = label.map(|label| Sorted { label, by: principal.name.clone(), at, by_hand: false });
    }
}

impl Desk {
    /// Sorts a case by hand. Triage learns from it.
    pub async fn sort_case(&self, call: &Call, id: &CaseId, sort: SortCase) -> Result<CaseView, DeskError> {
        call.principal.require(Action::WorkCase)?;
        let label = self.content().labels.get(&sort.category).ok_or_else(|| {
            DeskError::invalid("category", format!("use one of {}", self.content().labels.listed()))
        })?;
        let mut work = self.work(&call.principal.name).await?;
        let mut case = work.case(&call.scope(), id).await?;
        if case.state == CaseState::Standing {
            return Err(DeskError::Conflict(format!("case {} only collects uses of models", case.number)));
        }
        let before = case.label().map_or("not sorted".to_owned(), |label| format!("was {label}"));
        case.sorted =
            Some(Sorted { label: label.id.clone(), by: work.actor.clone(), at: work.now, by_hand: true });
        work.tx.update(&case).await?;
        let title = format!("Sorted as {} ({before})", label.id);
        work.note(&case, TimelineKind::Triaged, title, "", None).await?;
        let view = work.case_view(case).await?;
        work.finish(call, 200, view).await
    }
}

impl Work<'_> {
    /// Lets triage read the case, and keeps what it found.
    pub(crate) async fn triage(
        &mut self,
        principal: &Principal,
        case: &mut Case,
        device: Option<&Device>,
    ) -> Result<SkillCall, DeskError> {
        let input = TriageInput {
            text: case.text.clone(),
            answers: case.answers.clone(),
            facts: device.map(|d| TriageFacts {
                os_name: d.facts.os_name.clone(),
                kernel: d.facts.kernel.clone(),
                notes: Vec::new(),
                posture_score: d.posture.as_ref().map(|p| p.score),
            }),
        };
        let mut call = self.admit(principal, case, Skill::TriageClassify, &input).await?;
        let (begun, triager) = (self.desk.now(), self.desk.triager());
        let mut triage = match triager.run(&input) {
            Ok(triage) => triage,
            Err(error) => {
                self.fail(&mut call, case, &error.to_string()).await?;
                return Ok(call);
            }
        };
        triage.related = self.resembling(case).await?;
        let took = self.desk.now().as_millisecond().saturating_sub(begun.as_millisecond());
        call.trace = Some(trace(&triager, case, &triage, u64::try_from(took).unwrap_or(0)));
        case.severity = triage.severity;
        let summary = triage.summary.clone();
        let sorted = triage.label.as_deref().unwrap_or("not sorted");
        let title = format!("Triage: {sorted}, {} severity", triage.severity);
        self.complete(&mut call, case, &triage, None, true).await?;
        case.triage = Some(triage);
        self.tx.update(case).await?;
        self.note(case, TimelineKind::Triaged, title, summary, None).await?;
        Ok(call)
    }

    /// Which of the same customer's newest cases resemble this one.
    async fn resembling(&mut self, case: &Case) -> Result<Vec<Related>, DeskError> {
        let scope = Scope::Customer(case.customer.clone());
        let page = PageRequest::largest();
        let newest = self.tx.list::<Case>(&scope, &Filter::default(), &page).await?.items;
        let known: Vec<(&CaseId, &str)> = newest
            .iter()
            .filter(|other| other.id != case.id && other.state != CaseState::Standing)
            .take(MAX_COMPARED)
            .map(|other| (&other.id, other.text.as_str()))
            .collect();
        Ok(related(&case.text, &known))
    }

    /// The cases that triage named, as they stand now.
    pub(crate) async fn related_cases(&mut self, case: &Case) -> Result<Vec<RelatedCase>, DeskError> {
        let scope = Scope::Customer(case.customer.clone());
        let mut out = Vec::new();
        for named in case.triage.iter().flat_map(|triage| &triage.related) {
            if let Some(other) = self.tx.get::<Case>(&scope, named.case.as_str()).await? {
                out.push(RelatedCase {
                    case: other.id,
                    number: other.number,
                    title: other.title,
                    state: other.state,
                    score: named.score,
                    duplicate: named.duplicate,
                });
            }
        }
        Ok(out)
    }
}

/// How triage came to its answer.
fn trace(triager: &Triager, case: &Case, triage: &Triage, millis: u64) -> Trace {
    let mut because = Vec::new();
    if let Some(guess) = &triage.guess {
        let what = if guess.abstained { "was not sure enough of" } else { "says" };
        because.push(format!("learned-{} {what} {} ({:.3})", guess.version, guess.label, guess.confidence));
    }
    because.extend(
        triage.because.iter().map(|b| format!("the word {:?} for {} ({})", b.word, b.speaks_for, b.weight)),
    );
    because.extend(triage.facts_used.iter().cloned());
    if triage.abstained {
        because.push(format!("not sure enough ({}): a person reads it", triage.confidence));
    }
    let seen = |id: String, text: &str| Seen { id, digest: Digest::of(text.as_bytes()) };
    Trace {
        engine: triage.engine.clone(),
        model: triager.learned().map(agents::triage::Learned::reference),
        seen: vec![seen(case.id.to_string(), &case.text)],
        because,
        redacted: 0,
        quarantined: 0,
        tokens: 0,
        millis,
    }
}
