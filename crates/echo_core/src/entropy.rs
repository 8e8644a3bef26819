//! Randomness as a parameter.

use std::sync::Mutex;

use sha2::{Digest as _, Sha256};

/// Where random bytes come from.
pub trait Entropy: Send + Sync + std::fmt::Debug {
    /// Fills `buf` with random bytes.
    fn fill(&self, buf: &mut [u8]);

    /// `N` random bytes.
    fn bytes<const N: usize>(&self) -> [u8; N]
    where
        Self: Sized,
    {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

/// `N` random bytes from a trait object.
pub fn bytes<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut out = [0; N];
    entropy.fill(&mut out);
    out
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system")]
    fn fill(&self, buf: &mut [u8]) {
        // A kernel that cannot give random bytes cannot run a signing service: there is no safe way on.
        getrandom::fill(buf).expect("the operating system's random source works");
    }
}

/// A reproducible stream for tests: SHA-256 in counter mode over a seed. Never for keys in use.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<(u64, u64)>);

impl SeededEntropy {
    /// A stream that depends only on `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new((seed, 0)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buf: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in buf.chunks_mut(32) {
            let block = Sha256::new()
                .chain_update(state.0.to_be_bytes())
                .chain_update(state.1.to_be_bytes())
                .finalize();
            chunk.copy_from_slice(&block[..chunk.len()]);
            state.1 += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_stream_again() {
        let (a, b) = (SeededEntropy::new(7), SeededEntropy::new(7));
        let first = a.bytes::<40>();
        assert_eq!(first, b.bytes::<40>());
        assert_ne!(first, a.bytes::<40>());
    }

    #[test]
    fn the_system_source_gives_different_bytes() {
        assert_ne!(OsEntropy.bytes::<32>(), OsEntropy.bytes::<32>());
    }
}
