//! The operator's exceptions: which document is in force, and its entry in the genesis ledger.

use std::path::Path;

use dossier::{Kind, envelope_digest};
use echo_core::{CustomerId, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Record, Scope, Store};
use trust::{
    Envelope, Registry,
    exception::{EXCEPTIONS_FILE, Exceptions},
};

use crate::{Desk, DeskError, work::Owner};

/// The newest document that this home has entered into its ledger: an older one is not taken any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Held {
    id: String,
    issued: Timestamp,
    digest: Digest,
}

impl Record for Held {
    const KIND: &'static str = "exceptions";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

const HELD: &str = "exceptions";

/// The exceptions of a home and their envelope, or why the document is refused. With a refused
/// one there are no exceptions: the platform starts all the same, unless it was the policy that needed one.
pub(crate) async fn load(
    home: &Path,
    registry: &Registry,
    store: &Store,
) -> Result<Result<Option<(Exceptions, Envelope)>, String>, DeskError> {
    let (document, envelope) = match Exceptions::load(home, registry) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Ok(None)),
        Err(why) => return Ok(Err(why.to_string())),
    };
    let held = store.read().await?.get::<Held>(&Scope::All, HELD).await?;
    let older = held.is_some_and(|held| {
        document.issued < held.issued
            || (document.issued == held.issued && envelope_digest(&envelope) != held.digest)
    });
    Ok(if older {
        Err(format!(
            "{EXCEPTIONS_FILE} was set back to an older document, of {}: put the newest one back, or delete it and say \
             `echo_cli content except` again",
            document.issued
        ))
    } else {
        Ok(Some((document, envelope)))
    })
}

impl Desk {
    /// Owes the genesis ledger the exceptions in force, unless it holds them.
    pub(crate) async fn enter_exceptions(&self) -> Result<(), DeskError> {
        let Some((issued, envelope)) = self.content().exceptions() else { return Ok(()) };
        let now = Held { id: HELD.to_owned(), issued, digest: envelope_digest(envelope) };
        let mut work = self.work("Echo").await?;
        match work.tx.get::<Held>(&Scope::All, HELD).await? {
            Some(held) if held == now => return Ok(()),
            Some(_) => work.tx.update(&now).await?,
            None => work.tx.insert(&now).await?,
        }
        let id = issued.to_string();
        work.record_signed(Kind::Exceptions, &id, Owner::default(), envelope.clone()).await?;
        work.commit().await
    }
}
