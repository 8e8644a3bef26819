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
/// The most instances that are remembered; the ones that were heard longest ago go first.
pub const MAX_INSTANCES: usize = 256;
/// The most addresses of one instance.
pub const MAX_ADDRESSES: usize = 6;
/// Instances that are still there are told of again this often.
pub const AGAIN_EVERY: Duration = Duration::from_secs(30);
/// The most new instances that are told of in a second.
pub const MAX_A_SECOND: u32 = 50;

/// How long to listen before it is said that nothing comes back.
pub const LISTENS_FOR: Duration = Duration::from_secs(5);

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
            known: Known::default(),
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

    /// Whether multicast comes back: our own announcement, or somebody's. Not judged before [`LISTENS_FOR`].
    pub fn multicast(&self) -> Multicast {
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        judge(heard, self.since.elapsed())
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

fn judge(heard: bool, listened: Duration) -> Multicast {
    match heard {
        true => Multicast::Heard,
        false if listened < LISTENS_FOR => Multicast::Off,
        false => Multicast::Silent(format!(
            "nothing was heard in {} s, not even our own announcement",
            listened.as_secs()
        )),
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
    known: Known,
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
                    self.known.forget(&fullname);
                }
                Ok(ServiceEvent::SearchStopped(_)) | Err(mdns_sd::RecvTimeoutError::Disconnected) => return,
                Ok(_) => {}
                Err(mdns_sd::RecvTimeoutError::Timeout) => {
                    again = Instant::now() + AGAIN_EVERY;
                    for place in self.known.places() {
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
        if self.known.learn(&service.fullname, &place) {
            self.tell(&place);
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

/// The instances that were heard.
#[derive(Debug, Default)]
struct Known {
    all: HashMap<String, (u64, Place)>,
    heard: u64,
}

impl Known {
    /// Whether this is news.
    fn learn(&mut self, fullname: &str, place: &Place) -> bool {
        self.heard += 1;
        if let Some((heard, known)) = self.all.get_mut(fullname) {
            *heard = self.heard;
            return std::mem::replace(known, place.clone()) != *place;
        }
        if self.all.len() >= MAX_INSTANCES {
            // Whoever floods pushes out what was heard longest ago; who is there is heard again.
            let oldest = self.all.iter().min_by_key(|(_, (heard, _))| *heard).map(|(name, _)| name.clone());
            oldest.and_then(|name| self.all.remove(&name));
        }
        self.all.insert(fullname.to_owned(), (self.heard, place.clone()));
        true
    }

    fn forget(&mut self, fullname: &str) {
        self.all.remove(fullname);
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.all.values().map(|(_, place)| place)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: usize) -> Place {
        format!("10.0.{}.{}:80#t{number}", number / 256, number % 256).parse().unwrap()
    }

    #[test]
    fn a_flood_of_instances_does_not_keep_a_new_one_out_and_the_oldest_goes() {
        let mut known = Known::default();
        for number in 0..1_000 {
            assert!(known.learn(&number.to_string(), &place(number)));
            assert_eq!(known.learn("kept", &place(2_000)), number == 0, "it is heard all the time");
        }
        assert_eq!(known.places().count(), MAX_INSTANCES);
        assert!(known.all.contains_key("999") && known.all.contains_key("kept"));
        assert!(!known.all.contains_key("0"));
        assert!(known.learn("kept", &place(3_000)), "it has another address");
        known.forget("kept");
        assert!(known.learn("kept", &place(3_000)));
    }

    #[test]
    fn multicast_is_not_judged_before_there_was_time_to_hear_something() {
        assert_eq!(judge(false, Duration::from_secs(1)), Multicast::Off);
        assert_eq!(judge(true, Duration::from_secs(1)), Multicast::Heard);
        let Multicast::Silent(why) = judge(false, Duration::from_secs(7)) else { panic!("it is silent") };
        assert!(why.contains("7 s"), "{why}");
    }
}
