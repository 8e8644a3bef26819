//! What came of moving a rotation on, in words and as JSON.

use governance::{Need, Progress, Rotation, RotationKind};
use serde_json::{Value, json};
use trust::KeyRole;

use crate::{Failure, out::Out};

/// What a rotation waits for, as JSON.
pub fn value(rotation: &Rotation, progress: &Progress) -> Value {
    let (waits_for, until, ceremony, needs) = match progress {
        Progress::Moved => ("resume", None, None, &[][..]),
        Progress::Waits { until } => ("grace", Some(until), None, &[][..]),
        Progress::NeedsSignatures { ceremony, needs } => ("signatures", None, Some(ceremony), &needs[..]),
        Progress::Done => ("nothing", None, None, &[][..]),
    };
    json!({
        "rotation": rotation, "waits_for": waits_for, "until": until, "ceremony": ceremony, "needs": needs,
    })
}

/// Says what a rotation did, what it waits for, and what to do.
pub fn say(rotation: &Rotation, progress: &Progress, out: Out) -> Result<(), Failure> {
    let roles: Vec<&str> = rotation.replacements.iter().map(|r| r.role.as_str()).collect();
    let roles = roles.join(", ");
    out.line(&format!("{} ({roles}): {}", rotation.id, rotation.stage.as_str()))?;
    for change in &rotation.replacements {
        for old in &change.old {
            out.line(&format!("  {} key {} goes", change.role, old.id()))?;
        }
        for new in &change.new {
            out.line(&format!("  {} key {} comes", change.role, new.id()))?;
        }
    }
    match progress {
        Progress::Moved => out.line("go on with `echo_cli trust resume`"),
        Progress::Waits { until } => {
            out.line(&format!("the new key signs, and the old one counts until {until}"))?;
            out.line("start the platform, which tells everybody; after that day, stop it and say `echo_cli trust resume`")
        }
        Progress::NeedsSignatures { ceremony, needs } => {
            for need in needs {
                out.line(&lacking(need))?;
            }
            out.line(&format!("the next version waits for signatures in {}", ceremony.display()))?;
            out.line("carry copies to the keepers: `echo_cli trust ceremony sign FILE --key KEY --passphrase-file FILE`")?;
            out.line("bring them back: `echo_cli trust ceremony merge FILE...`, then `echo_cli trust ceremony finish FILE`")
        }
        Progress::Done => done(rotation, out),
    }
}

fn done(rotation: &Rotation, out: Out) -> Result<(), Failure> {
    out.line("done: start the platform, which enters it into the ledger and tells everybody")?;
    let author = rotation.replacements.iter().any(|r| r.role == KeyRole::PlaybookAuthor);
    if author && rotation.kind == RotationKind::Emergency {
        out.line("the platform's content is signed by the revoked key: look at each file, then sign it")?;
        out.line(
            "  for file in HOME/*/*.yaml HOME/policies/*.yml; do echo_cli content sign \"$file\" --home HOME; done",
        )?;
    }
    let made_root = rotation.replacements.iter().any(|r| r.role == KeyRole::Root);
    if made_root {
        out.line("the root's fingerprint stays as it is; keep no key of it in the keystore for long (`echo_cli keystore export`)")?;
    }
    Ok(())
}

/// One line for the signatures of one root.
pub fn lacking(need: &Need) -> String {
    let open: Vec<&str> = need.open.iter().map(trust::KeyId::as_str).collect();
    let others = if open.is_empty() || need.is_met() {
        String::new()
    } else {
        format!("; these could sign: {}", open.join(", "))
    };
    format!("{}: {} of {} signatures{others}", need.whose, need.signed.len(), need.needed)
}
