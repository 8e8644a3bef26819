//! `bundle install` and `bundle update`.

use std::path::{Path, PathBuf};

use bundle::{Bundle, BundleError, Chunks, Delta, Evidence, Happened, Install as Asked, Prefix, Tree};
use clap::Args;
use echo_core::{Digest, Mint};

use super::{
    refused,
    slots::Where,
    told::{Progress, size},
    verify::{Demands, advise, in_words},
};
use crate::{Failure, out::Out, verify::fingerprint};

/// A first installation.
#[derive(Debug, Args)]
pub struct Install {
    /// The bundle
    file: PathBuf,
    /// The folder to install into
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// The fingerprint of the maker's trust root, by another way than the bundle; needed the first time
    #[arg(long, value_name = "FINGERPRINT")]
    root: Option<String>,
    #[command(flatten)]
    terms: Terms,
}

/// An update.
#[derive(Debug, Args)]
pub struct Update {
    /// The bundle, or a delta from what is installed
    file: PathBuf,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    terms: Terms,
}

/// On which terms a bundle is taken.
#[derive(Debug, Args)]
struct Terms {
    #[command(flatten)]
    demands: Demands,
    /// Take a version below the floor of what is installed, for this reason, which is kept
    #[arg(long, value_name = "REASON")]
    allow_downgrade: Option<String>,
}

/// Installs a bundle.
pub fn install(arguments: &Install, out: Out) -> Result<(), Failure> {
    let root = arguments.root.as_deref().map(fingerprint).transpose()?;
    let prefix = Prefix::open(&arguments.to).map_err(refused)?;
    whole(&prefix, &arguments.file, root, &arguments.terms, out)
}

/// Updates an installation.
pub fn update(arguments: &Update, out: Out) -> Result<(), Failure> {
    let prefix = arguments.at.open()?;
    let state = prefix.state().map_err(refused)?;
    // A delta says so by its third entry; whatever else it is, it is read as a bundle and refused as one.
    match Delta::open(&arguments.file) {
        Ok(mut delta) => {
            let evidence = delta.evidence().cloned();
            let mut tree = Tree::open(&prefix.slot(state.active)).map_err(refused)?;
            let mut patched = delta.on(&mut tree).map_err(refused)?;
            carry_out(&prefix, &mut patched, evidence.as_ref(), None, &arguments.terms, out)
        }
        Err(error @ (BundleError::Torn { .. } | BundleError::Io { .. })) => Err(refused(error)),
        Err(_) => whole(&prefix, &arguments.file, None, &arguments.terms, out),
    }
}

fn whole(prefix: &Prefix, file: &Path, root: Option<Digest>, terms: &Terms, out: Out) -> Result<(), Failure> {
    let mut bundle = Bundle::open(file).map_err(refused)?;
    // The content is read before the end, and says more about a torn copy.
    let evidence = bundle.evidence();
    let evidence = match evidence {
        Err(BundleError::Torn { .. }) => {
            bundle::check_content(&mut bundle, &mut |_| {}).map_err(refused)?;
            bundle.evidence()
        }
        known => known,
    };
    let evidence = evidence.map_err(refused)?;
    carry_out(prefix, &mut bundle, evidence.as_ref(), root, terms, out)
}

fn carry_out(
    prefix: &Prefix,
    source: &mut dyn Chunks,
    evidence: Option<&Evidence>,
    root: Option<Digest>,
    terms: &Terms,
    out: Out,
) -> Result<(), Failure> {
    let judge = prefix.judge(root, terms.demands.policy()?, terms.demands.time()).map_err(refused)?;
    let mut progress = Progress::new(source.head().manifest.content_bytes());
    let asked = Asked {
        source,
        evidence,
        judge: &judge,
        allow_downgrade: terms.allow_downgrade.as_deref(),
        now: Mint::system().now(),
    };
    let done = prefix
        .install(asked, &mut |what, bytes| progress.at(what, bytes))
        .map_err(|error| advise(refused(error)));
    drop(progress);
    say(prefix, &done?, out)
}

fn say(prefix: &Prefix, done: &Happened, out: Out) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(done);
    }
    let root = prefix.root().display();
    if !done.changed {
        return out
            .line(&format!("version {} is active in {root} already; nothing was written", done.version));
    }
    in_words(&done.verdict).iter().try_for_each(|words| out.line(words))?;
    out.line(&format!(
        "version {} is active in {root}, slot {} ({})",
        done.version,
        done.slot,
        size(done.checked.bytes)
    ))?;
    match &done.before {
        Some(before) => out.line(&format!(
            "on trial: start it with {root}/bin/echo_os_prime, then `echo_cli bundle health --prefix {root}`; version {before} is there to go back to"
        )),
        None => out.line(&format!(
            "start it with {root}/bin/echo_os_prime, then say `echo_cli bundle health --prefix {root}`"
        )),
    }
}
