//! How the worker looks after what it trusts: clock, chain and notices, each when its time has come.

use durable::DurableError;
use echo_core::Timestamp;
use mesh::News;
use trust::{Envelope, NodeManifest, Registry, chain::MAX_CHAIN_BYTES};

use crate::{notice, platform::Ask, work::Worker};

/// How often the trust chain is looked at, in seconds.
const TRUST_SECONDS: i64 = 24 * 3600;
/// How often the notices are looked at, in seconds.
const NOTICE_SECONDS: i64 = 3600;
/// The most versions of the registry that the mesh is told of at once.
const MAX_VERSIONS: usize = 16;
/// How soon the chain is looked at again when that failed, or when a signature is not known.
pub(crate) const TRUST_AGAIN_SECONDS: i64 = 60;

impl Worker {
    /// Whether the chain is older than `seconds`, and was not asked for in the last minute.
    pub(crate) fn trust_is_due(&self, seconds: i64) -> bool {
        let now = self.mint.now().as_second();
        let older = |at: Option<Timestamp>, than: i64| {
            at.is_none_or(|at| now.abs_diff(at.as_second()) > than.unsigned_abs())
        };
        older(self.trust_had, seconds) && older(self.trust_asked, TRUST_AGAIN_SECONDS)
    }

    /// Looks at the clock, the chain and the notices, each when its time has come.
    pub(crate) fn look_after_trust(&mut self) {
        kept(self.notices.saw(self.mint.now()));
        self.take_mesh_news();
        if self.trust_is_due(TRUST_SECONDS) {
            self.renew_trust();
        }
        let now = self.mint.now().as_second();
        let due = |at: Timestamp| now.abs_diff(at.as_second()) > NOTICE_SECONDS.unsigned_abs();
        if self.notices_asked.is_none_or(due) {
            self.renew_notices();
            self.renew_manifest();
        }
    }

    /// Fetches the device's manifest, which the platform certifies anew when it is about to end or when the issuer's key
    /// was replaced; keeps it, and shows it to the mesh.
    fn renew_manifest(&mut self) {
        let now = self.time();
        let Some(papers) = &mut self.papers else { return };
        let answer = match self.member.ask(&Ask::get("/v1/device/manifest")) {
            Ok(answer) => answer,
            Err(why) => return tracing::debug!(%why, "the manifest could not be fetched"),
        };
        let Ok(envelope) = serde_json::from_slice::<Envelope>(&answer) else {
            return tracing::warn!("the platform's answer is no manifest");
        };
        if envelope == papers.identity.manifest {
            return;
        }
        let believed =
            self.pin.registry(now).and_then(|registry| NodeManifest::verify(&envelope, &registry, now));
        match believed {
            Ok(manifest) if manifest.public_key == self.key.public() && manifest.device == self.device => {
                papers.identity.manifest = envelope.clone();
                if let Err(why) = papers.home.save_identity(&papers.identity) {
                    tracing::error!(%why, "the new manifest is not kept: it is fetched again at the next start");
                }
                if let Some(mesh) = &self.mesh {
                    mesh.renew(manifest, envelope);
                }
            }
            Ok(_) => tracing::error!("the platform sent the manifest of another device: the known one stays"),
            Err(why) => tracing::warn!(%why, "the new manifest is not believed: the known one stays"),
        }
    }

    /// Fetches the notices; one that speaks of a version that is not known has the chain fetched as well, and the
    /// notices judged by what it brought.
    fn renew_notices(&mut self) {
        self.notices_asked = Some(self.mint.now());
        let ask = Ask { limit: notice::MAX_BYTES, ..Ask::get("/v1/trust/notices") };
        let (answer, registry) = match (self.member.ask(&ask), self.pin.newest()) {
            (Ok(answer), Ok(registry)) => (answer, registry),
            (Err(why), _) => return tracing::warn!(%why, "the notices could not be fetched"),
            (_, Err(why)) => return tracing::error!(%why, "the trust chain cannot be read"),
        };
        let newer = self.take_notices(&answer, &registry);
        if newer
            && self.trust_is_due(TRUST_AGAIN_SECONDS)
            && self.renew_trust()
            && let Ok(registry) = self.pin.newest()
        {
            self.take_notices(&answer, &registry);
        }
    }

    /// Takes the notices; whether one speaks of a version after `registry`.
    fn take_notices(&mut self, answer: &[u8], registry: &Registry) -> bool {
        match self.notices.take(answer, registry) {
            Ok(version) => {
                self.notices.warn(registry, self.time());
                version > registry.version
            }
            Err(why) => {
                tracing::warn!(%why, "the notices are not taken");
                false
            }
        }
    }

    /// Saves what the mesh learned of trust.
    fn take_mesh_news(&mut self) {
        while let Some(news) = self.mesh.as_ref().and_then(|mesh| mesh.news()) {
            match news {
                News::Registry(versions) => match self.pin.follow(&versions, self.time()) {
                    Ok(_) => self.trust_had = Some(self.mint.now()),
                    Err(why) => tracing::warn!(%why, "a trust registry from the mesh is not kept"),
                },
                News::Notices(notices) => {
                    let answer = serde_json::json!({ "items": notices }).to_string();
                    if let Ok(registry) = self.pin.newest() {
                        self.take_notices(answer.as_bytes(), &registry);
                    }
                }
                // The mesh keeps these itself.
                News::Revocations(_) => {}
            }
        }
    }

    /// Tells the mesh what came from the platform.
    fn tell_mesh(&self, new: bool) {
        if let Some(mesh) = self.mesh.as_ref().filter(|_| new) {
            let versions = self.pin.chain().versions();
            let last = versions.len().saturating_sub(MAX_VERSIONS);
            mesh.tell(News::Registry(versions[last..].to_vec()));
        }
    }

    /// Fetches the trust chain; whether it brought anything new.
    pub(crate) fn renew_trust(&mut self) -> bool {
        let now = self.time();
        self.trust_asked = Some(self.mint.now());
        let chain = match self.member.ask(&Ask { limit: MAX_CHAIN_BYTES, ..Ask::get("/v1/trust") }) {
            Ok(chain) => chain,
            Err(why) => {
                tracing::warn!(%why, "the trust chain could not be fetched: the known one stays");
                return false;
            }
        };
        match self.pin.renew(&chain, now) {
            Ok(new) => {
                self.trust_had = Some(self.mint.now());
                kept(self.notices.set_trouble(None));
                if let Ok(registry) = self.pin.newest() {
                    kept(self.notices.saw(registry.created));
                }
                self.tell_mesh(new);
                new
            }
            Err(why) => {
                tracing::error!(%why, "the platform's trust chain is refused");
                kept(self.notices.set_trouble(Some(format!("{now}: {why}"))));
                false
            }
        }
    }
}

/// What cannot be kept is tried again with the next change; it is known in memory.
fn kept(saved: Result<(), DurableError>) {
    if let Err(why) = saved {
        tracing::error!(%why, "what is known of the platform's keys cannot be kept");
    }
}
