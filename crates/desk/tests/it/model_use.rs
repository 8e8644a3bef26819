//! Models are asked like every skill: let in, metered, receipted.

use std::{ops::ControlFlow, path::Path, sync::Arc, time::Duration};

use agents::{
    Skill,
    schema::{ChatInput, ChatMessage, ChatRole, EmbedInput},
};
use desk::{
    Call, CaseState, Desk, DeskError, MadeAgentKey, NewAgentKey, OpenCase, SkillCall, SkillCallState,
};
use echo_core::{
    CallId, Clock as _, Currency, CustomerId, Digest, ManualClock, Mint, Money, OsEntropy, PageRequest,
    SystemClock,
};
use models::{Chat, Completion, Embedded, Endpoint, Finish, ModelError, ModelRef, Models, Settings};

use crate::{
    device::{Device, House, open},
    flow::{ask, worry},
};

/// A model somewhere else that says what its last message asks for.
#[derive(Debug)]
struct Parrot;

fn parrot() -> ModelRef {
    ModelRef { name: "parrot".to_owned(), file: None }
}

impl Endpoint for Parrot {
    fn text(&self) -> Option<ModelRef> {
        Some(parrot())
    }

    fn embedder(&self) -> Option<ModelRef> {
        Some(parrot())
    }

    fn chat(
        &self,
        chat: &Chat,
        each: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, ModelError> {
        let said = &chat.messages.last().unwrap().content;
        if said == "fail" {
            return Err(ModelError::Failed { model: "parrot".to_owned(), reason: "it is asleep".to_owned() });
        }
        let (mut text, mut tokens, mut finish) = (String::new(), 0, Finish::Stop);
        let slowly = said == "count";
        for word in if slowly { ["one "; 400].as_slice() } else { &["Good ", "morning"] } {
            text.push_str(word);
            tokens += 1;
            if each(word).is_break() {
                finish = Finish::Cancelled;
                break;
            }
            if slowly {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(Completion { model: parrot(), text, prompt_tokens: 3, completion_tokens: tokens, finish })
    }

    fn embed(&self, texts: &[String]) -> Result<Embedded, ModelError> {
        Ok(Embedded { model: parrot(), vectors: vec![vec![1.0, 0.0]; texts.len()], tokens: 2 })
    }
}

fn models(folder: &Path) -> Models {
    let settings = Settings { endpoint: Some(Arc::new(Parrot)), ..Settings::new(folder.to_owned()) };
    Models::open(settings).unwrap()
}

async fn house(mint: Mint) -> House {
    House::found_with(mint, models(Path::new("/nowhere"))).await
}

fn saying(words: &str) -> ChatInput {
    ChatInput {
        model: None,
        messages: vec![ChatMessage { role: ChatRole::User, content: words.to_owned() }],
        max_tokens: 500,
        temperature: 0.0,
        top_p: 1.0,
        seed: None,
        stop: Vec::new(),
    }
}

async fn agent(house: &House, customer: &CustomerId, cap: i64) -> Call {
    let new = NewAgentKey {
        customer: Some(customer.clone()),
        name: "chatter".to_owned(),
        skills: vec![Skill::ModelChat, Skill::ModelEmbed],
        cap: Some(Money::new(cap, Currency::EUR)),
        days: None,
    };
    let MadeAgentKey { secret, .. } = house.desk.make_agent_key(&house.call(), new).await.unwrap();
    Call::by(house.desk.authenticate(&secret).await.unwrap())
}

async fn ended(desk: &Desk, call: &Call, id: &CallId) -> SkillCall {
    for _ in 0..500 {
        let found = desk.skill_call(&call.principal, id).await.unwrap();
        if found.state != SkillCallState::Running {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{id} never ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_charged_and_its_receipt_names_the_answer() {
    let house = house(Mint::system()).await;
    let customer = house.customer("Anna").await;
    let agent = agent(&house, &customer, 500).await;
    let mut chat = house.desk.chat(&agent, None, saying("hello")).await.unwrap();
    assert_eq!(chat.pieces.recv().await.as_deref(), Some("Good "));
    let done = chat.ended().await.unwrap();
    assert_eq!(done.completion.text, "Good morning");
    let trace = done.call.trace.clone().unwrap();
    assert_eq!((trace.model, trace.tokens), (Some(parrot()), 5));
    let (embedding, embedded) =
        house.desk.embed(&agent, None, EmbedInput { texts: vec!["a".to_owned()] }).await.unwrap();
    assert_eq!(embedded.vectors.len(), 1);
    assert_eq!(embedding.case, done.call.case, "a month's uses are in one case");
    let view = house.desk.case(&house.operator, &done.call.case).await.unwrap();
    assert_eq!((view.case.state, view.receipts.len()), (CaseState::Standing, 2));
    let receipt = &view.receipts[0].receipt;
    assert_eq!((receipt.output, &receipt.call), (Digest::of(b"Good morning"), &done.call.id));
    assert_eq!(receipt.amount.to_string(), "0.02");
    let overview = house.desk.overview(&house.operator).await.unwrap();
    assert!(overview.cases.iter().all(|(_, count)| *count == 0), "nobody is told to work on it");
    let asked = house.desk.ask(&house.call(), &done.call.case, ask(Skill::TriageClassify)).await;
    assert!(matches!(asked, Err(DeskError::Conflict(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_is_charged_for_what_was_said() {
    let house = house(Mint::system()).await;
    let customer = house.customer("Anna").await;
    let agent = agent(&house, &customer, 500).await;
    let mut chat = house.desk.chat(&agent, None, saying("count")).await.unwrap();
    let id = chat.call.id.clone();
    chat.pieces.recv().await.unwrap();
    drop(chat);
    let call = ended(&house.desk, &agent, &id).await;
    assert_eq!(call.state, SkillCallState::Done, "{:?}", call.error);
    assert!(call.receipt.is_some());
    assert!(call.trace.unwrap().tokens < 300, "the model went on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_costs_nothing_and_a_running_chat_holds_its_price() {
    let house = house(Mint::system()).await;
    let customer = house.customer("Anna").await;
    let agent = agent(&house, &customer, 3).await;
    let failed = house.desk.chat(&agent, None, saying("fail")).await.unwrap().ended().await;
    assert!(matches!(failed, Err(DeskError::Model(ModelError::Failed { .. }))), "{failed:?}");
    let running = house.desk.chat(&agent, None, saying("count")).await.unwrap();
    let second = house.desk.chat(&agent, None, saying("hello")).await;
    assert!(matches!(second, Err(DeskError::SpendCap(_))), "{second:?}");
    drop(running);
    let receipts = house.desk.receipts(&house.operator, &PageRequest::default()).await.unwrap();
    assert!(receipts.items.len() <= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stop_cuts_off_fails_at_the_next_start_and_costs_nothing() {
    let house = house(Mint::system()).await;
    let customer = house.customer("Anna").await;
    let agent = agent(&house, &customer, 500).await;
    let chat = house.desk.chat(&agent, None, saying("count")).await.unwrap();
    house.desk.close().await.unwrap();
    let again = open(house.folder.path()).await.desk;
    let call = again.skill_call(&agent.principal, &chat.call.id).await.unwrap();
    assert_eq!(call.state, SkillCallState::Failed);
    assert!(call.error.unwrap().contains("nothing is charged") && call.receipt.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_that_is_over_is_billed_and_another_one_begins() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let house = house(Mint::new(clock.clone(), Arc::new(OsEntropy))).await;
    let customer = house.customer("Anna").await;
    let person = Call::by(house.person_of(&customer));
    let first = house.desk.chat(&person, None, saying("hello")).await.unwrap().ended().await.unwrap().call;
    house.desk.tidy().await.unwrap();
    let case = house.desk.case(&house.operator, &first.case).await.unwrap();
    assert_eq!(case.case.state, CaseState::Standing, "its month is not over");
    clock.advance_millis(32 * 24 * 3_600_000);
    house.desk.tidy().await.unwrap();
    let case = house.desk.case(&house.operator, &first.case).await.unwrap();
    assert_eq!(case.case.state, CaseState::Closed);
    assert_eq!(case.invoice.unwrap().invoice.total, Money::new(2, Currency::EUR));
    let next = house.desk.chat(&person, None, saying("hello")).await.unwrap().ended().await.unwrap().call;
    assert_ne!(next.case, first.case);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_customers_uses_are_not_there() {
    let house = house(Mint::system()).await;
    let (anna, ben) = (house.customer("Anna").await, house.customer("Ben").await);
    let (annas, bens) = (agent(&house, &anna, 500).await, agent(&house, &ben, 500).await);
    let call = house.desk.chat(&annas, None, saying("hello")).await.unwrap().ended().await.unwrap().call;
    assert!(matches!(
        house.desk.skill_call(&bens.principal, &call.id).await,
        Err(DeskError::NotFound { .. })
    ));
    let page = PageRequest::default();
    let (seen, count) = house.desk.skill_calls(&bens.principal, None, None, &page).await.unwrap();
    assert!(seen.items.is_empty() && count == 0);
    let (own, count) = house.desk.skill_calls(&annas.principal, Some(&call.case), None, &page).await.unwrap();
    assert_eq!((own.items.len(), count), (1, 1));
    let foreign = house.desk.chat(&bens, Some(anna), saying("hello")).await;
    assert!(matches!(foreign, Err(DeskError::NotFound { .. })), "{foreign:?}");
    assert!(matches!(house.desk.call_off(&bens, &call.id).await, Err(DeskError::NotFound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_nothing_is_let_in() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let asked = house.desk.chat(&house.call(), Some(customer), saying("hello")).await;
    assert!(matches!(asked, Err(DeskError::Model(ModelError::Missing { .. }))), "{asked:?}");
    let (calls, _) =
        house.desk.skill_calls(&house.operator, None, None, &PageRequest::default()).await.unwrap();
    assert!(calls.items.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_called_off_while_it_waits_for_its_device() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let open: OpenCase = worry(&customer, Some(&device));
    let case = house.desk.open_case(&house.call(), open).await.unwrap().case.id;
    let call = house.desk.ask(&house.call(), &case, ask(Skill::DiagnosticsProbe)).await.unwrap();
    let off = house.desk.call_off(&house.call(), &call.id).await.unwrap();
    assert!(off.called_off() && off.receipt.is_none());
    assert_eq!(device.work(&house.desk).await, 0, "nothing waits for the device");
    let twice = house.desk.call_off(&house.call(), &call.id).await;
    assert!(matches!(twice, Err(DeskError::Conflict(_))));
}
