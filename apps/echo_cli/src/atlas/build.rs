//! `bundle build`.

use std::path::{Path, PathBuf};

use bundle::Plan;
use clap::Args;
use echo_core::{Mint, Timestamp};
use semver::Version;
use trust::{KeyRole, TrustChain};

use super::{
    refused as failed,
    told::{Progress, size},
};
use crate::{
    Failure,
    out::Out,
    passphrase::{Opening, refused},
};

/// What to build.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder with the content: bin/, models/, memory/, playbooks/, policies/, intake/, manifest/, advisories/,
    /// documents/, ledger/, sbom/, image/
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The file to write, such as atlas_os-1.2.0.atlas
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Which version it is (Semantic Versioning)
    #[arg(long, value_name = "VERSION")]
    bundle_version: Version,
    /// The lowest version that may take its place; without it, its own
    #[arg(long, value_name = "VERSION")]
    floor: Option<Version>,
    /// When it is made, as RFC 3339 says it; without it, now. The same time is needed for the same bytes
    #[arg(long, value_name = "TIME")]
    made: Option<Timestamp>,
    #[command(flatten)]
    opening: Opening,
}

/// Builds it.
pub fn run(arguments: &Arguments, home: &Path, out: Out) -> Result<(), Failure> {
    let keystore = arguments.opening.open(home, None)?;
    let key = keystore.signer(KeyRole::Operator).map_err(refused)?;
    let chain = TrustChain::load(home).map_err(Failure::failed)?;
    let plan = Plan {
        from: &arguments.from,
        to: &arguments.out,
        version: arguments.bundle_version.clone(),
        floor: arguments.floor.clone().unwrap_or_else(|| arguments.bundle_version.clone()),
        made: arguments.made.unwrap_or_else(|| Mint::system().now()),
        key,
        chain: &chain,
    };
    let mut progress = Progress::new(below(&arguments.from));
    let built = bundle::build(&plan, &mut |done| progress.at("packed", done)).map_err(failed)?;
    drop(progress);
    if out.is_json() {
        return out.json(&built);
    }
    out.line(&format!(
        "{}: version {}, {} files in {} chunks, {} of content in {}",
        arguments.out.display(),
        built.version,
        built.files,
        built.chunks,
        size(built.content),
        size(built.bytes),
    ))?;
    out.line(&format!("manifest {}; trust root {}", built.manifest, chain.fingerprint()))
}

/// The bytes of the files below a folder, for progress alone.
fn below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => below(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}
