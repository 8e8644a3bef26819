//! What offers, answers and refusals teach of the trust registry, and what goes along with them for others to learn.

use std::sync::PoisonError;

use mesh::{Signed, signal::MAX_VERSIONS};
use trust::Envelope;

use crate::{actor::Actor, endpoint::LinkEvent};

/// The most bytes of registry versions that go with a signal.
const MAX_VERSION_BYTES: usize = 24 * 1024;

impl Actor {
    pub(crate) fn trust_version(&self) -> u64 {
        self.config.trust.read().unwrap_or_else(PoisonError::into_inner).version()
    }

    pub(crate) fn versions_after(&self, version: u64) -> Vec<Envelope> {
        let trust = self.config.trust.read().unwrap_or_else(PoisonError::into_inner);
        trust.versions_after(version, MAX_VERSIONS, MAX_VERSION_BYTES)
    }

    /// Takes in the versions of the trust registry that came with a signal, before it is judged.
    pub(crate) async fn learn_from(&mut self, bytes: &[u8]) {
        if let Ok(Signed { versions, .. }) = Signed::read(bytes) {
            self.learn(&versions).await;
        }
    }

    pub(crate) async fn learn(&mut self, versions: &[Envelope]) -> bool {
        if versions.is_empty() {
            return false;
        }
        let learned = self.config.trust.write().unwrap_or_else(PoisonError::into_inner).catch_up(versions);
        match learned {
            Ok(Some(news)) => {
                self.tell(LinkEvent::News(Box::new(news))).await;
                true
            }
            Ok(None) => false,
            Err(error) => {
                tracing::info!(%error, "versions of the trust registry that are not believed");
                false
            }
        }
    }
}
