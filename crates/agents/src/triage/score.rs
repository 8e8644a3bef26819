//! Weighs the words of a case.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use super::{
    Because, Category, Guess, Label, Labels, Learned, Level, Lexicon, MAX_FACT_BYTES, MAX_NOTES,
    MAX_TEXT_BYTES, Route, Severity, Triage, TriageFacts, TriageInput, language, language_name,
    learned::rounded, tally::Tally,
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

/// What the lexicon's answers are called.
pub const LEXICON_ENGINE: &str = "lexicon";

/// The triage engine: a learned model where there is one and it is sure, or else a weighted lexicon, or else nothing. The
/// same result for the same case.
#[derive(Debug, Clone)]
pub struct Triager {
    lexicon: Arc<Lexicon>,
    labels: Arc<Labels>,
    learned: Option<Learned>,
}

impl Default for Triager {
    fn default() -> Self {
        Self::new(Lexicon::builtin(), Labels::builtin())
    }
}

impl Triager {
    /// An engine over the given words, that sorts into the given labels.
    pub fn new(lexicon: Lexicon, labels: Labels) -> Self {
        Self { lexicon: Arc::new(lexicon), labels: Arc::new(labels), learned: None }
    }

    /// The same engine with another learned model, or with none.
    #[must_use]
    pub fn taught(&self, learned: Option<Learned>) -> Self {
        Self { learned, ..self.clone() }
    }

    /// The labels that it sorts into.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The learned model that it asks first.
    pub fn learned(&self) -> Option<&Learned> {
        self.learned.as_ref()
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
        let said = self.learned.as_ref().map(|learned| learned.ask(&whole(input), &self.labels));
        Ok(self.decide(input, tally, said, facts_used))
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
        for (levels, highest) in
            [(&self.lexicon.impact, &mut tally.impact), (&self.lexicon.urgency, &mut tally.urgency)]
        {
            let said = levels.find(&tokens).into_iter().filter(|found| !negated[found.tokens.start]);
            *highest = said.filter_map(|found| *found.meaning).chain(*highest).max();
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

    fn decide(
        &self,
        input: &TriageInput,
        tally: Tally,
        said: Option<(Guess, Vec<Because>)>,
        mut facts_used: Vec<String>,
    ) -> Triage {
        let facts = input.facts.as_ref();
        let (leader, share) = tally.leader();
        let (guess, evidence) = said.unzip();
        let learned = guess.as_ref().filter(|guess| !guess.abstained).and_then(|g| self.labels.get(&g.label));
        let confidence = match (&guess, learned) {
            (Some(guess), Some(_)) => guess.confidence,
            _ => rounded(share),
        };
        let lexical = || if confidence < ABSTAIN_BELOW { None } else { self.labels.of(leader) };
        let label = learned.or_else(lexical);
        let (category, route, usual) = label
            .map_or((Category::General, Route::General, Severity::Medium), |label| {
                (label.category, label.queue, label.severity)
            });
        let (severity, why) = severity(category, usual, &tally, facts, &mut facts_used);
        let playbook = self.hint(label, &tally, facts, &mut facts_used);
        let (impact, urgency) = levels(&tally);
        let (engine, because) = match (learned, &self.learned, evidence) {
            (Some(_), Some(model), Some(evidence)) => (model.name(), evidence),
            _ => (LEXICON_ENGINE.to_owned(), tally.because(leader)),
        };
        let mut out = Triage {
            category,
            severity,
            route,
            playbook,
            label: label.map(|label| label.id.clone()),
            engine,
            guess,
            impact,
            urgency,
            language: language(&input.text).map(str::to_owned),
            related: Vec::new(),
            confidence,
            abstained: label.is_none(),
            because,
            facts_used,
            summary: String::new(),
        };
        out.summary = summary(&out, &why);
        out
    }

    /// The playbook that most words name, or else the label's own.
    fn hint(
        &self,
        label: Option<&Label>,
        tally: &Tally,
        facts: Option<&TriageFacts>,
        used: &mut Vec<String>,
    ) -> Option<String> {
        let label = label?;
        let fits = |(at, _): &(&usize, &u32)| self.lexicon.hints[**at].category == label.category;
        let named =
            tally.hints.iter().filter(fits).max_by_key(|(at, words)| (**words, std::cmp::Reverse(**at)));
        let playbook =
            named.map(|(at, _)| &self.lexicon.hints[*at].playbook).or(label.playbook.as_ref())?.clone();
        let os = facts.map_or("", |facts| facts.os_name.as_str());
        if runs_no_playbooks(os) {
            used.push(format!("os_name: {os} (playbooks are for Linux, so none is hinted at)"));
            return None;
        }
        Some(playbook)
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

/// All of it as one text, as a model learned it.
fn whole(input: &TriageInput) -> String {
    texts(input).collect::<Vec<_>>().join("\n\n")
}

/// How many are kept from work, and how soon help is needed.
fn levels(tally: &Tally) -> (Level, Level) {
    (tally.impact.unwrap_or(Level::Medium), tally.urgency.unwrap_or(Level::Medium))
}

fn runs_no_playbooks(os_name: &str) -> bool {
    let os = os_name.to_lowercase();
    ["windows", "macos", "mac os", "android", "ios"].iter().any(|one| os.starts_with(one))
}

/// The usual severity, moved by cues, by how many wait how urgently, and by facts; and a sentence that says so, or nothing.
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
    let pressed = match levels(tally) {
        (Level::High, Level::High) => Severity::Critical,
        (Level::High, Level::Medium) | (Level::Medium, Level::High) => Severity::High,
        _ => Severity::Low,
    };
    if severity < pressed {
        severity = pressed;
        why = format!(" How many it keeps from work and how soon they need help make it {severity}.");
    }
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
        let label = triage.label.as_deref().unwrap_or_default();
        let because =
            if words.is_empty() { String::new() } else { format!(", because of {}", words.join(", ")) };
        format!("Sorted as {label} for the {} queue ({percent}% sure){because}.", triage.route)
    };
    out.push_str(why);
    if let Some(name) = triage.language.as_deref().filter(|code| *code != "eng").and_then(language_name) {
        // Writing to a String cannot fail.
        let _ = write!(out, " It seems to be written in {name}.");
    }
    if let Some(playbook) = &triage.playbook {
        // Writing to a String cannot fail.
        let _ = write!(out, " The playbook {playbook} may help.");
    }
    out
}
