//! What stands inside of a sealed file: the value, and where it belongs, so that a file that was moved is noticed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use echo_core::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{
    Name, Recipient, Secret, VaultError,
    age_file::{Identity, is_sealed_for_recipients},
};

/// The most bytes of a sealed file.
pub const MAX_SEALED_BYTES: usize = 128 * 1024;
/// The most versions of a secret.
pub const MAX_VERSIONS: u32 = 1000;

const FORMAT: &str = "echo-secret-v1";

/// The inside of a sealed secret.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    format: String,
    namespace: Name,
    name: Name,
    /// Nothing when it was sealed where nobody knew the versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    created: Timestamp,
    /// Standard base64.
    value: String,
}

impl Drop for Envelope {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

/// A secret, opened.
#[derive(Debug, Clone)]
pub(crate) struct OpenSecret {
    pub namespace: Name,
    pub name: Name,
    pub version: Option<u32>,
    pub created: Timestamp,
    pub value: Secret,
}

impl OpenSecret {
    /// Seals it.
    pub fn seal(&self, recipient: &Recipient) -> Vec<u8> {
        let envelope = Envelope {
            format: FORMAT.to_owned(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            version: self.version,
            created: self.created,
            value: STANDARD.encode(self.value.expose()),
        };
        let plain = serde_json::to_vec(&envelope).expect("an envelope of strings is always JSON");
        recipient.seal(&Zeroizing::new(plain))
    }

    /// Opens a sealed file, or says why not.
    pub fn open(identity: &Identity, sealed: &[u8]) -> Result<Self, String> {
        let plain = identity
            .open(sealed, MAX_SEALED_BYTES)
            .ok_or("it was sealed for another recipient, or changed")?;
        let envelope: Envelope = serde_json::from_slice(&plain)
            .map_err(|e| format!("there is no secret of Echo in it ({})", place(&e)))?;
        if envelope.format != FORMAT {
            return Err(format!("its format is not `{FORMAT}`"));
        }
        let value = STANDARD.decode(&envelope.value).map_err(|_| "its value is not base64")?;
        Ok(Self {
            namespace: envelope.namespace.clone(),
            name: envelope.name.clone(),
            version: envelope.version,
            created: envelope.created,
            value: Secret::new(value).map_err(|e| e.to_string())?,
        })
    }
}

/// Where JSON is wrong, without a word of what stands there.
pub(crate) fn place(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

/// Seals a value for the vault with `recipient`, on any machine. Without a version it becomes the next one where it
/// is brought.
pub fn seal(
    recipient: &Recipient,
    namespace: &Name,
    name: &Name,
    version: Option<u32>,
    value: &Secret,
    created: Timestamp,
) -> Result<Vec<u8>, VaultError> {
    if version.is_some_and(|version| !(1..=MAX_VERSIONS).contains(&version)) {
        return Err(VaultError::Full(format!("versions are 1 to {MAX_VERSIONS}")));
    }
    let (namespace, name) = (namespace.clone(), name.clone());
    Ok(OpenSecret { namespace, name, version, created, value: value.clone() }.seal(recipient))
}

/// Whether `bytes` look like a sealed secret, as far as can be told without opening it.
pub(crate) fn check_shape(bytes: &[u8]) -> Result<(), VaultError> {
    if bytes.len() > MAX_SEALED_BYTES {
        return Err(VaultError::NotSealed(format!("it has {} bytes", bytes.len())));
    }
    if !is_sealed_for_recipients(bytes) {
        return Err(VaultError::NotSealed("it is not an age file for a recipient".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use echo_core::Mint;

    use super::*;

    #[test]
    fn a_sealed_value_says_where_it_belongs() {
        let identity = Identity::generate(&Mint::system());
        let (namespace, name): (Name, Name) = ("mail".parse().unwrap(), "relay".parse().unwrap());
        let value = Secret::new(b"hunter2".to_vec()).unwrap();
        let sealed =
            seal(&identity.recipient(), &namespace, &name, Some(3), &value, Timestamp::UNIX_EPOCH).unwrap();
        check_shape(&sealed).unwrap();
        let open = OpenSecret::open(&identity, &sealed).unwrap();
        assert_eq!((open.namespace, open.name, open.version), (namespace, name, Some(3)));
        assert_eq!(open.value.expose(), b"hunter2");
    }

    #[test]
    fn what_is_not_a_secret_is_refused_without_repeating_it() {
        let identity = Identity::generate(&Mint::system());
        for inside in [&b"hunter2"[..], b"{\"hunter2\": 1}", b"\"hunter2\"", b"{\"format\":\"hunter2\"}"] {
            let error = OpenSecret::open(&identity, &identity.recipient().seal(inside)).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(check_shape(b"age-encryption.org/v1\n").is_err());
        assert!(check_shape(b"hello").is_err());
    }
}
