//! Writes a small bundle, a delta, a torn copy and manifests into `corpus/bundle`, for libFuzzer to begin with.

use std::{error::Error, fs, path::Path};

use bundle::{Bundle, Chunks as _, Plan, build, diff};
use durable::Mode;
use fuzz::house::house;
use semver::Version;
use trust::{KeyRole, TrustChain};

fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let stage = scratch.path().join("stage");
    let chain = TrustChain::create(&house().registry, &house().keys[&KeyRole::Root])?;
    for folder in ["bin", "documents"] {
        durable::create_folder(&stage.join(folder))?;
    }
    let mut made = Vec::new();
    for (version, line) in [(Version::new(1, 0, 0), "a line"), (Version::new(1, 1, 0), "another line")] {
        durable::write(&stage.join("bin/program"), &[7; 3000], Mode::Public)?;
        durable::write(&stage.join("documents/text.md"), line.as_bytes(), Mode::Public)?;
        let to = scratch.path().join(version.to_string());
        let plan = Plan {
            from: &stage,
            to: &to,
            floor: version.clone(),
            version,
            made: fuzz::house::now(),
            key: &house().keys[&KeyRole::Operator],
            chain: &chain,
        };
        build(&plan, &mut |_| {})?;
        made.push(to);
    }
    let [old, new] = made.as_slice() else { return Err("two bundles were to be made".into()) };
    let delta = scratch.path().join("delta");
    let mut newer = Bundle::open(new)?;
    diff(&mut Bundle::open(old)?, &mut newer, &delta, &mut |_| {})?;
    let manifest = newer.head().manifest.clone();
    let mut outside = manifest.clone();
    "bin/../../program".clone_into(&mut outside.files[0].path);
    let mut large = manifest.clone();
    large.chunks[0].size = u32::MAX;
    let whole = fs::read(old)?;
    let seeds = [
        ("delta", fs::read(&delta)?),
        ("torn", whole[..whole.len() / 2].to_vec()),
        ("whole", whole),
        ("manifest", serde_json::to_vec(&manifest)?),
        ("outside", serde_json::to_vec(&outside)?),
        ("large", serde_json::to_vec(&large)?),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/bundle");
    durable::create_folder(&folder)?;
    for (name, bytes) in seeds {
        durable::write(&folder.join(name), &bytes, Mode::Public)?;
    }
    Ok(())
}
