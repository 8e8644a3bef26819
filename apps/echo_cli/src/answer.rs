//! Reads the platform's answers: JSON, by JSON pointer (RFC 6901).
//!
//! The command line shows what the platform says and computes little with it, so it takes the few values that it
//! needs by their place and leaves the rest alone: a newer platform may say more.

use serde_json::Value;

use crate::Failure;

/// The text at a place.
pub fn text<'a>(answer: &'a Value, pointer: &str) -> Result<&'a str, Failure> {
    answer.pointer(pointer).and_then(Value::as_str).ok_or_else(|| lacks(pointer))
}

/// The text at a place, to keep.
pub fn owned(answer: &Value, pointer: &str) -> Result<String, Failure> {
    text(answer, pointer).map(str::to_owned)
}

/// The whole number at a place.
pub fn number(answer: &Value, pointer: &str) -> Result<i64, Failure> {
    answer.pointer(pointer).and_then(Value::as_i64).ok_or_else(|| lacks(pointer))
}

/// The decimal number at a place.
pub fn decimal(answer: &Value, pointer: &str) -> Result<f64, Failure> {
    answer.pointer(pointer).and_then(Value::as_f64).ok_or_else(|| lacks(pointer))
}

/// The list at a place.
pub fn list<'a>(answer: &'a Value, pointer: &str) -> Result<&'a [Value], Failure> {
    answer.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).ok_or_else(|| lacks(pointer))
}

/// What is at a place, as a person reads it: money as `7.10 EUR`, lists by their length, nothing as `-`.
pub fn shown(answer: &Value, pointer: &str) -> String {
    match answer.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::Array(items)) => items.len().to_string(),
        Some(object @ Value::Object(_)) => money(object).unwrap_or_else(|| object.to_string()),
        Some(number) => number.to_string(),
    }
}

/// An amount as text, when the value is one.
fn money(value: &Value) -> Option<String> {
    serde_json::from_value::<echo_core::Money>(value.clone()).ok().map(|m| m.to_string())
}

fn lacks(pointer: &str) -> Failure {
    Failure::failed(format!("the platform's answer lacks {pointer}"))
        .hint("this command and the platform are probably of different versions: update the older one")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_as_people_read_them() {
        let answer =
            json!({"total": {"minor": 710, "currency": "EUR"}, "lines": [1, 2], "paid": true, "note": null});
        let all = ["/total", "/lines", "/paid", "/note", "/none"].map(|p| shown(&answer, p));
        assert_eq!(all, ["7.10 EUR", "2", "yes", "-", "-"]);
    }

    #[test]
    fn a_missing_value_names_its_place() {
        let error = text(&json!({"a": 1}), "/a").unwrap_err();
        assert!(error.message.contains("/a"), "{error}");
    }
}
