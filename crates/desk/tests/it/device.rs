//! A device for tests: it verifies, scans, plans and applies for real, on a scratch root, in this process.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use access::{Principal, Role};
use desk::{Call, Desk, NewCustomer, NewEnrolment, Opened, Options};
use device_link::{
    COMMAND_TYPE, Command, CommandResult, ENROLMENT_TYPE, EnrolRequest, EnrolmentClaim, EnrolmentToken,
    Outcome, RESULT_TYPE, SignedContent, Work,
};
use echo_core::{CustomerId, DeviceId, Mint, Timestamp};
use models::Models;
use observability::{Collector, HostFacts};
use playbooks::{Runner, Target, Template};
use security::{MountedSystem, Policy};
use tempfile::TempDir;
use trust::{KeyPair, KeyRole, dsse::Envelope};

/// A platform in a temporary home, with its operator.
pub struct House {
    pub folder: TempDir,
    pub desk: Desk,
    pub operator: Principal,
}

impl House {
    pub async fn found() -> Self {
        Self::found_by(Mint::system()).await
    }

    /// As [`House::found`], by another clock.
    pub async fn found_by(mint: Mint) -> Self {
        Self::found_with(mint, Models::none()).await
    }

    /// As [`House::found_by`], with models to ask.
    pub async fn found_with(mint: Mint, models: Models) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { models, ..Options::new(folder.path().to_owned(), mint) };
        let Opened { desk, sign_in } = Desk::open(options).await.unwrap();
        let tokens = desk.sign_in(&sign_in.secret).await.unwrap();
        let operator = desk.authenticate(&tokens.access_token).await.unwrap();
        Self { folder, desk, operator }
    }

    pub fn call(&self) -> Call {
        Call::by(self.operator.clone())
    }

    pub async fn customer(&self, name: &str) -> CustomerId {
        let new = NewCustomer { name: name.to_owned(), plan: "pay-as-you-go".parse().unwrap() };
        self.desk.add_customer(&self.call(), new).await.unwrap().customer.id
    }

    /// The operator's person of a customer.
    pub fn person_of(&self, customer: &CustomerId) -> Principal {
        Principal { role: Role::Customer, customer: Some(customer.clone()), ..self.operator.clone() }
    }
}

pub async fn open(home: &Path) -> Opened {
    Desk::open(Options::new(home.to_owned(), Mint::system())).await.unwrap()
}

/// A device under care.
pub struct Device {
    pub id: DeviceId,
    pub principal: Principal,
    key: KeyPair,
    root: TempDir,
    journal: TempDir,
}

impl Device {
    /// Enrols a fresh device for `customer`.
    pub async fn enrol(house: &House, customer: &CustomerId) -> Self {
        let new = NewEnrolment { customer: customer.clone() };
        let token = house.desk.make_enrolment_token(&house.call(), new).await.unwrap();
        let token: EnrolmentToken = token.token.parse().unwrap();
        assert_eq!(token.root, *house.desk.root());
        let mint = Mint::system();
        let key = KeyPair::generate(mint.entropy());
        let claim = EnrolmentClaim {
            name: "workshop".to_owned(),
            public_key: key.public(),
            facts: HostFacts::collect().unwrap(),
        };
        let claim = Envelope::sign(ENROLMENT_TYPE, &claim, &[&key]).unwrap();
        let request = EnrolRequest { secret: token.secret, claim };
        let enrolled = house.desk.enrol(&request).await.unwrap();
        assert_eq!(house.desk.enrol(&request).await.unwrap(), enrolled, "a retry gets the same answer");
        let principal = Principal {
            subject: enrolled.device.to_string(),
            name: "workshop".to_owned(),
            role: Role::Device,
            customer: Some(customer.clone()),
            device: Some(enrolled.device.clone()),
            token: mint.id(),
            family: None,
        };
        Self {
            id: enrolled.device,
            principal,
            key,
            root: scratch_root(),
            journal: tempfile::tempdir().unwrap(),
        }
    }

    /// Takes every command that waits, does it, and answers. Answers how many there were.
    pub async fn work(&self, desk: &Desk) -> usize {
        let commands = desk.next_commands(&self.principal, Duration::ZERO).await.unwrap();
        for envelope in &commands {
            let (command, result) = self.carry_out(desk, envelope);
            let signed = Envelope::sign(RESULT_TYPE, &result, &[&self.key]).unwrap();
            let call = Call::by(self.principal.clone());
            desk.take_result(&call, &command.id, signed.clone()).await.unwrap();
            desk.take_result(&call, &command.id, signed).await.expect("the same result again is taken");
        }
        commands.len()
    }

    /// The key that was made on it.
    pub fn key(&self) -> &KeyPair {
        &self.key
    }

    /// Signs any result.
    pub fn sign(&self, result: &CommandResult) -> Envelope {
        Envelope::sign(RESULT_TYPE, result, &[&self.key]).unwrap()
    }

    pub fn carry_out(&self, desk: &Desk, envelope: &Envelope) -> (Command, CommandResult) {
        let command: Command = desk.registry().verify(KeyRole::Operator, COMMAND_TYPE, envelope).unwrap();
        let started = desk.now();
        let outcome = match &command.work {
            Work::Diagnose => Outcome::Diagnosed {
                diagnosis: Box::new(observability::diagnose(&mut Collector::new(), started).unwrap()),
            },
            Work::Scan { policy } => Outcome::Scanned { report: Box::new(self.scan(desk, policy, started)) },
            Work::Plan { playbooks } => {
                let plan = playbooks::plan(&templates(desk, playbooks), &self.target()).unwrap();
                Outcome::Planned { plan: Box::new(plan) }
            }
            Work::Apply { run, plan, playbooks, policy, .. } => {
                let before = self.scan(desk, policy, started);
                let runner = Runner::open(self.journal.path()).unwrap();
                let report =
                    runner.apply(run, &templates(desk, playbooks), plan, &self.target(), desk.now()).unwrap();
                let after = self.scan(desk, policy, desk.now());
                Outcome::Applied { before: Box::new(before), run: Box::new(report), after: Box::new(after) }
            }
        };
        let result = CommandResult {
            command: command.id.clone(),
            device: self.id.clone(),
            started,
            finished: desk.now(),
            outcome,
        };
        (command, result)
    }

    fn target(&self) -> Target {
        Target::new(self.root.path().to_owned())
    }

    fn scan(&self, desk: &Desk, policy: &SignedContent, at: Timestamp) -> security::Report {
        verified(desk, policy);
        let policy = Policy::parse(&policy.text).unwrap();
        security::evaluate(&policy, &MountedSystem::new(self.root.path().to_owned()), at)
    }
}

fn templates(desk: &Desk, contents: &[SignedContent]) -> Vec<Template> {
    contents
        .iter()
        .map(|content| {
            verified(desk, content);
            Template::parse(&content.text).unwrap()
        })
        .collect()
}

fn verified(desk: &Desk, content: &SignedContent) {
    let signature = serde_json::to_vec(&content.signature).unwrap();
    let role = KeyRole::PlaybookAuthor;
    trust::content::verify(&content.name, content.text.as_bytes(), &signature, desk.registry(), role)
        .unwrap();
}

/// A small, badly kept machine.
fn scratch_root() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text, mode) in [
        ("etc/ssh/sshd_config", "Port 22\nPermitRootLogin yes\nX11Forwarding yes\nMaxAuthTries 10\n", 0o644),
        (
            "etc/login.defs",
            "PASS_MAX_DAYS 99999\nPASS_MIN_DAYS 0\nPASS_WARN_AGE 7\nUMASK 022\nENCRYPT_METHOD YESCRYPT\n",
            0o644,
        ),
        ("etc/passwd", "root:x:0:0:root:/root:/bin/bash\n", 0o644),
        ("etc/group", "root:x:0:\n", 0o644),
        ("etc/shadow", "root:*:19000:0:99999:7:::\n", 0o640),
        ("etc/gshadow", "root:*::\n", 0o640),
        ("etc/crontab", "SHELL=/bin/sh\n", 0o644),
        ("etc/issue", "Debian GNU/Linux 13 \\n \\l\n", 0o644),
    ] {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        #[expect(clippy::disallowed_methods, reason = "a scratch file needs no fsync")]
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    root
}
