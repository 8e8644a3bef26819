//! How each witness stands to each ledger: what it cosigned last, and what went wrong.

use dossier::LogName;
use echo_core::{CustomerId, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope, Tx};
use witness::{Policy, WitnessKey};

use crate::{
    Desk, DeskError, ForkIncident, NodeWitness, Work,
    mesh_witness::{fork_alarms, forks, node_witnesses},
    witness_policy::{Book, policy},
};

/// The state of those that contradict a ledger.
const CONTRADICTS: &str = "contradiction";

/// How it stands between one witness and one ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    id: String,
    log: LogName,
    /// SHA-256 of the witness's verifier key: another key or name is another witness.
    key: String,
    /// Entries of the newest head that it cosigned, 0 for none, and the root over them.
    pub(crate) size: u64,
    pub(crate) root: Digest,
    pub(crate) cosigned: Option<Timestamp>,
    pub(crate) error: Option<String>,
    pub(crate) failures: u32,
    pub(crate) next: Option<Timestamp>,
    /// What it says against the ledger, until it cosigns a newer head.
    pub(crate) contradiction: Option<String>,
}

impl Record for Standing {
    const KIND: &'static str = "witness standing";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }

    fn state(&self) -> &str {
        if self.contradiction.is_some() { CONTRADICTS } else { "-" }
    }
}

impl Standing {
    /// The same once the witness cosigned a head.
    pub(crate) fn after_cosigning(self, size: u64, root: Digest, at: Option<Timestamp>) -> Self {
        Self { size, root, cosigned: at, error: None, failures: 0, next: None, contradiction: None, ..self }
    }
}

/// The witnesses that are asked, with how they stand to each ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Witnesses {
    /// Who has to cosign: a witness, a group, or `none`.
    pub quorum: String,
    /// The groups.
    pub groups: Vec<WitnessGroup>,
    /// The witnesses.
    pub witnesses: Vec<WitnessView>,
    /// The nodes of the mesh that cosigned, of whom the quorum knows nothing.
    pub nodes: Vec<NodeWitness>,
    /// Ledgers that are proven to have two histories: alarms that stay.
    pub forks: Vec<ForkIncident>,
}

/// A group of witnesses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WitnessGroup {
    /// Its name.
    pub name: String,
    /// How many members have to cosign.
    pub threshold: usize,
    /// Its members.
    pub members: Vec<String>,
}

/// A witness that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WitnessView {
    /// Its name here.
    pub name: String,
    /// Its verifier key.
    pub vkey: String,
    /// Its submission prefix.
    pub url: Option<String>,
    /// How it stands to each ledger.
    pub ledgers: Vec<StandingView>,
}

/// How a witness stands to a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StandingView {
    /// Which ledger.
    pub log: LogName,
    /// Entries of the newest head that it cosigned; 0 when it never did.
    pub size: u64,
    /// When it did.
    pub cosigned: Option<Timestamp>,
    /// Why the last request failed; nothing when it did not.
    pub error: Option<String>,
    /// When it is asked again after failures.
    pub next: Option<Timestamp>,
    /// What it says against the ledger: an alarm.
    pub contradiction: Option<String>,
}

impl Desk {
    /// The witnesses that are asked, with how they stand to each ledger.
    pub async fn witnesses(&self, principal: &access::Principal) -> Result<Witnesses, DeskError> {
        principal.require(access::Action::ManageTrust)?;
        let mut tx = self.store().read().await?;
        view(&mut tx).await
    }

    /// What witnesses say against the ledgers, and forks that are proven, in words.
    pub(crate) async fn contradictions(&self) -> Result<Vec<String>, DeskError> {
        let mut tx = self.store().read().await?;
        let policy = policy(&mut tx, Book::Witnesses).await?;
        let found = tx.all::<Standing>(&Scope::All, &Filter::in_state(CONTRADICTS)).await?;
        let words = found.into_iter().filter_map(|standing| {
            let witness = policy.witnesses().iter().find(|w| key(&w.key) == standing.key)?;
            Some(format!("{} ledger: the witness {} {}", standing.log, witness.name, standing.contradiction?))
        });
        let mut words: Vec<String> = words.collect();
        words.extend(fork_alarms(&mut tx).await?);
        Ok(words)
    }
}

impl Work<'_> {
    pub(crate) async fn witnesses(&mut self) -> Result<Witnesses, DeskError> {
        view(&mut self.tx).await
    }
}

async fn view(tx: &mut Tx) -> Result<Witnesses, DeskError> {
    let policy: Policy = policy(tx, Book::Witnesses).await?;
    let mut witnesses = Vec::with_capacity(policy.witnesses().len());
    for witness in policy.witnesses() {
        let mut ledgers = Vec::with_capacity(LogName::ALL.len());
        for log in LogName::ALL {
            let Standing { size, cosigned, error, next, contradiction, .. } =
                standing(tx, log, &witness.key).await?;
            ledgers.push(StandingView { log, size, cosigned, error, next, contradiction });
        }
        witnesses.push(WitnessView {
            name: witness.name.clone(),
            vkey: witness.key.to_string(),
            url: witness.url.clone(),
            ledgers,
        });
    }
    let groups = policy.groups().iter().map(|group| WitnessGroup {
        name: group.name.clone(),
        threshold: group.threshold,
        members: group.members.clone(),
    });
    Ok(Witnesses {
        quorum: policy.quorum().unwrap_or("none").to_owned(),
        groups: groups.collect(),
        witnesses,
        nodes: node_witnesses(tx).await?,
        forks: forks(tx).await?,
    })
}

pub(crate) async fn standing(tx: &mut Tx, log: LogName, witness: &WitnessKey) -> Result<Standing, DeskError> {
    let (id, key) = (id(log, witness), key(witness));
    Ok(tx.get(&Scope::All, &id).await?.unwrap_or(Standing {
        id,
        log,
        key,
        size: 0,
        root: Digest([0; 32]),
        cosigned: None,
        error: None,
        failures: 0,
        next: None,
        contradiction: None,
    }))
}

/// The id of how it stands between a witness and a ledger.
pub(crate) fn id(log: LogName, witness: &WitnessKey) -> String {
    format!("{log}/{}", key(witness))
}

/// What a witness is known by here.
fn key(witness: &WitnessKey) -> String {
    Digest::of(witness.to_string().as_bytes()).hex()
}
