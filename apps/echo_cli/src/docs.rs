//! `docs`: the documents that come with Echo, as they lie in a platform's home. No platform and no network.

use std::path::Path;

use clap::Subcommand;
use dossier::{Document, Kind, MAX_SHIPPED, SHIPPED, SHIPPED_FOLDER, shipped_claim, verify_shipped};
use echo_core::{Digest, Mint, Timestamp};
use ledger::{MAX_ENTRY_BYTES, MAX_PROOF_BYTES};
use serde_json::{Value, json};
use trust::{
    Keystore, Registry, TrustChain,
    content::{MAX_SIGNATURE_FILE, signature_path},
};

use crate::{
    Failure,
    out::{Colour, Out, printable},
    passphrase::no_home,
};

/// What to do with documents.
#[derive(Debug, Subcommand)]
pub enum Docs {
    /// List the documents, and whether each is what was signed and entered
    List,
    /// Print a document
    Show {
        /// Which one, such as `constitution`
        name: String,
    },
    /// Check every document: its signature, its place in the genesis ledger, and that nothing was changed
    Verify {
        /// The fingerprint of the trust root, as you kept it elsewhere; without it the home's own is believed
        #[arg(long, value_name = "FINGERPRINT")]
        root: Option<String>,
    },
}

impl Docs {
    /// Does it, in the platform's home.
    pub fn run(&self, home: &Path, out: Out) -> Result<(), Failure> {
        match self {
            Self::List => list(home, out),
            Self::Show { name } => show(home, name, out),
            Self::Verify { root } => verify(home, root.as_deref(), out),
        }
    }
}

/// The trust of a home: its registry in force, the fingerprint of its root, and when the registry ended, if it did.
struct Trust {
    registry: Registry,
    root: Digest,
    expired: Option<Timestamp>,
}

impl Trust {
    /// A home that lay in a drawer for years has a registry that ended. What it says of the keys of its time still counts.
    fn of(home: &Path, root: Option<&str>) -> Result<Self, Failure> {
        if !Keystore::exists(home) {
            return Err(no_home(home));
        }
        let chain = TrustChain::load(home).map_err(Failure::failed)?;
        let fingerprint = chain.fingerprint();
        if let Some(root) = root {
            let digits = root.strip_prefix("sha256:").unwrap_or(root);
            let pinned = format!("sha256:{digits}")
                .parse::<Digest>()
                .map_err(|error| Failure::usage(format!("the fingerprint is none: {error}")))?;
            if pinned != fingerprint {
                return Err(Failure::unverified(format!(
                    "the home's trust root is {fingerprint}, and not the one that you kept: its documents are somebody else's"
                )));
            }
        }
        let registry = chain.newest().map_err(Failure::unverified)?;
        let expired = (Mint::system().now() >= registry.expires).then_some(registry.expires);
        Ok(Self { registry, root: fingerprint, expired })
    }
}

/// A document of the home.
struct Found {
    name: &'static str,
    text: Option<String>,
    /// When the ledger took it, or why it does not hold.
    state: Result<Timestamp, String>,
}

impl Found {
    fn value(&self) -> Value {
        let title =
            self.text.as_deref().and_then(|text| text.lines().find_map(|line| line.strip_prefix("# ")));
        json!({
            "name": self.name,
            "title": title,
            "bytes": self.text.as_ref().map(String::len),
            "digest": self.text.as_ref().map(|text| Digest::of(text.as_bytes())),
            "holds": self.state.is_ok(),
            "entered": self.state.as_ref().ok(),
            "why": self.state.as_ref().err(),
        })
    }
}

fn find(home: &Path, name: &'static str, trust: &Trust) -> Result<Found, Failure> {
    let path = home.join(SHIPPED_FOLDER).join(format!("{name}.md"));
    let Some(bytes) = durable::read(&path, MAX_SHIPPED)? else {
        let why = format!("{} is missing: start the platform, which puts it back", path.display());
        return Ok(Found { name, text: None, state: Err(why) });
    };
    let state = check(home, name, &bytes, trust);
    Ok(Found { name, text: Some(String::from_utf8_lossy(&bytes).into_owned()), state })
}

fn check(home: &Path, name: &str, text: &[u8], trust: &Trust) -> Result<Timestamp, String> {
    let read = |path: &Path, most: u64| {
        let found = durable::read(path, most).map_err(|error| error.to_string())?;
        found.ok_or_else(|| format!("{} is missing: start the platform, which puts it back", path.display()))
    };
    let path = home.join(SHIPPED_FOLDER).join(format!("{name}.md"));
    let signature = read(&signature_path(&path), MAX_SIGNATURE_FILE)?;
    let (envelope, id) = shipped_claim(name, &signature).map_err(|error| error.to_string())?;
    let paper = |ending: &str, most: usize| {
        let bytes = read(&home.join(format!("ledger/{id}.{ending}")), most as u64)?;
        String::from_utf8(bytes).map_err(|error| error.to_string())
    };
    let (entry, proof) = (paper("entry", MAX_ENTRY_BYTES)?, paper("tlog-proof", MAX_PROOF_BYTES)?);
    let document = Document { kind: Kind::Document, id, envelope, entry, proof };
    verify_shipped(name, text, &document, &trust.registry).map_err(|error| error.to_string())
}

fn all(home: &Path, trust: &Trust) -> Result<Vec<Found>, Failure> {
    SHIPPED.into_iter().map(|name| find(home, name, trust)).collect()
}

fn list(home: &Path, out: Out) -> Result<(), Failure> {
    let found = all(home, &Trust::of(home, None)?)?;
    let items: Vec<Value> = found.iter().map(Found::value).collect();
    out.list(
        &items,
        &[
            ("name", "/name"),
            ("title", "/title"),
            ("bytes", "/bytes"),
            ("holds", "/holds"),
            ("entered", "/entered"),
        ],
    )
}

fn show(home: &Path, name: &str, out: Out) -> Result<(), Failure> {
    let asked = name.strip_suffix(".md").unwrap_or(name);
    let known = SHIPPED.into_iter().find(|known| *known == asked).ok_or_else(|| {
        Failure::failed(format!("there is no document `{name}`"))
            .hint(format!("there are {}; `echo_cli library list` has your own", SHIPPED.join(", ")))
    })?;
    let found = find(home, known, &Trust::of(home, None)?)?;
    let text = found.text.as_deref().unwrap_or_default();
    if out.is_json() {
        let mut value = found.value();
        value["text"] = json!(text);
        out.json(&value)?;
    } else if !text.is_empty() {
        out.line(text.trim_end())?;
    }
    found.state.map(drop).map_err(Failure::unverified)
}

fn verify(home: &Path, root: Option<&str>, out: Out) -> Result<(), Failure> {
    let trust = Trust::of(home, root)?;
    let found = all(home, &trust)?;
    let bad = found.iter().filter(|one| one.state.is_err()).count();
    if out.is_json() {
        let items: Vec<Value> = found.iter().map(Found::value).collect();
        out.json(&json!({
            "holds": bad == 0, "root": trust.root, "pinned": root.is_some(), "registry_expired": trust.expired,
            "documents": items,
        }))?;
    } else {
        for one in &found {
            let line = match &one.state {
                Ok(at) => format!(
                    "{} {}: signed, and in the genesis ledger since {at}",
                    out.paint(Colour::Green, "✓"),
                    one.name
                ),
                Err(why) => format!("{} {}: {}", out.paint(Colour::Red, "✗"), one.name, printable(why)),
            };
            out.painted(&line)?;
        }
        out.line(&format!(
            "by the trust root {}{}",
            trust.root,
            if root.is_some() { ", as you kept it" } else { "" }
        ))?;
        if let Some(at) = trust.expired {
            out.line(&format!("the trust registry ended on {at}; it is judged by what it said then"))?;
        }
    }
    match bad {
        0 => Ok(()),
        _ => Err(Failure::unverified(format!("{bad} of {} documents do not hold", found.len()))
            .hint("look who could write to the home's `documents` and `ledger`; the platform's next start restores them")),
    }
}
