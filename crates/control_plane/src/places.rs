//! Places for requests that stay: event streams and waiting devices. So many in all, and so many a caller, so that
//! one caller cannot take everybody's.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// So many places.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    taken: Arc<Mutex<Taken>>,
    most: usize,
    most_each: usize,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by: HashMap<String, usize>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    taken: Arc<Mutex<Taken>>,
    by: String,
}

impl Places {
    /// `most` in all, `most_each` a caller.
    pub(crate) fn new(most: usize, most_each: usize) -> Self {
        Self { taken: Arc::default(), most, most_each }
    }

    /// A place for `caller`, if there is one.
    pub(crate) fn take(&self, caller: &str) -> Option<Place> {
        let mut taken = lock(&self.taken);
        let own = taken.by.get(caller).copied().unwrap_or(0);
        if taken.all >= self.most || own >= self.most_each {
            return None;
        }
        taken.all += 1;
        taken.by.insert(caller.to_owned(), own + 1);
        Some(Place { taken: self.taken.clone(), by: caller.to_owned() })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        lock(&self.taken).all
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        match taken.by.get_mut(&self.by) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.by.remove(&self.by)),
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_for_each_and_come_back() {
        let places = Places::new(3, 2);
        let a: Vec<_> = (0..2).map(|_| places.take("a").unwrap()).collect();
        assert!(places.take("a").is_none());
        let b = places.take("b").unwrap();
        assert!(places.take("c").is_none());
        drop(b);
        assert!(places.take("c").is_some());
        drop(a);
        assert_eq!(places.taken(), 0);
        assert!(lock(&places.taken).by.is_empty());
    }
}
