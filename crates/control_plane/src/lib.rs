//! Face: not built yet.
//!
//! This room is empty in this state of the house: the domain below it stands, and its doors come next.
//!
//! What will come in: parsing, one call of the desk, rendering.
//!
//! What may not come in: rules of any trade, SQL, keys.
//!
//! See `desk` for everything that can be done.
