//! Ten thousand single-byte changes to a home in which everything was used: each is noticed by whoever reads the
//! changed file, or is one of the harmless ones that [`Harmless`] names.
//!
//! The seed picks files, places and bytes. Keys and ids are fresh in every run, so a seed repeats the choice, not
//! the very bytes. `ECHO_MUTATION_CHANGES` says another number.

mod harmless;
mod home;
mod reader;
mod scene;
mod used;
mod vault;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::FileExt as _,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use echo_core::{Mint, SeededEntropy, entropy};

use self::{
    harmless::{Harmless, harmless},
    home::Target,
    scene::Scene,
};

const CHANGES: u64 = 10_000;
/// The longest stretch of a file that a failure shows, in bytes before and after the changed one.
const SHOWN: usize = 24;

#[tokio::test]
async fn every_changed_byte_is_noticed_or_named() {
    let began = Instant::now();
    let scene = Scene::build().await;
    let mut groups = scene.groups();
    assert_eq!(groups.iter().map(|g| g.share).sum::<u64>(), 100);
    let all = || groups.iter().flat_map(|g| &g.targets);
    for target in all() {
        scene.read(&target.reader).unwrap_or_else(|e| panic!("{}: {e}", target.path.display()));
    }
    let seed = wanted("ECHO_MUTATION_SEED").unwrap_or_else(|| u64::from_be_bytes(Mint::system().bytes()));
    let all_changes = wanted("ECHO_MUTATION_CHANGES").unwrap_or(CHANGES);
    println!("seed {seed}: ECHO_MUTATION_SEED repeats it; built in {:?}", began.elapsed());

    let source = SeededEntropy::new(seed);
    let draw = |below: u64| u64::from_be_bytes(entropy::bytes(&source)) % below;
    let mut harmless = BTreeMap::<Harmless, u64>::new();
    for group in &mut groups {
        let began = Instant::now();
        let changes = all_changes * group.share / 100;
        for number in 0..changes {
            // Each file in its turn, so that none is left out.
            let which = usize::try_from(number).unwrap() % group.targets.len();
            let target = &mut group.targets[which];
            target.changed += 1;
            // A flipped bit makes letters into letters and digits into digits more often than any byte does.
            let flip = if draw(2) == 0 { 1 << draw(8) } else { u8::try_from(1 + draw(255)).unwrap() };
            if let Some(why) = scene.change(target, &draw, flip) {
                *harmless.entry(why).or_default() += 1;
            }
        }
        println!(
            "{changes:5} changes in {} files, {:?}: {}",
            group.targets.len(),
            began.elapsed(),
            group.name
        );
        for target in &group.targets {
            assert!(target.changed > 0, "{} was never changed", target.path.display());
            scene.read(&target.reader).expect("the original is back");
        }
    }
    for (why, count) in &harmless {
        println!("{count:5} without effect, {why:?}: {}", why.reason());
    }
    println!("{:5} noticed, in {:?}", all_changes - harmless.values().sum::<u64>(), began.elapsed());
}

/// The number in an environment variable, if it is set.
fn wanted(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

impl Scene {
    /// Changes one byte, reads, and puts the byte back. Answers why nobody had to notice, when nobody did.
    fn change(&self, target: &Target, draw: &dyn Fn(u64) -> u64, flip: u8) -> Option<Harmless> {
        let before = fs::read(&target.path).unwrap();
        let offset = draw(before.len() as u64);
        let at = usize::try_from(offset).unwrap();
        let mut after = before.clone();
        after[at] ^= flip;
        let file = fs::OpenOptions::new().write(true).open(&target.path).unwrap();
        file.write_all_at(&after[at..=at], offset).unwrap();
        let read = catch_unwind(AssertUnwindSafe(|| self.read(&target.reader)));
        file.write_all_at(&before[at..=at], offset).unwrap();

        let told = |what: &str| {
            let (from, to) = (at.saturating_sub(SHOWN), (at + SHOWN).min(before.len()));
            let [old, new] = [&before, &after].map(|b| b[from..to].escape_ascii().to_string());
            format!("{what}: byte {at} of {} was changed\nfrom {old}\nto   {new}", target.path.display())
        };
        match read.unwrap_or_else(|_| panic!("{}", told("the reader panicked"))) {
            Err(_) => None,
            Ok(()) => Some(
                harmless(&target.reader, &before, &after, at)
                    .unwrap_or_else(|| panic!("{}", told("unnoticed"))),
            ),
        }
    }
}
