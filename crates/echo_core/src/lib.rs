//! The base: words that every other room of Echo uses.
//!
//! Ids, money, time, randomness, digests and paging, each as a type that makes wrong code fail to compile.
//!
//! What may not come in: I/O of any kind, async, HTTP, SQL, configuration. Reading the clock and the
//! operating system's random source live here, behind [`Clock`] and [`Entropy`], and nowhere else, so that
//! every test can run on simulated time with a seed.
//!
//! Everything here is small, plain data; a change here rebuilds the house, so add with care.

pub mod clock;
pub mod digest;
pub mod entropy;
pub mod ids;
pub mod mint;
pub mod money;
pub mod page;
pub mod reach;

pub use clock::{Clock, ManualClock, SystemClock};
pub use digest::Digest;
pub use entropy::{Entropy, OsEntropy, SeededEntropy};
pub use ids::*;
pub use jiff::Timestamp;
pub use mint::Mint;
pub use money::{Currency, Money, MoneyError};
pub use page::{Page, PageRequest};
pub use reach::{OutOfReach, Reach};
