//! The questions over Echo's own pages: they name sections that exist, and words alone find most of them.

use std::{collections::HashMap, fs, path::Path};

use memory::{Memory, Owner, Query};
use serde::Deserialize;

use crate::{open, source};

/// Of the questions kept apart from tuning, at least this share is answered among the first five by words alone. It
/// guards against a change for the worse.
const WORDS_ALONE: f64 = 0.65;

#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "as the file names it")]
struct Question {
    question: String,
    source: String,
    headings: Vec<String>,
    #[serde(default)]
    also: Vec<Place>,
    part: String,
}

#[derive(Debug, Deserialize)]
struct Place {
    source: String,
    headings: Vec<String>,
}

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn questions() -> Vec<Question> {
    let text = fs::read_to_string(repository().join("evals/retrieval.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Path, title and text of every page and playbook.
fn pages() -> Vec<(String, String, String)> {
    let mut paths = vec!["ARCHITECTURE.md".to_owned(), "README.md".to_owned()];
    for (folder, extension) in [("docs", ".md"), ("playbooks", ".yaml")] {
        let names = fs::read_dir(repository().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let names = names.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(extension));
        paths.extend(names.map(|name| format!("{folder}/{name}")));
    }
    paths.sort();
    let page = |path: String| {
        let text = fs::read_to_string(repository().join(&path)).unwrap();
        let title = text.lines().find_map(|line| line.strip_prefix("# ").or(line.strip_prefix("name: ")));
        (path, title.unwrap().trim().to_owned(), text)
    };
    paths.into_iter().map(page).collect()
}

/// Whether it is one of the sections that the question was written for.
fn answers(question: &Question, path: &str, heading: &str) -> bool {
    path == question.source && under(heading, &question.headings)
}

fn under(heading: &str, headings: &[String]) -> bool {
    heading.split(" > ").any(|part| headings.iter().any(|asked| asked == part))
}

async fn remembered() -> (tempfile::TempDir, Memory) {
    let (folder, memory) = open().await;
    for (path, title, text) in pages() {
        memory.remember(&memory::Source { title, ..source(Owner::Shared, &path, &text) }).await.unwrap();
    }
    (folder, memory)
}

#[test]
fn every_question_is_answered_by_a_section_that_exists() {
    let mut sections: HashMap<String, Vec<String>> = HashMap::new();
    for (path, title, text) in pages() {
        let headings =
            memory::chunks(&title, &text).unwrap().into_iter().map(|piece| piece.heading).collect();
        sections.insert(path, headings);
    }
    let questions = questions();
    for question in &questions {
        let found =
            sections[&question.source].iter().any(|heading| answers(question, &question.source, heading));
        assert!(found, "{question:?}: {:?}", sections[&question.source]);
        for place in &question.also {
            let found = sections[&place.source].iter().any(|heading| under(heading, &place.headings));
            assert!(found, "{question:?}: {:?}", sections[&place.source]);
        }
    }
    let tuning = questions.iter().filter(|question| question.part == "dev").count();
    assert!(questions.len() - tuning >= 150 && tuning >= 100, "{tuning} of {}", questions.len());
}

#[tokio::test]
async fn words_alone_find_most_sections() {
    let (_folder, memory) = remembered().await;
    let mut counts: HashMap<String, (f64, f64)> = HashMap::new();
    let mut missed = Vec::new();
    for question in questions() {
        let query = Query { customer: None, text: &question.question, vector: None, kinds: &[], limit: 5 };
        let hits = memory.search(&query).await.unwrap();
        let found = hits.iter().any(|hit| answers(&question, &hit.source, &hit.heading));
        let (right, all) = counts.entry(question.part.clone()).or_default();
        (*right, *all) = (*right + f64::from(u8::from(found)), *all + 1.0);
        // What is kept apart from tuning stays unread.
        if !found && question.part == "dev" {
            let got: Vec<_> = hits.iter().map(|hit| format!("{}/{}", hit.source, hit.heading)).collect();
            missed.push(format!(
                "{} -> {}/{:?}\n     got {got:?}",
                question.question, question.source, question.headings
            ));
        }
    }
    let share = |part: &str| counts[part].0 / counts[part].1;
    println!("dev {:.3}, test {:.3}\n{}", share("dev"), share("test"), missed.join("\n"));
    assert!(share("test") >= WORDS_ALONE, "{:.3}", share("test"));
}
