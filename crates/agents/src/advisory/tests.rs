use proptest::prelude::*;

use super::*;

fn evidence(id: &str, kind: EvidenceKind, title: &str, text: &str) -> Evidence {
    Evidence { id: id.to_owned(), kind, title: title.to_owned(), text: text.to_owned(), retrieved: None }
}

fn case() -> Vec<Evidence> {
    vec![
        evidence(
            "find_1",
            EvidenceKind::Finding,
            "SSH lets root sign in",
            "The file sets PermitRootLogin yes. Anyone who guesses the password of root owns the machine.",
        ),
        evidence("find_2", EvidenceKind::Finding, "Passwords never expire", "PASS_MAX_DAYS is 99999."),
        evidence("diag_1", EvidenceKind::Diagnosis, "Disk", "The disk / is 97 % full. Memory is fine."),
        evidence(
            "ssh-hardening",
            EvidenceKind::Playbook,
            "Harden the SSH server",
            "Sets PermitRootLogin to no and undoes it on request.",
        ),
    ]
}

fn ask(text: &str) -> Advice {
    Advisor.run(&Question { text: text.to_owned(), evidence: case() }).unwrap()
}

fn cited(advice: &Advice) -> Vec<&str> {
    advice.citations.iter().map(|citation| citation.evidence.as_str()).collect()
}

#[test]
fn the_evidence_that_bears_on_the_question_is_quoted_with_its_best_sentence() {
    let advice = ask("Why is my disk full?");
    assert_eq!(cited(&advice), ["diag_1"]);
    assert_eq!(advice.citations[0].quote, "The disk / is 97 % full.");
    assert!(!advice.abstained && advice.confidence > 0.9, "{advice:?}");
}

#[test]
fn names_in_one_word_are_found_by_their_parts() {
    let advice = ask("What about root login over ssh?");
    assert!(cited(&advice).starts_with(&["find_1"]), "{advice:?}");
    assert!(cited(&advice).contains(&"ssh-hardening"), "{advice:?}");
    assert!(!cited(&advice).contains(&"diag_1"), "{advice:?}");
}

#[test]
fn asking_what_is_wrong_lists_the_findings_in_their_order() {
    assert_eq!(cited(&ask("What is wrong with my computer?")), ["find_1", "find_2"]);
    assert_eq!(cited(&ask("How can you fix it?")), ["ssh-hardening"]);
}

#[test]
fn a_question_that_nothing_bears_on_is_not_answered() {
    for text in
        ["", "???", "Who will win the cup?", "Give me a recipe for apple cake with cinnamon and a disk"]
    {
        let advice = ask(text);
        assert!(advice.abstained && advice.citations.is_empty(), "{text}: {advice:?}");
        assert_eq!(advice.answer, NOTHING_BEARS);
    }
    let none = Advisor.run(&Question { text: "ssh?".to_owned(), evidence: Vec::new() }).unwrap();
    assert!(none.abstained);
}

#[test]
fn evidence_beyond_a_bound_is_refused() {
    let question = |text: &str, evidence| Advisor.run(&Question { text: text.to_owned(), evidence });
    let big = evidence("x", EvidenceKind::Scan, "", &"a".repeat(MAX_EVIDENCE_BYTES));
    assert!(question("ssh", vec![big]).is_err());
    assert!(question("ssh", vec![case().remove(0); MAX_EVIDENCE + 1]).is_err());
    assert!(question(&"a".repeat(MAX_QUESTION_BYTES + 1), Vec::new()).is_err());
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    let word = "(ssh|root|disk|Full|PermitRootLogin|[a-zé.\u{201d}\n ]{0,6}|\\[2\\])";
    let text = prop::collection::vec(word, 0..30).prop_map(|words| words.join(" "));
    ("[a-z]{1,6}", prop::sample::select(EvidenceKind::ALL), text.clone(), text)
        .prop_map(|(id, kind, title, text)| Evidence { id, kind, title, text, retrieved: None })
}

proptest! {
    #[test]
    fn advice_cites_only_given_evidence_and_quotes_it_word_for_word(
        text in "(ssh|root|disk|full|what is wrong|[a-z? ]{0,12}){1,6}",
        evidence in prop::collection::vec(any_evidence(), 0..12),
    ) {
        let question = Question { text, evidence };
        let advice = Advisor.run(&question).unwrap();
        prop_assert_eq!(&advice, &Advisor.run(&question).unwrap());
        prop_assert!(advice.citations.len() <= MAX_CITATIONS);
        prop_assert_eq!(advice.abstained, advice.citations.is_empty());
        for citation in &advice.citations {
            prop_assert!(!citation.quote.is_empty());
            let given = question.evidence.iter().any(|one| {
                one.id == citation.evidence
                    && (one.text.contains(&citation.quote) || one.title.contains(&citation.quote))
            });
            prop_assert!(given);
        }
        if !advice.abstained {
            let lines: Vec<&str> = advice.answer.lines().collect();
            prop_assert_eq!(lines.len(), advice.citations.len());
            for (at, line) in lines.iter().enumerate() {
                let end = format!("[{}].", at + 1);
                prop_assert!(line.ends_with(&end), "{}", line);
            }
        }
    }
}
