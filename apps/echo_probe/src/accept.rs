//! Whether a command may be carried out: who signed it, for whom, until when, and with which content.

use device_link::{COMMAND_TYPE, Command, MAX_COMMAND_BYTES, SignedContent, Work};
use echo_core::{DeviceId, Timestamp};
use playbooks::Template;
use security::Policy;
use trust::{KeyRole, Registry, TrustError, content, content::ContentError, dsse::Envelope};

/// The most playbooks of one command.
const MAX_PLAYBOOKS: usize = playbooks::plan::MAX_PLAYBOOKS;

/// Why a command is not carried out. Its words are the answer that the platform gets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// The operator did not sign it.
    #[error("the command is not believed: {0}")]
    Signature(#[from] TrustError),
    /// It is larger than any honest one.
    #[error("the command is larger than {MAX_COMMAND_BYTES} bytes: send fewer playbooks at once")]
    TooLarge,
    /// It is for another device.
    #[error("the command is for {found}, and this is {here}: it was delivered to the wrong device")]
    OtherDevice {
        /// For whom.
        found: DeviceId,
        /// Who we are.
        here: DeviceId,
    },
    /// It came too late.
    #[error(
        "the command expired on {expired}, and it is {now} here: ask again, and check the device's clock"
    )]
    Expired {
        /// Until when it was good.
        expired: Timestamp,
        /// What this device's clock says.
        now: Timestamp,
    },
    /// A playbook or a policy is not what its author signed.
    #[error("the content of the command is not believed: {0}")]
    Content(#[from] ContentError),
    /// A playbook or a policy makes no sense, although it is signed.
    #[error("`{name}` cannot be used: {why}")]
    Unusable {
        /// Which file.
        name: String,
        /// Why.
        why: String,
    },
}

/// The command in `envelope`, once the operator's signature, the device, the time and all content hold.
pub(crate) fn accept(
    envelope: &Envelope,
    registry: &Registry,
    device: &DeviceId,
    now: Timestamp,
) -> Result<Command, Refusal> {
    if envelope.payload.len() > MAX_COMMAND_BYTES / 3 * 4 + 4 {
        return Err(Refusal::TooLarge);
    }
    let command: Command = registry.verify(KeyRole::Operator, COMMAND_TYPE, envelope)?;
    if command.device != *device {
        return Err(Refusal::OtherDevice { found: command.device, here: device.clone() });
    }
    if command.expires <= now {
        return Err(Refusal::Expired { expired: command.expires, now });
    }
    let (playbooks, policy) = contents(&command.work);
    for signed in playbooks.iter().chain(policy) {
        signed_by_author(signed, registry)?;
    }
    templates(playbooks)?;
    policy.map(policy_of).transpose()?;
    Ok(command)
}

fn contents(work: &Work) -> (&[SignedContent], Option<&SignedContent>) {
    match work {
        Work::Diagnose => (&[], None),
        Work::Scan { policy } => (&[], Some(policy)),
        Work::Plan { playbooks } => (playbooks, None),
        Work::Apply { playbooks, policy, .. } => (playbooks, Some(policy)),
    }
}

fn signed_by_author(signed: &SignedContent, registry: &Registry) -> Result<(), Refusal> {
    let signature = serde_json::to_vec(&signed.signature).expect("an envelope always becomes JSON");
    let text = signed.text.as_bytes();
    Ok(content::verify(&signed.name, text, &signature, registry, KeyRole::PlaybookAuthor)?)
}

/// The playbooks of a command, read. Whether they are believed is [`accept`]'s business.
pub(crate) fn templates(playbooks: &[SignedContent]) -> Result<Vec<Template>, Refusal> {
    if playbooks.len() > MAX_PLAYBOOKS {
        let why = format!("{} playbooks came at once, at most {MAX_PLAYBOOKS} may", playbooks.len());
        return Err(Refusal::Unusable { name: "the command".to_owned(), why });
    }
    playbooks.iter().map(|p| Template::parse(&p.text).map_err(|e| unusable(p, &e))).collect()
}

/// The policy of a command, read. Whether it is believed is [`accept`]'s business.
pub(crate) fn policy_of(policy: &SignedContent) -> Result<Policy, Refusal> {
    Policy::parse(&policy.text).map_err(|e| unusable(policy, &e))
}

fn unusable(signed: &SignedContent, why: &dyn std::fmt::Display) -> Refusal {
    Refusal::Unusable { name: signed.name.chars().take(100).collect(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_house::{House, at};

    fn reason(house: &House, envelope: &Envelope) -> String {
        let registry = house.registry(1);
        accept(envelope, &registry, &house.device, at("2027-02-01")).unwrap_err().to_string()
    }

    #[test]
    fn a_command_of_the_operator_is_accepted() {
        let house = House::new();
        for work in [Work::Diagnose, house.scan(), house.plan(), house.apply(echo_core::Digest::of(b"plan"))]
        {
            let command = house.command(work);
            let signed = house.sign(&command, KeyRole::Operator);
            let accepted = accept(&signed, &house.registry(1), &house.device, at("2027-02-01")).unwrap();
            assert_eq!(accepted, command);
        }
    }

    #[test]
    fn a_stranger_and_another_role_are_refused() {
        let house = House::new();
        let command = house.command(Work::Diagnose);
        let stranger = House::with_seed(90).sign(&command, KeyRole::Operator);
        assert!(reason(&house, &stranger).contains("not signed as operator"));
        let author = house.sign(&command, KeyRole::PlaybookAuthor);
        assert!(reason(&house, &author).contains("not signed as operator"));
    }

    #[test]
    fn a_changed_command_is_refused() {
        let house = House::new();
        let mut signed = house.sign(&house.command(Work::Diagnose), KeyRole::Operator);
        signed.payload = house.sign(&house.command(house.scan()), KeyRole::Operator).payload;
        assert!(reason(&house, &signed).contains("changed after it was signed"));
    }

    #[test]
    fn a_command_for_another_device_is_refused() {
        let house = House::new();
        let mut command = house.command(Work::Diagnose);
        command.device = House::with_seed(90).device;
        assert!(reason(&house, &house.sign(&command, KeyRole::Operator)).contains("wrong device"));
    }

    #[test]
    fn an_expired_command_is_refused() {
        let house = House::new();
        let mut command = house.command(Work::Diagnose);
        command.expires = at("2027-02-01");
        assert!(reason(&house, &house.sign(&command, KeyRole::Operator)).contains("expired on"));
    }

    #[test]
    fn an_altered_a_foreign_and_a_renamed_playbook_are_refused() {
        let house = House::new();
        let with = |change: &dyn Fn(&mut SignedContent)| {
            let Work::Plan { mut playbooks } = house.plan() else { unreachable!() };
            change(&mut playbooks[0]);
            house.sign(&house.command(Work::Plan { playbooks }), KeyRole::Operator)
        };
        assert!(reason(&house, &with(&|p| p.text.push('\n'))).contains("altered"));
        assert!(reason(&house, &with(&|p| p.name = "other.yaml".to_owned())).contains("signature of"));
        let foreign = with(&|p| {
            let key = House::with_seed(90).key(KeyRole::PlaybookAuthor);
            p.signature = content::sign(&p.name, p.text.as_bytes(), &key);
        });
        assert!(reason(&house, &foreign).contains("stranger"));
        let senseless = with(&|p| {
            p.text = "steps: shell".to_owned();
            p.signature = content::sign(&p.name, p.text.as_bytes(), &house.key(KeyRole::PlaybookAuthor));
        });
        assert!(reason(&house, &senseless).contains("cannot be used"));
    }
}
