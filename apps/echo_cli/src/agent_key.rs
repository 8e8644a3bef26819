//! `agent-key`: credentials for programs.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use clap::Subcommand;
use durable::Mode;
use echo_core::{Currency, CustomerId, TokenId};
use serde_json::{Value, json};

use crate::{
    Failure, answer,
    api::Api,
    out::{Out, printable},
};

/// What to do with agent keys.
#[derive(Debug, Subcommand)]
pub enum AgentKey {
    /// List the keys, newest first, with what each has spent this month
    List,
    /// Make a key: the secret goes to standard output, this once
    Make {
        /// Whose it is; customers' people may leave it out
        #[arg(long)]
        customer: Option<CustomerId>,
        /// What it is called
        #[arg(long)]
        name: String,
        /// The skills that it may call, with commas between them: see `agent list`
        #[arg(long, value_delimiter = ',', required = true, value_name = "SKILL,SKILL")]
        skills: Vec<String>,
        /// The most that its calls may cost in a calendar month, such as `5.00`; only the plan bounds it without this
        #[arg(long, value_name = "AMOUNT")]
        cap: Option<String>,
        /// For how many days it is good, 1 to 366; 90 when not said
        #[arg(long)]
        days: Option<u32>,
        /// Write the secret into a file of your own (0600) in place of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// End a key at once
    Revoke {
        /// Its id
        id: TokenId,
    },
}

/// What is shown of a key.
const SHOWN: [(&str, &str); 8] = [
    ("id", "/id"),
    ("name", "/name"),
    ("state", "/state"),
    ("spent", "/spent"),
    ("cap", "/cap"),
    ("skills", "/skills"),
    ("expires", "/expires"),
    ("last used", "/last_used"),
];

impl AgentKey {
    /// Does it.
    pub fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        match self {
            Self::List => {
                let keys = api.list("/v1/agent-keys")?;
                let keys: Vec<Value> = keys.into_iter().map(|key| in_words(key, out)).collect();
                out.list(&keys, &SHOWN)
            }
            Self::Make { customer, name, skills, cap, days, out: file } => {
                let cap = cap.as_deref().map(|cap| amount(api, cap)).transpose()?;
                let new =
                    json!({"customer": customer, "name": name, "skills": skills, "cap": cap, "days": days});
                show(api.post("/v1/agent-keys", &new)?, file.clone(), out)
            }
            Self::Revoke { id } => {
                let key = api.post(&format!("/v1/agent-keys/{id}/revoke"), &json!({}))?;
                out.one(&in_words(key, out), &SHOWN)
            }
        }
    }
}

/// Hands the secret out: alone on standard output or in a file, so that it can be put where it belongs.
fn show(mut made: Value, file: Option<PathBuf>, out: Out) -> Result<(), Failure> {
    let secret = answer::owned(&made, "/secret")?;
    let about = format!(
        "agent key {} ({}), good until {}",
        answer::shown(&made, "/key/name"),
        answer::shown(&made, "/key/id"),
        answer::shown(&made, "/key/expires")
    );
    if let Some(file) = file {
        durable::write(&file, format!("{secret}\n").as_bytes(), Mode::Private)?;
        if let Some(fields) = made.as_object_mut() {
            fields.remove("secret");
            fields.insert("file".to_owned(), file.display().to_string().into());
        }
        note(&format!("{about}: the secret is in {}", file.display()));
        return if out.is_json() { out.json(&made) } else { Ok(()) };
    }
    note(&format!("{about}: keep the secret, it is not shown again"));
    if out.is_json() { out.json(&made) } else { out.line(&secret) }
}

/// Words for a person, beside the data.
fn note(words: &str) {
    // When standard error is gone there is nobody to tell.
    let _ = writeln!(io::stderr().lock(), "{}", printable(words));
}

/// An amount in the currency of the plans.
fn amount(api: &Api, text: &str) -> Result<Value, Failure> {
    let plans = api.list("/v1/plans")?;
    let plan = plans.first().ok_or_else(|| Failure::failed("the platform has no plans"))?;
    let code = answer::text(plan, "/currency")?;
    let currency: Currency = code.parse().map_err(Failure::failed)?;
    let minor = minor_units(text, currency.exponent()).ok_or_else(|| {
        let places = currency.exponent();
        Failure::usage(format!("`{text}` is no amount of {code}"))
            .hint(format!("write digits with at most {places} places after the point, such as 5.00"))
    })?;
    Ok(json!({"minor": minor, "currency": code}))
}

/// Digits with at most one point, and at most `places` digits after it, in minor units.
fn minor_units(text: &str, places: u32) -> Option<i64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let places = usize::try_from(places).ok()?;
    if whole.is_empty() || !digits(whole) || !digits(rest) || rest.len() > places {
        return None;
    }
    format!("{whole}{rest:0<places$}").parse().ok()
}

/// The key with its skills by name and its amounts with their currency; programs get the platform's own.
fn in_words(mut key: Value, out: Out) -> Value {
    if out.is_json() {
        return key;
    }
    let skills = answer::list(&key, "/skills").unwrap_or_default();
    let names: Vec<&str> = skills.iter().filter_map(Value::as_str).collect();
    let (names, spent) = (names.join(", "), spent_of(&key));
    if let Some(fields) = key.as_object_mut() {
        fields.insert("skills".to_owned(), names.into());
        fields.insert("spent".to_owned(), spent.into());
    }
    key
}

/// `4.80 EUR`, and what is held for running calls.
fn spent_of(key: &Value) -> String {
    let currency = answer::shown(key, "/currency");
    let places = currency.parse::<Currency>().map_or(0, Currency::exponent);
    let [spent, held] = ["/spent", "/held"].map(|pointer| padded(&answer::shown(key, pointer), places));
    if held.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        format!("{spent} + {held} held {currency}")
    } else {
        format!("{spent} {currency}")
    }
}

/// An exact amount with at least `places` digits after the point.
fn padded(amount: &str, places: u32) -> String {
    let (whole, rest) = amount.split_once('.').unwrap_or((amount, ""));
    let places = usize::try_from(places).unwrap_or(0);
    if rest.is_empty() && places == 0 { whole.to_owned() } else { format!("{whole}.{rest:0<places$}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_or_refused() {
        for (text, minor) in [("5.00", 500), ("5", 500), ("5.1", 510), ("0", 0), ("0.01", 1), ("5.", 500)] {
            assert_eq!(minor_units(text, 2), Some(minor), "{text}");
        }
        assert_eq!(minor_units("500", 0), Some(500));
        for text in ["", ".5", "-1", "1,00", "1e3", "0.001", "1.0.0", " 1", "99999999999999999999"] {
            assert_eq!(minor_units(text, 2), None, "{text}");
        }
    }

    #[test]
    fn a_key_is_shown_in_words_to_people_and_whole_to_programs() {
        let key = json!({"skills": ["a.b", "c.d"], "spent": "4.8", "held": "0.4025", "currency": "EUR"});
        let shown = in_words(key.clone(), Out::new(false));
        assert_eq!(
            (&shown["skills"], &shown["spent"]),
            (&json!("a.b, c.d"), &json!("4.80 + 0.4025 held EUR"))
        );
        assert_eq!(in_words(key.clone(), Out::new(true)), key);
        let quiet = json!({"skills": [], "spent": "0", "held": "0.00", "currency": "EUR"});
        assert_eq!(spent_of(&quiet), "0.00 EUR");
        assert_eq!((padded("7", 0), padded("0.5", 2)), ("7".to_owned(), "0.50".to_owned()));
    }
}
