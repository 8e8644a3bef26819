//! Every room of one node, and which of them wants something when: a node of the operator stands in thousands, and a
//! message that concerns one must not cost a look at the others.

use std::collections::{BTreeMap, BTreeSet};

use echo_core::Timestamp;

use crate::{RealmTag, room::Room};

/// The rooms, by the tags of their realms. Whoever may change one has its time worked out anew.
#[derive(Default)]
pub(crate) struct Rooms {
    all: BTreeMap<RealmTag, Room>,
    /// When each wants to be looked at, as far as it was not touched since.
    times: BTreeMap<RealmTag, Timestamp>,
    queue: BTreeSet<(Timestamp, RealmTag)>,
    touched: BTreeSet<RealmTag>,
}

// Asked like the map that it stands for.
#[allow(clippy::trivially_copy_pass_by_ref)]
impl Rooms {
    pub(crate) fn get(&self, tag: &RealmTag) -> Option<&Room> {
        self.all.get(tag)
    }

    pub(crate) fn get_mut(&mut self, tag: &RealmTag) -> Option<&mut Room> {
        let room = self.all.get_mut(tag)?;
        self.touched.insert(*tag);
        Some(room)
    }

    pub(crate) fn contains_key(&self, tag: &RealmTag) -> bool {
        self.all.contains_key(tag)
    }

    pub(crate) fn insert(&mut self, tag: RealmTag, room: Room) {
        self.all.insert(tag, room);
        self.touched.insert(tag);
    }

    pub(crate) fn remove(&mut self, tag: &RealmTag) {
        self.all.remove(tag);
        self.touched.insert(*tag);
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &RealmTag> {
        self.all.keys()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Room> {
        self.all.values()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Room> {
        self.touched.extend(self.all.keys());
        self.all.values_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RealmTag, &Room)> {
        self.all.iter()
    }

    /// The rooms in which something is due or lies ready to be sent, in the order of their tags.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<RealmTag> {
        for tag in std::mem::take(&mut self.touched) {
            if let Some(before) = self.times.remove(&tag) {
                self.queue.remove(&(before, tag));
            }
            if let Some(room) = self.all.get(&tag) {
                let time = if room.members.has_mail() { Timestamp::MIN } else { room.deadline() };
                self.times.insert(tag, time);
                self.queue.insert((time, tag));
            }
        }
        let mut due: Vec<RealmTag> =
            self.queue.iter().take_while(|(time, _)| *time <= now).map(|(_, tag)| *tag).collect();
        due.sort_unstable();
        due
    }

    /// When the first of them wants to be looked at; none without rooms.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        let settled = self.queue.iter().find(|(_, tag)| !self.touched.contains(tag)).map(|(time, _)| *time);
        let touched = self.touched.iter().filter_map(|tag| self.all.get(tag)).map(Room::deadline);
        settled.into_iter().chain(touched).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use echo_core::SeededEntropy;
    use trust::KeyPair;

    use super::*;
    use crate::{NodeId, Realm, room::after};

    fn room(customer: u32, now: Timestamp) -> (RealmTag, Room) {
        let me = NodeId::of(&KeyPair::generate(&SeededEntropy::new(1)).public());
        let realm = Realm::Customer(format!("cus_{customer:032x}").parse().unwrap());
        (realm.tag(), Room::new(realm, me, 1, now))
    }

    #[test]
    fn the_first_that_wants_something_is_found_after_every_change() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut rooms = Rooms::default();
        assert_eq!(rooms.deadline(), None);
        let tags: Vec<RealmTag> = (0..50)
            .map(|customer| {
                let (tag, room) = room(customer, now);
                rooms.insert(tag, room);
                tag
            })
            .collect();
        // Each wants to publish at once.
        assert_eq!(rooms.deadline(), Some(now));
        assert_eq!(rooms.due(now).len(), 50);
        for tag in &tags {
            rooms.get_mut(tag).unwrap().next_seq(now);
        }
        assert_eq!(rooms.due(now), []);
        let first = rooms.values().map(Room::deadline).min();
        assert!(first > Some(now) && rooms.deadline() == first);
        // One is touched: it alone is due, before and after the queue has heard of it.
        rooms.get_mut(&tags[7]).unwrap().outdo(now, u64::MAX - 9);
        assert_eq!(rooms.deadline(), Some(now));
        assert_eq!(rooms.due(now), [tags[7]]);
        assert_eq!(rooms.deadline(), Some(now));
        rooms.remove(&tags[7]);
        assert_eq!(rooms.due(now), []);
        assert_eq!(rooms.deadline(), rooms.values().map(Room::deadline).min());
        assert_eq!(rooms.due(after(now, Duration::from_hours(1))).len(), 49);
    }
}
