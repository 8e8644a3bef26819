//! What the device knows besides the chain: notices about keys that go out of use, and the latest time it saw.
//!
//! Both are kept (`trust.json`), because both must outlive what somebody could take away: a platform that is kept
//! from the device, and a clock that is set back.

use std::path::PathBuf;

use durable::{DurableError, Mode};
use echo_core::Timestamp;
use governance::{DeprecationNotice, MAX_NOTICE_BYTES, MAX_NOTICES, Standing, believed, narrowed};
use serde::{Deserialize, Serialize};
use trust::{Envelope, Registry};

use crate::failure::Failure;

/// The file in the device home.
pub(crate) const TRUST: &str = "trust.json";
/// The most bytes of the platform's answer, and of the file.
pub(crate) const MAX_BYTES: u64 = MAX_NOTICES as u64 * MAX_NOTICE_BYTES + 64 * 1024;
/// How far the time that is kept may lag behind: a write now and then is enough.
const LAG_SECONDS: i64 = 600;
/// A clock that is this far behind the latest time is worth a word.
const BEHIND_SECONDS: i64 = 60;

/// Notices, and the latest time.
#[derive(Debug)]
pub(crate) struct Notices {
    path: PathBuf,
    kept: Kept,
    /// The latest time that the file has.
    written: Timestamp,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// The latest time that the device saw, on its own clock or in a registry that the root signed.
    seen: Timestamp,
    /// Notices about keys that the registry still lists.
    notices: Vec<Envelope>,
    /// Why the platform's chain was refused last, when it was.
    trouble: Option<String>,
}

/// The platform's answer.
#[derive(Deserialize)]
struct Answer {
    items: Vec<Envelope>,
}

impl Notices {
    /// Reads what was kept; a device that never kept anything begins with nothing.
    pub(crate) fn load(path: PathBuf) -> Result<Self, Failure> {
        let kept = match durable::read(&path, MAX_BYTES).map_err(Failure::of)? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                Failure::Failed(format!(
                    "{} is damaged ({e}): restore it, or enrol again with --replace",
                    path.display()
                ))
            })?,
            None => Kept { seen: Timestamp::UNIX_EPOCH, notices: Vec::new(), trouble: None },
        };
        Ok(Self { path, written: kept.seen, kept })
    }

    /// The time to judge by: the clock's, or the latest one seen when the clock lies behind it.
    pub(crate) fn time(&self, clock: Timestamp) -> Timestamp {
        clock.max(self.kept.seen)
    }

    /// How far the clock lies behind, in seconds, when that is worth a word.
    pub(crate) fn behind(&self, clock: Timestamp) -> Option<i64> {
        let seconds = self.kept.seen.as_second().saturating_sub(clock.as_second());
        (seconds > BEHIND_SECONDS).then_some(seconds)
    }

    /// Notes a time, of the clock or of a registry; it is kept when it is well past what the file has.
    pub(crate) fn saw(&mut self, at: Timestamp) -> Result<(), DurableError> {
        self.kept.seen = self.kept.seen.max(at);
        let ahead = self.kept.seen.as_second().saturating_sub(self.written.as_second());
        if ahead >= LAG_SECONDS { self.save() } else { Ok(()) }
    }

    /// Takes the platform's answer: new notices that the operator signed about keys that `registry` lists. What is
    /// known stays, whether or not the platform still tells it. Gives the newest registry version that one of them
    /// speaks of, whoever signed it: by an emergency's notice the device knows no key yet, and a stranger's word costs
    /// no more than a look at the chain.
    pub(crate) fn take(&mut self, answer: &[u8], registry: &Registry) -> Result<u64, TakeError> {
        let answer: Answer =
            serde_json::from_slice(answer).map_err(|e| TakeError::Malformed(e.to_string()))?;
        if answer.items.len() > MAX_NOTICES {
            return Err(TakeError::Malformed(format!("more than {MAX_NOTICES} notices")));
        }
        let claimed = answer.items.iter().filter_map(DeprecationNotice::claimed_version).max();
        let mut all = self.kept.notices.clone();
        for envelope in answer.items {
            if !all.contains(&envelope) {
                all.push(envelope);
            }
        }
        // The day on which it says it was made is nobody's clock: a stolen key could write any.
        all.retain(|envelope| {
            DeprecationNotice::verify(envelope, registry).is_ok_and(|notice| concerns(&notice, registry))
        });
        let all = all.split_off(all.len().saturating_sub(MAX_NOTICES));
        if all != self.kept.notices {
            self.kept.notices = all;
            self.save()?;
        }
        Ok(claimed.unwrap_or_default())
    }

    /// The notices as they were signed.
    pub(crate) fn envelopes(&self) -> &[Envelope] {
        &self.kept.notices
    }

    /// The notices that are in force by `registry`.
    pub(crate) fn standing(&self, registry: &Registry) -> Vec<DeprecationNotice> {
        let mut notices = believed(&self.kept.notices, registry);
        notices.retain(|notice| concerns(notice, registry));
        notices
    }

    /// `registry` without the keys that a notice refuses at `now`.
    pub(crate) fn narrow(&self, registry: &Registry, now: Timestamp) -> Registry {
        narrowed(registry, &self.standing(registry), now)
    }

    /// Says in the log which keys are about to go.
    pub(crate) fn warn(&self, registry: &Registry, now: Timestamp) {
        for notice in self.standing(registry) {
            if notice.standing(now) != Standing::Announced {
                tracing::warn!(notice = %notice.id, refuse_from = %notice.refuse_from, text = %crate::show::plain(&notice.text), "a signing key of the platform goes out of use");
            }
        }
    }

    /// Why the platform's chain was refused last.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.kept.trouble.as_deref()
    }

    /// Keeps why the platform's chain was refused, or that it was not.
    pub(crate) fn set_trouble(&mut self, trouble: Option<String>) -> Result<(), DurableError> {
        if self.kept.trouble == trouble {
            return Ok(());
        }
        self.kept.trouble = trouble;
        self.save()
    }

    fn save(&mut self) -> Result<(), DurableError> {
        let bytes = serde_json::to_vec(&self.kept).expect("envelopes, texts and times always become JSON");
        durable::write(&self.path, &bytes, Mode::Private)?;
        self.written = self.kept.seen;
        Ok(())
    }
}

/// Why an answer is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeError {
    /// It is not a list of notices.
    #[error("the platform's notices cannot be read: {0}")]
    Malformed(String),
    /// It cannot be kept.
    #[error(transparent)]
    Durable(#[from] DurableError),
}

/// Whether a notice is about a key that the registry still lists.
fn concerns(notice: &DeprecationNotice, registry: &Registry) -> bool {
    notice.keys.iter().any(|gone| registry.keys(gone.role).iter().any(|key| key.id() == gone.key))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use trust::{KeyRole, PublicKey};

    use super::*;
    use crate::test_house::{House, at};

    fn notices(folder: &tempfile::TempDir) -> Notices {
        Notices::load(folder.path().join(TRUST)).unwrap()
    }

    fn other_notice(house: &House, signer: KeyRole, gone: &PublicKey) -> Envelope {
        let good = house.notice(at("2027-03-01")).payload_unchecked().unwrap();
        let mut notice: DeprecationNotice = serde_json::from_slice(&good).unwrap();
        notice.keys[0].key = gone.id();
        notice.sign(&[&house.key(signer)]).unwrap()
    }

    fn answer(items: &[Envelope]) -> Vec<u8> {
        json!({"items": items}).to_string().into_bytes()
    }

    #[test]
    fn a_notice_is_kept_when_the_platform_tells_it_no_more() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let (registry, mut notices) = (house.registry(1), notices(&folder));
        let good = house.notice(at("2027-03-01"));
        assert_eq!(notices.take(&answer(&[good]), &registry).unwrap(), 2);
        assert_eq!(notices.take(&answer(&[]), &registry).unwrap(), 0);
        let notices = self::notices(&folder);
        assert_eq!(notices.standing(&registry).len(), 1);
        let keys = |now| notices.narrow(&registry, at(now)).keys(KeyRole::Operator);
        assert_eq!((keys("2027-02-28").len(), keys("2027-03-01").len()), (1, 0));
    }

    #[test]
    fn strangers_notices_and_those_about_other_keys_are_not_kept() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let (registry, mut notices) = (house.registry(1), notices(&folder));
        let operator = house.key(KeyRole::Operator).public();
        let others = House::with_seed(90);
        let foreign = other_notice(&others, KeyRole::Operator, &operator);
        let receipts = other_notice(&house, KeyRole::Receipts, &operator);
        let elsewhere = other_notice(&house, KeyRole::Operator, &others.key(KeyRole::Operator).public());
        let claimed = notices.take(&answer(&[foreign, receipts, elsewhere]), &registry).unwrap();
        assert_eq!(claimed, 2, "a reason to look at the chain: the new operator's key is not known yet");
        assert!(notices.standing(&registry).is_empty() && notices.kept.notices.is_empty());
        for bad in [&b""[..], b"[]", b"{\"items\": 1}"] {
            assert!(notices.take(bad, &registry).is_err());
        }
        let many = vec![house.notice(at("2027-03-01")); MAX_NOTICES + 1];
        assert!(notices.take(&answer(&many), &registry).is_err());
    }

    #[test]
    fn a_stolen_key_moves_no_device_s_clock() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let (registry, mut notices) = (house.registry(1), notices(&folder));
        let good = house.notice(at("2027-03-01")).payload_unchecked().unwrap();
        let mut notice: DeprecationNotice = serde_json::from_slice(&good).unwrap();
        notice.issued = at("9999-01-01");
        let operator = house.key(KeyRole::Operator);
        let concerning = notice.sign(&[&operator]).unwrap();
        notice.keys[0].key = House::with_seed(90).key(KeyRole::Operator).id();
        let other = notice.sign(&[&operator]).unwrap();
        notices.take(&answer(&[concerning, other]), &registry).unwrap();
        assert_eq!(notices.time(at("2027-02-01")), at("2027-02-01"));
    }

    #[test]
    fn what_is_kept_of_large_notices_can_be_read_again() {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        let (registry, mut notices) = (house.registry(1), notices(&folder));
        let mut large = house.notice(at("2027-03-01"));
        let mut idle = large.signatures[0].clone();
        idle.keyid = House::with_seed(90).key(KeyRole::Operator).id();
        idle.sig = "x".repeat(usize::try_from(MAX_BYTES / 2).unwrap());
        large.signatures.push(idle);
        let mut another = large.clone();
        another.signatures[1].sig.push('y');
        for envelope in [large, another] {
            notices.take(&answer(&[envelope]), &registry).unwrap();
        }
        assert!(notices.kept.notices.is_empty());
        self::notices(&folder);
    }

    #[test]
    fn a_clock_that_is_set_back_is_noticed_after_a_restart_too() {
        let folder = tempfile::tempdir().unwrap();
        let mut notices = notices(&folder);
        notices.saw(at("2027-03-02")).unwrap();
        let mut notices = self::notices(&folder);
        assert_eq!(notices.time(at("2027-01-01")), at("2027-03-02"));
        assert_eq!(notices.behind(at("2027-03-01")), Some(24 * 3600));
        assert_eq!(notices.behind(at("2027-03-02")), None);
        notices.saw(at("2027-01-01")).unwrap();
        assert_eq!(notices.time(at("2027-03-03")), at("2027-03-03"));
        durable::write(&folder.path().join(TRUST), b"{}", Mode::Private).unwrap();
        let refused = Notices::load(folder.path().join(TRUST)).unwrap_err().to_string();
        assert!(refused.contains(TRUST) && refused.contains("--replace"), "{refused}");
    }
}
