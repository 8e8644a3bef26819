//! Writes good inputs for each target into `corpus/`, for libFuzzer to begin with.

use std::{error::Error, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use durable::Mode;
use echo_core::Mint;
use ed25519_dalek::SigningKey;
use trust::{
    Envelope, KeyPair, KeyRole, Keystore, Registry, RoleKeys, TrustChain, Unlock,
    keystore::{KEY_FILE, KEYSTORE_FILE, Kdf, MIN_MEMORY_KIB},
};
use witness::{Cosigner, Request};

type Done = Result<(), Box<dyn Error>>;

fn put(target: &str, name: &str, bytes: &[u8]) -> Done {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    durable::create_folder(&folder)?;
    Ok(durable::write(&folder.join(name), bytes, Mode::Public)?)
}

async fn logs(folder: &Path) -> Done {
    let log = ledger::Log::open(folder, "echo.local/fuzz/1", SigningKey::from_bytes(&[7; 32]))?;
    for size in [1_u64, 2, 5, 255, 256, 300] {
        let missing = usize::try_from(size - log.size())?;
        log.append(vec![b"an entry".to_vec(); missing]).await?;
        let note = log.checkpoint();
        put("note", &format!("size_{size}"), note.as_bytes())?;
        let body = note.split_once("\n\n").map_or("", |(body, _)| body);
        put("note", &format!("body_{size}"), format!("{body}\n").as_bytes())?;
        for index in [0, size / 2, size - 1] {
            put("proof", &format!("size_{size}_{index}"), log.tlog_proof(index)?.as_bytes())?;
        }
    }
    log.close();
    for name in ["0/000", "0/001.p/44", "1/000.p/1", "entries/000", "entries/001.p/44"] {
        let tile = durable::read(&folder.join("tile").join(name), 1 << 20)?.unwrap_or_default();
        put("tile", &name.replace('/', "_"), &tile)?;
    }
    let note = log.checkpoint();
    for from in [0, 1, 2, 128, 255, 256, 299, 300] {
        let proof = log.consistency(from, 300)?;
        let request = Request { old: from, proof, checkpoint: note.clone() };
        put("request", &format!("from_{from}"), request.render().as_bytes())?;
    }
    Ok(())
}

fn policies() -> Done {
    let keys = [1, 2, 3].map(|seed| {
        let name = format!("witness.example/{seed}");
        Cosigner::new(&name, SigningKey::from_bytes(&[seed; 32])).map(|c| c.key().to_string())
    });
    let [a, b, c] = keys;
    let (a, b, c) = (a?, b?, c?);
    let log = ledger::vkey_of("echo.local/fuzz/1", &SigningKey::from_bytes(&[7; 32]).verifying_key());
    let witnesses = format!("witness A {a} http://127.0.0.1:1/a\nwitness B {b}\nwitness C {c}\n");
    for (name, text) in [
        ("log", format!("log {log}\n")),
        ("url", format!("log {log} http://127.0.0.1:1/\nquorum none\n")),
        ("one", format!("log {log}\nwitness A {a}\nquorum A\n")),
        ("group", format!("# two of three\n\nlog {log}\n{witnesses}group G 2 A B C\nquorum G\n")),
        ("any", format!("log {log}\n{witnesses}group G any A B C\nquorum G\n")),
        ("all", format!("log {log}\n{witnesses}group G all A B\ngroup H any G C\nquorum H\n")),
    ] {
        put("policy", name, text.as_bytes())?;
    }
    Ok(())
}

fn registries(mint: &Mint) -> Done {
    let pair = KeyPair::from_secret(&[7; 32]);
    let other = KeyPair::from_secret(&[8; 32]);
    let (now, later) = (mint.now(), "2096-01-01T00:00:00Z".parse()?);
    let mut registry = Registry::founding(&[], now, later);
    registry.root = RoleKeys::single(pair.public());
    put("registry", "first", &serde_json::to_vec(&registry)?)?;
    let mut chain = TrustChain::create(&registry, &pair)?;
    put("registry", "chain_1", &chain.to_json())?;
    let mut next = Registry { version: 2, ..registry };
    next.root = RoleKeys { keys: vec![pair.public(), other.public()], threshold: 2 };
    next.roles.insert(KeyRole::Operator, RoleKeys::single(other.public()));
    put("registry", "second", &serde_json::to_vec(&next)?)?;
    chain.extend(&next, &[&pair, &other])?;
    put("registry", "chain_2", &chain.to_json())
}

fn envelopes() -> Done {
    let keys = [KeyPair::from_secret(&[7; 32]), KeyPair::from_secret(&[8; 32])];
    for (name, payload) in [("empty", ""), ("json", "{\"a\":1}"), ("text", "plain text\n")] {
        for (count, signers) in [(1, vec![&keys[0]]), (2, vec![&keys[0], &keys[1]])] {
            let envelope =
                Envelope::sign_bytes("application/vnd.echo.fuzz+json", payload.as_bytes(), &signers);
            put("dsse", &format!("{name}_{count}"), &serde_json::to_vec(&envelope)?)?;
        }
    }
    let statement =
        format!("{{\"_type\":\"https://in-toto.io/Statement/v1\",\"x\":\"{}\"}}", STANDARD.encode("x"));
    put("dsse", "statement", statement.as_bytes())
}

fn keystores(folder: &Path, mint: &Mint) -> Done {
    durable::write(&folder.join(KEY_FILE), fuzz::keystore::KEY.as_bytes(), Mode::Private)?;
    let mut keys = Keystore::open_or_create(folder, mint)?;
    let read = |name| durable::read(&folder.join(name), 1 << 20).map(Option::unwrap_or_default);
    put("keystore", "fresh", &read(KEYSTORE_FILE)?)?;
    keys.set_kdf(Kdf::new(MIN_MEMORY_KIB, 1, 1)?);
    keys.rotate(KeyRole::Receipts, None, mint)?;
    put("keystore", "rotated", &read(KEYSTORE_FILE)?)?;
    let root = keys.signer(KeyRole::Root)?.id();
    let exported = keys.export_key(&root, "a passphrase", mint)?;
    put("keystore", "exported", &exported)?;
    keys.remove(&exported, "a passphrase", "the safe", mint)?;
    put("keystore", "away", &read(KEYSTORE_FILE)?)?;
    keys.protect(folder, &Unlock::Passphrase("a passphrase".to_owned().into()), mint)?;
    put("keystore", "passphrase", &read(KEYSTORE_FILE)?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done {
    let folder = tempfile::tempdir()?;
    let mint = Mint::system();
    logs(&folder.path().join("log")).await?;
    registries(&mint)?;
    envelopes()?;
    policies()?;
    durable::create_folder(&folder.path().join("keys"))?;
    keystores(&folder.path().join("keys"), &mint)
}
