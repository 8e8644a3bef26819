//! Why a witness does not cosign, with the status that the protocol gives each reason.

/// Why a checkpoint is not cosigned (C2SP tlog-witness, "add-checkpoint").
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request cannot be read.
    #[error("not an add-checkpoint request: {0}; see C2SP tlog-witness")]
    Malformed(&'static str),
    /// It wants to go back.
    #[error("the old size {old} is larger than the checkpoint's {size}: a log does not shrink")]
    Backwards {
        /// The old size in the request.
        old: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// The log is none of those that are witnessed.
    #[error("the log of this checkpoint is not witnessed here: ask the operator of the witness to add it")]
    UnknownLog,
    /// No trusted key of the log signed the checkpoint, or one's signature is wrong.
    #[error("the checkpoint is not rightly signed by a key that is trusted for its log")]
    Signature,
    /// The witness last cosigned another size than the request says.
    #[error("the newest checkpoint that was cosigned here has {size} entries: prove consistency from there")]
    Stale {
        /// How many entries the log had when it was last cosigned; 0 when it never was.
        size: u64,
    },
    /// The log did not grow from what was cosigned before.
    #[error(
        "the log of {size} entries does not begin with the one of {old} that was cosigned here: its history was changed, or the proof is wrong"
    )]
    Inconsistent {
        /// The size that was cosigned before.
        old: u64,
        /// The checkpoint's size.
        size: u64,
    },
    /// The clock stands before the last cosignature.
    #[error("the witness's clock stands before its last cosignature of this log: try again later")]
    Clock,
}

impl Refusal {
    /// The HTTP status of the protocol.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Backwards { .. } => 400,
            Self::Signature => 403,
            Self::UnknownLog => 404,
            Self::Stale { .. } => 409,
            Self::Inconsistent { .. } => 422,
            Self::Clock => 503,
        }
    }
}
