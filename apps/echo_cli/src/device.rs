//! `device`: machines under care.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use durable::Mode;
use echo_core::{CustomerId, DeviceId};
use serde_json::{Value, json};

use crate::{Failure, answer, api::Api, confirm, out::Out};

/// What to do with devices.
#[derive(Debug, Subcommand)]
pub enum Device {
    /// List the devices, newest first
    List,
    /// Show one device
    Show {
        /// Its id
        id: DeviceId,
    },
    /// Make a one-time enrolment token, and write it into a file of your own (0600)
    Token {
        /// Whose device it will be; may be left out when there is one customer only
        #[arg(long)]
        customer: Option<CustomerId>,
        /// The file to carry to the device, for `echo_probe enroll --token-file`
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Retire a device for good: it may not speak any more; its history, receipts and proofs stay
    Retire {
        /// Its id
        id: DeviceId,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

impl Device {
    /// Does it.
    pub fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        match self {
            Self::List => out.list(
                &api.list("/v1/devices")?.into_iter().map(|device| in_words(device, out)).collect::<Vec<_>>(),
                &[
                    ("id", "/id"),
                    ("name", "/name"),
                    ("state", "/state"),
                    ("presence", "/presence"),
                    ("score", "/posture/score"),
                    ("last seen", "/last_seen"),
                ],
            ),
            Self::Show { id } => out.one(
                &in_words(api.get(&format!("/v1/devices/{id}"))?, out),
                &[
                    ("id", "/id"),
                    ("name", "/name"),
                    ("customer", "/customer"),
                    ("did", "/did"),
                    ("state", "/state"),
                    ("presence", "/presence"),
                    ("last seen", "/last_seen"),
                    ("host", "/facts/hostname"),
                    ("system", "/facts/os_name"),
                    ("kernel", "/facts/kernel"),
                    ("posture score", "/posture/score"),
                    ("checks failed", "/posture/failed"),
                ],
            ),
            Self::Retire { id, yes } => retire(api, id, *yes, out),
            Self::Token { customer, out: file } => {
                let customer = match customer {
                    Some(id) => id.to_string(),
                    None => only_customer(api)?,
                };
                let made = write_token(api, &customer, file)?;
                if out.is_json() {
                    return out.json(&made);
                }
                out.line(&format!(
                    "wrote a token to {}, good until {}",
                    file.display(),
                    answer::shown(&made, "/expires")
                ))
            }
        }
    }
}

fn retire(api: &Api, id: &DeviceId, sure: bool, out: Out) -> Result<(), Failure> {
    if !sure {
        confirm::somebody()?;
        let device = api.get(&format!("/v1/devices/{id}"))?;
        let name = answer::shown(&device, "/name");
        confirm::confirm(&format!("Retire {name} ({id}) for good? What waits for it fails."))?;
    }
    let device = in_words(api.post(&format!("/v1/devices/{id}/retire"), &json!({}))?, out);
    out.one(&device, &[("id", "/id"), ("name", "/name"), ("state", "/state")])
}

/// The device with its state in the word that people use; programs get the platform's own.
fn in_words(mut device: Value, out: Out) -> Value {
    if let Some(state) = device.get_mut("state").filter(|state| !out.is_json() && **state == "revoked") {
        *state = "retired".into();
    }
    device
}

/// Makes an enrolment token and writes it to `file`, readable by its owner alone. The answer is without the secret.
pub fn write_token(api: &Api, customer: &str, file: &Path) -> Result<Value, Failure> {
    let mut made = api.post("/v1/enrolment-tokens", &json!({ "customer": customer }))?;
    let token = answer::owned(&made, "/token")?;
    durable::write(file, format!("{token}\n").as_bytes(), Mode::Private)?;
    if let Some(fields) = made.as_object_mut() {
        fields.remove("token");
        fields.insert("file".to_owned(), file.display().to_string().into());
    }
    Ok(made)
}

fn only_customer(api: &Api) -> Result<String, Failure> {
    match api.list("/v1/customers")?.as_slice() {
        [one] => Ok(answer::owned(one, "/id")?),
        [] => Err(Failure::failed("there is no customer yet")
            .hint("add one first: `echo_cli customer add --name NAME --plan PLAN`")),
        many => Err(Failure::usage(format!("there are {} customers", many.len()))
            .hint("say whose device it will be with --customer ID: see `echo_cli customer list`")),
    }
}
