//! News of trust comes in, and everybody is judged by it.

use echo_core::Timestamp;
use trust::Envelope;

use super::{Node, own_manifest};
use crate::{Link, Message, News, NewsError, NodeId, Output, digest_of, event::Event};

impl Node {
    /// A neighbour brings news.
    pub(super) fn trust_message(&mut self, now: Timestamp, link: Link, from: NodeId, message: &Message) {
        match self.trust.merge(message, now) {
            Ok(None) => {}
            Ok(Some(news)) => {
                self.out(Output::Trust(news.clone()));
                self.learned(now, &news);
            }
            Err(error @ NewsError::Forked { .. }) => self.event(Event::Forked { what: error.to_string() }),
            Err(error @ NewsError::OutOfDate(_)) => {
                self.event(Event::NotBelieved { from, why: error.to_string() });
            }
            Err(error @ NewsError::NotBelieved(_)) => {
                self.event(Event::NotBelieved { from, why: error.to_string() });
                self.fault(now, link, &error.to_string());
            }
        }
    }

    /// Something else on this machine learned it, and saved it.
    pub(super) fn trust_from_here(&mut self, now: Timestamp, news: &News) {
        match self.trust.apply(news, now) {
            Ok(true) => self.learned(now, news),
            Ok(false) => {}
            Err(error) => self.event(Event::NotBelieved { from: self.id, why: error.to_string() }),
        }
    }

    /// Judges everybody anew, and tells the neighbours.
    fn learned(&mut self, now: Timestamp, news: &News) {
        if let News::Notices(notices) = news {
            for notice in notices {
                self.services.acks.learned(digest_of(notice), &self.key, now);
            }
        }
        self.judge(now);
        // To each what it lacks, by what it said last; from then on it has that.
        let hello = self.trust.hello(now);
        let links: Vec<Link> = self.neighbours.iter().map(|(link, _)| link).collect();
        for link in links {
            let Some(neighbour) = self.neighbours.get_mut(link) else { continue };
            let Some(theirs) = neighbour.hello.replace(hello.clone()) else {
                // It has not greeted yet, and is told when it does.
                neighbour.hello = None;
                continue;
            };
            for message in self.trust.for_neighbour(&theirs) {
                self.say(link, &message);
            }
            self.say(link, &Message::Hello(hello.clone()));
        }
        self.places.hope(now);
        self.places_due = now;
        // Who was refused by the old registry may be welcome now.
        for tag in self.rooms.keys().copied().collect::<Vec<_>>() {
            self.ask_somebody(tag);
        }
        self.routes_changed(now);
    }

    /// This node has a new certificate: it is told to everybody.
    pub(super) fn renewed(&mut self, now: Timestamp, certificate: Envelope) {
        match own_manifest(&certificate, &self.key, &self.trust, now) {
            Ok(manifest) if manifest.customer == self.me.manifest.customer => {
                self.services.calls.renew(certificate.clone());
                self.me.certificate = certificate;
                self.me.manifest = manifest.clone();
                self.manifest = std::sync::Arc::new(manifest);
                self.fill_offers();
                for room in self.rooms.values_mut() {
                    room.republish(now);
                }
            }
            Ok(_) => {
                let why = "a certificate of another customer needs a node of its own".to_owned();
                self.event(Event::NotTaken { from: self.id, why });
            }
            Err(refusal) => {
                let id = self.id.to_string();
                self.refuse(now, id, &refusal);
            }
        }
    }

    /// Disconnects whose certificates have ended since they came.
    pub(super) fn drop_expired(&mut self, now: Timestamp) {
        let expired: Vec<(Link, NodeId, Timestamp)> = self
            .neighbours
            .iter()
            .filter(|(_, neighbour)| neighbour.manifest.expires <= now)
            .map(|(link, neighbour)| (link, neighbour.node, neighbour.manifest.expires))
            .collect();
        for (link, node, expires) in expired {
            let refusal = crate::Refusal::Expired(expires);
            self.disconnect(now, link, &refusal.to_string());
            self.places.refused(now, &node);
            self.refuse(now, node.to_string(), &refusal);
        }
    }
}
