//! The trust root that the device pinned, and the newest registry that stands on it.

use std::path::PathBuf;

use durable::Mode;
use echo_core::{Digest, Timestamp};
use trust::{Envelope, Registry, TrustChain, TrustError, chain::MAX_CHAIN_BYTES};

use crate::failure::Failure;

/// The chain's file in the device home.
pub(crate) const CHAIN: &str = "chain.json";

/// The trust chain that the device goes by.
#[derive(Debug)]
pub(crate) struct Pin {
    path: PathBuf,
    root: Digest,
    chain: TrustChain,
}

/// Why a chain from the platform is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PinError {
    /// It does not stand on the pinned root, lacks or rewrites what is known, or has expired.
    #[error("the platform's trust chain is not believed: {0}; the known one stays")]
    Trust(#[from] TrustError),
    /// It cannot be kept.
    #[error(transparent)]
    Durable(#[from] durable::DurableError),
}

impl Pin {
    /// Reads the chain that was kept when the device enrolled.
    pub(crate) fn load(path: PathBuf, root: Digest) -> Result<Self, Failure> {
        let bytes = durable::read(&path, MAX_CHAIN_BYTES).map_err(Failure::of)?.ok_or_else(|| {
            Failure::Failed(format!(
                "{} is missing: restore it, or enrol again with --replace",
                path.display()
            ))
        })?;
        let chain = TrustChain::from_json(&bytes)
            .and_then(|chain| {
                if chain.fingerprint() == root {
                    chain.newest().map(|_| chain)
                } else {
                    Err(TrustError::WrongRoot { pinned: root, found: chain.fingerprint() })
                }
            })
            .map_err(|e| Failure::Refused(format!("{}: {e}", path.display())))?;
        Ok(Self { path, root, chain })
    }

    /// Pins `chain`, which must stand on `root`, and keeps it.
    pub(crate) fn begin(
        path: PathBuf,
        root: Digest,
        chain: TrustChain,
        now: Timestamp,
    ) -> Result<Self, PinError> {
        chain.verify(&root, now)?;
        durable::write(&path, &chain.to_json(), Mode::Private)?;
        Ok(Self { path, root, chain })
    }

    /// Who may sign what at `now`.
    pub(crate) fn registry(&self, now: Timestamp) -> Result<Registry, TrustError> {
        self.chain.verify(&self.root, now)
    }

    /// The newest registry, whether or not it has expired: for what can only take trust away.
    pub(crate) fn newest(&self) -> Result<Registry, TrustError> {
        self.chain.newest()
    }

    /// The chain.
    pub(crate) fn chain(&self) -> &TrustChain {
        &self.chain
    }

    /// Takes versions that follow the newest one, as a neighbour told them; whether they added anything. They may have expired:
    /// a device that was away for years is brought up to date in several steps.
    pub(crate) fn follow(&mut self, versions: &[Envelope]) -> Result<bool, PinError> {
        let mut chain = self.chain.clone();
        for version in versions {
            if !chain.versions().iter().any(|known| known.payload == version.payload) {
                chain.append(version.clone())?;
            }
        }
        let grew = chain.versions().len() > self.chain.versions().len();
        if grew {
            durable::write(&self.path, &chain.to_json(), Mode::Private)?;
            self.chain = chain;
        }
        Ok(grew)
    }

    /// Takes a chain that the platform sent, if it stands on the pinned root, only adds to what is known and has not
    /// expired; whether it added anything.
    pub(crate) fn renew(&mut self, bytes: &[u8], now: Timestamp) -> Result<bool, PinError> {
        let mut chain = self.chain.clone();
        let grew = chain.advance(TrustChain::from_json(bytes)?, &self.root, now)?;
        if grew {
            durable::write(&self.path, &chain.to_json(), Mode::Private)?;
            self.chain = chain;
        }
        Ok(grew)
    }
}

#[cfg(test)]
mod tests {
    use trust::KeyRole;

    use super::*;
    use crate::test_house::{House, at};

    #[test]
    fn a_longer_chain_is_taken_and_kept() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let path = folder.path().join(CHAIN);
        let mut pin = Pin::begin(path.clone(), house.root(), house.chain(), at("2027-02-01")).unwrap();
        let longer = house.longer_chain();
        assert!(pin.renew(&longer.to_json(), at("2027-02-01")).unwrap());
        assert!(!pin.renew(&longer.to_json(), at("2027-02-01")).unwrap());
        let again = Pin::load(path, house.root()).unwrap();
        assert_eq!(again.registry(at("2027-02-01")).unwrap().version, 2);
    }

    #[test]
    fn versions_from_a_neighbour_are_kept_though_they_have_expired() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let path = folder.path().join(CHAIN);
        let mut pin = Pin::begin(path.clone(), house.root(), house.chain(), at("2027-02-01")).unwrap();
        let versions = house.longer_chain().versions().to_vec();
        assert!(pin.follow(&versions).unwrap());
        assert!(!pin.follow(&versions).unwrap());
        let again = Pin::load(path, house.root()).unwrap();
        assert_eq!(again.newest().unwrap().version, 2);
        assert!(again.registry(at("2028-06-01")).is_err(), "it counts no more for that");
        let stranger = House::with_seed(90).longer_chain().versions()[1..].to_vec();
        assert!(pin.follow(&stranger).is_err());
    }

    #[test]
    fn an_older_a_foreign_and_an_expired_chain_are_refused() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let now = at("2027-02-01");
        let path = folder.path().join(CHAIN);
        let mut pin = Pin::begin(path.clone(), house.root(), house.longer_chain(), now).unwrap();
        let set_back = pin.renew(&house.chain().to_json(), now);
        assert!(matches!(set_back, Err(PinError::Trust(TrustError::RolledBack { known: 2, offered: 1 }))));
        let mut forked = house.chain();
        let mut other = house.registry(2);
        other.expires = at("2028-02-01");
        forked.extend(&other, &[&house.key(KeyRole::Root)]).unwrap();
        let forked = pin.renew(&forked.to_json(), now);
        assert!(matches!(forked, Err(PinError::Trust(TrustError::Forked { version: 2 }))));
        let frozen = pin.renew(&house.longer_chain().to_json(), at("2029-01-01"));
        assert!(matches!(frozen, Err(PinError::Trust(TrustError::Expired { .. }))));
        let stranger = House::with_seed(90);
        assert!(matches!(pin.renew(&stranger.chain().to_json(), now), Err(PinError::Trust(_))));
        assert!(pin.renew(b"{}", now).is_err());
        assert!(pin.registry(at("2029-01-01")).is_err());
        assert!(Pin::load(path, stranger.root()).is_err());
        assert!(!house.registry(1).keys(KeyRole::Operator).is_empty());
    }
}
