//! What can be kept, and whose it is.

use echo_core::CustomerId;
use serde::{Serialize, de::DeserializeOwned};

/// Something kept under an id, as JSON.
pub trait Record: Serialize + DeserializeOwned + Send + Sync {
    /// The kind's name, as it stands in error messages too: `case`, `receipt`.
    const KIND: &'static str;

    /// Its id.
    fn id(&self) -> &str;

    /// Whose it is; nothing for what belongs to the operator.
    fn customer(&self) -> Option<&CustomerId>;

    /// What it hangs under (the case of a run, the device of a command), for listing.
    fn parent(&self) -> Option<&str> {
        None
    }

    /// Its state, for listing.
    #[expect(
        clippy::unnecessary_literal_bound,
        reason = "the default is static, a record's own state need not be"
    )]
    fn state(&self) -> &str {
        "-"
    }

    /// A key that no other record of the kind may share.
    fn unique(&self) -> Option<String> {
        None
    }
}

/// Whose records a read may see. Every read takes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything: the operator's own people, and the platform's own work.
    All,
    /// One customer's records alone.
    Customer(CustomerId),
    /// No record at all: a caller that belongs to nobody.
    Nothing,
}

impl Scope {
    /// The customer's id, for a SQL filter; nothing means no filter.
    pub(crate) fn customer(&self) -> Option<&str> {
        use echo_core::Id as _;
        match self {
            Self::All => None,
            Self::Customer(id) => Some(id.as_str()),
            // No record has an empty owner.
            Self::Nothing => Some(""),
        }
    }
}

/// Which records of a kind to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter<'a> {
    /// Only those under this parent.
    pub parent: Option<&'a str>,
    /// Only those in this state.
    pub state: Option<&'a str>,
}

impl<'a> Filter<'a> {
    /// All under `parent`.
    pub fn under(parent: &'a str) -> Self {
        Self { parent: Some(parent), state: None }
    }

    /// All in `state`.
    pub fn in_state(state: &'a str) -> Self {
        Self { parent: None, state: Some(state) }
    }
}
