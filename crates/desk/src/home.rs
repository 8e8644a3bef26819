//! Opens a home directory: founds it when it is empty, continues it when it is not.
//!
//! Every step of the founding can be repeated, so a crash in the middle is continued by the next start.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, atomic::AtomicBool},
};

use access::{Role, token::Issuer};
use agents::{Lexicon, Triager};
use dossier::{Kind, LogName};
use echo_core::{CustomerId, Digest, Mint, Timestamp};
use ledger::Log;
use models::Models;
use observability::PulseBoard;
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope, Store};
use tokio::sync::{Mutex as AsyncMutex, Notify, watch};
use trust::{
    KeyPair, KeyRole, Keystore, LogKey, Protection, Registry, TrustChain, Unlock,
    chain::REGISTRY_FILE,
    keystore::{KEYSTORE_FILE, MAX_KEYSTORE_BYTES},
};
use witness::Cosigner;
use zeroize::Zeroizing;

use crate::{
    Content, Desk, DeskError, Network, NewUser, SignInLink, User,
    clock::{self, ClockRoom},
    content,
    desk::{Entered, Gates, Inner},
    erasure::ErasureRoom,
    exception,
    learning::LearningRoom,
    mesh_board::MeshRoom,
    network::NetworkRoom,
    notice,
    recall::MemoryRoom,
    roll,
    schedule::ScheduleRoom,
    vault::{VaultKey, VaultRoom},
    work::Owner,
};

/// When less than this is left, the next version is made, in seconds: 60 days.
const RENEW_SECONDS: i64 = 60 * 24 * 3600;
/// Whom access tokens are from and for.
const ISSUER: &str = "echo";

/// How to open a home.
#[derive(Debug, Clone)]
pub struct Options {
    /// The home directory.
    pub home: PathBuf,
    /// Time and randomness.
    pub mint: Mint,
    /// What opens the keystore, when it is protected by a passphrase.
    pub passphrase: Option<Zeroizing<String>>,
    /// Where what opens the vault lies, when somebody handed it in.
    pub vault_key: Option<VaultKey>,
    /// The models that may be asked.
    pub models: Models,
    /// How many days a closed case, or what is known of a device, is remembered in words; for ever without it.
    pub keep_days: Option<u32>,
    /// A person's word that the clock is right, however odd it looks.
    pub accept_clock: bool,
}

impl Options {
    /// A home whose keystore needs no passphrase.
    pub fn new(home: PathBuf, mint: Mint) -> Self {
        Self {
            home,
            mint,
            passphrase: None,
            vault_key: None,
            models: Models::none(),
            keep_days: None,
            accept_clock: false,
        }
    }
}

/// An open home.
#[derive(Debug)]
pub struct Opened {
    /// The desk.
    pub desk: Desk,
    /// A one-time sign-in link for the operator's first person.
    pub sign_in: SignInLink,
}

/// The mark that a home's founding entries are in the ledgers' outbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Founding {
    id: String,
    root: Digest,
    at: Timestamp,
}

impl Record for Founding {
    const KIND: &'static str = "founding";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

const FOUNDING: &str = "founding";

impl Desk {
    /// Opens a home, and enters into the ledgers what an earlier run left owed.
    pub async fn open(options: Options) -> Result<Opened, DeskError> {
        let Options { home, mint, passphrase, vault_key, models, keep_days, accept_clock } = options;
        clock::check_founding(&home, mint.now(), accept_clock)?;
        make_folders(&home)?;
        let database = home.join("echo.db");
        if database.exists() && !Keystore::exists(&home) {
            return Err(DeskError::Home(format!(
                "{} holds a database but no echo.keystore.json: restore the keystore and keystore.key from your \
                 backup; without them nothing more can be signed here",
                home.display()
            )));
        }
        let memory = MemoryRoom::open(&home, keep_days).await?;
        let desk =
            Self::new(wire(home, mint, (passphrase, accept_clock), (models, memory), &database).await?);
        desk.note_start().await?;
        desk.found().await?;
        desk.enter_exceptions().await?;
        desk.enter_documents().await?;
        for log in LogName::ALL {
            desk.follow(log).await?;
        }
        desk.drain().await?;
        desk.write_documents().await?;
        desk.end_interrupted().await?;
        desk.open_vault(vault_key).await?;
        desk.open_revocations().await?;
        desk.open_learning().await?;
        desk.open_memory().await?;
        desk.resume_erasures().await;
        desk.write_node_registry().await?;
        desk.write_treasury().await;
        desk.warn_of_rotations();
        desk.refresh_index().await;
        let sign_in = desk.operator_link().await?;
        Ok(Opened { desk, sign_in })
    }

    /// Owes the first entries of the genesis ledger: the trust registry and the shipped content. From the second start
    /// on, owes what changed about the keys meanwhile, and checks that the home still has the root it was founded with.
    async fn found(&self) -> Result<(), DeskError> {
        let mut work = self.work("Echo").await?;
        if let Some(founding) = work.tx.get::<Founding>(&Scope::All, FOUNDING).await? {
            if founding.root != *self.root() {
                return Err(DeskError::Home(format!(
                    "{REGISTRY_FILE} has the root {}, but this home was founded with {}: restore the file from your backup",
                    self.root(),
                    founding.root
                )));
            }
            work.enter_trust().await?;
            return work.commit().await;
        }
        let founding = Founding { id: FOUNDING.to_owned(), root: *self.root(), at: work.now };
        work.tx.insert(&founding).await?;
        work.enter_trust().await?;
        for (path, signature) in content::shipped_signatures(self.signer(KeyRole::PlaybookAuthor)?) {
            work.record_signed(Kind::Content, path, Owner::default(), signature).await?;
        }
        work.commit().await
    }

    /// A fresh sign-in link for the operator's first person, who is made when there is nobody.
    async fn operator_link(&self) -> Result<SignInLink, DeskError> {
        let mut work = self.work("Echo").await?;
        let users = work.tx.all::<User>(&Scope::All, &Filter::default()).await?;
        let operator = if let Some(user) = users.into_iter().find(|u| u.role == Role::OperatorAdmin) {
            user
        } else {
            let new = NewUser { name: "Operator".to_owned(), role: Role::OperatorAdmin, customer: None };
            work.add_user(new).await?
        };
        let link = work.sign_in_link(&operator).await?;
        work.commit().await?;
        Ok(link)
    }
}

/// The keys and both ledgers, whose locks keep everybody else from the keys, from here on.
fn open_ledgers(
    home: &Path,
    passphrase: Option<Zeroizing<String>>,
    mint: &Mint,
) -> Result<(Keystore, Log, Log), DeskError> {
    let before = keystore_bytes(home)?;
    let keystore = open_keystore(home, passphrase, mint)?;
    let read = if before.is_some() { before } else { keystore_bytes(home)? };
    let of = |role| keystore.signer(role).map_err(home_error);
    let genesis = open_log(home, LogName::Genesis, of(KeyRole::GenesisLedger)?)?;
    let aeterna = open_log(home, LogName::Aeterna, of(KeyRole::AeternaLedger)?)?;
    if keystore_bytes(home)? != read {
        return Err(DeskError::Home(
            "the keystore was changed while the platform was starting: start it again".to_owned(),
        ));
    }
    Ok((keystore, genesis, aeterna))
}

/// Reads or makes everything that a desk needs at hand.
async fn wire(
    home: PathBuf,
    mint: Mint,
    (passphrase, accept_clock): (Option<Zeroizing<String>>, bool),
    (models, memory): (Models, MemoryRoom),
    database: &Path,
) -> Result<Inner, DeskError> {
    let (mut keystore, genesis, aeterna) = open_ledgers(&home, passphrase, &mint)?;
    let store = Store::open(database).await?;
    // Before anything is made or signed by a clock that cannot be right.
    let clock = ClockRoom::open([&genesis, &aeterna], &store, mint.now(), accept_clock).await?;
    add_later_roles(&mut keystore, &mint)?;
    let logs = [(LogName::Genesis, &genesis), (LogName::Aeterna, &aeterna)];
    let chain = open_chain(&home, &mut keystore, &logs, &mint)?;
    let signer = |role| keystore.signer(role).map_err(home_error);
    let cosigner = cosigner(signer(KeyRole::Witness)?)?;
    let root = chain.fingerprint();
    let registry = chain.verify(&root, mint.now()).map_err(home_error)?;
    roll::check_signers(&keystore, &registry)?;
    roll::check_rotations(&home, &registry)?;
    let notices = notice::load(&home)?;
    content::ship(&home, signer(KeyRole::PlaybookAuthor)?)?;
    let exceptions = exception::load(&home, &registry, &store).await?;
    let content = Content::load(&home, &registry, exceptions, mint.now())?;
    let issuer = Issuer::new(signer(KeyRole::Session)?.clone(), ISSUER.to_owned(), root.to_string());
    let board = PulseBoard::open(&home).map_err(home_error)?;
    let durable_seqs = crate::pulse::highest_seqs(&board);
    Ok(Inner {
        started: mint.now(),
        index_stale: AtomicBool::new(true),
        clock,
        network: NetworkRoom::new(Network::default()),
        vault: VaultRoom::of_home(&home),
        home,
        mint,
        store,
        keystore,
        chain,
        registry,
        notices,
        root,
        issuer,
        genesis,
        aeterna,
        learning: LearningRoom::new(Triager::new(Lexicon::builtin(), content.labels.clone())),
        content,
        board: Mutex::new(board),
        durable_seqs: Mutex::new(durable_seqs),
        gates: Mutex::new(Gates::default()),
        draining: AsyncMutex::new(Entered::default()),
        changes: watch::Sender::new(0),
        cosigner,
        asking: Notify::new(),
        heard: Mutex::default(),
        mesh: MeshRoom::default(),
        erasure: ErasureRoom::default(),
        models,
        memory,
        schedule: ScheduleRoom::default(),
    })
}

fn make_folders(home: &Path) -> Result<(), DeskError> {
    durable::create_folder(home)?;
    for folder in ["attestations", "ledger", "logs", "reports", "treasury"] {
        durable::create_folder(&home.join(folder))?;
    }
    Ok(())
}

fn open_keystore(
    home: &Path,
    passphrase: Option<Zeroizing<String>>,
    mint: &Mint,
) -> Result<Keystore, DeskError> {
    let protected = Keystore::exists(home)
        && Keystore::protection_of(home).map_err(home_error)? == Protection::Passphrase;
    match passphrase {
        Some(passphrase) if protected => Keystore::open(home, &Unlock::Passphrase(passphrase)),
        _ => Keystore::open_or_create(home, mint),
    }
    .map_err(home_error)
}

/// Makes the keys of the roles that a keystore may be without: it is older than the witness, and the node's is made here
/// and nowhere else.
fn add_later_roles(keystore: &mut Keystore, mint: &Mint) -> Result<(), DeskError> {
    for role in [KeyRole::Witness, KeyRole::Node] {
        if keystore.records().iter().all(|record| record.role != role) {
            keystore.rotate(role, None, mint).map_err(home_error)?;
        }
    }
    Ok(())
}

/// The keystore's file as it is now; nothing when there is none yet.
fn keystore_bytes(home: &Path) -> Result<Option<Vec<u8>>, DeskError> {
    durable::read(&home.join(KEYSTORE_FILE), MAX_KEYSTORE_BYTES).map_err(home_error)
}

/// Echo as a witness of others' logs.
fn cosigner(key: &KeyPair) -> Result<Cosigner, DeskError> {
    let name = format!("echo.local/witness/{}", &key.id().as_str()[..8]);
    Cosigner::new(&name, ed25519_dalek::SigningKey::from_bytes(&key.secret())).map_err(home_error)
}

fn open_log(home: &Path, name: LogName, key: &KeyPair) -> Result<Log, DeskError> {
    let origin = format!("echo.local/{name}/{}", &key.id().as_str()[..8]);
    let dir = home.join(format!("{name}_ledger"));
    let key = ed25519_dalek::SigningKey::from_bytes(&key.secret());
    Log::open(&dir, &origin, key).map_err(home_error)
}

/// The trust chain of the home: made when there is none, renewed when it is about to expire.
fn open_chain(
    home: &Path,
    keystore: &mut Keystore,
    logs: &[(LogName, &Log)],
    mint: &Mint,
) -> Result<TrustChain, DeskError> {
    if !home.join(REGISTRY_FILE).exists() {
        let registry = first_registry(keystore, logs, mint.now());
        let root = keystore.signer(KeyRole::Root).map_err(home_error)?;
        let chain = TrustChain::create(&registry, root).map_err(home_error)?;
        chain.save(home).map_err(home_error)?;
        return Ok(chain);
    }
    let mut house = governance::House::open(home, keystore, mint).map_err(home_error)?;
    let expires = house.chain().newest().map_err(home_error)?.expires;
    if seconds_later(mint.now(), RENEW_SECONDS) >= expires
        && let Err(away) = renew(&mut house)
    {
        // The root is kept elsewhere, as it should be: its keepers have until the end to bring the next version.
        if mint.now() >= expires {
            return Err(away);
        }
        tracing::warn!(%expires, %away, "the trust registry is about to expire");
    }
    if let Err(error) = house.chain().restate(home) {
        tracing::warn!(%error, "the trust root's statement for people is not up to date");
    }
    Ok(house.chain().clone())
}

/// Adds the next version with the root's keys that are at hand.
fn renew(house: &mut governance::House<'_>) -> Result<(), DeskError> {
    let renewal = house.renewal().map_err(home_error)?;
    house.finish(&renewal).map(drop).map_err(|why| {
        DeskError::Home(format!(
            "{why}: the root's keepers sign the next version of the trust registry, see `echo_cli trust ceremony begin \
             --renew`"
        ))
    })
}

fn first_registry(keystore: &Keystore, logs: &[(LogName, &Log)], now: Timestamp) -> Registry {
    let mut registry =
        Registry::founding(keystore.records(), now, seconds_later(now, governance::VALID_SECONDS));
    registry.logs = logs
        .iter()
        .map(|(name, log)| {
            (name.to_string(), LogKey { origin: log.origin().to_owned(), vkey: log.vkey().to_owned() })
        })
        .collect();
    registry
}

fn seconds_later(at: Timestamp, seconds: i64) -> Timestamp {
    echo_core::clock::from_millis(at.as_millisecond().saturating_add(seconds.saturating_mul(1000)))
}

fn home_error(error: impl std::fmt::Display) -> DeskError {
    DeskError::Home(error.to_string())
}
