//! `user`: people who sign in.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use durable::Mode;
use echo_core::{CustomerId, UserId};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Failure, answer, api::Api, out::Out};

/// What to do with people.
#[derive(Debug, Subcommand)]
pub enum User {
    /// List the people, newest first
    List,
    /// Add a person; they sign in with a link: see `user link`
    Add {
        /// Their name
        #[arg(long)]
        name: String,
        /// What they may do
        #[arg(long)]
        role: Role,
        /// Whose person they are; demanded for the role `customer`, and for it alone
        #[arg(long, required_if_eq("role", "customer"))]
        customer: Option<CustomerId>,
    },
    /// Make a one-time sign-in link for a person
    Link {
        /// Their id
        id: UserId,
        /// Write the link into a file of your own (0600) in place of the terminal
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum Role {
    /// See and decide what is their own customer's
    Customer,
    /// Work on everybody's cases
    Technician,
    /// Everything that people may do
    OperatorAdmin,
}

/// What is shown of a person.
const SHOWN: [(&str, &str); 5] =
    [("id", "/id"), ("name", "/name"), ("role", "/role"), ("customer", "/customer"), ("since", "/created")];

impl User {
    /// Does it.
    pub fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        match self {
            Self::List => out.list(&api.list("/v1/users")?, &SHOWN),
            Self::Add { name, role, customer } => {
                let new = json!({"name": name, "role": role, "customer": customer});
                out.one(&api.post("/v1/users", &new)?, &SHOWN)
            }
            Self::Link { id, out: Some(file) } => {
                let made = write_link(api, id, file)?;
                if out.is_json() {
                    return out.json(&made);
                }
                out.line(&format!(
                    "wrote a link to {}, good once and until {}",
                    file.display(),
                    answer::shown(&made, "/expires")
                ))
            }
            Self::Link { id, out: None } => {
                let made = sign_in_link(api, &id.to_string())?;
                if out.is_json() { out.json(&made) } else { out.line(answer::text(&made, "/link")?) }
            }
        }
    }
}

/// Makes a one-time link `URL/sign-in#token=SECRET` for a person: an answer with `user`, `link` and `expires`. The
/// secret stands behind the `#`, which browsers do not send.
pub fn sign_in_link(api: &Api, user: &str) -> Result<Value, Failure> {
    let mut made = api.post(&format!("/v1/users/{user}/sign-in-links"), &json!({}))?;
    let link = format!("{}/sign-in#token={}", api.base(), answer::text(&made, "/secret")?);
    if let Some(fields) = made.as_object_mut() {
        fields.remove("secret");
        fields.insert("link".to_owned(), link.into());
    }
    Ok(made)
}

/// Makes a link and writes it to `file`, readable by its owner alone. The answer is without the link.
fn write_link(api: &Api, user: &UserId, file: &Path) -> Result<Value, Failure> {
    let mut made = sign_in_link(api, &user.to_string())?;
    let link = answer::owned(&made, "/link")?;
    durable::write(file, format!("{link}\n").as_bytes(), Mode::Private)?;
    if let Some(fields) = made.as_object_mut() {
        fields.remove("link");
        fields.insert("file".to_owned(), file.display().to_string().into());
    }
    Ok(made)
}
