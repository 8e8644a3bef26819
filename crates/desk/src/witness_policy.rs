//! Which logs Echo witnesses, and which witnesses it asks: two policies (C2SP tlog-policy), kept as records.
//!
//! The records are the truth. They are written out as `treasury/witnessed.policy` and `treasury/witnesses.policy`, for
//! people and other tools, at each start and edit, and never read.

use access::Action;
use dossier::LogName;
use durable::Mode;
use echo_core::CustomerId;
use serde::{Deserialize, Serialize};
use store::{Record, Scope, Tx};
use witness::{Group, Policy, PolicyError};

use crate::{Call, Desk, DeskError, Event, Work};

/// The longest address of a witness, in bytes.
const MAX_URL: usize = 2_000;
/// What the files begin with.
const HEADER: &str = "# Written by Echo (C2SP tlog-policy). Change it with `echo_cli witness`.\n";

/// One of the two policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Book {
    /// The logs that Echo witnesses.
    Witnessed,
    /// The witnesses that Echo asks, with groups and quorum.
    Witnesses,
}

impl Book {
    const ALL: [Self; 2] = [Self::Witnessed, Self::Witnesses];

    fn name(self) -> &'static str {
        match self {
            Self::Witnessed => "witnessed",
            Self::Witnesses => "witnesses",
        }
    }
}

/// A policy as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct PolicyRecord {
    id: String,
    text: String,
}

impl Record for PolicyRecord {
    const KIND: &'static str = "witness policy";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

/// A change of the witnesses that are asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case", deny_unknown_fields)]
pub enum WitnessEdit {
    /// Ask one more witness.
    Add {
        /// Its name here, without spaces.
        name: String,
        /// Its verifier key (type 0x04).
        vkey: String,
        /// Its submission prefix: `https://witness.example/prefix`.
        url: String,
    },
    /// Forget a witness or a group that neither a group nor the quorum names.
    Remove {
        /// Its name.
        name: String,
    },
    /// Make a group of witnesses or groups.
    Group {
        /// Its name.
        name: String,
        /// How many of its members have to cosign.
        threshold: u32,
        /// Names of witnesses and groups that are there.
        members: Vec<String>,
    },
    /// Say who has to cosign a head before it counts.
    Quorum {
        /// A witness, a group, or `none`.
        name: String,
    },
}

/// A change of the logs that are witnessed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case", deny_unknown_fields)]
pub enum WitnessedEdit {
    /// Witness one more log, or take one more key of a log.
    Add {
        /// The log's verifier key (type 0x01); its name is the log's origin.
        vkey: String,
    },
    /// Witness a log no more. What was cosigned of it stays known.
    Remove {
        /// The log's origin.
        origin: String,
    },
}

/// A log that is witnessed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WitnessedLog {
    /// Its origin line.
    pub origin: String,
    /// Its verifier key.
    pub vkey: String,
    /// How many entries it had when it was last cosigned; nothing when it never was.
    pub size: Option<u64>,
    /// When it was last cosigned.
    pub cosigned: Option<echo_core::Timestamp>,
}

impl Desk {
    /// Changes the witnesses that are asked. They are asked at once.
    pub async fn edit_witnesses(
        &self,
        call: &Call,
        edit: WitnessEdit,
    ) -> Result<crate::Witnesses, DeskError> {
        call.principal.require(Action::ManageTrust)?;
        let mut work = self.work(&call.principal.name).await?;
        let policy = policy(&mut work.tx, Book::Witnesses).await?;
        let what = words_of(&edit);
        let next = match edit {
            WitnessEdit::Add { name, vkey, url } => {
                policy.with_witness(&name, &vkey, Some(&checked_url(&url)?))
            }
            WitnessEdit::Remove { name } => policy.without(&name),
            WitnessEdit::Group { name, threshold, members } => {
                let threshold = usize::try_from(threshold).unwrap_or(usize::MAX);
                policy.with_group(&Group { name, threshold, members })
            }
            WitnessEdit::Quorum { name } => policy.with_quorum(&name),
        };
        let next = next.map_err(refused)?;
        // What verifiers get names our own logs beside the witnesses: a key may stand there once only.
        for log in LogName::ALL {
            self.with_own_log(&next, log).map_err(refused)?;
        }
        work.keep_policy(Book::Witnesses, &next, what).await?;
        let view = work.witnesses().await?;
        let view = work.finish(call, 200, view).await?;
        self.write_treasury().await;
        self.wake_witnesses();
        Ok(view)
    }

    /// Changes the logs that are witnessed.
    pub async fn edit_witnessed(
        &self,
        call: &Call,
        edit: WitnessedEdit,
    ) -> Result<Vec<WitnessedLog>, DeskError> {
        call.principal.require(Action::ManageTrust)?;
        let mut work = self.work(&call.principal.name).await?;
        let policy = policy(&mut work.tx, Book::Witnessed).await?;
        let (next, what) = match edit {
            WitnessedEdit::Add { vkey } => (policy.with_log(&vkey, None), "a log is witnessed from now on"),
            WitnessedEdit::Remove { origin } => (policy.without_log(&origin), "a log is witnessed no more"),
        };
        let next = next.map_err(refused)?;
        work.keep_policy(Book::Witnessed, &next, what.to_owned()).await?;
        let view = witnessed(&mut work.tx, &next).await?;
        let view = work.finish(call, 200, view).await?;
        self.write_treasury().await;
        Ok(view)
    }

    /// The logs that are witnessed.
    pub async fn witnessed_logs(
        &self,
        principal: &access::Principal,
    ) -> Result<Vec<WitnessedLog>, DeskError> {
        principal.require(Action::ManageTrust)?;
        let mut tx = self.store().read().await?;
        let policy = policy(&mut tx, Book::Witnessed).await?;
        witnessed(&mut tx, &policy).await
    }

    /// What a verifier needs to judge the heads of a ledger: its key, the witnesses, the quorum (C2SP tlog-policy).
    pub async fn ledger_policy(&self, log: LogName) -> Result<Policy, DeskError> {
        let mut tx = self.store().read().await?;
        self.policy_of(&mut tx, log).await
    }

    pub(crate) async fn policy_of(&self, tx: &mut Tx, log: LogName) -> Result<Policy, DeskError> {
        let witnesses = policy(tx, Book::Witnesses).await?;
        self.with_own_log(&witnesses, log).map_err(|e| DeskError::Internal(e.to_string()))
    }

    fn with_own_log(&self, witnesses: &Policy, log: LogName) -> Result<Policy, PolicyError> {
        witnesses.clone().without_urls().with_log(self.log(log).vkey(), None)
    }

    /// Writes both policies out as files.
    pub(crate) async fn write_policies(&self) -> Result<(), DeskError> {
        let mut tx = self.store().read().await?;
        for book in Book::ALL {
            let text = format!("{HEADER}{}", policy(&mut tx, book).await?);
            let path = self.home().join("treasury").join(format!("{}.policy", book.name()));
            durable::write(&path, text.as_bytes(), Mode::Public)?;
        }
        Ok(())
    }
}

impl Work<'_> {
    async fn keep_policy(&mut self, book: Book, policy: &Policy, what: String) -> Result<(), DeskError> {
        let record = PolicyRecord { id: book.name().to_owned(), text: policy.to_string() };
        put(&mut self.tx, &record).await?;
        let event = Event { topic: "witness".to_owned(), id: book.name().to_owned(), what, at: self.now };
        self.tell(None, &event).await
    }
}

/// Keeps a record, whether there was one or not.
pub(crate) async fn put<R: Record>(tx: &mut Tx, record: &R) -> Result<(), DeskError> {
    if tx.get::<R>(&Scope::All, record.id()).await?.is_some() {
        tx.update(record).await?;
    } else {
        tx.insert(record).await?;
    }
    Ok(())
}

/// A policy as it stands; the empty one when nobody made one.
pub(crate) async fn policy(tx: &mut Tx, book: Book) -> Result<Policy, DeskError> {
    match tx.get::<PolicyRecord>(&Scope::All, book.name()).await? {
        Some(record) => Policy::parse(&record.text)
            .map_err(|e| DeskError::Internal(format!("the kept policy {}: {e}", book.name()))),
        None => Ok(Policy::default()),
    }
}

async fn witnessed(tx: &mut Tx, policy: &Policy) -> Result<Vec<WitnessedLog>, DeskError> {
    let mut logs = Vec::with_capacity(policy.logs().len());
    for log in policy.logs() {
        let head = crate::witness::head_of(tx, log.origin()).await?;
        logs.push(WitnessedLog {
            origin: log.origin().to_owned(),
            vkey: log.vkey().to_owned(),
            size: head.as_ref().map(crate::witness::WitnessedHead::size),
            cosigned: head.as_ref().map(crate::witness::WitnessedHead::cosigned),
        });
    }
    Ok(logs)
}

/// An address that requests can be sent to: plain or secure HTTP, without query or fragment.
fn checked_url(url: &str) -> Result<String, DeskError> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let good = rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && rest.bytes().all(|b| b.is_ascii_graphic())
    });
    if !good || url.len() > MAX_URL || url.contains(['?', '#', '@']) {
        return Err(DeskError::invalid(
            "url",
            "write the witness's submission prefix, such as https://witness.example/prefix, without user, query or \
             fragment",
        ));
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn words_of(edit: &WitnessEdit) -> String {
    match edit {
        WitnessEdit::Add { name, .. } => format!("the witness {name} is asked from now on"),
        WitnessEdit::Remove { name } => format!("{name} was removed from the witnesses"),
        WitnessEdit::Group { name, .. } => format!("the witness group {name} was made"),
        WitnessEdit::Quorum { name } => format!("the quorum of witnesses is {name} from now on"),
    }
}

fn refused(error: PolicyError) -> DeskError {
    DeskError::invalid("policy", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_a_request_can_go_to() {
        assert_eq!(checked_url("https://w.example/a/").unwrap(), "https://w.example/a");
        assert_eq!(checked_url("http://127.0.0.1:1").unwrap(), "http://127.0.0.1:1");
        for bad in [
            "",
            "w.example",
            "ftp://w.example",
            "https://",
            "https:///x",
            "https://w.example/a b",
            "https://w.example/?q",
            "https://w.example/#f",
            "https://u:p@w.example/",
            "https://w.example/\n",
            &format!("https://{}", "w".repeat(MAX_URL)),
        ] {
            assert!(checked_url(bad).is_err(), "{bad}");
        }
    }
}
