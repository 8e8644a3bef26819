//! The vectors in memory: each owner's apart, those of whoever asked least recently given up first.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use zeroize::Zeroizing;

use crate::{
    SourceKind, chunk,
    vector::{Asked, Small},
};

/// How many vectors a block holds. A block never grows, so no copy of a vector is left behind by one that did.
const BLOCK: usize = 1024;

/// One owner's vectors.
#[derive(Debug)]
pub(crate) struct Vectors {
    dimensions: usize,
    blocks: Vec<Block>,
}

/// Vectors of some chunks; the bytes are overwritten when it is dropped.
#[derive(Debug)]
struct Block {
    chunks: Vec<i64>,
    scales: Vec<f32>,
    numbers: Zeroizing<Vec<i8>>,
}

/// A chunk and how close it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Near {
    /// The chunk's number.
    pub(crate) nr: i64,
    /// The cosine of the angle to the question.
    pub(crate) similarity: f32,
}

impl Eq for Near {}

impl Ord for Near {
    fn cmp(&self, other: &Self) -> Ordering {
        self.similarity.total_cmp(&other.similarity).then(other.nr.cmp(&self.nr))
    }
}

impl PartialOrd for Near {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Vectors {
    /// None yet, of that many numbers each.
    pub(crate) fn new(dimensions: usize) -> Self {
        Self { dimensions, blocks: Vec::new() }
    }

    /// Bytes of all of them.
    pub(crate) fn bytes(&self) -> usize {
        self.blocks.len() * BLOCK * (self.dimensions + size_of::<i64>() + size_of::<f32>())
    }

    /// Holds a chunk's vector, in place of an earlier one of that chunk when `may_exist`.
    pub(crate) fn put(&mut self, nr: i64, vector: &Small, may_exist: bool) {
        if vector.numbers.len() != self.dimensions {
            return;
        }
        if may_exist {
            self.remove(nr);
        }
        if self.blocks.last().is_none_or(|block| block.chunks.len() == BLOCK) {
            self.blocks.push(Block {
                chunks: Vec::with_capacity(BLOCK),
                scales: Vec::with_capacity(BLOCK),
                numbers: Zeroizing::new(Vec::with_capacity(BLOCK * self.dimensions)),
            });
        }
        let block = self.blocks.last_mut().expect("a block with room was made just now");
        block.chunks.push(nr);
        block.scales.push(vector.scale);
        block.numbers.extend_from_slice(&vector.numbers);
    }

    /// Forgets a chunk's vector: the last one takes its place.
    pub(crate) fn remove(&mut self, nr: i64) {
        let place = |block: &Block| block.chunks.iter().position(|chunk| *chunk == nr);
        let Some((at, row)) =
            self.blocks.iter().enumerate().find_map(|(at, block)| Some((at, place(block)?)))
        else {
            return;
        };
        let dimensions = self.dimensions;
        let last = self.blocks.last_mut().expect("the vector was found in one of them");
        let (Some(chunk), Some(scale)) = (last.chunks.pop(), last.scales.pop()) else { return };
        let begin = last.chunks.len() * dimensions;
        let numbers = Zeroizing::new(last.numbers[begin..].to_vec());
        last.numbers[begin..].fill(0);
        last.numbers.truncate(begin);
        if last.chunks.is_empty() {
            self.blocks.pop();
        }
        // Where the last one was the one to forget, its place is gone already.
        if chunk != nr
            && let Some(block) = self.blocks.get_mut(at)
        {
            block.chunks[row] = chunk;
            block.scales[row] = scale;
            block.numbers[row * dimensions..(row + 1) * dimensions].copy_from_slice(&numbers);
        }
    }

    /// Offers all vectors of these kinds (of all, where none is named) to `best`.
    pub(crate) fn nearest(&self, asked: &Asked, kinds: &[SourceKind], best: &mut Best) {
        if asked.dimensions() != self.dimensions {
            return;
        }
        let mut similarities = Vec::with_capacity(BLOCK);
        for block in &self.blocks {
            asked.similarities(&block.numbers, &block.scales, &mut similarities);
            for (nr, similarity) in block.chunks.iter().zip(&similarities) {
                if best.would_take(*similarity) && of_kind(*nr, kinds) {
                    best.offer(Near { nr: *nr, similarity: *similarity });
                }
            }
        }
    }
}

/// Whether a chunk of that number is of one of these kinds; each is where none is named.
pub(crate) fn of_kind(nr: i64, kinds: &[SourceKind]) -> bool {
    kinds.is_empty() || chunk::kind(nr).is_some_and(|kind| kinds.contains(&kind))
}

/// The closest chunks so far.
#[derive(Debug)]
pub(crate) struct Best {
    most: usize,
    heap: BinaryHeap<Reverse<Near>>,
}

impl Best {
    /// Keeps that many.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, heap: BinaryHeap::with_capacity(most + 1) }
    }

    fn would_take(&self, similarity: f32) -> bool {
        self.heap.len() < self.most || self.heap.peek().is_some_and(|least| similarity > least.0.similarity)
    }

    fn offer(&mut self, near: Near) {
        self.heap.push(Reverse(near));
        if self.heap.len() > self.most {
            self.heap.pop();
        }
    }

    /// The closest first.
    pub(crate) fn in_order(self) -> Vec<Near> {
        self.heap.into_sorted_vec().into_iter().map(|near| near.0).collect()
    }
}

/// The owners whose vectors are in memory.
#[derive(Debug)]
pub(crate) struct Held {
    most_bytes: usize,
    owners: Mutex<Owners>,
}

#[derive(Debug, Default)]
struct Owners {
    uses: u64,
    of: HashMap<i64, (u64, Arc<RwLock<Vectors>>)>,
}

impl Held {
    /// Holds at most that many bytes, but always those of the owner who asked last.
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, owners: Mutex::default() }
    }

    /// The owner's vectors, when they are in memory.
    pub(crate) fn get(&self, owner: i64) -> Option<Arc<RwLock<Vectors>>> {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.uses += 1;
        let uses = owners.uses;
        owners.of.get_mut(&owner).map(|(used, vectors)| {
            *used = uses;
            Arc::clone(vectors)
        })
    }

    /// Holds the owner's vectors, and gives up others until all fit.
    pub(crate) fn put(&self, owner: i64, vectors: Vectors) -> Arc<RwLock<Vectors>> {
        let vectors = Arc::new(RwLock::new(vectors));
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.uses += 1;
        let uses = owners.uses;
        owners.of.insert(owner, (uses, Arc::clone(&vectors)));
        while owners.of.len() > 1 && owners.bytes() > self.most_bytes {
            let least = owners.of.iter().min_by_key(|(_, (used, _))| *used).map(|(owner, _)| *owner);
            least.map(|least| owners.of.remove(&least));
        }
        vectors
    }

    /// Changes the owner's vectors, when they are in memory.
    pub(crate) fn change(&self, owner: i64, change: impl FnOnce(&mut Vectors)) {
        let vectors = self
            .owners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .of
            .get(&owner)
            .map(|held| Arc::clone(&held.1));
        if let Some(vectors) = vectors {
            change(&mut vectors.write().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Gives the owner's vectors up.
    pub(crate) fn drop_owner(&self, owner: i64) {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).of.remove(&owner);
    }

    /// Gives all vectors up.
    pub(crate) fn drop_all(&self) {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner).of.clear();
    }
}

impl Owners {
    fn bytes(&self) -> usize {
        let of = |vectors: &RwLock<Vectors>| vectors.read().unwrap_or_else(PoisonError::into_inner).bytes();
        self.of.values().map(|(_, vectors)| of(vectors)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(numbers: &[f32]) -> Small {
        Small::of(numbers).unwrap()
    }

    fn nearest(vectors: &Vectors, to: &[f32], most: usize, kinds: &[SourceKind]) -> Vec<i64> {
        let mut best = Best::new(most);
        vectors.nearest(&Asked::new(&small(to)), kinds, &mut best);
        best.in_order().iter().map(|near| near.nr).collect()
    }

    #[test]
    fn the_closest_come_first_and_only_of_the_kinds_asked_for() {
        let mut vectors = Vectors::new(2);
        let turned = [(0, 0.0_f32), (8, 0.2), (1, 0.1), (16, 3.0)];
        for (nr, angle) in turned {
            vectors.put(nr, &small(&[angle.cos(), angle.sin()]), true);
        }
        assert_eq!(nearest(&vectors, &[1.0, 0.0], 3, &[]), [0, 1, 8]);
        assert_eq!(nearest(&vectors, &[1.0, 0.0], 9, &[SourceKind::Case]), [1]);
        assert_eq!(nearest(&vectors, &[-1.0, 0.0], 1, &[]), [16]);
        assert!(
            nearest(&vectors, &[1.0, 0.0, 0.0], 9, &[]).is_empty(),
            "another model's vector meets nothing"
        );
    }

    #[test]
    fn a_removed_vector_is_not_found_and_all_others_are() {
        let mut vectors = Vectors::new(2);
        let count = i64::try_from(BLOCK).unwrap() * 2 + 3;
        let at = |nr: i64| {
            let angle = f32::from(i16::try_from(nr).unwrap()) / 500.0;
            [angle.cos(), angle.sin()]
        };
        for nr in 0..count {
            vectors.put(nr * 8, &small(&at(nr)), false);
        }
        let gone = [0, 5, 1023, 1024, count - 1, count - 2];
        for nr in gone {
            vectors.remove(nr * 8);
            vectors.remove(nr * 8);
        }
        let found = nearest(&vectors, &at(7), usize::try_from(count).unwrap(), &[]);
        assert_eq!(found.len(), usize::try_from(count).unwrap() - gone.len());
        assert!(gone.iter().all(|nr| !found.contains(&(nr * 8))));
        assert!(found[..8].contains(&56), "{:?}", &found[..8]);
    }

    #[test]
    fn the_owner_who_asked_least_recently_is_given_up() {
        let one = |nr| {
            let mut vectors = Vectors::new(2);
            vectors.put(nr, &small(&[1.0, 0.0]), false);
            vectors
        };
        let held = Held::new(2 * one(0).bytes());
        held.put(1, one(0));
        held.put(2, one(8));
        assert!(held.get(1).is_some());
        held.put(3, one(16));
        assert!(held.get(2).is_none() && held.get(1).is_some() && held.get(3).is_some());
        held.drop_owner(1);
        assert!(held.get(1).is_none());
        let small_budget = Held::new(1);
        small_budget.put(1, one(0));
        assert!(small_budget.get(1).is_some(), "whoever asked last is always held");
    }
}
