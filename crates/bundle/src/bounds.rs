//! How large anything in a bundle may be. Each is checked before memory is taken for it.

/// The most bytes of the manifest's file: an envelope around the largest payload that `trust` opens.
pub const MAX_MANIFEST_BYTES: u64 = 24 * 1024 * 1024;
/// The most files of a bundle.
pub const MAX_FILES: usize = 65_536;
/// The most chunks of a bundle: 16 GiB of content that nothing compares to, and more than the manifest can name.
pub const MAX_CHUNKS: usize = 131_072;
/// The most bytes of a file's path.
pub const MAX_PATH_BYTES: usize = 240;
/// The fewest bytes of a chunk that is not a file's last.
pub const MIN_CHUNK: usize = 64 * 1024;
/// The bytes of a chunk, on average.
///
/// Measured on `echo_cli`, see `docs/bundle.md`: smaller chunks make the manifest larger and pack
/// worse, larger ones make a one-line change cost more.
pub const MEAN_CHUNK: usize = 256 * 1024;
/// The most bytes of a chunk.
pub const MAX_CHUNK: usize = 1024 * 1024;
/// The most bytes of all files together.
pub const MAX_CONTENT: u64 = 256 * 1024 * 1024 * 1024;
/// The most bytes of a patch's content, and of the old file that it is read against: both are held in memory.
pub const MAX_PATCH: u64 = 128 * 1024 * 1024;
/// The most bytes of the plan of a delta.
pub const MAX_DELTA_PLAN: u64 = 16 * 1024 * 1024;
/// The most bytes of a reason that a person gives.
pub const MAX_REASON: usize = 512;
