//! Domain: what a service costs, and the papers that say so.
//!
//! The catalogue of plans and SKUs, who is entitled to what, the rating of metered use, receipts, invoices,
//! settlements and the page a customer gets. Words follow Stripe's where Stripe has the word.
//!
//! Usage and prices are exact decimals, bounded so that no product of them is ever rounded; money is integer
//! minor units. Rounding happens once: where a receipt becomes a line of an invoice.
//!
//! Every paper can be recomputed from what it cites: `Receipt::check` and `Invoice::check` need nothing else.
//!
//! What may not come in: I/O, the clock, randomness, SQL, HTTP, keys. Callers pass the time and the ids, and
//! sign with `trust::dsse` under the payload types below.

mod audit;
mod catalogue;
mod entitlement;
mod exact;
mod fault;
mod invoice;
mod meter;
mod name;
mod page;
mod plan;
mod rating;
mod receipt;
mod settlement;
mod text;

pub use catalogue::{Catalogue, CatalogueError, MAX_CATALOGUE, MAX_PLANS, MAX_SKUS, Seller, Sku};
pub use entitlement::{NotEntitled, entitled};
pub use exact::{MAX_QUANTITY, MAX_UNIT_PRICE, PRICE_PLACES, QUANTITY_PLACES};
pub use fault::Fault;
pub use invoice::{
    INVOICE_TYPE, Invoice, InvoiceDraft, InvoiceError, Line, MAX_DAYS_TO_PAY, MAX_LINES, invoice_number,
};
pub use meter::{MeterEvent, Subscription, month_start};
pub use name::{MAX_NAME, NameError, PlanId, SkuId};
pub use page::{INVOICE_CSS, RenderError, html};
pub use plan::{Plan, Price};
pub use rating::{RateError, Rated, rate};
pub use receipt::{ProofRef, RECEIPT_TYPE, Receipt};
pub use settlement::{InvoiceState, Method, SETTLEMENT_TYPE, SettleError, Settlement, settle};
pub use text::{MAX_DESCRIPTION, MAX_TEXT};
