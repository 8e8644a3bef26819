//! How the worker looks after what it trusts: clock, chain and notices, each when its time has come.

use durable::DurableError;
use echo_core::Timestamp;
use mesh::News;
use trust::{Envelope, NodeManifest, Registry, chain::MAX_CHAIN_BYTES};

use crate::{
    notice,
    platform::Ask,
    work::{Papers, Worker},
};

/// How often the trust chain is looked at, in seconds.
const TRUST_SECONDS: i64 = 24 * 3600;
/// How often the notices are looked at, in seconds.
const NOTICE_SECONDS: i64 = 3600;
/// How soon papers that do not count any more are asked for again, in seconds.
const PAPERS_AGAIN_SECONDS: i64 = 60;
/// The most versions of the registry that the mesh is told of at once.
pub(crate) const MAX_VERSIONS: usize = 16;
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
        self.mend_papers();
    }

    /// Fetches chain and manifest at once, though not more often than once a minute, when what the device shows does not count
    /// by what it believes, or somebody in the mesh refused it for that. So an issuer's key that was replaced in an emergency,
    /// or months without the platform, cost a device minutes and not an hour.
    fn mend_papers(&mut self) {
        let refused = self.mesh.as_ref().is_some_and(|mesh| mesh.wants_papers());
        self.papers_doubted |= refused || !self.papers_count();
        let now = self.mint.now();
        let due =
            |at: Timestamp| now.as_second().abs_diff(at.as_second()) > PAPERS_AGAIN_SECONDS.unsigned_abs();
        if !self.papers_doubted || !self.papers_asked.is_none_or(due) {
            return;
        }
        (self.papers_asked, self.papers_doubted) = (Some(now), false);
        if self.trust_is_due(TRUST_AGAIN_SECONDS) {
            self.renew_trust();
        }
        self.renew_manifest();
    }

    /// Whether the device's manifest counts by what the device believes now.
    fn papers_count(&self) -> bool {
        let now = self.time();
        let count = |papers: &Papers| {
            let registry = self.pin.registry(now)?;
            NodeManifest::verify(&papers.identity.manifest, &self.notices.narrow(&registry, now), now)
        };
        self.papers.as_ref().is_none_or(|papers| count(papers).is_ok())
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
                News::Registry(versions) => match self.pin.follow(&versions) {
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

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        sync::{Arc, Mutex},
        thread,
    };

    use trust::{KeyPair, KeyRole, registry::RoleKeys};

    use super::*;
    use crate::{
        address::Address,
        home::{Home, Identity},
        platform::{Member, Platform},
        test_house::{House, at},
        work::tests::worker,
    };

    /// A platform that answers these paths, and what it was asked.
    fn platform(answers: Vec<(&'static str, Vec<u8>)>) -> (Platform, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut request) = (stream.unwrap(), Vec::new());
                let (mut part, mut missing) = ([0; 4096], true);
                while missing {
                    let length = stream.read(&mut part).unwrap();
                    request.extend_from_slice(&part[..length]);
                    let text = String::from_utf8_lossy(&request).to_lowercase();
                    let body = text.split("content-length: ").nth(1).and_then(|t| t.split('\r').next());
                    let body: usize = body.map_or(0, |length| length.parse().unwrap());
                    missing = length > 0
                        && text.find("\r\n\r\n").is_none_or(|head| request.len() < head + 4 + body);
                }
                let text = String::from_utf8_lossy(&request);
                let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
                let found = answers.iter().find(|(known, _)| *known == path).map(|(_, answer)| answer);
                let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
                let body = found.map_or(&b"{}"[..], Vec::as_slice);
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                seen.lock().unwrap().push(path);
                stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
            }
        });
        (Platform::new(Address::parse(&url, false).unwrap()), asked)
    }

    #[test]
    fn a_device_whose_issuer_was_replaced_fetches_its_next_manifest_at_once_and_not_too_often() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let issuer = KeyPair::from_secret(&[77; 32]);
        let mut next = house.registry(2);
        next.roles.insert(KeyRole::DeviceIssuer, RoleKeys::single(issuer.public()));
        let mut chain = house.chain();
        chain.extend(&next, &[&house.key(KeyRole::Root)]).unwrap();
        let manifest = house.manifest(&house.device_key);
        let (old, new) = (
            manifest.certify(&house.key(KeyRole::DeviceIssuer)).unwrap(),
            manifest.certify(&issuer).unwrap(),
        );
        let (platform, asked) = platform(vec![
            ("/v1/device/token", br#"{"access_token": "t", "expires_in": 600}"#.to_vec()),
            ("/v1/device/manifest", serde_json::to_vec(&new).unwrap()),
            ("/v1/trust", chain.to_json()),
        ]);
        let mut worker = worker(&house, folder.path(), None);
        let (key, mint) = (worker.key.clone(), worker.mint.clone());
        worker.member = Arc::new(Member::new(platform, house.device.clone(), house.root(), key, mint));
        let home = Arc::new(Home::open(&folder.path().join("home")).unwrap());
        let identity = Identity {
            device: house.device.clone(),
            customer: house.customer.clone(),
            name: "test".to_owned(),
            platform: String::new(),
            insecure_http: false,
            root: house.root(),
            manifest: old,
            enrolled: at("2027-01-01"),
        };
        worker.papers = Some(Papers { home: Arc::clone(&home), identity });
        // Both were looked at just now; then the mesh brings the news.
        (worker.trust_had, worker.notices_asked) = (Some(at("2027-02-01")), Some(at("2027-02-01")));
        worker.look_after_trust();
        assert!(asked.lock().unwrap().is_empty(), "all is well");
        worker.pin.follow(chain.versions()).unwrap();
        worker.look_after_trust();
        assert_eq!(*asked.lock().unwrap(), ["/v1/device/token", "/v1/device/manifest"]);
        assert_eq!(home.identity().unwrap().unwrap().manifest, new);
        assert!(worker.papers_count());

        // Somebody says that they do not count: that is looked into, once a minute.
        worker.papers_doubted = true;
        worker.look_after_trust();
        assert_eq!(asked.lock().unwrap().len(), 2);
        worker.papers_asked = Some(at("2027-01-31"));
        worker.look_after_trust();
        assert_eq!(asked.lock().unwrap()[2..], ["/v1/device/manifest"]);
        assert!(!worker.papers_doubted);
    }
}
