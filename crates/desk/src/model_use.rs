//! Asking a model: let in, metered and receipted like every call of a skill.
//!
//! A model takes seconds, and nothing may hold the database for so long. So a use is two units of work: one lets it in
//! and holds its price, one ends it with its receipt; the model answers between them. What a crash cuts off fails at
//! the next start and costs nothing (see `interrupted`).

use std::time::{Duration, Instant};

use access::Action;
use agents::{
    Skill, Trace,
    schema::{self, ChatInput, ChatRole, EmbedInput},
};
use echo_core::{CallId, CustomerId, Digest, Id as _};
use models::{Chat, Completion, Embedded, Finish, Kind, Message, ModelError, ModelRef, Models, Speaker};
use serde::Serialize;
use store::Scope;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{Call, Case, CaseState, Desk, DeskError, SkillCall, SkillCallState, work::Work};

/// The most milliseconds that a model takes for one answer.
pub const ANSWER_MILLIS: u64 = 120_000;
/// The longest that a use may last, the wait for its turn included.
const MAX_WAIT: Duration = Duration::from_mins(4);
/// Room in a stream for the pieces of the longest answer, so that a slow reader never holds up the model.
const PIECES: usize = schema::MAX_TOKENS as usize + 16;

/// A chat that was let in, while the model answers. Dropped, it is cancelled.
#[derive(Debug)]
pub struct ModelChat {
    /// The call as it was let in.
    pub call: SkillCall,
    /// The answer, piece by piece.
    pub pieces: mpsc::Receiver<String>,
    ended: oneshot::Receiver<Result<ChatEnded, DeskError>>,
}

/// A chat's end.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatEnded {
    /// The call, with its receipt when it was charged.
    pub call: SkillCall,
    /// What the model answered.
    pub completion: Completion,
}

impl ModelChat {
    /// Waits for the end. Pieces that nobody took are dropped; the completion holds all of them.
    pub async fn ended(mut self) -> Result<ChatEnded, DeskError> {
        while self.pieces.recv().await.is_some() {}
        self.end().await
    }

    /// The end, once the last piece was taken.
    pub async fn end(self) -> Result<ChatEnded, DeskError> {
        let Self { ended, pieces: _pieces, .. } = self;
        ended.await.unwrap_or_else(|_| Err(DeskError::Internal("a chat ended without a word".to_owned())))
    }
}

impl Desk {
    /// The models of this platform.
    pub fn models(&self) -> &Models {
        self.models_room()
    }

    /// Lets a chat in and has the model answer it. Charged when the model said something, also when the caller goes
    /// away in the middle; the receipt's `output` is the SHA-256 of the text that was made.
    pub async fn chat(
        &self,
        call: &Call,
        customer: Option<CustomerId>,
        input: ChatInput,
    ) -> Result<ModelChat, DeskError> {
        call.principal.require(Action::AskSkill)?;
        let name = self.named_model(input.model.as_deref())?;
        let (desk, call) = (self.clone(), call.clone());
        apart(async move { desk.begin_chat(&call, customer, name, input).await }).await
    }

    async fn begin_chat(
        &self,
        call: &Call,
        customer: Option<CustomerId>,
        name: Option<String>,
        input: ChatInput,
    ) -> Result<ModelChat, DeskError> {
        let let_in = self.let_in(call, customer, Skill::ModelChat, &input).await?;
        let mut seed = [0; 4];
        self.mint().entropy().fill(&mut seed);
        let chat = chat_of(input, u32::from_be_bytes(seed));
        let (sender, pieces) = mpsc::channel(PIECES);
        let (tell, ended) = oneshot::channel();
        let (desk, begun) = (self.clone(), let_in.clone());
        tokio::spawn(async move {
            let done = desk.answer_chat(begun, name, chat, sender).await;
            let _ = tell.send(done);
        });
        Ok(ModelChat { call: let_in, pieces, ended })
    }

    /// Turns texts into vectors. The receipt's `output` is the SHA-256 of all numbers as 32-bit floats, little endian.
    pub async fn embed(
        &self,
        call: &Call,
        customer: Option<CustomerId>,
        input: EmbedInput,
    ) -> Result<(SkillCall, Embedded), DeskError> {
        call.principal.require(Action::AskSkill)?;
        if self.models().embedder().is_none() {
            return Err(missing("embedding model"));
        }
        let (desk, call) = (self.clone(), call.clone());
        apart(async move {
            let let_in = desk.let_in(&call, customer, Skill::ModelEmbed, &input).await?;
            desk.answer_embedding(let_in, input).await
        })
        .await
    }

    /// The text model of that name, or the one that answers when none is named.
    fn named_model(&self, asked: Option<&str>) -> Result<Option<String>, DeskError> {
        let default = self.models().text();
        match asked {
            None if default.is_some() => Ok(None),
            None if self.models().cards().iter().any(|card| card.kind == Kind::Text) => {
                Err(DeskError::Model(ModelError::NoEngine))
            }
            None => Err(missing("text model")),
            Some(name) if default.as_ref().is_some_and(|model| model.name == name) => Ok(None),
            Some(name) => {
                let cards = self.models().cards();
                let known = cards.iter().any(|card| card.kind == Kind::Text && card.name == name);
                let what = || format!("text model `{}`", name.chars().take(60).collect::<String>());
                known.then(|| Some(name.to_owned())).ok_or_else(|| missing(&what()))
            }
        }
    }

    async fn let_in<I: Serialize>(
        &self,
        call: &Call,
        customer: Option<CustomerId>,
        skill: Skill,
        input: &I,
    ) -> Result<SkillCall, DeskError> {
        schema::check(skill, &serde_json::to_value(input)?)
            .map_err(|fault| DeskError::invalid(&fault.place, &fault.reason))?;
        let mut work = self.work(&call.principal.name).await?;
        let customer = work.customer_for(call, customer).await?;
        let case = work.standing_case(&customer.id).await?;
        let made = work.admit(&call.principal, &case, skill, input).await?;
        work.commit().await?;
        Ok(made)
    }

    async fn answer_chat(
        &self,
        call: SkillCall,
        name: Option<String>,
        chat: Chat,
        pieces: mpsc::Sender<String>,
    ) -> Result<ChatEnded, DeskError> {
        let began = Instant::now();
        let answer = timeout(MAX_WAIT, self.models().chat(name.as_deref(), chat, Some(pieces))).await;
        let completion = match answer.unwrap_or_else(|_| Err(too_long(name.as_deref()))) {
            Ok(completion) => completion,
            Err(error) => return Err(self.end_unanswered(&call.id, error).await),
        };
        // An endpoint that is cut off has no time to count its tokens.
        let said = completion.completion_tokens > 0 || !completion.text.is_empty();
        if !said && completion.finish == Finish::Cancelled {
            let gone = "the caller went away before the model said anything";
            self.end_free(&call.id, gone, true).await?;
            return Err(DeskError::Conflict(gone.to_owned()));
        }
        let trace = trace_of(
            &completion.model,
            completion.prompt_tokens.saturating_add(completion.completion_tokens),
            began,
            format!("the model ended with {}", word(completion.finish)),
        );
        let output = Digest::of(completion.text.as_bytes());
        let call = self.end_answered(&call.id, output, said, trace).await?;
        Ok(ChatEnded { call, completion })
    }

    async fn answer_embedding(
        &self,
        call: SkillCall,
        input: EmbedInput,
    ) -> Result<(SkillCall, Embedded), DeskError> {
        let (began, texts) = (Instant::now(), input.texts.len());
        let answer = timeout(MAX_WAIT, self.models().embed(input.texts)).await;
        let embedded = match answer.unwrap_or_else(|_| Err(too_long(None))) {
            Ok(embedded) => embedded,
            Err(error) => return Err(self.end_unanswered(&call.id, error).await),
        };
        let bytes: Vec<u8> =
            embedded.vectors.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
        let trace = trace_of(&embedded.model, embedded.tokens, began, format!("{texts} texts"));
        let call = self.end_answered(&call.id, Digest::of(&bytes), true, trace).await?;
        Ok((call, embedded))
    }

    /// Ends a use that was answered.
    async fn end_answered(
        &self,
        id: &CallId,
        output: Digest,
        charged: bool,
        trace: Trace,
    ) -> Result<SkillCall, DeskError> {
        let mut work = self.work("Echo").await?;
        let (mut call, case) = work.running_use(id).await?;
        call.state = SkillCallState::Done;
        call.finished = Some(work.now);
        call.trace = Some(trace);
        // A case that was billed meanwhile takes no receipt any more.
        if charged && case.state != CaseState::Closed {
            call.receipt = Some(work.receipt(&call, &case, output, None, None).await?);
        }
        self.report(id, true, work.now);
        work.tx.update(&call).await?;
        match work.commit().await {
            // The receipt is durable: whoever asks for it later finds it in the ledger.
            Err(DeskError::LedgerBehind(why)) => {
                tracing::warn!(call = %id, why, "a use of a model is not proven yet");
            }
            done => done?,
        }
        Ok(call)
    }

    /// Ends a use that the model did not answer, free of charge; what its caller is told.
    async fn end_unanswered(&self, id: &CallId, error: ModelError) -> DeskError {
        let at_fault = matches!(error, ModelError::Failed { .. } | ModelError::Unfit { .. });
        match self.end_free(id, &error.to_string(), !at_fault).await {
            Ok(()) => DeskError::Model(error),
            Err(other) => other,
        }
    }

    /// Ends a use free of charge. `ok`: the skill is not to blame, and does not rest.
    async fn end_free(&self, id: &CallId, reason: &str, ok: bool) -> Result<(), DeskError> {
        let mut work = self.work("Echo").await?;
        let (mut call, _) = work.running_use(id).await?;
        call.state = SkillCallState::Failed;
        call.finished = Some(work.now);
        call.error = Some(reason.chars().take(2_000).collect());
        self.report(id, ok, work.now);
        work.tx.update(&call).await?;
        work.commit().await
    }
}

impl Work<'_> {
    async fn running_use(&mut self, id: &CallId) -> Result<(SkillCall, Case), DeskError> {
        let call: SkillCall = self
            .tx
            .get(&Scope::All, id.as_str())
            .await?
            .filter(|call: &SkillCall| call.state == SkillCallState::Running)
            .ok_or_else(|| DeskError::not_found("running skill call", id.as_str()))?;
        let case = self.case(&Scope::Customer(call.customer.clone()), &call.case).await?;
        Ok((call, case))
    }
}

/// Does it in a task of its own: a caller that goes away in the middle leaves no use that nobody ends.
async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, DeskError>> + Send + 'static,
) -> Result<T, DeskError> {
    tokio::spawn(work).await.map_err(|e| DeskError::Internal(e.to_string()))?
}

fn missing(what: &str) -> DeskError {
    DeskError::Model(ModelError::Missing { what: what.to_owned() })
}

fn too_long(model: Option<&str>) -> ModelError {
    let model = model.unwrap_or("the model").to_owned();
    ModelError::Failed { model, reason: format!("it took longer than {} s", MAX_WAIT.as_secs()) }
}

fn chat_of(input: ChatInput, fresh: u32) -> Chat {
    let message = |message: schema::ChatMessage| Message {
        speaker: match message.role {
            ChatRole::System => Speaker::System,
            ChatRole::User => Speaker::User,
            ChatRole::Assistant => Speaker::Assistant,
        },
        content: message.content,
    };
    Chat {
        messages: input.messages.into_iter().map(message).collect(),
        max_tokens: input.max_tokens,
        temperature: input.temperature,
        top_p: input.top_p,
        seed: input.seed.unwrap_or(fresh),
        stop: input.stop,
        budget_millis: ANSWER_MILLIS,
    }
}

fn word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "its own stop or a stop word",
        Finish::Length => "its tokens used up",
        Finish::Late => "its time used up",
        Finish::Cancelled => "nobody listening any more",
    }
}

fn trace_of(model: &ModelRef, tokens: u32, began: Instant, because: String) -> Trace {
    Trace {
        engine: "model".to_owned(),
        model: Some(model.clone()),
        seen: Vec::new(),
        because: vec![because],
        redacted: 0,
        quarantined: 0,
        tokens,
        millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}
