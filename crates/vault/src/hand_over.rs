//! A secret handed to one receiver, once, for a while.
//!
//! The value is sealed for a recipient that is made for it alone, and stays in the vault's folder
//! (`handed/ID.json`, which holds an age file); the receiver gets the token with the identity that opens it. A token without the folder opens
//! nothing, the folder without the token neither; once it was taken, the sealed value is gone. Taking it does not need
//! the vault to be open.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use echo_core::{Mint, Timestamp, clock};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    Identity, Name, Receiver, Secret, SecretRef, VaultError,
    audit::{Actor, Audit, Event, Outcome, What},
    disk::Disk,
    envelope::MAX_SEALED_BYTES,
    session::Session,
};

const FOLDER: &str = "handed";
const TOKEN_FORMAT: &str = "echo-vault-token-v1";
const FORMAT: &str = "echo-hand-over-v1";
/// The most bytes of a token file.
pub const MAX_TOKEN_BYTES: u64 = 4096;
/// The longest time that a hand-over waits, in seconds: a week.
pub const MAX_TTL_SECONDS: u32 = 7 * 24 * 3600;
/// The most hand-overs that wait, or were taken and are not yet forgotten.
pub const MAX_HAND_OVERS: usize = 1000;
/// The most bytes of a hand-over's file.
const MAX_WAITING_BYTES: u64 = 256 * 1024;
/// Bytes of a hand-over's id.
const ID_BYTES: usize = 16;

/// What the receiver gets. It opens one secret: keep it as one.
#[derive(Clone)]
pub struct Token {
    /// Which hand-over.
    id: String,
    /// For whom.
    pub receiver: Receiver,
    /// Until when.
    pub expires: Timestamp,
    identity: Identity,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({} for {} until {})", self.id, self.receiver, self.expires)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    format: String,
    id: String,
    #[serde(rename = "for")]
    receiver: Receiver,
    expires: Timestamp,
    identity: String,
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        self.identity.zeroize();
    }
}

impl Token {
    /// Which hand-over it is: not secret, and what the audit says.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The token as a file of JSON.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let file = TokenFile {
            format: TOKEN_FORMAT.to_owned(),
            id: self.id.clone(),
            receiver: self.receiver.clone(),
            expires: self.expires,
            identity: self.identity.text().as_str().to_owned(),
        };
        let mut bytes = serde_json::to_vec_pretty(&file).expect("a token of strings is always JSON");
        bytes.push(b'\n');
        Zeroizing::new(bytes)
    }

    /// The token in a file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, VaultError> {
        let bad = || VaultError::HandOver("this is not a token, or it was changed".to_owned());
        if bytes.len() as u64 > MAX_TOKEN_BYTES {
            return Err(bad());
        }
        let file: TokenFile = serde_json::from_slice(bytes).map_err(|_| bad())?;
        let plain = file.id.len() == 2 * ID_BYTES && file.id.bytes().all(|b| b.is_ascii_hexdigit());
        if file.format != TOKEN_FORMAT || !plain {
            return Err(bad());
        }
        let identity = Identity::parse(&file.identity).ok_or_else(bad)?;
        Ok(Self { id: file.id.clone(), receiver: file.receiver.clone(), expires: file.expires, identity })
    }
}

/// The inside of the sealed value.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Handed {
    format: String,
    id: String,
    #[serde(rename = "for")]
    receiver: Receiver,
    expires: Timestamp,
    namespace: Name,
    name: Name,
    version: u32,
    /// Standard base64.
    value: String,
}

impl Drop for Handed {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

/// A hand-over's file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    /// Until when it is kept.
    expires: Timestamp,
    /// The age file, in standard base64; nothing once it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
    /// When it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    taken: Option<Timestamp>,
}

impl Waiting {
    fn path(id: &str) -> String {
        format!("{FOLDER}/{id}.json")
    }

    fn read(disk: &Disk, path: &str) -> Result<Option<Self>, VaultError> {
        let bytes = disk.read(path, MAX_WAITING_BYTES)?;
        bytes
            .map(|bytes| serde_json::from_slice(&bytes).map_err(|e| VaultError::damaged(path, &e)))
            .transpose()
    }

    fn write(&self, disk: &Disk, id: &str) -> Result<(), VaultError> {
        let bytes = serde_json::to_vec(self).expect("strings and times are always JSON");
        Ok(disk.put(&Self::path(id), &bytes)?)
    }
}

/// The token of a fresh hand-over, and the sealed value to keep in the folder.
pub(crate) fn make(
    secret: &SecretRef,
    value: &Secret,
    receiver: &Receiver,
    ttl_seconds: u32,
    mint: &Mint,
) -> Result<(Token, Vec<u8>), VaultError> {
    if !(1..=MAX_TTL_SECONDS).contains(&ttl_seconds) {
        return Err(VaultError::HandOver(format!("it may wait for 1 to {MAX_TTL_SECONDS} seconds")));
    }
    let expires =
        clock::from_millis(mint.now().as_millisecond().saturating_add(i64::from(ttl_seconds) * 1000));
    let token = Token {
        id: hex::encode(mint.bytes::<ID_BYTES>()),
        receiver: receiver.clone(),
        expires,
        identity: Identity::generate(mint),
    };
    let inside = Handed {
        format: FORMAT.to_owned(),
        id: token.id.clone(),
        receiver: receiver.clone(),
        expires,
        namespace: secret.namespace.clone(),
        name: secret.name.clone(),
        version: secret.version.unwrap_or(0),
        value: STANDARD.encode(value.expose()),
    };
    let plain = Zeroizing::new(serde_json::to_vec(&inside).expect("strings and numbers are always JSON"));
    let sealed = token.identity.recipient().seal(&plain);
    Ok((token, sealed))
}

/// Makes room for one more: those whose time is over go, and those that nobody can take. One that cannot be read now
/// stays.
pub(crate) fn make_room(disk: &Disk, now: Timestamp) -> Result<(), VaultError> {
    let mut there = 0;
    for path in disk.files(FOLDER)? {
        match Waiting::read(disk, &path) {
            Ok(Some(waiting)) if waiting.expires <= now => disk.remove(&path)?,
            Err(VaultError::Damaged { .. }) => disk.remove(&path)?,
            Ok(Some(_)) | Err(_) => there += 1,
            Ok(None) => {}
        }
    }
    if there >= MAX_HAND_OVERS {
        return Err(VaultError::Full(format!("{MAX_HAND_OVERS} hand-overs wait")));
    }
    Ok(())
}

/// Puts a sealed value into the folder.
pub(crate) fn keep(disk: &Disk, token: &Token, sealed: &[u8]) -> Result<(), VaultError> {
    Waiting { expires: token.expires, sealed: Some(STANDARD.encode(sealed)), taken: None }
        .write(disk, &token.id)
}

/// Takes a hand-over: once, in time, and for its receiver. Written down, and marked, before it is given.
pub(crate) fn take(
    session: &mut Session<'_>,
    token: &Token,
    receiver: &Receiver,
    actor: &Actor,
    now: Timestamp,
) -> Result<Secret, VaultError> {
    let base = Event {
        receiver: Some(receiver.clone()),
        hand_over: Some(token.id.clone()),
        ..Event::granted(What::HandOver)
    };
    let opened = never_taken(session.disk, token).and_then(|()| open(session.disk, token, receiver, now));
    let (handed, value) = match opened {
        Ok(opened) => opened,
        Err(refused) => {
            session.note(actor, now, &base.refused(&refused))?;
            return Err(refused);
        }
    };
    let (namespace, name) = (handed.namespace.clone(), handed.name.clone());
    session.note(actor, now, &base.of(&SecretRef { namespace, name, version: Some(handed.version) }))?;
    Waiting { expires: handed.expires, sealed: None, taken: Some(now) }.write(session.disk, &token.id)?;
    Ok(value)
}

/// Refuses a token that the audit says was taken: its file may have been put back from a copy.
fn never_taken(disk: &Disk, token: &Token) -> Result<(), VaultError> {
    let mut when = None;
    Audit::walk_all(disk, None, |line, _| {
        let granted = (line.what, line.outcome) == (What::HandOver, Outcome::Granted);
        if granted && line.hand_over.as_deref() == Some(token.id()) {
            when = Some(line.at);
        }
    })?;
    when.map_or(Ok(()), |at| {
        Err(VaultError::HandOver(format!(
            "it was taken before, at {at}; if not by you, replace the secret and find out who was there; if that \
             failed half-way, wrap the secret again"
        )))
    })
}

fn open(
    disk: &Disk,
    token: &Token,
    receiver: &Receiver,
    now: Timestamp,
) -> Result<(Handed, Secret), VaultError> {
    let refused = |why: &str| VaultError::HandOver(why.to_owned());
    let waiting = Waiting::read(disk, &Waiting::path(&token.id))?.ok_or_else(|| {
        refused("nothing waits for this token: its time is over, or it is of another vault")
    })?;
    if waiting.taken.is_some() {
        return Err(refused(
            "it was taken before; if not by you, replace the secret and find out who was there",
        ));
    }
    let sealed = waiting
        .sealed
        .and_then(|sealed| STANDARD.decode(sealed).ok())
        .ok_or_else(|| refused("there is no sealed value in it"))?;
    let plain = token
        .identity
        .open(&sealed, MAX_SEALED_BYTES)
        .ok_or_else(|| refused("the token does not open it, or it was changed"))?;
    let handed: Handed =
        serde_json::from_slice(&plain).map_err(|_| refused("there is no hand-over of Echo in it"))?;
    if handed.format != FORMAT || handed.id != token.id {
        return Err(refused("it is another hand-over"));
    }
    if handed.receiver != *receiver {
        return Err(refused("it is for another receiver"));
    }
    if (waiting.expires, token.expires, &token.receiver) != (handed.expires, handed.expires, receiver) {
        return Err(refused("the token or the file beside it says another time or receiver: it was changed"));
    }
    if handed.expires <= now {
        return Err(refused("its time is over: wrap the secret again"));
    }
    let value = STANDARD.decode(&handed.value).map_err(|_| refused("its value is not base64"))?;
    let value = Secret::new(value)?;
    Ok((handed, value))
}
