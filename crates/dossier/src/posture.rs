//! Whether the proofs say what the device measured.

use echo_core::Digest;
use security::{Outcome as CheckOutcome, Report};
use trust::{Fulfilment, NodeManifest, Posture, Statement, fulfilment::FULFILMENT_PREDICATE};

use device_link::{CommandResult, Outcome, RESULT_TYPE};

use crate::{
    Dossier, Kind,
    verify::{Check, Papers, VerifyError},
};

/// The digest by which a proof names a posture report: SHA-256 of its compact JSON.
pub fn report_digest(report: &Report) -> Digest {
    Digest::of(&serde_json::to_vec(report).expect("a report of strings and numbers is always JSON"))
}

/// A report as a proof states it.
pub fn posture(scan: echo_core::ScanId, report: &Report) -> Posture {
    Posture {
        scan,
        report: report_digest(report),
        score: report.score,
        passed: report.passed,
        failed: report.failed,
        failed_checks: report
            .checks
            .iter()
            .filter(|c| c.outcome == CheckOutcome::Failed)
            .map(|c| c.check)
            .collect(),
    }
}

/// Every fulfilment proof is consistent in itself, the same in both ledgers, and rests on a result that the device
/// signed with the key in its certified manifest.
pub(crate) fn check(dossier: &Dossier, papers: &Papers) -> Result<Vec<Check>, VerifyError> {
    let manifests: Vec<(String, Digest, NodeManifest)> = papers.of(Kind::DeviceManifest)?;
    let keys: Vec<_> = manifests.iter().map(|(_, _, m)| m.public_key).collect();
    let results = dossier
        .results
        .iter()
        .map(|envelope| envelope.verify::<CommandResult>(RESULT_TYPE, &keys, 1))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| contradiction(format!("a device's result: {e}")))?;
    let proofs: Vec<(String, Digest, Statement<Fulfilment>)> = papers.of(Kind::Attestation)?;
    let billed: Vec<(String, Digest, Statement<Fulfilment>)> = papers.of(Kind::Fulfilment)?;
    if proofs.iter().map(|p| (&p.0, p.1)).ne(billed.iter().map(|p| (&p.0, p.1))) {
        return Err(contradiction("the two ledgers hold different proofs".to_owned()));
    }
    let mut checks = Vec::new();
    for (id, _, statement) in &proofs {
        let proof = &statement.predicate;
        proof.check().map_err(|e| contradiction(format!("{id}: {e}")))?;
        if statement.predicate_type != FULFILMENT_PREDICATE || statement.subject != proof.subjects() {
            return Err(contradiction(format!("{id} is a statement about something else")));
        }
        if proof.case != dossier.case || proof.customer != dossier.customer || proof.proof.to_string() != *id
        {
            return Err(contradiction(format!("{id} speaks of another case")));
        }
        if !manifests.iter().any(|(_, _, m)| m.device == proof.device) {
            return Err(contradiction(format!("{id}: the manifest of {} is missing", proof.device)));
        }
        measured(proof, &results).map_err(|reason| contradiction(format!("{id}: {reason}")))?;
        checks.push(Check {
            what: "posture",
            detail: format!(
                "score {} before, {} after, {} checks fixed; measured and signed by {}",
                proof.before.score,
                proof.after.score,
                proof.fixed.len(),
                proof.device
            ),
        });
    }
    Ok(checks)
}

fn measured(proof: &Fulfilment, results: &[CommandResult]) -> Result<(), String> {
    let (before, run, after) = results
        .iter()
        .filter(|r| r.device == proof.device)
        .find_map(|r| match &r.outcome {
            Outcome::Applied { before, run, after } if run.run == proof.run => Some((before, run, after)),
            _ => None,
        })
        .ok_or("the device's signed result is missing")?;
    if run.plan != proof.plan {
        return Err("the device applied another plan".to_owned());
    }
    if posture(proof.before.scan.clone(), before) != proof.before {
        return Err("the posture before is not what the device measured".to_owned());
    }
    if posture(proof.after.scan.clone(), after) != proof.after {
        return Err("the posture after is not what the device measured".to_owned());
    }
    Ok(())
}

fn contradiction(reason: String) -> VerifyError {
    VerifyError::Contradiction { what: "proof", reason }
}
