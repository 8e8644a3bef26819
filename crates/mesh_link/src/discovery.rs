//! Finding nodes on the local network by multicast (DNS-SD over mDNS, RFC 6763 and 6762), and being found.
//!
//! What is announced tells nothing: the instance's name and the host's are random and new at every start, the only text
//! says the protocol's version. What is heard is a place to knock at, and never more: the token in it must come back in a
//! signed offer, and who is there shows in the answer's signature.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr, SocketAddrV6},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use mdns_sd::{
    HostnameResolutionEvent, IfKind, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo,
};
use mesh::{Sighting, Via, doctor::Multicast};
use tokio::sync::mpsc;

use crate::place::Place;

/// The service type.
pub const SERVICE: &str = "_echo-mesh._tcp.local.";
/// The protocol's version, in the text record's `v`.
pub const VERSION: &str = "1";
/// The most instances that are remembered.
pub const MAX_INSTANCES: usize = 256;
/// The most addresses of one instance.
pub const MAX_ADDRESSES: usize = 6;
/// Instances that are still there are told of again this often.
pub const AGAIN_EVERY: Duration = Duration::from_secs(30);
/// The most new instances that are told of in a second.
pub const MAX_A_SECOND: u32 = 50;

const LOOK_UP_TIME: Duration = Duration::from_millis(1_500);

/// Announces this node and listens for others, until it is dropped.
pub struct Discovery {
    daemon: ServiceDaemon,
    fullname: String,
    heard: Arc<Mutex<bool>>,
    since: Instant,
}

impl std::fmt::Debug for Discovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Discovery").field("fullname", &self.fullname).finish_non_exhaustive()
    }
}

impl Discovery {
    /// Announces `token` at the listener's port, and sends what it hears. `host`: a random name for the machine.
    pub fn start(
        token: &str,
        host: &str,
        port: u16,
        include_loopback: bool,
        sightings: mpsc::Sender<Sighting>,
    ) -> Result<Self, mdns_sd::Error> {
        let daemon = ServiceDaemon::new()?;
        daemon.set_ip_check_interval(2)?;
        if !include_loopback {
            daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
        }
        let found = daemon.browse(SERVICE)?;
        let mut info =
            ServiceInfo::new(SERVICE, token, &format!("{host}.local."), "", port, &[("v", VERSION)][..])?
                .enable_addr_auto();
        // A name of 128 random bits has no rival to be asked for first (RFC 6762, section 8.1).
        info.set_requires_probe(false);
        let fullname = info.get_fullname().to_owned();
        daemon.register(info)?;
        let heard = Arc::new(Mutex::new(false));
        let mut ears = Ears {
            own: fullname.clone(),
            known: HashMap::new(),
            sightings,
            heard: heard.clone(),
            second: (Instant::now(), 0),
            include_loopback,
        };
        std::thread::Builder::new()
            .name("mesh-mdns".to_owned())
            .spawn(move || ears.listen(&found))
            .map_err(|e| mdns_sd::Error::Msg(format!("no thread for discovery: {e}")))?;
        Ok(Self { daemon, fullname, heard, since: Instant::now() })
    }

    /// Whether multicast comes back.
    pub fn multicast(&self) -> Multicast {
        if *self.heard.lock().unwrap_or_else(PoisonError::into_inner) {
            Multicast::Heard
        } else {
            Multicast::Silent(format!(
                "nothing was heard in {} s, not even our own announcement",
                self.since.elapsed().as_secs()
            ))
        }
    }

    /// Looks the names up that browsers put in place of their addresses. Takes up to 1.5 s, on a thread of its own.
    pub async fn look_up(&self, name: &str) -> Option<IpAddr> {
        let answers = self.daemon.resolve_hostname(&format!("{name}."), Some(millis(LOOK_UP_TIME))).ok()?;
        let wait = move || {
            let until = Instant::now() + LOOK_UP_TIME;
            loop {
                match answers.recv_deadline(until).ok()? {
                    HostnameResolutionEvent::AddressesFound(_, found) => {
                        return found.iter().map(ScopedIp::to_ip_addr).min_by_key(IpAddr::is_ipv6);
                    }
                    HostnameResolutionEvent::SearchTimeout(_) | HostnameResolutionEvent::SearchStopped(_) => {
                        return None;
                    }
                    _ => {}
                }
            }
        };
        tokio::task::spawn_blocking(wait).await.ok().flatten()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Drop for Discovery {
    fn drop(&mut self) {
        let goodbye = self.daemon.unregister(&self.fullname);
        if let Ok(done) = goodbye {
            let _ = done.recv_timeout(Duration::from_millis(200));
        }
        let _ = self.daemon.shutdown();
    }
}

struct Ears {
    own: String,
    known: HashMap<String, Place>,
    sightings: mpsc::Sender<Sighting>,
    heard: Arc<Mutex<bool>>,
    second: (Instant, u32),
    include_loopback: bool,
}

impl Ears {
    fn listen(&mut self, found: &mdns_sd::Receiver<ServiceEvent>) {
        let mut again = Instant::now() + AGAIN_EVERY;
        loop {
            match found.recv_deadline(again) {
                Ok(ServiceEvent::ServiceResolved(service)) => self.resolved(&service),
                Ok(ServiceEvent::ServiceRemoved(_, fullname)) => {
                    self.known.remove(&fullname);
                }
                Ok(ServiceEvent::SearchStopped(_)) | Err(mdns_sd::RecvTimeoutError::Disconnected) => return,
                Ok(_) => {}
                Err(mdns_sd::RecvTimeoutError::Timeout) => {
                    again = Instant::now() + AGAIN_EVERY;
                    for place in self.known.values() {
                        self.tell(place);
                    }
                }
            }
            if self.sightings.is_closed() {
                return;
            }
        }
    }

    fn resolved(&mut self, service: &ResolvedService) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = true;
        if service.fullname == self.own || !self.allowed() {
            return;
        }
        let Some(place) = place_of(service, self.include_loopback) else { return };
        if self.known.len() >= MAX_INSTANCES && !self.known.contains_key(&service.fullname) {
            return;
        }
        if self.known.get(&service.fullname) != Some(&place) {
            self.tell(&place);
            self.known.insert(service.fullname.clone(), place);
        }
    }

    fn allowed(&mut self) -> bool {
        if self.second.0.elapsed() > Duration::from_secs(1) {
            self.second = (Instant::now(), 0);
        }
        self.second.1 += 1;
        self.second.1 <= MAX_A_SECOND
    }

    fn tell(&self, place: &Place) {
        // When nobody has time for it now, it is told of again soon.
        let _ =
            self.sightings.try_send(Sighting { node: None, via: Via::Multicast, place: place.to_string() });
    }
}

/// Where an instance says it listens, when it speaks our version.
fn place_of(service: &ResolvedService, include_loopback: bool) -> Option<Place> {
    let token = service.fullname.strip_suffix(SERVICE)?.strip_suffix('.')?;
    let version = service.txt_properties.get_property_val_str("v");
    if version != Some(VERSION) || token.is_empty() || token.len() > 64 || service.port == 0 {
        return None;
    }
    let mut addresses: Vec<SocketAddr> = service
        .addresses
        .iter()
        // Nobody may send us to a service of our own machine.
        .filter(|found| {
            let ip = found.to_ip_addr().to_canonical();
            !(ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() && !include_loopback)
        })
        .map(|found| match found {
            ScopedIp::V6(v6) if v6.addr().is_unicast_link_local() => {
                SocketAddrV6::new(*v6.addr(), service.port, 0, v6.scope_id().index).into()
            }
            other => SocketAddr::from((other.to_ip_addr(), service.port)),
        })
        .collect();
    addresses.sort_by_key(|at| (at.is_ipv6(), *at));
    addresses.truncate(MAX_ADDRESSES);
    let hosts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    (!hosts.is_empty()).then(|| Place::Http { hosts, token: Some(token.to_owned()) })
}
