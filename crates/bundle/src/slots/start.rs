//! Which system starts, when it is good, and how one goes back.

use std::path::PathBuf;

use echo_core::Timestamp;
use semver::Version;
use serde::Serialize;

use super::{Prefix, SlotName, Standing, State, StateError};
use crate::{BundleError, Checked, Chunks as _, MAX_REASON, Tree};

/// What to start.
#[derive(Debug, Clone, Serialize)]
pub struct Launch {
    /// From which slot.
    pub slot: SlotName,
    /// Its folder.
    pub folder: PathBuf,
    /// Which version.
    pub version: Version,
    /// How often it may still be started before it is given up; nothing when it is in good health.
    pub tries: Option<u32>,
    /// The version that was given up just now.
    pub given_up: Option<Version>,
}

/// A system in good health.
#[derive(Debug, Clone, Serialize)]
pub struct Health {
    /// In which slot.
    pub slot: SlotName,
    /// Which version.
    pub version: Version,
    /// What was read and found right.
    pub checked: Checked,
    /// Whether it was known to be good before.
    pub was_good: bool,
}

impl Prefix {
    /// Says what is to be started now, and counts the start of a system on trial before it begins. One that has no
    /// starts left is given up for the one before it.
    pub fn launch(&self, now: Timestamp) -> Result<Launch, BundleError> {
        let mut state = self.state()?;
        let mut given_up = None;
        let tries = match standing(&state) {
            Standing::Trial { tries: 0 } if state.fallback().is_some() => {
                given_up = Some(fall_back(
                    &mut state,
                    "it was started too often without being in good health",
                    now,
                )?);
                self.save(&state)?;
                None
            }
            Standing::Trial { tries } => {
                let left = tries.saturating_sub(1);
                if left != tries {
                    stand(&mut state, Standing::Trial { tries: left });
                    self.save(&state)?;
                }
                Some(left)
            }
            Standing::Good | Standing::Failed { .. } => None,
        };
        self.relink(&state)?;
        let (slot, version) = self.running(&state)?;
        Ok(Launch { slot, folder: self.slot(slot), version, tries, given_up })
    }

    /// Reads every file of the active system, asks `works` whether it works, and then holds it to be in good health.
    pub fn health(
        &self,
        works: &mut dyn FnMut(&Tree, &std::path::Path) -> Result<(), BundleError>,
        now: Timestamp,
    ) -> Result<Health, BundleError> {
        let mut state = self.state()?;
        let (slot, version) = self.running(&state)?;
        let folder = self.slot(slot);
        let mut tree = Tree::open(&folder)?;
        if state.running().is_some_and(|known| known.manifest != tree.head().digest) {
            let why = "its manifest is not the one that was installed".to_owned();
            return Err(BundleError::Damaged { name: folder.display().to_string(), at: 0, why });
        }
        let checked = tree.check(&mut |_| {})?;
        works(&tree, &folder)?;
        let was_good = standing(&state) == Standing::Good;
        if !was_good {
            stand(&mut state, Standing::Good);
            state.tell(now, "in good health", &version, "");
            self.save(&state)?;
        }
        self.relink(&state)?;
        Ok(Health { slot, version, checked, was_good })
    }

    /// Goes back to the other system. The active one is given up.
    pub fn roll_back(&self, why: &str, now: Timestamp) -> Result<Launch, BundleError> {
        let mut state = self.state()?;
        let given_up = fall_back(&mut state, why, now)?;
        self.save(&state)?;
        self.relink(&state)?;
        let (slot, version) = self.running(&state)?;
        Ok(Launch { slot, folder: self.slot(slot), version, tries: None, given_up: Some(given_up) })
    }

    fn running(&self, state: &State) -> Result<(SlotName, Version), BundleError> {
        let slot = state.running().ok_or_else(|| StateError::Nothing(self.root().to_owned()))?;
        Ok((state.active, slot.version.clone()))
    }
}

fn standing(state: &State) -> Standing {
    state.running().map_or(Standing::Good, |slot| slot.standing.clone())
}

fn stand(state: &mut State, standing: Standing) {
    if let Some(slot) = state.slots.get_mut(&state.active) {
        slot.standing = standing;
    }
}

/// Makes the other system the active one; answers which version was given up.
fn fall_back(state: &mut State, why: &str, now: Timestamp) -> Result<Version, StateError> {
    let other = state.fallback().ok_or(StateError::NothingBefore)?;
    let why: String = why.chars().take(MAX_REASON).collect();
    let given_up = state.running().map(|slot| slot.version.clone()).ok_or(StateError::NothingBefore)?;
    stand(state, Standing::Failed { why: why.clone() });
    state.active = other;
    let version = state.running().map(|slot| slot.version.clone()).ok_or(StateError::NothingBefore)?;
    state.tell(now, "rolled back", &version, &why);
    Ok(given_up)
}
