//! Holds answers against the `OpenAPI` document: what is written must be what is described.

use serde_json::{Map, Value};

use crate::ask::Answer;

/// Fails when the document does not know this answer or describes it otherwise.
#[track_caller]
pub fn check(document: &Value, method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap();
    let content_type = answer.header("content-type").split(';').next().unwrap().to_owned();
    if content_type == "application/problem+json" {
        let problem = answer.json();
        matches(document, &document["components"]["schemas"]["Problem"], &problem, &answer.asked);
        assert_eq!(problem["instance"], path, "{}", answer.asked);
        assert_eq!(problem["status"], answer.status.as_u16(), "{}", answer.asked);
    }
    let Some(operation) = operation(document, method, path) else { return };
    let described = &operation["responses"][answer.status.as_str()];
    let shared = described["$ref"].as_str().and_then(|r| document.pointer(r.trim_start_matches('#')));
    let described = shared.unwrap_or(described);
    assert!(described.is_object(), "{} answers {}, which is not described", answer.asked, answer.status);
    let Some(content) = described["content"].as_object() else { return };
    let schema = content.get(&content_type);
    let schema =
        schema.unwrap_or_else(|| panic!("{} answers {content_type}, which is not described", answer.asked));
    if content_type.ends_with("json") {
        matches(document, &schema["schema"], &answer.json(), &answer.asked);
    }
}

/// The operation that serves a path.
fn operation<'a>(document: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let method = if method == "HEAD" { return None } else { method.to_ascii_lowercase() };
    let given: Vec<&str> = path.split('/').collect();
    let fits = |pattern: &str| {
        let wanted: Vec<&str> = pattern.split('/').collect();
        wanted.len() == given.len() && wanted.iter().zip(&given).all(|(w, g)| w.starts_with('{') || w == g)
    };
    let paths = document["paths"].as_object().unwrap();
    let exact = paths.get(path).filter(|item| item[&method].is_object());
    let found =
        exact.or_else(|| paths.iter().find(|(p, item)| fits(p) && item[&method].is_object()).map(|(_, i)| i));
    found.map(|item| &item[&method])
}

/// JSON Schema 2020-12, as far as the document uses it; a property that is not described is a fault.
#[track_caller]
pub fn matches(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Err(fault) = fault(document, schema, value, at) {
        panic!("not what the OpenAPI document says: {fault}");
    }
}

fn fault(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let Some(schema) = schema.as_object() else { return Ok(()) };
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let target = document.pointer(reference.trim_start_matches('#'));
        return fault(document, target.ok_or_else(|| format!("{reference} is not there"))?, value, at);
    }
    for any in ["oneOf", "anyOf"].iter().filter_map(|name| schema.get(*name)?.as_array()) {
        let faults: Vec<String> =
            any.iter().filter_map(|one| fault(document, one, value, at).err()).collect();
        if faults.len() == any.len() {
            return Err(faults.join("; "));
        }
    }
    let expected = || format!("{at}: expected {}, found {value}", serde_json::to_string(schema).unwrap());
    if !types(schema).is_empty() && !types(schema).contains(&type_of(value)) {
        let whole = type_of(value) == "integer" && types(schema).contains(&"number");
        if !whole {
            return Err(expected());
        }
    }
    if schema.get("enum").and_then(Value::as_array).is_some_and(|all| !all.contains(value)) {
        return Err(expected());
    }
    match value {
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            schema.get("items").map_or(Ok(()), |s| fault(document, s, item, &format!("{at}[{index}]")))
        }),
        Value::Object(fields) => object(document, schema, fields, at),
        _ => Ok(()),
    }
}

fn object(
    document: &Value,
    schema: &Map<String, Value>,
    fields: &Map<String, Value>,
    at: &str,
) -> Result<(), String> {
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if !fields.contains_key(name.as_str().unwrap()) {
            return Err(format!("{at}: {name} is missing"));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let rest = schema.get("additionalProperties");
    for (name, value) in fields {
        let here = format!("{at}.{name}");
        match (properties.and_then(|p| p.get(name)), rest) {
            (Some(property), _) => fault(document, property, value, &here)?,
            (None, Some(rest)) => fault(document, rest, value, &here)?,
            (None, None) if properties.is_some() => return Err(format!("{here} is not described")),
            (None, None) => {}
        }
    }
    Ok(())
}

fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(some)) => some.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn the_check_itself_refuses_what_is_not_described() {
    let document = serde_json::json!({});
    let schema =
        serde_json::json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}});
    let refused = |value: Value| fault(&document, &schema, &value, "x").is_err();
    assert!(!refused(serde_json::json!({"a": "b"})));
    assert!(refused(serde_json::json!({})));
    assert!(refused(serde_json::json!({"a": 1})));
    assert!(refused(serde_json::json!({"a": "b", "c": 1})));
}
