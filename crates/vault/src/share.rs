//! Shares of a key: any `threshold` of them give it back, fewer say nothing (Shamir, "How to share a secret", 1979;
//! over GF(256), byte by byte).
//!
//! A share is one Bech32 word (BIP 173), `echoshare1...`: letters that are hard to confuse, either case, and a
//! checksum that finds up to four wrong characters.

use std::{convert::Infallible, fmt, str::FromStr};

use blahaj::Sharks;
use echo_core::Mint;
use rand::rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use crate::age_file::Identity;

/// The fewest shares that may give the key back.
pub const MIN_THRESHOLD: u8 = 2;
/// The most shares of one key.
pub const MAX_SHARES: u8 = 16;
/// The most characters of a typed share, with spaces and dashes.
pub const MAX_SHARE_TEXT: usize = 200;

const PREFIX: bech32::Hrp = bech32::Hrp::parse_unchecked("echoshare");
/// Purpose, set (4), threshold, number of shares, and the share: its place and 32 bytes.
const SHARE_BYTES: usize = 1 + 4 + 1 + 1 + 1 + 32;
/// How many characters stand together when a share is written for people.
const GROUP: usize = 4;

/// What a shared key opens. It stands in the share, so that one of the wrong set says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A vault.
    Vault,
    /// A repository of backups.
    Backup,
}

impl Purpose {
    fn byte(self) -> u8 {
        match self {
            Self::Vault => 1,
            Self::Backup => 2,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        [Self::Vault, Self::Backup].into_iter().find(|purpose| purpose.byte() == byte)
    }

    fn words(self) -> &'static str {
        match self {
            Self::Vault => "a vault",
            Self::Backup => "backups",
        }
    }
}

/// Why shares are not good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// A share was mistyped.
    #[error(
        "this is not a share, or it was mistyped: it begins with `echoshare1`; compare it character by character"
    )]
    Mistyped,
    /// The numbers of shares are out of bounds.
    #[error(
        "shares are made {MIN_THRESHOLD} to {MAX_SHARES} at a time, and {MIN_THRESHOLD} or more of them open: say such as 2/3"
    )]
    Counts,
    /// They are not of one vault, or of different times.
    #[error(
        "share {0} is of another set: the shares of one set begin alike; a new set was made when the shares were last changed"
    )]
    OtherSet(u8),
    /// They open something else.
    #[error("these are shares for {}, and shares for {} are needed", .given.words(), .needed.words())]
    OtherPurpose {
        /// What they open.
        given: Purpose,
        /// What is to be opened.
        needed: Purpose,
    },
    /// One came twice.
    #[error("share {0} was given twice: bring another one")]
    Twice(u8),
    /// There are too few.
    #[error("{given} shares were given, and {threshold} are needed: bring more")]
    TooFew {
        /// How many came.
        given: usize,
        /// How many are needed.
        threshold: u8,
    },
}

/// One share. Wiped when dropped, and without a way to be printed by accident.
#[derive(Clone)]
pub struct Share {
    purpose: Purpose,
    set: [u8; 4],
    threshold: u8,
    of: u8,
    place: u8,
    bytes: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({})", self.name())
    }
}

impl Share {
    /// What to write above it: which share of which set it is. Not secret.
    pub fn name(&self) -> String {
        format!("share {} of {}, set {}, any {} open", self.place, self.of, self.set_name(), self.threshold)
    }

    /// Which of the shares it is, from 1.
    pub fn place(&self) -> u8 {
        self.place
    }

    /// The name of the set, which all its shares have.
    pub fn set_name(&self) -> String {
        hex::encode(self.set)
    }

    /// The share itself, in groups of four characters.
    pub fn text(&self) -> Zeroizing<String> {
        let mut data = Zeroizing::new(Vec::with_capacity(SHARE_BYTES));
        data.push(self.purpose.byte());
        data.extend_from_slice(&self.set);
        data.extend_from_slice(&[self.threshold, self.of, self.place]);
        data.extend_from_slice(self.bytes.as_slice());
        let word = bech32::encode::<bech32::Bech32>(PREFIX, &data);
        let word = Zeroizing::new(word.expect("40 bytes are below Bech32's bound"));
        let mut grouped = Zeroizing::new(String::with_capacity(word.len() * 2));
        for (i, c) in word.chars().enumerate() {
            if i > 0 && i % GROUP == 0 {
                grouped.push(' ');
            }
            grouped.push(c);
        }
        grouped
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        if text.len() > MAX_SHARE_TEXT {
            return Err(ShareError::Mistyped);
        }
        let mut word = Zeroizing::new(String::with_capacity(text.len()));
        word.extend(text.chars().filter(|c| !c.is_whitespace() && *c != '-'));
        let checked = bech32::primitives::decode::CheckedHrpstring::new::<bech32::Bech32>(&word)
            .map_err(|_| ShareError::Mistyped)?;
        let data = Zeroizing::new(checked.byte_iter().collect::<Vec<u8>>());
        let purpose = data.first().and_then(|byte| Purpose::of(*byte)).ok_or(ShareError::Mistyped)?;
        let bytes = Zeroizing::new([0; 32]);
        let mut share = Self { purpose, set: [0; 4], threshold: 0, of: 0, place: 0, bytes };
        if checked.hrp() != PREFIX || data.len() != SHARE_BYTES {
            return Err(ShareError::Mistyped);
        }
        share.set.copy_from_slice(&data[1..5]);
        [share.threshold, share.of, share.place] = [data[5], data[6], data[7]];
        share.bytes.copy_from_slice(&data[8..]);
        counts(share.threshold, share.of).map_err(|_| ShareError::Mistyped)?;
        if (1..=share.of).contains(&share.place) { Ok(share) } else { Err(ShareError::Mistyped) }
    }
}

impl Share {
    /// Splits a secret into `of` shares, any `threshold` of which give it back.
    pub fn deal(
        secret: &[u8; 32],
        purpose: Purpose,
        threshold: u8,
        of: u8,
        mint: &Mint,
    ) -> Result<Vec<Self>, ShareError> {
        counts(threshold, of)?;
        let set = mint.bytes();
        let dealer = Sharks(threshold).dealer_rng(secret, &mut Random(mint));
        Ok(dealer
            .take(usize::from(of))
            .map(|made| {
                let raw = Zeroizing::new(Vec::from(&made));
                let mut bytes = Zeroizing::new([0; 32]);
                bytes.copy_from_slice(&raw[1..]);
                Self { purpose, set, threshold, of, place: raw[0], bytes }
            })
            .collect())
    }

    /// The secret that the shares give back. With wrong shares that pass their checksum it is another one.
    pub fn combine(shares: &[Self], purpose: Purpose) -> Result<Zeroizing<[u8; 32]>, ShareError> {
        let Some(first) = shares.first() else {
            return Err(ShareError::TooFew { given: 0, threshold: MIN_THRESHOLD });
        };
        if first.purpose != purpose {
            return Err(ShareError::OtherPurpose { given: first.purpose, needed: purpose });
        }
        let mut raw = Vec::with_capacity(shares.len());
        for (i, share) in shares.iter().enumerate() {
            let of_one = (share.purpose, share.set, share.threshold, share.of)
                == (first.purpose, first.set, first.threshold, first.of);
            if !of_one {
                return Err(ShareError::OtherSet(share.place));
            }
            if shares[..i].iter().any(|before| before.place == share.place) {
                return Err(ShareError::Twice(share.place));
            }
            let mut bytes = Zeroizing::new(vec![share.place]);
            bytes.extend_from_slice(share.bytes.as_slice());
            raw.push(blahaj::Share::try_from(bytes.as_slice()).map_err(|_| ShareError::Mistyped)?);
        }
        let few = ShareError::TooFew { given: shares.len(), threshold: first.threshold };
        if shares.len() < usize::from(first.threshold) {
            return Err(few);
        }
        let recovered = Zeroizing::new(Sharks(first.threshold).recover(&raw).map_err(|_| few.clone())?);
        let mut secret = Zeroizing::new([0; 32]);
        if recovered.len() != secret.len() {
            return Err(few);
        }
        secret.copy_from_slice(&recovered);
        Ok(secret)
    }
}

/// Splits a vault's key into shares.
pub(crate) fn split(key: &Identity, threshold: u8, of: u8, mint: &Mint) -> Result<Vec<Share>, ShareError> {
    Share::deal(key.bytes(), Purpose::Vault, threshold, of, mint)
}

/// The vault's key that the shares give back.
pub(crate) fn join(shares: &[Share]) -> Result<Identity, ShareError> {
    let secret = Share::combine(shares, Purpose::Vault)?;
    let few = ShareError::TooFew { given: shares.len(), threshold: MIN_THRESHOLD };
    Identity::from_bytes(secret.as_slice()).ok_or(few)
}

fn counts(threshold: u8, of: u8) -> Result<(), ShareError> {
    if (MIN_THRESHOLD..=of).contains(&threshold) && of <= MAX_SHARES {
        Ok(())
    } else {
        Err(ShareError::Counts)
    }
}

/// The mint as the sharing library's random source.
struct Random<'m>(&'m Mint);

impl TryRng for Random<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(self.0.bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(self.0.bytes()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.entropy().fill(bytes);
        Ok(())
    }
}

/// The mint's entropy is the operating system's outside of tests.
impl TryCryptoRng for Random<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(threshold: u8, of: u8) -> (Identity, Vec<Share>) {
        let key = Identity::generate(&Mint::system());
        let shares = split(&key, threshold, of, &Mint::system()).unwrap();
        (key, shares)
    }

    #[test]
    fn any_threshold_of_shares_gives_the_key_back() {
        let (key, shares) = made(3, 5);
        for mask in 0_u32..32 {
            let some: Vec<Share> = (0..5).filter(|i| mask >> i & 1 == 1).map(|i| shares[i].clone()).collect();
            match join(&some) {
                Ok(joined) => assert!(some.len() >= 3 && joined.bytes() == key.bytes()),
                Err(error) => {
                    assert!(some.len() < 3 && matches!(error, ShareError::TooFew { .. }), "{error}");
                }
            }
        }
    }

    #[test]
    fn a_share_survives_typing_and_a_typing_error_is_found() {
        let (_, shares) = made(2, 3);
        let text = shares[1].text();
        for typed in [text.to_string(), text.replace(' ', "-"), text.to_uppercase(), text.replace(' ', "\n")]
        {
            let read: Share = typed.parse().unwrap();
            assert_eq!((read.place, *read.bytes), (2, *shares[1].bytes), "{typed}");
        }
        let flat: Vec<char> = text.chars().filter(|c| *c != ' ').collect();
        for i in 0..flat.len() {
            for other in ['q', 'p', '7', 'b'] {
                let mut wrong = flat.clone();
                wrong[i] = other;
                assert!(
                    wrong == flat || wrong.iter().collect::<String>().parse::<Share>().is_err(),
                    "{i} {other}"
                );
            }
        }
    }

    #[test]
    fn shares_that_do_not_belong_together_are_told_apart() {
        let (_, one) = made(2, 3);
        let (_, two) = made(2, 3);
        let error =
            |shares: &[&Share]| join(&shares.iter().map(|s| (*s).clone()).collect::<Vec<_>>()).unwrap_err();
        assert_eq!(error(&[&one[0], &two[1]]), ShareError::OtherSet(2));
        assert_eq!(error(&[&one[0], &one[0]]), ShareError::Twice(1));
        assert!(split(&Identity::generate(&Mint::system()), 1, 3, &Mint::system()).is_err());
        assert!(split(&Identity::generate(&Mint::system()), 4, 3, &Mint::system()).is_err());
        assert!(split(&Identity::generate(&Mint::system()), 2, 17, &Mint::system()).is_err());
    }

    #[test]
    fn the_coefficients_take_every_value() {
        // What went wrong in the library's ancestor (RUSTSEC-2024-0398): a coefficient was never zero.
        let key = Identity::from_bytes(&[0; 32]).unwrap();
        let zero = (0..200).any(|_| {
            let shares = split(&key, 2, 2, &Mint::system()).unwrap();
            shares[0].bytes.contains(&0)
        });
        assert!(zero, "with a secret of zeros, the first share holds the coefficients");
    }
}
