use std::path::Path;

use proptest::prelude::*;

use super::*;

const FORM: &str = "
id: slow-thing
version: 2
title: A slow thing
fields:
  - {id: what, label: What is slow?, kind: text, required: true, max_length: 10}
  - {id: how, label: How slow?, kind: choice, choices: [a bit, very]}
  - {id: always, label: Always?, kind: yes_no}
";

fn form() -> Form {
    Form::parse(FORM).unwrap()
}

fn fill(answers: &[(&str, &str)]) -> Result<Filled, Vec<FieldFault>> {
    form().fill(answers.iter().map(|(field, answer)| ((*field).to_owned(), (*answer).to_owned())).collect())
}

fn shipped() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../intake");
    let mut out: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    out.sort();
    out
}

#[test]
fn a_filled_form_keeps_the_answers_and_drops_empty_ones() {
    let filled = fill(&[("what", "  the disk "), ("how", ""), ("always", "no")]).unwrap();
    assert_eq!((filled.form.as_str(), filled.version), ("slow-thing", 2));
    assert_eq!(filled.answers.len(), 2);
    assert_eq!(filled.text(), "the disk");
    let filled = fill(&[("what", "the disk"), ("how", "very")]).unwrap();
    assert_eq!(filled.text(), "very\n\nthe disk");
}

#[test]
fn every_fault_is_named_at_once() {
    let faults = fill(&[("what", "far too long"), ("how", "quite"), ("always", "perhaps"), ("who", "me")])
        .unwrap_err();
    let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["what", "how", "always", "who"]);
    assert!(faults[1].to_string().contains("a bit, very"), "{}", faults[1]);
    assert_eq!(fill(&[("what", " \n ")]).unwrap_err()[0].problem, "please answer this");
    assert!(fill(&[("what", "a\u{1b}[31m")]).unwrap_err()[0].problem.contains("control"));
}

#[test]
fn length_is_counted_in_characters() {
    assert!(fill(&[("what", "éééééééééé")]).is_ok());
    assert!(fill(&[("what", "ééééééééééé")]).is_err());
}

#[test]
fn templates_that_break_a_rule_are_refused_by_name() {
    for (from, to, part) in [
        ("slow-thing", "Slow thing", "id"),
        ("version: 2", "version: 0", "version"),
        ("A slow thing", "''", "title"),
        ("id: how", "id: what", "field `what`"),
        ("id: always", "id: 'Always!'", "field `Always!`"),
        ("[a bit, very]", "[very, very]", "field `how`"),
        ("[a bit, very]", "[very]", "field `how`"),
        ("kind: choice", "kind: text", "field `how`"),
        ("max_length: 10", "max_length: 0", "field `what`"),
        ("max_length: 10", "max_length: 4001", "field `what`"),
    ] {
        match Form::parse(&FORM.replace(from, to)) {
            Err(FormError::Rule { part: named, .. }) => assert_eq!(named, part),
            other => panic!("{from} -> {to}: {other:?}"),
        }
    }
    assert!(matches!(Form::parse(&FORM.replace("title:", "script: x\ntitle:")), Err(FormError::Yaml(_))));
    assert_eq!(Form::parse(&" ".repeat(MAX_FORM_BYTES + 1)), Err(FormError::TooLarge));
}

#[test]
fn the_shipped_forms_are_read_and_named_like_their_files() {
    let names: Vec<String> = shipped()
        .into_iter()
        .map(|(name, yaml)| {
            let form = Form::parse(&yaml).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(form.id, name);
            assert!(
                form.fields.iter().any(|field| field.required && field.kind == FieldKind::Text),
                "{name}"
            );
            name
        })
        .collect();
    assert_eq!(names, ["cannot-sign-in", "general-help", "security-concern", "slow-computer"]);
}

#[test]
fn the_schema_names_the_same_fields_kinds_and_bounds_as_the_parser() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../intake/schema.json");
    let schema: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let keys =
        |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let mut form = form();
    form.fields.swap(0, 1);
    let written = serde_json::to_value(&form).unwrap();
    assert_eq!(keys(&schema["properties"]), keys(&written));
    let field = &schema["$defs"]["field"];
    assert_eq!(keys(&field["properties"]), keys(&written["fields"][0]));
    let kinds: Vec<&str> = FieldKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(field["properties"]["kind"]["enum"], serde_json::json!(kinds));
    assert_eq!(field["properties"]["max_length"]["maximum"], MAX_ANSWER_CHARS);
    assert_eq!(schema["properties"]["fields"]["maxItems"], MAX_FIELDS);
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(field["additionalProperties"], false);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}", at in 0_usize..300, with in "\\PC{0,5}") {
        let _ = Form::parse(&text);
        let mut yaml: Vec<char> = FORM.chars().collect();
        yaml.splice(at.min(yaml.len())..at.min(yaml.len()), with.chars());
        let _ = Form::parse(&yaml.into_iter().collect::<String>());
    }

    #[test]
    fn what_fill_accepts_it_accepts_again(answers in prop::collection::btree_map("what|how|always|who", "yes|no|very|\\PC{0,12}", 0..4)) {
        if let Ok(filled) = form().fill(answers) {
            prop_assert_eq!(form().fill(filled.answers.clone()), Ok(filled));
        }
    }
}
