//! `vault remove`, `rotate`, `protect` and `audit --archive`.

use std::path::Path;

use clap::Args;
use echo_core::Mint;
use serde_json::json;
use vault::{AuditHead, Sealed};

use super::{Opening, Which, actor, init, is_stdin, read_unseal, refused};
use crate::{Failure, confirm, out::Out};

/// What to remove.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Remove {
    #[command(flatten)]
    which: Which,
    /// Which version
    #[arg(long)]
    version: u32,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    opening: Opening,
}

/// What shall open the vault from now on.
#[derive(Debug, Args)]
pub struct Protect {
    #[command(flatten)]
    by: init::By,
    #[command(flatten)]
    opening: Opening,
}

impl Remove {
    /// Removes the version.
    pub fn run(&self, sealed: &Sealed, out: Out) -> Result<(), Failure> {
        let Which { namespace, name } = &self.which;
        let what = format!("{namespace}/{name} version {}", self.version);
        if !self.yes {
            confirm::somebody()?;
            confirm::confirm(&format!("remove {what}?"))?;
        }
        let (vault, _) = self.opening.open(sealed)?;
        vault.remove(namespace, name, self.version, &actor(), &Mint::system()).map_err(refused)?;
        // Whoever comes between writes behind it: a later line proves the removal as well.
        let AuditHead { seq, digest } = vault.audit_head().map_err(refused)?;
        if out.is_json() {
            return out.json(&json!({
                "namespace": namespace, "name": name, "version": self.version, "line": seq, "digest": digest,
            }));
        }
        out.line(&format!("removed {what}; backups still hold it"))?;
        out.line(&format!("the audit says so up to line {seq} ({digest}), which the genesis ledger holds after the platform's next start"))
    }
}

impl Protect {
    /// Changes what opens the vault. As JSON, what was printed is in force when the exit code is 0.
    pub fn run(&self, sealed: &Sealed, out: Out) -> Result<(), Failure> {
        if self.by.is_stdin() && is_stdin(&self.opening.unlock_file) {
            return Err(Failure::usage(
                "standard input holds what opens the vault now, or what shall open it, not both",
            )
            .hint("put one of them into a file that only you can read"));
        }
        let mint = Mint::system();
        let (vault, before) = self.opening.open(sealed)?;
        let (to, shares) = self.by.protect(&mint)?;
        let protection = to.protection();
        // Whatever fails from here on, the shares that would open the vault were given.
        if out.is_json() {
            out.json(&json!({"protection": protection, "shares": init::as_json(&shares)}))?;
        } else {
            init::print(&shares, out)?;
        }
        vault.protect(&before, &to, &actor(), &mint).map_err(refused)?;
        if out.is_json() {
            return Ok(());
        }
        out.line(&format!("the vault is opened by a {} now", protection.words()))?;
        out.line("copies of the vault from before still open as they did; `echo_cli vault rotate` makes them worthless for what comes")
    }
}

/// Gives the vault a new identity.
pub fn rotate(opening: &Opening, sealed: &Sealed, out: Out) -> Result<(), Failure> {
    let (vault, by) = opening.open(sealed)?;
    let vault = vault.rotate(&by, &actor(), &Mint::system()).map_err(refused)?;
    let recipient = vault.recipient();
    if out.is_json() {
        return out.json(&json!({"recipient": recipient}));
    }
    out.line(&format!("every secret is sealed anew; from now on, seal for {recipient}"))?;
    out.line("a running platform must be started again; copies from before still open as they did")
}

/// Puts the audit aside.
pub fn archive(unlock: Option<&Path>, sealed: &Sealed, out: Out) -> Result<(), Failure> {
    let unlock = unlock.ok_or_else(|| Failure::usage("say what opens the vault with --unlock-file"))?;
    let mint = Mint::system();
    let by = read_unseal(unlock, sealed)?;
    let file = sealed.archive_audit(&by, &actor(), &mint).map_err(refused)?;
    if out.is_json() {
        return out.json(&json!({"file": file}));
    }
    out.line(&format!("the audit up to now is in vault_v1/{file}"))?;
    out.line("leave it there until the platform has been started once; then it can be kept elsewhere")
}
