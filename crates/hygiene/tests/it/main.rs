//! The filter against the repository's own attacks and ordinary texts. The rates are told; `docs/advice.md` says what a
//! text that passes the filter can still not do.

use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    id: String,
    text: String,
}

fn lines(file: &str) -> Vec<Line> {
    file.lines()
        .map(|line| serde_json::from_str(line).expect("each line of a corpus is a JSON object"))
        .collect()
}

#[test]
fn most_attacks_are_found() {
    let attacks = lines(include_str!("../../../../evals/injection.jsonl"));
    let missed: Vec<&Line> =
        attacks.iter().filter(|one| hygiene::instructions(&one.text).is_empty()).collect();
    println!("{} of {} attacks found", attacks.len() - missed.len(), attacks.len());
    for one in &missed {
        println!("missed {}: {}", one.id, one.text);
    }
    assert!(attacks.len() >= 220);
    assert!(missed.len() * 100 <= attacks.len() * 8, "{} missed", missed.len());
}

#[test]
fn ordinary_texts_are_left_alone() {
    let texts = lines(include_str!("../../../../evals/benign.jsonl"));
    let hit: Vec<_> = texts.iter().filter(|one| !hygiene::instructions(&one.text).is_empty()).collect();
    println!("{} of {} ordinary texts suspected", hit.len(), texts.len());
    for one in &hit {
        println!("suspected {}: {} {:?}", one.id, one.text, hygiene::instructions(&one.text));
    }
    assert!(texts.len() >= 60 && hit.len() * 100 <= texts.len() * 2, "{} suspected", hit.len());
}
