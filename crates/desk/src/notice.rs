//! Deprecation notices: what the operator says about keys that go out of use, for everybody to read.

use governance::{DeprecationNotice, Standing};
use trust::dsse::Envelope;

use crate::{Desk, DeskError};

/// The notices of a home as they were when it was opened. Keys change only while the platform is stopped.
pub(crate) fn load(home: &std::path::Path) -> Result<Vec<Envelope>, DeskError> {
    governance::notices(home).map_err(|e| DeskError::Home(e.to_string()))
}

impl Desk {
    /// The newest notices, oldest first, as they were signed. Whoever reads them checks them against the trust chain.
    pub fn notices(&self) -> &[Envelope] {
        self.notices_kept()
    }

    /// The notices that the operator's keys of today have signed.
    pub(crate) fn notices_believed(&self) -> Vec<DeprecationNotice> {
        governance::believed(self.notices(), self.registry())
    }

    /// Says in the log what is under way with the keys, so that nobody forgets the last step.
    pub(crate) fn warn_of_rotations(&self) {
        match governance::rotations(self.home()) {
            Ok(rotations) => {
                for open in rotations.iter().filter(|r| r.stage.is_open()) {
                    tracing::warn!(
                        rotation = %open.id, stage = open.stage.as_str(),
                        "keys are being rotated: see `echo_cli trust status`, go on with `echo_cli trust resume`"
                    );
                }
            }
            Err(error) => tracing::warn!(%error, "the rotations under way cannot be read"),
        }
        for notice in self.notices_believed() {
            if notice.standing(self.now()) == Standing::Warns {
                tracing::warn!(notice = %notice.id, refuse_from = %notice.refuse_from, "{}", notice.text);
            }
        }
    }
}
