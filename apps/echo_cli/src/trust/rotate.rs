//! `trust rotate` and `trust resume`.

use std::path::Path;

use clap::Args;
use echo_core::RotationId;
use governance::{DAY_SECONDS, House, Plan, Progress, RotationKind, Wish};
use serde_json::Value;
use trust::{KeyId, KeyRole, PublicKey};

use super::{failed, report, with_house};
use crate::{Failure, confirm, keystore::role_parser, out::Out, passphrase::Opening};

/// Which keys are replaced, and how.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Whose keys; several roles go in one version
    #[arg(value_name = "ROLE", required = true, value_parser = role_parser())]
    roles: Vec<KeyRole>,
    /// How many days old and new keys count side by side; 0 retires the old one at once
    #[arg(long, value_name = "DAYS", default_value = "30", conflicts_with = "emergency")]
    grace: i64,
    /// Revoke the old keys at once: nothing that they signed counts. For keys in wrong hands
    #[arg(long, requires = "reason")]
    emergency: bool,
    /// Why, in one line that everybody will read
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// The id of a key that goes, when the role has several; with `--emergency` also of one that is retired; may be
    /// repeated
    #[arg(long, value_name = "KEY_ID")]
    old: Vec<String>,
    /// For the root: a public key that comes, made by a keeper with `trust ceremony key`; may be repeated. Without one, the platform's
    /// keystore makes the key
    #[arg(long, value_name = "PUBLIC_KEY")]
    new: Vec<PublicKey>,
    /// For the root: how many of its keys must sign afterwards
    #[arg(long, value_name = "N")]
    needed: Option<u32>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    opening: Opening,
}

impl Arguments {
    fn plan(&self) -> Result<Plan, Failure> {
        let special = !self.old.is_empty() || !self.new.is_empty() || self.needed.is_some();
        if special && self.roles.len() != 1 {
            return Err(Failure::usage("--old, --new and --needed are about one role")
                .hint("name one role, and rotate the others in a second command"));
        }
        let old = self.old.iter().map(|id| key_id(id)).collect::<Result<Vec<_>, _>>()?;
        let wish = |role: &KeyRole| Wish {
            role: *role,
            old: old.clone(),
            new: self.new.clone(),
            threshold: self.needed,
        };
        let grace_seconds = self
            .grace
            .checked_mul(DAY_SECONDS)
            .ok_or_else(|| Failure::usage(format!("{} days are too many", self.grace)))?;
        Ok(Plan {
            kind: if self.emergency { RotationKind::Emergency } else { RotationKind::Scheduled },
            wishes: self.roles.iter().map(wish).collect(),
            reason: self.reason.clone(),
            grace_seconds,
        })
    }
}

/// Begins a rotation and runs it as far as it goes.
pub fn run(arguments: &Arguments, home: &Path, out: Out) -> Result<(), Failure> {
    let plan = arguments.plan()?;
    if arguments.emergency && !arguments.yes {
        confirm::somebody()?;
        confirm::confirm(
            "Nothing that the old keys ever signed will count, from the next version on. Revoke them?",
        )?;
    }
    with_house(home, &arguments.opening, |house| {
        let mut rotation = house.begin(plan).map_err(failed)?;
        let progress = house.run(&mut rotation).map_err(failed)?;
        if out.is_json() {
            return out.json(&report::value(&rotation, &progress));
        }
        report::say(&rotation, &progress, out)
    })
}

/// Runs every rotation under way as far as it goes.
pub fn resume(house: &mut House<'_>, out: Out) -> Result<(), Failure> {
    let mut shown: Vec<Value> = Vec::new();
    let open = house.open_rotations().map_err(failed)?;
    if open.is_empty() && !out.is_json() {
        return out.line("no rotation is under way");
    }
    for mut rotation in open {
        let progress = house.run(&mut rotation).map_err(failed)?;
        if out.is_json() {
            shown.push(report::value(&rotation, &progress));
        } else {
            report::say(&rotation, &progress, out)?;
        }
    }
    if out.is_json() { out.json(&shown) } else { Ok(()) }
}

/// Gives a rotation up.
pub fn abandon(house: &mut House<'_>, id: &RotationId, out: Out) -> Result<(), Failure> {
    let rotation = house.abandon(id).map_err(failed)?;
    if out.is_json() {
        return out.json(&report::value(&rotation, &Progress::Done));
    }
    out.line(&format!("{id} is given up; delete the copies of its ceremony's file, if there are any"))
}

/// A key's id as `trust show` prints it.
fn key_id(text: &str) -> Result<KeyId, Failure> {
    let well_formed =
        text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !well_formed {
        return Err(Failure::usage(format!(
            "`{}` is not a key's id",
            text.chars().take(80).collect::<String>()
        ))
        .hint("`echo_cli trust show` lists them: 32 hexadecimal digits"));
    }
    serde_json::from_value(Value::from(text)).map_err(Failure::usage)
}
