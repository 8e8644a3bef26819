//! A secret in memory: wiped when dropped, and without a way to be printed.

use std::fmt;

use zeroize::Zeroizing;

use crate::VaultError;

/// The most bytes of a secret's value.
pub const MAX_VALUE: usize = 64 * 1024;

/// A secret's value.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// A value of at most [`MAX_VALUE`] bytes. An empty one is refused: it is what a command that failed leaves.
    pub fn new(value: Vec<u8>) -> Result<Self, VaultError> {
        let value = Zeroizing::new(value);
        if (1..=MAX_VALUE).contains(&value.len()) {
            Ok(Self(value))
        } else {
            Err(VaultError::ValueSize(value.len()))
        }
    }

    /// The value. Keep it as short as can be.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new(b"hunter2".to_vec()).unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[test]
    fn a_value_out_of_bounds_is_refused() {
        assert!(Secret::new(Vec::new()).is_err());
        assert!(Secret::new(vec![0; MAX_VALUE + 1]).is_err());
        assert_eq!(Secret::new(vec![7; MAX_VALUE]).unwrap().expose().len(), MAX_VALUE);
    }
}
