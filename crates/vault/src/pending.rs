//! Sealed secrets that were brought and wait for the vault to be opened: `pending/NAMESPACE/NAME/N.age`, in the order
//! they came. The next session that has the identity makes versions of them, or puts them aside as refused.

use echo_core::{Digest, Timestamp};
use serde::Serialize;

use crate::{
    Name, VaultError,
    audit::{Actor, Event, What},
    change::{self, Change},
    disk::Disk,
    envelope::{MAX_SEALED_BYTES, OpenSecret, check_shape},
    index::{Entry, VersionState, path},
    keys::Keys,
    name::SecretRef,
    session::Session,
};

const FOLDER: &str = "pending";
const WAITING: &str = "age";
const REFUSED: &str = "refused";
/// The most sealed secrets that wait, those refused included.
pub const MAX_PENDING: usize = 1000;

/// A sealed secret that was brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// For which namespace.
    pub namespace: Name,
    /// For which secret.
    pub name: Name,
    /// Its place among those that wait for the same name.
    pub number: u32,
    /// Whether it was refused; the audit says why.
    pub refused: bool,
}

impl Pending {
    fn path(&self) -> String {
        let end = if self.refused { REFUSED } else { WAITING };
        format!("{FOLDER}/{}/{}/{}.{end}", self.namespace, self.name, self.number)
    }

    fn parse(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix(FOLDER)?.strip_prefix('/')?.split('/');
        let (namespace, name, file) = (parts.next()?, parts.next()?, parts.next()?);
        let (number, end) = file.split_once('.')?;
        let read = Self {
            namespace: namespace.parse().ok()?,
            name: name.parse().ok()?,
            number: number.parse().ok()?,
            refused: end == REFUSED,
        };
        (read.path() == path).then_some(read)
    }
}

/// Everything that was brought and is no version yet.
pub(crate) fn list(disk: &Disk) -> Result<Vec<Pending>, VaultError> {
    let mut all: Vec<Pending> = disk.files(FOLDER)?.iter().filter_map(|path| Pending::parse(path)).collect();
    all.sort_by(|a, b| (&a.namespace, &a.name, a.number).cmp(&(&b.namespace, &b.name, b.number)));
    Ok(all)
}

/// Puts a sealed file among those that wait; refused ones of the same name go.
pub(crate) fn bring(
    session: &mut Session<'_>,
    namespace: &Name,
    name: &Name,
    sealed: &[u8],
    actor: &Actor,
    now: Timestamp,
) -> Result<(), VaultError> {
    let secret = SecretRef::newest(namespace.clone(), name.clone());
    let event = Event::granted(What::Inject).of(&secret);
    match place_for(session, namespace, name, sealed) {
        Ok((place, refused)) => {
            session.note(actor, now, &event)?;
            for before in refused {
                session.disk.remove(&before.path())?;
            }
            Ok(session.disk.put(&place.path(), sealed)?)
        }
        Err(why) => {
            session.note(actor, now, &event.refused(&why))?;
            Err(why)
        }
    }
}

/// Where a sealed file is to wait, and the refused ones whose place it takes.
fn place_for(
    session: &Session<'_>,
    namespace: &Name,
    name: &Name,
    sealed: &[u8],
) -> Result<(Pending, Vec<Pending>), VaultError> {
    check_shape(sealed)?;
    if session.index.knows(&Digest::of(sealed)) {
        return Err(VaultError::NotSealed("it was brought before".to_owned()));
    }
    session.index.next_version(namespace, name)?;
    let all = list(session.disk)?;
    let is_same = |p: &&Pending| p.namespace == *namespace && p.name == *name;
    let refused: Vec<Pending> = all.iter().filter(is_same).filter(|p| p.refused).cloned().collect();
    if all.len() - refused.len() >= MAX_PENDING {
        return Err(VaultError::Full(format!("{} wait", all.len())));
    }
    let last = all.iter().filter(is_same).map(|p| p.number).max().unwrap_or(0);
    let (namespace, name) = (namespace.clone(), name.clone());
    Ok((Pending { namespace, name, number: last.saturating_add(1), refused: false }, refused))
}

/// Makes versions of all that wait.
pub(crate) fn adopt_all(
    session: &mut Session<'_>,
    keys: &Keys,
    actor: &Actor,
    now: Timestamp,
) -> Result<(), VaultError> {
    for waiting in list(session.disk)?.into_iter().filter(|p| !p.refused) {
        let path = waiting.path();
        let Some(sealed) = session.disk.read(&path, MAX_SEALED_BYTES as u64)? else { continue };
        let brought = Digest::of(&sealed);
        // A crash came between the change and this.
        if session.index.entries.iter().any(|e| e.from == Some(brought)) {
            session.disk.remove(&path)?;
            continue;
        }
        match opened(session, keys, &waiting, &sealed) {
            Ok(secret) => {
                adopt(session, keys, &secret, Some(brought), What::Adopt, actor, now)?;
                session.disk.remove(&path)?;
            }
            Err(why) => refuse(session, waiting, &why, actor, now)?,
        }
    }
    Ok(())
}

/// What waits, opened and with its version, when it is what its place says.
fn opened(
    session: &Session<'_>,
    keys: &Keys,
    waiting: &Pending,
    sealed: &[u8],
) -> Result<OpenSecret, VaultError> {
    let secret = OpenSecret::open(&keys.identity, sealed).map_err(VaultError::NotSealed)?;
    if (&secret.namespace, &secret.name) != (&waiting.namespace, &waiting.name) {
        return Err(VaultError::NotSealed("it was sealed for another name".to_owned()));
    }
    let version = session.index.next_version(&secret.namespace, &secret.name)?;
    if secret.version.is_some_and(|said| said != version) {
        return Err(VaultError::NotSealed(format!("it was sealed for another version than {version}")));
    }
    Ok(OpenSecret { version: Some(version), ..secret })
}

fn refuse(
    session: &mut Session<'_>,
    waiting: Pending,
    why: &VaultError,
    actor: &Actor,
    now: Timestamp,
) -> Result<(), VaultError> {
    let from = waiting.path();
    let secret = SecretRef::newest(waiting.namespace.clone(), waiting.name.clone());
    session.note(actor, now, &Event::granted(What::Adopt).of(&secret).refused(why))?;
    Ok(session.disk.rename(&from, &Pending { refused: true, ..waiting }.path())?)
}

/// Adds a version, sealed anew for the vault with all that its place says. Gives back its number.
pub(crate) fn adopt(
    session: &mut Session<'_>,
    keys: &Keys,
    secret: &OpenSecret,
    from: Option<Digest>,
    what: What,
    actor: &Actor,
    now: Timestamp,
) -> Result<u32, VaultError> {
    let (namespace, name) = (secret.namespace.clone(), secret.name.clone());
    let version = session.index.next_version(&namespace, &name)?;
    let sealed = OpenSecret { version: Some(version), ..secret.clone() }.seal(&keys.recipient);
    let file = path(&namespace, &name, version);
    let entry = Entry {
        namespace: namespace.clone(),
        name: name.clone(),
        version,
        state: VersionState::Live,
        created: secret.created,
        added: now,
        digest: Digest::of(&sealed),
        from,
    };
    let mut index = session.index.clone();
    index.add(entry);
    let event = Event::granted(what).of(&SecretRef { namespace, name, version: Some(version) });
    let change = Change { index, files: vec![(file, Some(sealed))], gone: Vec::new(), event };
    session.index = change::commit(session.disk, &mut session.audit, keys, change, actor, now)?;
    Ok(version)
}
