//! The four streams of a link: each a reliable, ordered data channel of its own, so that a big file holds up no call.

/// One stream of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Greetings, presence, membership.
    Control,
    /// Calls and answers, news of trust.
    Rpc,
    /// Pulses and their acknowledgements.
    Telemetry,
    /// Large things in chunks.
    Bulk,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 4] = [Self::Control, Self::Rpc, Self::Telemetry, Self::Bulk];

    /// The label of its data channel (RFC 8832, section 5.1).
    pub fn label(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Rpc => "rpc",
            Self::Telemetry => "telemetry",
            Self::Bulk => "bulk",
        }
    }

    /// The stream of a data channel's label.
    pub fn of_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.label() == label)
    }

    /// The most bytes of one message. Everything stays under what browsers can take in one piece (256 KiB).
    pub fn max_message(self) -> usize {
        match self {
            Self::Control | Self::Bulk => 64 * 1024,
            Self::Rpc | Self::Telemetry => 192 * 1024,
        }
    }
}
