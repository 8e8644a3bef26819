//! Shapes that many answers share, for the `OpenAPI` document. The desk's own types are what is written; a test
//! holds every answer against the document.

use utoipa::ToSchema;

/// An id: a prefix that says of what, and 32 hexadecimal digits that sort by time (`UUIDv7`).
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^[a-z]+_[0-9a-f]{32}$", example = "case_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f")]
pub struct Id(pub String);

/// A node of the mesh: its Ed25519 key as a `did:key` (W3C CCG, did:key method).
#[derive(ToSchema)]
#[schema(
    value_type = String,
    pattern = "^did:key:z[1-9A-HJ-NP-Za-km-z]+$",
    example = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
)]
pub struct Did(pub String);

/// A moment in UTC, in whole milliseconds (RFC 3339).
#[derive(ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-22T10:15:00.123Z")]
pub struct Time(pub String);

/// A SHA-256 digest (FIPS 180-4).
#[derive(ToSchema)]
#[schema(
    value_type = String,
    pattern = "^sha256:[0-9a-f]{64}$",
    example = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)]
pub struct Digest(pub String);

/// An exact decimal, written as text so that no reader rounds it.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = r"^-?\d+(\.\d+)?$", example = "12.50")]
pub struct Exact(pub String);

/// An ISO 4217 currency.
#[derive(ToSchema)]
#[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "EUR")]
pub struct Currency(pub String);

/// An amount of money.
#[derive(ToSchema)]
#[schema(example = json!({"minor": 1250, "currency": "EUR"}))]
pub struct Money {
    /// In minor units: cents for EUR.
    pub minor: i64,
    /// Of which currency.
    pub currency: Currency,
}

/// One page of a list, newest first.
#[derive(ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page; null on the last one.
    pub next: Option<String>,
}

/// A DSSE envelope (Dead Simple Signing Envelope, protocol 1.0.2).
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Envelope {
    /// What the payload is, as a media type.
    pub payload_type: String,
    /// The payload, in base64.
    pub payload: String,
    /// Who signed it.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(ToSchema)]
pub struct EnvelopeSignature {
    /// Whose key: the first 32 hexadecimal digits of the SHA-256 of the public key.
    pub keyid: String,
    /// The Ed25519 signature over the pre-authentication encoding, in base64.
    pub sig: String,
}

/// How much something hurts.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Severity {
    /// It can wait.
    Low,
    /// In its turn.
    Medium,
    /// Before others.
    High,
    /// Now.
    Critical,
}

/// What somebody may do.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Role {
    /// Everything that people may do.
    OperatorAdmin,
    /// Work on cases.
    Technician,
    /// What a customer's person may do.
    Customer,
    /// What a device may do.
    Device,
    /// What a program with an agent key may do.
    Agent,
}
