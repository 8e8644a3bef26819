//! The vault of the home: what is in it, and how it is read.

use std::{fs, path::Path};

use echo_core::Mint;
use vault::{
    Actor, AuditHead, Protect, Receiver, Sealed, Secret, SecretRef, Share, Token, Unseal, VaultError, seal,
};
use zeroize::Zeroizing;

/// The work of a passphrase that nobody guesses at: 2^1.
const WORK: u8 = 1;
const PASSPHRASE: &str = "one old horse at home";
/// How many secrets there are once what was brought is taken in.
const SECRETS: usize = 3;

/// What people keep of the vault elsewhere.
pub struct TakenAway {
    pub shares: Vec<Share>,
    pub token: Token,
    receiver: Receiver,
    /// The audit's end, which the genesis ledger holds from the next start on.
    head: AuditHead,
}

fn actor() -> Actor {
    Actor::new("a test")
}

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec()).unwrap()
}

fn which(name: &str) -> SecretRef {
    SecretRef::newest("mail".parse().unwrap(), name.parse().unwrap())
}

/// Makes a vault that shares open, with two secrets, a hand-over, one that was brought and waits, one that was refused, a
/// counted wrong passphrase and an archived audit.
pub fn furnish(home: &Path) -> TakenAway {
    let mint = Mint::system();
    let sealed = Sealed::of_home(home).with_work(WORK);
    let phrase = |text: &str| Zeroizing::new(text.to_owned());
    let vault = sealed.init(&Protect::Passphrase(phrase(PASSPHRASE)), &actor(), &mint).unwrap();
    for name in ["relay", "other"] {
        let SecretRef { namespace, name, .. } = which(name);
        vault.set(&namespace, &name, &secret("hunter2"), &actor(), &mint).unwrap();
    }
    let wrong = sealed.unseal(&Unseal::Passphrase(phrase("one young horse")), &actor(), &mint);
    assert!(matches!(wrong, Err(VaultError::Wrong(_))), "{wrong:?}");
    let (by_shares, mut shares) = Protect::shares(2, 3, &mint).unwrap();
    shares.truncate(2);
    vault.protect(&Unseal::Passphrase(phrase(PASSPHRASE)), &by_shares, &actor(), &mint).unwrap();
    // Sealed for one name and brought as another.
    bring(&sealed, "brought", "strange");
    let receiver: Receiver = "ben".parse().unwrap();
    let token = vault.wrap(&which("relay"), &receiver, 3600, &actor(), &mint).unwrap();
    sealed.archive_audit(&Unseal::Shares(shares.clone()), &actor(), &mint).unwrap();
    vault.get(&which("other"), &actor(), &mint).unwrap();
    bring(&sealed, "brought", "brought");
    TakenAway { shares, token, receiver, head: sealed.audit_head().unwrap() }
}

fn bring(sealed: &Sealed, sealed_as: &str, brought_as: &str) {
    let (mint, recipient) = (Mint::system(), sealed.recipient().unwrap());
    let inner = which(sealed_as);
    let file = seal(&recipient, &inner.namespace, &inner.name, None, &secret("hunter3"), mint.now()).unwrap();
    let place = which(brought_as);
    sealed.inject(&place.namespace, &place.name, &file, None, &actor(), &mint).unwrap();
}

impl TakenAway {
    /// The shares as their keepers wrote them down, one a line.
    pub fn shares_file(&self) -> String {
        let mut lines: Vec<String> = self.shares.iter().map(|share| share.text().to_string()).collect();
        // The last line has an end as well.
        lines.push(String::new());
        lines.join("\n")
    }

    /// Opens the vault of `home` with the shares in `file` and reads everything, as the platform does and then
    /// `echo_cli vault verify`. Changes the vault, so it is for a copy.
    pub fn read(&self, home: &Path, file: &Path) -> Result<(), String> {
        let told = |error: VaultError| error.to_string();
        let (sealed, mint) = (Sealed::of_home(home), Mint::system());
        let standing = sealed.standing().map_err(told)?;
        if sealed.audit_digest(self.head.seq).map_err(told)? != Some(self.head.digest) {
            return Err("the audit is not the one that was entered".to_owned());
        }
        let by = Unseal::read(file, &standing.description.protection).map_err(told)?;
        let vault = sealed.unseal(&by, &actor(), &mint).map_err(told)?;
        let checked = vault.verify(&actor(), &mint).map_err(told)?;
        if !checked.problems.is_empty() || checked.good != SECRETS {
            return Err(format!("{checked:?}"));
        }
        for (name, value) in [("relay", "hunter2"), ("other", "hunter2"), ("brought", "hunter3")] {
            let got = vault.get(&which(name), &actor(), &mint).map_err(told)?;
            assert_eq!(got.expose(), value.as_bytes(), "{name}");
        }
        Ok(())
    }

    /// Takes the hand-over with the token in `file`, as its receiver does. Changes the vault, too.
    pub fn take(&self, home: &Path, file: &Path) -> Result<(), String> {
        let told = |error: VaultError| error.to_string();
        let token = Token::parse(&fs::read(file).unwrap()).map_err(told)?;
        let sealed = Sealed::of_home(home);
        let value = sealed.unwrap(&token, &self.receiver, &actor(), &Mint::system()).map_err(told)?;
        assert_eq!(value.expose(), b"hunter2");
        Ok(())
    }
}
