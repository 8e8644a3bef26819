use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::engine::{Engine as _, EngineError};

/// Reading the lexicon for every case would take most of the time.
static TRIAGER: LazyLock<Triager> = LazyLock::new(Triager::default);

fn input(text: &str) -> TriageInput {
    TriageInput { text: text.to_owned(), ..TriageInput::default() }
}

fn triage(text: &str) -> Triage {
    TRIAGER.run(&input(text)).unwrap()
}

#[test]
fn plain_cases_go_where_they_belong() {
    for (text, category, route) in [
        ("Strange sign-in attempts over SSH every night, please check", Category::Security, Route::Security),
        ("I clicked on a link in a suspicious e-mail", Category::Security, Route::Security),
        ("My computer has become very slow since last week", Category::Performance, Route::Software),
        ("It says no space left on the disk", Category::Storage, Route::Storage),
        ("The Wi-Fi keeps disconnecting in the kitchen", Category::Network, Route::Network),
        ("I can’t log in, I forgot my password", Category::Access, Route::Access),
        ("The printer has a paper jam again", Category::Hardware, Route::Hardware),
        ("Please install the new spreadsheet program", Category::Software, Route::Software),
        ("My mailbox is full and mails come back", Category::Email, Route::Software),
        ("I was charged twice on the last invoice", Category::Billing, Route::Billing),
    ] {
        let found = triage(text);
        assert_eq!(
            (found.category, found.route, found.abstained),
            (category, route, false),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn the_shipped_worry_is_a_security_case_with_a_playbook() {
    let found = triage(include_str!("../../../../intake/examples/ssh-worry.txt"));
    assert_eq!((found.category, found.route), (Category::Security, Route::Security));
    assert!(found.severity >= Severity::High && !found.abstained, "{found:?}");
    assert_eq!(found.playbook.as_deref(), Some("ssh-hardening"));
}

#[test]
fn it_abstains_where_there_is_little_or_contrary_evidence() {
    for text in
        ["", "   \n", "Hello, please call me back. Thanks!", "the folder", "printer invoice vpn mailbox"]
    {
        let found = triage(text);
        assert!(found.abstained && found.confidence < ABSTAIN_BELOW, "{text}: {found:?}");
        assert_eq!((found.category, found.route, found.playbook), (Category::General, Route::General, None));
    }
}

#[test]
fn a_negated_symptom_does_not_count_and_a_negated_thing_does() {
    let words = |text| triage(text).because.into_iter().map(|because| because.word).collect::<Vec<_>>();
    assert_eq!(words("We were not hacked"), Vec::<String>::new());
    assert_eq!(words("There is no sign of a virus"), Vec::<String>::new());
    assert_eq!(words("The printer does not print"), ["printer", "print"]);
    assert_eq!(words("I have no idea who hacked it"), ["hacked"]);
    assert_eq!(words("It is not the cable. Hacked!"), ["Hacked", "cable"]);
}

#[test]
fn pressing_words_raise_the_severity_and_mild_ones_lower_it() {
    assert_eq!(triage("The printer is out of toner").severity, Severity::Medium);
    assert_eq!(triage("The printer is out of toner, this is urgent").severity, Severity::High);
    assert_eq!(triage("The printer is out of toner, no hurry").severity, Severity::Low);
    assert_eq!(triage("Ransomware! My files are encrypted").severity, Severity::Critical);
    assert!(triage("The printer is out of toner, this is urgent").summary.contains("“urgent” makes it high"));
}

#[test]
fn facts_support_the_text_and_alone_decide_nothing() {
    let run = |text: &str, facts| TRIAGER.run(&TriageInput { facts: Some(facts), ..input(text) }).unwrap();
    let facts = TriageFacts {
        notes: vec!["The disk / is 97 % full.".to_owned(), "The fan is loud.".to_owned()],
        posture_score: Some(31),
        ..TriageFacts::default()
    };
    let alone = run("Please help me", facts.clone());
    assert!(alone.abstained && alone.facts_used.is_empty(), "{alone:?}");
    let text = "The disk makes trouble";
    let supported = run(text, facts.clone());
    assert!(triage(text).confidence < supported.confidence);
    assert_eq!(supported.facts_used, ["The disk / is 97 % full."]);
    let worried = run("Please look at ssh and the firewall, no hurry", facts);
    assert_eq!((worried.severity, worried.category), (Severity::High, Category::Security), "{worried:?}");
    assert_eq!(worried.facts_used, ["posture_score: 31 of 100"]);
}

#[test]
fn no_linux_playbook_is_hinted_at_for_windows() {
    let on = |os: &str| {
        let facts = TriageFacts { os_name: os.to_owned(), ..TriageFacts::default() };
        TRIAGER.run(&TriageInput { facts: Some(facts), ..input("Failed login attempts over ssh") }).unwrap()
    };
    assert_eq!(on("Debian GNU/Linux 13").playbook.as_deref(), Some("ssh-hardening"));
    let windows = on("Windows 11");
    assert!(windows.playbook.is_none() && windows.facts_used[0].contains("Windows 11"), "{windows:?}");
}

#[test]
fn an_answer_that_the_text_holds_already_does_not_count_twice() {
    let text = "The VPN fails";
    let mut with_answers = input(text);
    with_answers.answers.insert("what".to_owned(), text.to_owned());
    assert_eq!(TRIAGER.run(&with_answers).unwrap(), triage(text));
    with_answers.answers.insert("more".to_owned(), "DNS too".to_owned());
    assert!(TRIAGER.run(&with_answers).unwrap().confidence > triage(text).confidence);
}

#[test]
fn a_word_repeated_a_thousand_times_does_not_drown_the_rest() {
    let found = triage(&format!("{} the vpn and the router fail, dns too", "mouse ".repeat(1_000)));
    assert_eq!(found.category, Category::Network, "{found:?}");
}

#[test]
fn the_largest_text_is_read_and_a_larger_one_refused() {
    let huge = "x".repeat(MAX_TEXT_BYTES);
    assert!(triage(&huge).abstained);
    assert!(triage(&"weak ".repeat(MAX_TEXT_BYTES / 5)).abstained);
    let error = TRIAGER.run(&input(&(huge + "y"))).unwrap_err();
    assert!(matches!(error, EngineError::TooLarge { limit: MAX_TEXT_BYTES, .. }), "{error}");
}

#[test]
fn a_result_reads_back_from_json() {
    let found = triage("Somebody hacked my ssh");
    assert_eq!(serde_json::from_str::<Triage>(&serde_json::to_string(&found).unwrap()).unwrap(), found);
}

proptest! {
    #[test]
    fn the_words_that_decided_are_in_the_text_and_the_result_is_the_same_again(
        words in prop::collection::vec(
            "ssh|not|no|hacked|weak|passwords?|sign-in|attempts|very slow|disk|[.,\n ]{1,12}|VPN|can[’']t|log in|\\PC{0,6}",
            0..40,
        ),
    ) {
        let text = words.join(" ");
        let found = triage(&text);
        prop_assert_eq!(&found, &triage(&text));
        prop_assert!((0.0..=1.0).contains(&found.confidence));
        prop_assert_eq!(found.abstained, found.confidence < ABSTAIN_BELOW);
        prop_assert!(found.because.len() <= MAX_BECAUSE);
        prop_assert!(found.summary.len() < 2_000);
        for because in &found.because {
            prop_assert!(text.contains(&because.word), "{:?}", because);
            prop_assert!(because.weight > 0.0);
        }
        if !found.abstained {
            prop_assert_eq!(found.because[0].speaks_for, found.category);
        }
    }
}

/// What a model learned from a few cases of two labels.
fn taught() -> Triager {
    let texts = [
        "the badge does not open the door",
        "new badge for the door please",
        "door badge lost again",
        "the door of floor two needs a badge",
        "badge and door again",
        "please open the door my badge is lost",
        "tunnel to the office drops",
        "the tunnel drops every hour",
        "office tunnel is gone",
        "the tunnel drops again in the office",
        "no tunnel to the office",
        "tunnel drops while I type",
    ];
    let truths: Vec<usize> = (0..texts.len()).map(|at| at / 6).collect();
    let labels = triage_model::LabelSet::new(["access", "network"]).unwrap();
    let options = triage_model::Options { pair_cases: 2, precision: 0.6, ..triage_model::Options::default() };
    let model = triage_model::Model::train(&texts, &truths, labels, &options, 1, |_| {}).unwrap().model;
    let model = std::sync::Arc::new(model.with_threshold(0.6).unwrap());
    TRIAGER.taught(Some(Learned::new(7, echo_core::Digest::of(b""), model, TRIAGER.labels()).unwrap()))
}

#[test]
fn a_learned_model_is_followed_where_it_is_sure() {
    let found = taught().run(&input("My badge opens the door no more")).unwrap();
    assert_eq!((found.engine.as_str(), found.label.as_deref()), ("learned-7", Some("access")));
    assert_eq!((found.category, found.route, found.abstained), (Category::Access, Route::Access, false));
    assert!(found.because.iter().any(|because| because.word == "badge"), "{found:?}");
    assert_eq!(found.guess.as_ref().map(|guess| (guess.version, guess.abstained)), Some((7, false)));
    assert!(found.summary.contains("Sorted as access"), "{}", found.summary);
}

#[test]
fn where_a_learned_model_abstains_the_lexicon_answers() {
    let found = taught().run(&input("The printer has a paper jam")).unwrap();
    assert_eq!((found.engine.as_str(), found.label.as_deref()), (LEXICON_ENGINE, Some("hardware")));
    assert!(found.guess.unwrap().abstained);
    assert!(taught().run(&input("Hello there")).unwrap().abstained, "nobody knows");
}

#[test]
fn a_model_with_a_label_outside_the_set_may_not_speak() {
    let texts = ["a b"; 10];
    let truths: Vec<usize> = (0..10).map(|at| at % 2).collect();
    let labels = triage_model::LabelSet::new(["access", "teapots"]).unwrap();
    let options = triage_model::Options::default();
    let model = triage_model::Model::train(&texts, &truths, labels, &options, 1, |_| {}).unwrap().model;
    let refused = Learned::new(1, echo_core::Digest::of(b""), std::sync::Arc::new(model), TRIAGER.labels())
        .unwrap_err()
        .to_string();
    assert!(refused.contains("`teapots`") && refused.contains("triage_labels.yaml"), "{refused}");
}

#[test]
fn what_keeps_many_from_work_at_once_is_critical() {
    let found = triage("The printer is out of toner, nobody can print and we need it immediately");
    assert_eq!((found.impact, found.urgency, found.severity), (Level::High, Level::High, Severity::Critical));
    let calm = triage("The printer is out of toner");
    assert_eq!((calm.impact, calm.urgency, calm.severity), (Level::Medium, Level::Medium, Severity::Medium));
    assert_eq!(triage("Toner next week please, no hurry").urgency, Level::Low);
}

#[test]
fn another_language_is_named() {
    let found =
        triage("Mein Drucker druckt seit gestern nicht mehr und ich kann keine Rechnungen verschicken");
    assert_eq!(found.language.as_deref(), Some("deu"));
    assert!(found.summary.contains("German"), "{}", found.summary);
}

#[test]
fn a_result_of_an_older_echo_reads_back() {
    let old = r#"{"category":"network","severity":"low","route":"network","playbook":null,"confidence":0.7,
        "abstained":false,"because":[],"facts_used":[],"summary":"s"}"#;
    let read: Triage = serde_json::from_str(old).unwrap();
    assert_eq!((read.label, read.engine.as_str(), read.impact), (None, "", Level::Medium));
}

proptest! {
    #[test]
    fn no_text_is_sorted_outside_the_set(text in "(badge|door|tunnel|office|printer|ssh|\\PC{0,8}|[ .\n]){0,40}") {
        thread_local!(static TAUGHT: Triager = taught());
        let found = TAUGHT.with(|triager| triager.run(&input(&text)).unwrap());
        prop_assert_eq!(found.abstained, found.label.is_none());
        if let Some(label) = &found.label {
            let label = TRIAGER.labels().get(label).expect("it is in the set");
            prop_assert_eq!((label.category, label.queue), (found.category, found.route));
        }
    }
}
