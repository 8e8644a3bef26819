//! Weighs the words of a case.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    Category, Lexicon, MAX_FACT_BYTES, MAX_NOTES, MAX_TEXT_BYTES, Route, Severity, Triage, TriageFacts,
    TriageInput, tally::Tally,
};
use crate::{
    engine::{Engine, EngineError, bound},
    phrases::Match,
    skill::Skill,
    text::{Token, tokens},
};

/// Below this confidence triage abstains.
pub const ABSTAIN_BELOW: f64 = 0.5;
/// How much a device's note counts beside the customer's own words, and at most in all.
const NOTE_FACTOR: f64 = 0.5;
const MAX_NOTE_WEIGHT: f64 = 2.0;
/// How many words before a symptom a negation reaches.
const NEGATION_WINDOW: usize = 4;
/// Below this posture score a security case is at least high.
const POOR_POSTURE: u8 = 50;

/// The triage engine: a weighted lexicon, the same result for the same case.
#[derive(Debug, Clone)]
pub struct Triager {
    lexicon: Lexicon,
}

impl Default for Triager {
    fn default() -> Self {
        Self::new(Lexicon::builtin())
    }
}

impl Triager {
    /// An engine over the given words.
    pub fn new(lexicon: Lexicon) -> Self {
        Self { lexicon }
    }
}

impl Engine for Triager {
    type Input = TriageInput;
    type Output = Triage;

    fn skill(&self) -> Skill {
        Skill::TriageClassify
    }

    fn run(&self, input: &TriageInput) -> Result<Triage, EngineError> {
        check(input)?;
        let mut tally = Tally::default();
        for text in texts(input) {
            self.read(text, &mut tally);
        }
        let mut facts_used = Vec::new();
        if let Some(facts) = &input.facts {
            self.support(facts, &mut tally, &mut facts_used);
        }
        Ok(self.decide(tally, input.facts.as_ref(), facts_used))
    }
}

impl Triager {
    fn read(&self, text: &str, tally: &mut Tally) {
        let tokens = tokens(text);
        let negated = self.negated(&tokens);
        for found in self.lexicon.votes.find(&tokens) {
            let silenced = negated[found.tokens.start];
            for vote in found.meaning.iter().filter(|vote| !(vote.negatable && silenced)) {
                tally.word(found.stems, written(text, &tokens, &found), vote);
            }
        }
        for found in self.lexicon.cues.find(&tokens) {
            if let Some(severity) = found.meaning
                && !negated[found.tokens.start]
            {
                tally.cue(*severity, written(text, &tokens, &found));
            }
        }
        for found in self.lexicon.hint_words.find(&tokens) {
            for hint in found.meaning {
                *tally.hints.entry(*hint).or_default() += 1;
            }
        }
    }

    /// For each token, whether a negation reaches it: up to [`NEGATION_WINDOW`] words on, within its clause.
    fn negated(&self, tokens: &[Token<'_>]) -> Vec<bool> {
        let mut out = vec![false; tokens.len()];
        for found in self.lexicon.negations.find(tokens).iter().filter(|found| *found.meaning) {
            for at in (found.tokens.end..tokens.len()).take(NEGATION_WINDOW) {
                if tokens[at].opens_clause {
                    break;
                }
                out[at] = true;
            }
        }
        out
    }

    /// Lets a device's notes support the categories that the customer's own words speak for.
    fn support(&self, facts: &TriageFacts, tally: &mut Tally, used: &mut Vec<String>) {
        let mut extra: BTreeMap<Category, f64> = BTreeMap::new();
        for note in &facts.notes {
            let tokens = tokens(note);
            let negated = self.negated(&tokens);
            let mut had_a_say = false;
            for found in self.lexicon.votes.find(&tokens) {
                let silenced = negated[found.tokens.start];
                for vote in found.meaning.iter().filter(|vote| !(vote.negatable && silenced)) {
                    if tally.scores.contains_key(&vote.category) {
                        *extra.entry(vote.category).or_default() += vote.weight * NOTE_FACTOR;
                        had_a_say = true;
                    }
                }
            }
            if had_a_say {
                used.push(note.clone());
            }
        }
        for (category, weight) in extra {
            *tally.scores.entry(category).or_default() += weight.min(MAX_NOTE_WEIGHT);
        }
    }

    fn decide(&self, tally: Tally, facts: Option<&TriageFacts>, mut facts_used: Vec<String>) -> Triage {
        let (leader, share) = tally.leader();
        let confidence = (share * 1_000.0).round() / 1_000.0;
        let abstained = confidence < ABSTAIN_BELOW;
        let category = if abstained { Category::General } else { leader };
        let home = self.lexicon.homes.get(&category).copied();
        let (route, usual) = home.unwrap_or((Route::General, Severity::Medium));
        let (severity, why) = severity(category, usual, &tally, facts, &mut facts_used);
        let playbook = self.hint(category, &tally, facts, &mut facts_used);
        let because = tally.because(leader);
        let mut out = Triage {
            category,
            severity,
            route,
            playbook,
            confidence,
            abstained,
            because,
            facts_used,
            summary: String::new(),
        };
        out.summary = summary(&out, &why);
        out
    }

    fn hint(
        &self,
        category: Category,
        tally: &Tally,
        facts: Option<&TriageFacts>,
        used: &mut Vec<String>,
    ) -> Option<String> {
        let fits = |(at, _): &(&usize, &u32)| self.lexicon.hints[**at].category == category;
        let (at, _) =
            tally.hints.iter().filter(fits).max_by_key(|(at, words)| (**words, std::cmp::Reverse(**at)))?;
        let os = facts.map_or("", |facts| facts.os_name.as_str());
        if runs_no_playbooks(os) {
            used.push(format!("os_name: {os} (playbooks are for Linux, so none is hinted at)"));
            return None;
        }
        Some(self.lexicon.hints[*at].playbook.clone())
    }
}

fn check(input: &TriageInput) -> Result<(), EngineError> {
    let skill = Skill::TriageClassify;
    let answers: usize = input.answers.iter().map(|(field, answer)| field.len() + answer.len()).sum();
    bound(skill, "text and answers", input.text.len() + answers, MAX_TEXT_BYTES, "bytes")?;
    let Some(facts) = &input.facts else {
        return Ok(());
    };
    bound(skill, "the notes", facts.notes.len(), MAX_NOTES, "items")?;
    facts
        .notes
        .iter()
        .chain([&facts.os_name, &facts.kernel])
        .try_for_each(|fact| bound(skill, "a fact about the device", fact.len(), MAX_FACT_BYTES, "bytes"))
}

/// The text, and each answer that the text does not hold already.
fn texts(input: &TriageInput) -> impl Iterator<Item = &str> {
    let answers = input.answers.values().map(String::as_str).filter(|answer| !input.text.contains(*answer));
    std::iter::once(input.text.as_str()).chain(answers)
}

/// A phrase exactly as it stands in the text.
fn written<'a, T>(text: &'a str, tokens: &[Token<'a>], found: &Match<'_, T>) -> &'a str {
    let last = &tokens[found.tokens.end - 1];
    &text[tokens[found.tokens.start].start..last.end()]
}

fn runs_no_playbooks(os_name: &str) -> bool {
    let os = os_name.to_lowercase();
    ["windows", "macos", "mac os", "android", "ios"].iter().any(|one| os.starts_with(one))
}

/// The category's usual severity, moved by cues and facts; and a sentence that says so, or nothing.
fn severity(
    category: Category,
    usual: Severity,
    tally: &Tally,
    facts: Option<&TriageFacts>,
    used: &mut Vec<String>,
) -> (Severity, String) {
    let score = facts.and_then(|facts| facts.posture_score).filter(|score| *score < POOR_POSTURE);
    let (mut severity, mut why) = match (&tally.pressing, &tally.mild) {
        (Some((cue, word)), _) if *cue > usual => (*cue, format!(" \u{201c}{word}\u{201d} makes it {cue}.")),
        (None, Some(word)) if usual > Severity::Low => {
            let milder = if usual > Severity::Medium { Severity::Medium } else { Severity::Low };
            (milder, format!(" \u{201c}{word}\u{201d} makes it {milder}."))
        }
        _ => (usual, String::new()),
    };
    if let Some(score) = score.filter(|_| category == Category::Security) {
        used.push(format!("posture_score: {score} of 100"));
        if severity < Severity::High {
            severity = Severity::High;
            why = format!(" The posture score of {score} makes it high.");
        }
    }
    (severity, why)
}

fn summary(triage: &Triage, why: &str) -> String {
    let percent = (triage.confidence * 100.0).round();
    let mut out = if triage.abstained {
        format!("Not sure what this is about ({percent}% for the best guess): a person should read it.")
    } else {
        let words: Vec<String> = triage
            .because
            .iter()
            .filter(|because| because.speaks_for == triage.category)
            .take(4)
            .map(|because| {
                format!("\u{201c}{}\u{201d}", because.word.split_whitespace().collect::<Vec<_>>().join(" "))
            })
            .collect();
        format!(
            "Sorted as {} for the {} queue ({percent}% sure), because of {}.",
            triage.category,
            triage.route,
            words.join(", ")
        )
    };
    out.push_str(why);
    if let Some(playbook) = &triage.playbook {
        // Writing to a String cannot fail.
        let _ = write!(out, " The playbook {playbook} may help.");
    }
    out
}
