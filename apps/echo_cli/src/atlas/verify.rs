//! `bundle verify` and `bundle show`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use bundle::{Bundle, BundleError, Chunks as _, Delta, Head, Judge, Kind, Verdict};
use clap::Args;
use echo_core::{Mint, Timestamp};
use serde_json::{Value, json};
use trust::{TrustChain, chain::MAX_CHAIN_BYTES};
use witness::{MAX_POLICY_BYTES, Policy};

use super::{
    refused,
    told::{Progress, gigabytes_a_second, size},
};
use crate::{
    Failure,
    failure::Kind as FailureKind,
    ledgers,
    out::{Colour, Out, printable, table},
    verify::fingerprint,
};

/// What to verify, and by whose word.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The bundle
    file: PathBuf,
    /// The fingerprint of the maker's trust root, by another way than this file
    #[arg(long, value_name = "FINGERPRINT")]
    root: String,
    /// The maker's trust chain of today: keys that were retired or revoked since the bundle was made count no more
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    demands: Demands,
}

/// What is demanded of a bundle beyond the operator's signature.
#[derive(Debug, Default, Args)]
pub struct Demands {
    /// A policy (C2SP tlog-policy) whose witnesses must have cosigned the ledger that holds the bundle
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Judge the trust registry as of this time (RFC 3339): for a bundle that lay in a drawer longer than its registry
    /// lasts, or where the clock is wrong. What was revoked since is not known then
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
}

impl Demands {
    /// The policy that was named.
    pub fn policy(&self) -> Result<Option<Policy>, Failure> {
        let Some(path) = &self.policy else { return Ok(None) };
        let text = ledgers::text(path, MAX_POLICY_BYTES as u64, "check the path")?;
        Policy::parse(&text)
            .map(Some)
            .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
    }

    /// The time to judge by.
    pub fn time(&self) -> Timestamp {
        self.as_of.unwrap_or_else(|| Mint::system().now())
    }
}

/// Verifies it.
pub fn run(arguments: &Arguments, out: Out) -> Result<(), Failure> {
    let known = arguments.trust.as_deref().map(chain).transpose()?;
    let judge = Judge {
        root: fingerprint(&arguments.root)?,
        known,
        now: arguments.demands.time(),
        policy: arguments.demands.policy()?,
    };
    let done = verify(&arguments.file, &judge).map_err(|error| advise(refused(error)));
    match done {
        Ok((report, words)) if out.is_json() => {
            drop(words);
            out.json(&report)
        }
        Ok((_, words)) => words.iter().try_for_each(|words| {
            out.painted(&format!("{} {}", out.paint(Colour::Green, "✓"), printable(words)))
        }),
        Err(failure) => {
            if out.is_json() && failure.kind == FailureKind::Unverified {
                out.json(&json!({"verified": false, "reason": failure.message}))?;
            }
            Err(failure)
        }
    }
}

/// What to do about a registry that is over.
pub fn advise(failure: Failure) -> Failure {
    if failure.message.contains("expired on") {
        return failure.hint(
            "if the bundle only lay in a drawer, or the clock is wrong, name a time with --as-of; ask the operator what was revoked since",
        );
    }
    failure
}

fn verify(file: &Path, judge: &Judge) -> Result<(Value, Vec<String>), BundleError> {
    let began = Instant::now();
    let mut bundle = Bundle::open(file)?;
    let head = bundle.head().clone();
    let mut progress = Progress::new(head.manifest.content_bytes());
    // The content first: of a torn copy it says how far it goes.
    let checked = bundle::check_content(&mut bundle, &mut |done| progress.at("verified", done));
    drop(progress);
    let checked = checked?;
    let evidence = bundle.evidence()?;
    let verdict = judge.judge(&file.display().to_string(), &head, evidence.as_ref())?;
    let took = began.elapsed();
    let speed = gigabytes_a_second(checked.bytes, took);
    let manifest = &head.manifest;
    let report = json!({
        "verified": true, "version": manifest.version, "floor": manifest.floor, "made": manifest.made,
        "manifest": head.digest, "root": judge.root, "content": checked, "bundle_bytes": bundle.length(),
        "milliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX), "gigabytes_a_second": speed,
        "trust": verdict,
    });
    let mut words = vec![
        format!("version {} of {}, manifest {}", manifest.version, manifest.made, head.digest),
        format!(
            "{} files in {} chunks, {} in {}, read in {:.2} s ({speed} GB/s)",
            checked.files,
            checked.chunks,
            size(checked.bytes),
            size(bundle.length()),
            took.as_secs_f64(),
        ),
    ];
    words.extend(in_words(&verdict));
    Ok((report, words))
}

/// Why a bundle is believed, line by line.
pub fn in_words(verdict: &Verdict) -> Vec<String> {
    let keys: Vec<&str> = verdict.signed_by.iter().map(trust::KeyId::as_str).collect();
    let mut words = vec![format!(
        "signed as operator with {}, by version {} of the registry",
        keys.join(", "),
        verdict.registry
    )];
    match &verdict.entered {
        Some(entered) => words.push(format!(
            "entry {} of {} in {}, entered {}",
            entered.index, entered.size, entered.ledger, entered.at
        )),
        None => words
            .push("not entered into a ledger: nobody but its signer vouches for when it was made".to_owned()),
    }
    if !verdict.cosigned.is_empty() {
        let names: Vec<&str> = verdict.cosigned.iter().map(|member| member.name.as_str()).collect();
        let whose = if verdict.demanded {
            "your policy"
        } else {
            "its maker's own list; bring a policy with --policy"
        };
        words.push(format!("cosigned by {} (by {whose})", names.join(", ")));
    }
    words
}

fn chain(file: &Path) -> Result<TrustChain, Failure> {
    let bytes = durable::read(file, MAX_CHAIN_BYTES)?.ok_or_else(|| {
        Failure::failed(format!("there is no file {}", file.display())).hint("check the path")
    })?;
    TrustChain::from_json(&bytes).map_err(|error| Failure::failed(format!("{}: {error}", file.display())))
}

/// Prints what a bundle or a delta says of itself.
pub fn show(file: &Path, files: bool, out: Out) -> Result<(), Failure> {
    let (head, length, from) = if let Ok(delta) = Delta::open(file) {
        (delta.head().clone(), delta.length(), Some((delta.from().0, delta.from().1.clone())))
    } else {
        let bundle = Bundle::open(file).map_err(refused)?;
        (bundle.head().clone(), bundle.length(), None)
    };
    if out.is_json() {
        return out.json(&json!({
            "verified": false, "version": head.manifest.version, "floor": head.manifest.floor,
            "made": head.manifest.made, "manifest": head.digest, "root": head.chain.fingerprint(), "bytes": length,
            "content_bytes": head.manifest.content_bytes(), "chunks": head.manifest.chunks.len(),
            "from": from.map(|(manifest, version)| json!({"manifest": manifest, "version": version})),
            "kinds": kinds(&head), "files": files.then_some(&head.manifest.files),
        }));
    }
    out.line(&format!(
        "version    {} (floor {}), made {}",
        head.manifest.version, head.manifest.floor, head.manifest.made
    ))?;
    out.line(&format!("manifest   {}", head.digest))?;
    out.line(&format!("trust root {} (compare it by another way)", head.chain.fingerprint()))?;
    if let Some((manifest, version)) = from {
        out.line(&format!("a delta    from version {version}, manifest {manifest}"))?;
    }
    out.line(&format!("size       {} for {} of content", size(length), size(head.manifest.content_bytes())))?;
    let rows: Vec<Vec<String>> = kinds(&head)
        .into_iter()
        .map(|(kind, (count, bytes))| vec![kind.to_owned(), count.to_string(), size(bytes)])
        .collect();
    table(&["folder", "files", "size"], &rows).iter().try_for_each(|line| out.line(line))?;
    if files {
        for file in &head.manifest.files {
            out.line(&format!("{}  {}", file.sha256.hex(), file.path))?;
        }
    }
    Ok(())
}

/// How many files of each kind there are, and their bytes.
fn kinds(head: &Head) -> BTreeMap<&'static str, (usize, u64)> {
    let mut all = BTreeMap::new();
    for file in &head.manifest.files {
        let kind: Kind = file.kind;
        let (count, bytes) = all.entry(kind.folder()).or_insert((0, 0));
        *count += 1;
        *bytes += file.size;
    }
    all
}
