//! Answers to questions about a case, from the case's own evidence and from what the platform remembers.
//!
//! A call is let in by one unit of work and ended by another; memory and models are asked between them, so nothing holds
//! the database meanwhile. The answer is made of quotes. A local model may phrase a draft of a reply from them, which
//! stands only when every sentence of it is found in the quotes. Nothing that a document, a case, a device or a model says
//! leads to a call of any other skill: the only thing that is done with their words is to show them.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use agents::{
    Advice, Advisor, Engine as _, EngineError, Evidence, EvidenceKind, Prepared, Question, Seen, Skill,
    Trace, advisory, drafting, trace::MAX_SEEN,
};
use echo_core::{CustomerId, Digest, Id as _};
use memory::Query;
use models::ModelRef;
use playbooks::Template;
use store::{Filter, Scope};
use tokio::time::timeout;

use crate::{
    Call, Case, CaseState, Desk, DeskError, Finding, FindingState, SkillCall, SkillCallState, TimelineKind,
    desk::blocking, recall::vectors_of, work::Work,
};

/// How many passages are retrieved for one question.
const PASSAGES: usize = 8;
/// The longest wait for the question's vector.
const EMBED: Duration = Duration::from_secs(10);
/// The longest wait for a draft, the wait for the model's turn included.
const DRAFT: Duration = Duration::from_mins(1);

/// What was retrieved, and how.
struct Recalled {
    evidence: Vec<Evidence>,
    how: String,
}

/// What came of asking a model for a draft.
struct Drafted {
    text: Option<String>,
    model: Option<ModelRef>,
    tokens: u32,
    why: String,
}

impl Drafted {
    fn not(why: String) -> Self {
        Self { text: None, model: None, tokens: 0, why }
    }
}

impl Desk {
    /// Lets a question in, answers it, and ends the call. Once it is let in it is ended whether or not the caller waits.
    pub(crate) async fn advise(
        &self,
        call: &Call,
        mut work: Work<'_>,
        case: Case,
        question: &str,
    ) -> Result<SkillCall, DeskError> {
        let input = Question { text: question.trim().to_owned(), evidence: work.evidence(&case).await? };
        let made = work.admit(&call.principal, &case, Skill::AdvisoryAnswer, &input).await?;
        work.commit().await?;
        let (desk, call) = (self.clone(), call.clone());
        let answering = tokio::spawn(async move {
            let id = made.id.clone();
            let ended = desk.answer(&call, made, input).await;
            if let Err(error) = &ended {
                // Whatever went wrong, the call must not stay open.
                desk.give_up(&id, &error.to_string()).await;
            }
            ended
        });
        answering.await.map_err(|e| DeskError::Internal(e.to_string()))?
    }

    async fn give_up(&self, id: &echo_core::CallId, reason: &str) {
        let ended = async {
            let mut work = self.work("Echo").await?;
            work.fail_call(id, reason).await?;
            work.commit().await
        };
        if let Err(error) = ended.await {
            tracing::warn!(call = %id, %error, "a call of the advisor could not be ended; the next start does");
        }
    }

    async fn answer(
        &self,
        call: &Call,
        mut made: SkillCall,
        input: Question,
    ) -> Result<SkillCall, DeskError> {
        let began = Instant::now();
        let asked = input.text.clone();
        let recalled = self.recall_for(&made.customer, &asked).await;
        let how = recalled.how;
        let mut evidence = input.evidence;
        let known: BTreeSet<String> = evidence.iter().map(|one| one.id.clone()).collect();
        evidence.extend(recalled.evidence.into_iter().filter(|one| !known.contains(&one.id)));
        let (prepared, advice) = blocking(move || {
            let prepared = advisory::prepare(&input.text, evidence);
            let advice = Advisor.run(&prepared.question);
            Ok((prepared, advice))
        })
        .await?;
        let mut advice = match advice {
            Ok(advice) => advice,
            Err(error) => return self.end_refused(call, made, &error).await,
        };
        let drafted = self.draft(&prepared, &advice).await;
        advice.draft = drafting::reply(drafted.text.as_deref(), &advice);
        made.trace = Some(trace_of(&prepared, &advice, &drafted, how, began));
        self.end_advised(call, made, &asked, &advice).await
    }

    /// The second unit of work: the answer is kept, metered and told.
    async fn end_advised(
        &self,
        call: &Call,
        made: SkillCall,
        asked: &str,
        advice: &Advice,
    ) -> Result<SkillCall, DeskError> {
        let mut work = self.work(&call.principal.name).await?;
        let (mut ended, case) = work.running_call(&made).await?;
        ended.trace = made.trace;
        if case.state == CaseState::Closed {
            let why = "the case was closed before the answer was there; nothing is charged";
            work.fail(&mut ended, &case, why).await?;
            return work.finish(call, 201, ended).await;
        }
        // An honest "nothing here bears on it" is no answer, and costs nothing.
        work.complete(&mut ended, &case, advice, None, !advice.abstained).await?;
        let link = ended.id.to_string();
        let title = format!("Asked: {asked}");
        work.note(&case, TimelineKind::Advised, title, advice.answer.as_str(), Some(&link)).await?;
        work.finish(call, 201, ended).await
    }

    async fn end_refused(
        &self,
        call: &Call,
        made: SkillCall,
        error: &EngineError,
    ) -> Result<SkillCall, DeskError> {
        let mut work = self.work(&call.principal.name).await?;
        let (mut ended, case) = work.running_call(&made).await?;
        work.fail(&mut ended, &case, &error.to_string()).await?;
        work.finish(call, 201, ended).await
    }

    /// What the platform remembers that may bear on the question: shared passages and the customer's own. Without it the
    /// case's evidence speaks alone.
    async fn recall_for(&self, customer: &CustomerId, question: &str) -> Recalled {
        let question = hygiene::redact(question).text;
        let vector = self.vector_of(&question).await;
        let query = Query {
            customer: Some(customer),
            text: &question,
            vector: vector.as_deref(),
            kinds: &[],
            limit: PASSAGES,
        };
        let by = if vector.is_some() { "words and meaning" } else { "words" };
        match self.memory().search(&query).await {
            Ok(hits) => {
                let how = format!("{} passages were retrieved by {by}", hits.len());
                Recalled { evidence: hits.into_iter().map(Evidence::from).collect(), how }
            }
            Err(error) => {
                tracing::warn!(%error, "the memory could not be asked");
                Recalled { evidence: Vec::new(), how: format!("the memory could not be asked: {error}") }
            }
        }
    }

    pub(crate) async fn vector_of(&self, question: &str) -> Option<Vec<f32>> {
        let model = self.models().embedder()?;
        match timeout(EMBED, self.models().embed(vec![question.to_owned()])).await {
            Ok(Ok(mut embedded)) => {
                // Vectors of another model are no neighbours of these.
                let same = vectors_of(&embedded.model) == vectors_of(&model);
                if same { embedded.vectors.pop() } else { None }
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the question has no vector: words alone decide");
                None
            }
            Err(_) => None,
        }
    }

    /// Asks a local model to phrase what the quotes say. What it says is used when all of it stands in the quotes.
    async fn draft(&self, prepared: &Prepared, advice: &Advice) -> Drafted {
        if self.models().text().is_none() {
            return Drafted::not("no text model is here: the quotes stand as they are".to_owned());
        }
        let Some(template) = &self.content().prompt else {
            return Drafted::not("the prompt's template is refused: no model is asked".to_owned());
        };
        let chat = match drafting::chat(template, prepared, advice) {
            Ok(chat) => chat,
            Err(why) => return Drafted::not(why.to_string()),
        };
        let said = match timeout(DRAFT, self.models().chat(None, chat, None)).await {
            Ok(Ok(said)) => said,
            Ok(Err(error)) => return Drafted::not(error.to_string()),
            Err(_) => return Drafted::not(format!("the model took longer than {} s", DRAFT.as_secs())),
        };
        let tokens = said.prompt_tokens.saturating_add(said.completion_tokens);
        let (text, why) = match drafting::accept(&said.text, advice) {
            Ok(text) => {
                let (id, version) = (&template.id, template.version);
                (
                    Some(text),
                    format!("every sentence of the draft stands in the quotes; prompt {id} {version}"),
                )
            }
            Err(rejected) => (None, format!("the draft is not used: {rejected}")),
        };
        Drafted { text, model: Some(said.model), tokens, why }
    }
}

impl Work<'_> {
    /// The call as it stands, if it still runs, with its case.
    async fn running_call(&mut self, made: &SkillCall) -> Result<(SkillCall, Case), DeskError> {
        let scope = Scope::Customer(made.customer.clone());
        let call: SkillCall = self
            .tx
            .get(&scope, made.id.as_str())
            .await?
            .filter(|call: &SkillCall| call.state == SkillCallState::Running)
            .ok_or_else(|| DeskError::not_found("running skill call", made.id.as_str()))?;
        let case = self.case(&scope, &call.case).await?;
        Ok((call, case))
    }

    async fn evidence(&mut self, case: &Case) -> Result<Vec<Evidence>, DeskError> {
        let scope = Scope::Customer(case.customer.clone());
        let under = Filter::under(case.id.as_str());
        let mut evidence = Vec::new();
        if let Some(triage) = &case.triage {
            evidence.push(own(case.id.to_string(), EvidenceKind::Triage, "Triage", triage.summary.clone()));
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
            let text = crate::result::describe(&diagnosis);
            evidence.push(own(
                call.id.to_string(),
                EvidenceKind::Diagnosis,
                "Diagnosis of the machine",
                text,
            ));
        }
        let open: BTreeSet<u32> =
            findings.iter().filter(|f| f.state == FindingState::Open).map(|f| f.result.check).collect();
        let useful = |p: &&Template| p.fixes.iter().any(|check| open.contains(check));
        evidence.extend(self.desk.content().playbooks_at(self.now).filter(useful).map(of_playbook));
        Ok(evidence)
    }
}

/// A piece of the case's own evidence.
fn own(id: String, kind: EvidenceKind, title: &str, text: String) -> Evidence {
    Evidence { id, kind, title: title.to_owned(), text, retrieved: None }
}

fn of_finding(finding: &Finding) -> Evidence {
    let result = &finding.result;
    let title = format!("{} ({} severity)", result.title, crate::finding::urgency(result.severity));
    let text = format!("{} {}", result.rationale, result.remediation);
    own(finding.id.to_string(), EvidenceKind::Finding, &title, text)
}

fn of_playbook(template: &Template) -> Evidence {
    let text = format!("{} Roll back: {}", template.description, template.rollback);
    own(template.id.clone(), EvidenceKind::Playbook, &template.name, text)
}

fn trace_of(prepared: &Prepared, advice: &Advice, drafted: &Drafted, how: String, began: Instant) -> Trace {
    let seen = |one: &Evidence| Seen { id: one.id.clone(), digest: Digest::of(one.text.as_bytes()) };
    let cited = |one: &&Evidence| advice.citations.iter().any(|citation| citation.evidence == one.id);
    let evidence = &prepared.question.evidence;
    let (first, rest): (Vec<_>, Vec<_>) = evidence.iter().partition(|one| cited(one));
    let mut because = vec![how];
    because.push(match advice.citations.len() {
        0 => "nothing that was found bears on the question".to_owned(),
        n => format!("{n} of {} pieces of evidence bear on the question and are quoted", evidence.len()),
    });
    because.push(drafted.why.clone());
    Trace {
        engine: if drafted.text.is_some() { "drafted" } else { "quotes" }.to_owned(),
        model: drafted.model.clone(),
        seen: first.into_iter().chain(rest).take(MAX_SEEN).map(seen).collect(),
        because,
        redacted: prepared.redacted,
        quarantined: prepared.quarantined,
        tokens: drafted.tokens,
        millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}
