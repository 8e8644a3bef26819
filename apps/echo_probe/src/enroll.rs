//! `echo_probe enroll`: makes a key, shows a one-time token, pins the trust root that the token names.

use std::{fs::File, io::Read as _, path::Path};

use device_link::{ENROLMENT_TYPE, EnrolRequest, Enrolled, EnrolmentClaim, EnrolmentToken};
use durable::Mode;
use echo_core::{Digest, Mint, Timestamp};
use observability::HostFacts;
use serde::{Deserialize, Serialize};
use trust::{KeyPair, NodeManifest, TrustChain, chain::MAX_CHAIN_BYTES, dsse::Envelope};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    address::{Address, AddressError},
    cli::{self, TokenSource},
    failure::Failure,
    home::{Home, Identity},
    pin::{CHAIN, Pin},
    platform::{Ask, Platform, PlatformError},
    show,
};

/// The most bytes of a token, with the white space around it.
const MAX_TOKEN: u64 = 1024;
/// The key of an enrolment under way: when its answer is lost, the same token with the same key gets it again.
const PENDING: &str = "enrolling.json";

/// A key that was made for a token.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Pending {
    #[zeroize(skip)]
    token: Digest,
    secret: String,
}

/// Enrols this machine.
pub(crate) fn enroll(options: &cli::Enroll) -> Result<(), Failure> {
    let address = Address::parse(&options.url, options.insecure_http).map_err(|e| match e {
        AddressError::Insecure(_) => Failure::Refused(e.to_string()),
        AddressError::Malformed(_) => Failure::Usage(e.to_string()),
    })?;
    if address.is_exposed() {
        show::say(
            "warning: plain http to another machine: anybody on the way can read the token and all that follows",
        );
    }
    let home = Home::open(&options.home.path()?)?;
    if let Some(known) = home.identity()?.filter(|_| !options.replace) {
        return Err(Failure::Refused(format!(
            "this home is enrolled already, as {} at {}: say --replace to give that up, or name another --home",
            known.device, known.platform
        )));
    }
    let token = read_token(&options.token)?;
    let mint = Mint::system();
    let facts = HostFacts::collect().map_err(Failure::of)?;
    let name = options.name.clone().unwrap_or_else(|| facts.hostname.clone());
    let key = pending_key(&home, &token, &mint)?;
    let claim = EnrolmentClaim { name: name.clone(), public_key: key.public(), facts };
    let claim = Envelope::sign(ENROLMENT_TYPE, &claim, &[&key]).map_err(Failure::of)?;
    let enrolled = ask(&home, &Platform::new(address.clone()), &token, claim)?;
    let chain = check(&enrolled, &token.root, &key, mint.now())?;

    home.forget_identity()?;
    home.save_key(&key)?;
    Pin::begin(home.path(CHAIN), token.root, chain, mint.now()).map_err(Failure::of)?;
    let identity = Identity {
        device: enrolled.device,
        customer: enrolled.customer,
        name,
        platform: address.as_str().to_owned(),
        insecure_http: options.insecure_http,
        root: token.root,
        manifest: enrolled.manifest,
        enrolled: mint.now(),
    };
    home.save_identity(&identity)?;
    forget_pending(&home);
    show::say(&format!("enrolled at {}; start `echo_probe run` now", identity.platform));
    show::data(&format!("{}\n", identity.device))
}

fn read_token(source: &TokenSource) -> Result<EnrolmentToken, Failure> {
    let mut text = Zeroizing::new(String::new());
    let read = match &source.token_file {
        Some(path) => read_file(path, &mut text),
        None => std::io::stdin().lock().take(MAX_TOKEN).read_to_string(&mut text),
    };
    read.map_err(|e| Failure::Failed(format!("the enrolment token cannot be read: {e}")))?;
    text.parse().map_err(Failure::of)
}

fn read_file(path: &Path, text: &mut String) -> std::io::Result<usize> {
    File::open(path)?.take(MAX_TOKEN).read_to_string(text)
}

/// The key that was made for this token before, or a new one, kept before the platform hears of it.
fn pending_key(home: &Home, token: &EnrolmentToken, mint: &Mint) -> Result<KeyPair, Failure> {
    let (path, digest) = (home.path(PENDING), Digest::of(token.secret.as_bytes()));
    let kept = durable::read(&path, MAX_TOKEN).map_err(Failure::of)?;
    let kept =
        kept.and_then(|bytes| serde_json::from_slice::<Pending>(&bytes).ok()).filter(|p| p.token == digest);
    let mut secret = Zeroizing::new([0; 32]);
    if kept.is_some_and(|p| hex::decode_to_slice(p.secret.as_bytes(), &mut *secret).is_ok()) {
        return Ok(KeyPair::from_secret(&secret));
    }
    let key = KeyPair::generate(mint.entropy());
    let pending = Pending { token: digest, secret: hex::encode(*key.secret()) };
    let bytes = Zeroizing::new(serde_json::to_vec(&pending).map_err(Failure::of)?);
    durable::write(&path, &bytes, Mode::Private).map_err(Failure::of)?;
    Ok(key)
}

fn forget_pending(home: &Home) {
    // What stays behind is used again with the same token, and replaced with another one.
    let _ = std::fs::remove_file(home.path(PENDING));
}

fn ask(
    home: &Home,
    platform: &Platform,
    token: &EnrolmentToken,
    claim: Envelope,
) -> Result<Enrolled, Failure> {
    let request = EnrolRequest { secret: token.secret.clone(), claim };
    let body = Zeroizing::new(serde_json::to_vec(&request).map_err(Failure::of)?);
    let ask = Ask { limit: MAX_CHAIN_BYTES + 1024 * 1024, ..Ask::post("/v1/enrol", &body) };
    let answer = platform.ask(&ask, None).map_err(|e| match e {
        PlatformError::Unknown { why, .. } => {
            Failure::Failed(format!("the platform does not take the token: {why}"))
        }
        PlatformError::Refused { why, .. } => {
            forget_pending(home);
            Failure::Failed(format!("the platform does not enrol this device: {why}"))
        }
        away @ PlatformError::Away { .. } => {
            Failure::Failed(format!("{away}; check the address, then enrol again with the same token"))
        }
    })?;
    serde_json::from_slice(&answer).map_err(|e| {
        Failure::Failed(format!(
            "{} does not answer as a platform does ({e}): check the address",
            platform.url()
        ))
    })
}

/// The trust chain of the answer, once it stands on the token's root and certifies our key.
fn check(enrolled: &Enrolled, root: &Digest, key: &KeyPair, now: Timestamp) -> Result<TrustChain, Failure> {
    let refused = |why: &dyn std::fmt::Display| {
        Failure::Refused(format!("the platform is not the one of the token: {why}"))
    };
    let bytes = serde_json::to_vec(&enrolled.chain).map_err(Failure::of)?;
    let chain = TrustChain::from_json(&bytes).map_err(|e| refused(&e))?;
    let registry = chain.verify(root, now).map_err(|e| refused(&e))?;
    let manifest = NodeManifest::verify(&enrolled.manifest, &registry, now).map_err(|e| refused(&e))?;
    if manifest.public_key != key.public()
        || manifest.device != enrolled.device
        || manifest.customer.as_ref() != Some(&enrolled.customer)
    {
        return Err(refused(&"its manifest certifies another device, key or customer; ask for a new token"));
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use trust::KeyRole;

    use super::*;
    use crate::test_house::{House, at};

    fn enrolled(house: &House, chain: &TrustChain, key: &KeyPair, issuer: KeyRole) -> Enrolled {
        let manifest = house.manifest(key);
        Enrolled {
            device: manifest.device.clone(),
            customer: house.customer.clone(),
            manifest: Envelope::sign(trust::manifest::NODE_MANIFEST_TYPE, &manifest, &[&house.key(issuer)])
                .unwrap(),
            chain: serde_json::from_slice(&chain.to_json()).unwrap(),
        }
    }

    #[test]
    fn an_answer_that_stands_on_the_token_s_root_is_taken() {
        let house = House::new();
        let answer = enrolled(&house, &house.chain(), &house.device_key, KeyRole::DeviceIssuer);
        check(&answer, &house.root(), &house.device_key, at("2027-02-01")).unwrap();
    }

    #[test]
    fn another_root_another_issuer_and_another_key_are_refused() {
        let (house, stranger) = (House::new(), House::with_seed(90));
        let (now, key) = (at("2027-02-01"), &house.device_key);
        let good = enrolled(&house, &house.chain(), key, KeyRole::DeviceIssuer);
        let wrong_root = check(&good, &stranger.root(), key, now);
        let wrong_issuer =
            check(&enrolled(&house, &house.chain(), key, KeyRole::Operator), &house.root(), key, now);
        let wrong_key = check(&good, &house.root(), &stranger.device_key, now);
        let wrong_customer = Enrolled { customer: Mint::system().id(), ..good };
        let wrong_customer = check(&wrong_customer, &house.root(), key, now);
        for refused in [wrong_root, wrong_issuer, wrong_key, wrong_customer] {
            assert!(matches!(refused, Err(Failure::Refused(_))), "{refused:?}");
        }
    }

    #[test]
    fn the_same_token_gets_the_same_key_again() {
        let folder = tempfile::tempdir().unwrap();
        let (home, mint) = (Home::open(folder.path()).unwrap(), Mint::system());
        let token = |secret: &str| EnrolmentToken { root: Digest::of(b"root"), secret: secret.to_owned() };
        let first = pending_key(&home, &token("one"), &mint).unwrap();
        assert_eq!(pending_key(&home, &token("one"), &mint).unwrap().public(), first.public());
        assert_ne!(pending_key(&home, &token("two"), &mint).unwrap().public(), first.public());
    }
}
