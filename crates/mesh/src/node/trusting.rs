//! News of trust comes in, and everybody is judged by it.

use std::collections::BTreeMap;

use echo_core::Timestamp;
use rand::seq::SliceRandom as _;
use trust::Envelope;

use super::{Node, own_manifest};
use crate::{Hello, Link, Message, News, NewsError, NodeId, Output, Realm, digest_of, event::Event};

/// To how many neighbours of one realm news goes at once. A node of the operator has thousands, and a list of revoked
/// nodes may be large.
const TOLD_AT_ONCE: usize = 8;
/// The most neighbours that are told later, each time that [`super::CARE`] is taken: those whom nobody else told.
const MAX_TOLD_LATER: usize = 256;

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
        self.tell_learned(now);
        self.places.hope(now);
        self.places_due = now;
        // Who was refused by the old registry may be welcome now.
        for tag in self.rooms.keys().copied().collect::<Vec<_>>() {
            self.ask_somebody(tag);
        }
        self.routes_changed(now);
    }

    /// Some neighbours of each realm get what they lack, and tell the others, who all hear by a greeting that there is
    /// something. Who has not greeted yet is told when it does.
    fn tell_learned(&mut self, now: Timestamp) {
        let hello = self.trust.hello(now);
        let greeted = self.neighbours.iter().filter(|(_, neighbour)| neighbour.hello.is_some());
        let mut links: Vec<(Link, Realm)> = greeted.map(|(link, n)| (link, n.realm.clone())).collect();
        links.shuffle(&mut self.rng);
        let mut told: BTreeMap<Realm, usize> = BTreeMap::new();
        for (link, realm) in links {
            let told = told.entry(realm).or_default();
            if *told < TOLD_AT_ONCE {
                *told += 1;
                self.bring_up_to_date(link, &hello);
            }
            self.say(link, &Message::Hello(hello.clone()));
        }
    }

    /// Neighbours that nobody told get what they lack.
    pub(super) fn tell_those_behind(&mut self, now: Timestamp) {
        let hello = self.trust.hello(now);
        let behind = |theirs: &Hello| {
            theirs.registry < hello.registry
                || theirs.revocations < hello.revocations
                || theirs.notices != hello.notices
        };
        let links = self.neighbours.iter().filter(|(_, n)| n.hello.as_ref().is_some_and(behind));
        let links: Vec<Link> = links.map(|(link, _)| link).take(MAX_TOLD_LATER).collect();
        for link in links {
            self.bring_up_to_date(link, &hello);
        }
    }

    /// A neighbour gets what it lacks by what it said last; from then on it has that.
    fn bring_up_to_date(&mut self, link: Link, hello: &Hello) {
        let Some(neighbour) = self.neighbours.get_mut(link) else { return };
        let Some(theirs) = neighbour.hello.replace(hello.clone()) else { return };
        for message in self.trust.for_neighbour(&theirs) {
            self.say(link, &message);
        }
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
                // Who refused the old one may take the new one.
                self.places.hope(now);
                self.places_due = now;
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
