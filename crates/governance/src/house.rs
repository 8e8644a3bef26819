//! A house's keystore, chain and `governance` folder, and the hands that move a rotation on.
//!
//! [`House::advance`] does one thing that lasts, and says what came of it. After a crash anywhere it is called again
//! and finds, from keystore, chain and notice, what is left to do.

use std::path::{Path, PathBuf};

use echo_core::{Mint, RotationId, Timestamp};
use trust::{KeyPair, KeyRole, KeyState, Keystore, KeystoreError, Registry, TrustChain};

use crate::{
    Action, Ceremony, Deprecated, DeprecationNotice, GovernanceError, Need, NoticeKind, Plan, Rotation,
    RotationKind, folder,
    plan::later,
    resign,
    step::{Step, View, renewed},
};

/// What a house's keys are changed with. The platform must be stopped meanwhile.
#[derive(Debug)]
pub struct House<'a> {
    home: &'a Path,
    keystore: &'a mut Keystore,
    chain: TrustChain,
    mint: &'a Mint,
}

/// What came of moving a rotation on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Something was done; more may be left.
    Moved,
    /// The old keys count on until then.
    Waits {
        /// Until when.
        until: Timestamp,
    },
    /// Keepers of the root have to sign the proposed version.
    NeedsSignatures {
        /// The file that they sign.
        ceremony: PathBuf,
        /// Whose signatures are needed.
        needs: Vec<Need>,
    },
    /// Nothing is left to do.
    Done,
}

impl<'a> House<'a> {
    /// The house of `home`, with its keystore open.
    pub fn open(home: &'a Path, keystore: &'a mut Keystore, mint: &'a Mint) -> Result<Self, GovernanceError> {
        let chain = TrustChain::load(home)?;
        chain.newest()?;
        Ok(Self { home, keystore, chain, mint })
    }

    /// The trust chain as it is now.
    pub fn chain(&self) -> &TrustChain {
        &self.chain
    }

    /// Begins a rotation: its file says what is wanted. Call [`House::run`] next.
    pub fn begin(&mut self, plan: Plan) -> Result<Rotation, GovernanceError> {
        let open = self.open_rotations()?;
        let rotation = plan.begin(&self.chain.newest()?, &open, self.keystore.records(), self.mint)?;
        // A version that may not be is found here rather than when the keepers have met.
        let mut named = rotation.clone();
        for change in named.replacements.iter_mut().filter(|r| r.new.is_empty()) {
            change.new.push(KeyPair::generate(self.mint.entropy()).public());
        }
        let newest = self.chain.newest()?;
        named.publishing(&newest, self.created(&newest)).check()?;
        folder::save_rotation(self.home, &rotation)?;
        // Cut off here, the next look at what is open does it.
        self.supersede(&rotation)?;
        Ok(rotation)
    }

    /// Gives up what an emergency took over.
    fn supersede(&self, emergency: &Rotation) -> Result<(), GovernanceError> {
        let roles: Vec<KeyRole> = emergency.replacements.iter().map(|r| r.role).collect();
        for id in &emergency.supersedes {
            if let Some(mut other) = folder::rotation(self.home, id)?
                && other.give_up(&roles, self.mint.now())
            {
                folder::save_rotation(self.home, &other)?;
                folder::remove_ceremony(self.home, id);
            }
        }
        Ok(())
    }

    /// Gives up a rotation whose new keys were never published. What was prepared for it is put away. A ceremony's
    /// file that enough keepers have signed is a version all the same: see to it that no copy is left.
    pub fn abandon(&mut self, id: &RotationId) -> Result<Rotation, GovernanceError> {
        let refused = |why: String| Err(GovernanceError::Plan(why));
        let open = self.open_rotations()?.into_iter().find(|r| r.id == *id);
        let Some(mut rotation) = open else {
            return refused(format!("no rotation {id} is under way"));
        };
        if rotation.is_published(&self.chain.newest()?) {
            return refused(format!(
                "the new keys of {id} are in the trust registry already: end it with `echo_cli trust resume`, and \
                 replace those keys by another rotation"
            ));
        }
        let roles: Vec<KeyRole> = rotation.replacements.iter().map(|r| r.role).collect();
        // The keys first: cut off here, the rotation is still there to be given up.
        for role in &roles {
            if let Some(id) = self.keystore.prepared(*role).map(|record| record.id.clone()) {
                self.keystore.withdraw(&id, false, self.mint)?;
            }
        }
        rotation.give_up(&roles, self.mint.now());
        folder::save_rotation(self.home, &rotation)?;
        folder::remove_ceremony(self.home, id);
        Ok(rotation)
    }

    /// Moves a rotation on until it waits for something or is done.
    pub fn run(&mut self, rotation: &mut Rotation) -> Result<Progress, GovernanceError> {
        loop {
            match self.advance(rotation)? {
                Progress::Moved => {}
                other => return Ok(other),
            }
        }
    }

    /// Does the next thing of a rotation.
    pub fn advance(&mut self, rotation: &mut Rotation) -> Result<Progress, GovernanceError> {
        // An emergency may have taken over since the caller read it.
        if let Some(kept) = folder::rotation(self.home, &rotation.id)? {
            *rotation = kept;
        }
        let registry = self.chain.newest()?;
        let notice = self.notice(rotation, &registry)?;
        let now = self.mint.now();
        let view =
            View { registry: &registry, records: self.keystore.records(), notice: notice.as_ref(), now };
        let step = rotation.step(view);
        let ceremony = folder::ceremony(self.home, &rotation.id)?;
        let out = ceremony.as_ref().is_some_and(|c| c.follows(&self.chain));
        let stage = rotation.stage_at(view, out);
        if stage != rotation.stage {
            (rotation.stage, rotation.reached) = (stage, now);
            folder::save_rotation(self.home, rotation)?;
            return Ok(Progress::Moved);
        }
        self.take(rotation, &step, &registry, ceremony)
    }

    fn take(
        &mut self,
        rotation: &mut Rotation,
        step: &Step,
        registry: &Registry,
        ceremony: Option<Ceremony>,
    ) -> Result<Progress, GovernanceError> {
        match step {
            Step::Discard(id) => drop(self.keystore.withdraw(id, true, self.mint)?),
            Step::MakeKey(role) => drop(self.keystore.prepare(*role, self.mint)?),
            Step::NameKeys => self.name_keys(rotation)?,
            Step::Publish => {
                return self.sign(rotation, ceremony, &|created| rotation.publishing(registry, created));
            }
            Step::Switch(id) => drop(self.keystore.activate(id, self.mint)?),
            Step::Announce => {
                if !self.sign_anew(rotation, registry)? {
                    self.announce(rotation, registry)?;
                }
            }
            Step::Wait(until) => return Ok(Progress::Waits { until: *until }),
            Step::Withdraw(until) => {
                let next = |created| rotation.withdrawing(registry, created, *until);
                return self.sign(rotation, ceremony, &next);
            }
            Step::PutAway(id) => {
                let revoked = rotation.kind == RotationKind::Emergency;
                self.keystore.withdraw(id, revoked, self.mint)?;
            }
            Step::Nothing => return Ok(Progress::Done),
        }
        Ok(Progress::Moved)
    }

    fn name_keys(&self, rotation: &mut Rotation) -> Result<(), GovernanceError> {
        for change in rotation.replacements.iter_mut().filter(|r| r.new.is_empty()) {
            change.new.extend(self.keystore.prepared(change.role).map(|record| record.public));
        }
        folder::save_rotation(self.home, rotation)
    }

    /// Has the next version signed by every key of the root that is at hand, and adds it when that is enough. The
    /// proposal that is out already is kept, with its date and its signatures, as long as it says the same.
    fn sign(
        &mut self,
        rotation: &Rotation,
        out: Option<Ceremony>,
        next: &dyn Fn(Timestamp) -> Registry,
    ) -> Result<Progress, GovernanceError> {
        let same = |c: &Ceremony| c.follows(&self.chain) && *c.proposed() == next(c.proposed().created);
        let (mut ceremony, fresh) = match out.filter(same) {
            Some(out) => (out, false),
            None => (self.propose(rotation, next)?, true),
        };
        let added = self.sign_here(&mut ceremony)?;
        if fresh || added {
            folder::save_ceremony(self.home, &rotation.id, &ceremony)?;
            return Ok(Progress::Moved);
        }
        if !ceremony.is_complete() {
            let path = folder::ceremony_path(self.home, &rotation.id);
            return Ok(Progress::NeedsSignatures { ceremony: path, needs: ceremony.needs() });
        }
        self.finish(&ceremony)?;
        folder::remove_ceremony(self.home, &rotation.id);
        Ok(Progress::Moved)
    }

    fn propose(
        &self,
        rotation: &Rotation,
        next: &dyn Fn(Timestamp) -> Registry,
    ) -> Result<Ceremony, GovernanceError> {
        let newest = self.chain.newest()?;
        let coming = rotation.coming_root(&newest);
        let next = next(self.created(&newest));
        Ceremony::begin(&self.chain, &next, Some(rotation.id.clone()), coming, &rotation.reason)
    }

    /// Signs with every key of the root that is at hand; whether that added a signature.
    fn sign_here(&self, ceremony: &mut Ceremony) -> Result<bool, GovernanceError> {
        let open: Vec<_> = ceremony.needs().into_iter().flat_map(|need| need.open).collect();
        let mut added = false;
        for id in open {
            let usable =
                |r: &&trust::KeyRecord| r.id == id && r.role == KeyRole::Root && r.state != KeyState::Revoked;
            if let Some(record) = self.keystore.records().iter().find(usable)
                && let Some(key) = self.keystore.key(&record.id)
            {
                added |= ceremony.sign(key)?;
            }
        }
        Ok(added)
    }

    /// A ceremony for a version that changes nothing but its dates, signed with what is at hand.
    pub fn renewal(&self) -> Result<Ceremony, GovernanceError> {
        let newest = self.chain.newest()?;
        let next = renewed(&newest, self.created(&newest));
        let mut ceremony = Ceremony::begin(&self.chain, &next, None, None, "renewal")?;
        self.sign_here(&mut ceremony)?;
        Ok(ceremony)
    }

    /// Takes what the keepers signed for a rotation of this house.
    pub fn gather(&self, signed: &Ceremony) -> Result<(), GovernanceError> {
        let Some(id) = signed.rotation() else { return Ok(()) };
        if let Some(mut ours) = folder::ceremony(self.home, id)?
            && ours.merge(signed)?
        {
            folder::save_ceremony(self.home, id, &ours)?;
        }
        Ok(())
    }

    /// Adds a proposal that enough keepers have signed to the chain, and writes the chain.
    pub fn finish(&mut self, ceremony: &Ceremony) -> Result<Registry, GovernanceError> {
        let mut chain = self.chain.clone();
        let registry = ceremony.finish(&mut chain)?;
        chain.save(self.home)?;
        self.chain = chain;
        Ok(registry)
    }

    /// A version's date: never before the one of the version that it follows, whatever the clock says.
    fn created(&self, newest: &Registry) -> Timestamp {
        self.mint.now().max(newest.created)
    }

    /// Signs anew what lies in the home by keys that go in good order; whether there was anything.
    fn sign_anew(&self, rotation: &Rotation, registry: &Registry) -> Result<bool, GovernanceError> {
        let mut any = false;
        if let Some(author) = self.signer(KeyRole::PlaybookAuthor)? {
            let due = resign::content(self.home, rotation, registry, author);
            resign::sign(&due, author)?;
            any |= !due.is_empty();
        }
        if let Some(operator) = self.signer(KeyRole::Operator)? {
            any |= resign::exceptions(self.home, rotation, registry, operator, self.mint.now())?;
        }
        Ok(any)
    }

    /// The key that signs in a role; nothing when it is kept elsewhere, where its keeper signs.
    fn signer(&self, role: KeyRole) -> Result<Option<&KeyPair>, GovernanceError> {
        match self.keystore.signer(role) {
            Ok(key) => Ok(Some(key)),
            Err(KeystoreError::Away { .. } | KeystoreError::NoActiveKey(_)) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    /// The rotation's notice, once it is written. One that nobody believes any more, because the operator's key was
    /// replaced meanwhile, is written anew.
    fn notice(
        &self,
        rotation: &Rotation,
        registry: &Registry,
    ) -> Result<Option<DeprecationNotice>, GovernanceError> {
        let written = folder::notice(self.home, &rotation.notice())?;
        Ok(written.and_then(|envelope| DeprecationNotice::verify(&envelope, registry).ok()))
    }

    fn announce(&self, rotation: &mut Rotation, registry: &Registry) -> Result<(), GovernanceError> {
        let notice = self.draft(rotation, registry);
        let mut signers = vec![self.keystore.signer(KeyRole::Operator)?];
        let operators = registry.keys(KeyRole::Operator);
        for id in rotation.old_ids() {
            // The operator's own old key, as long as it counts: readers of an older registry know no other.
            if operators.iter().any(|key| key.id() == id) {
                signers.extend(self.keystore.key(&id));
            }
        }
        let envelope = notice.sign(&signers)?;
        // One that nobody believes would be written again and again.
        DeprecationNotice::verify(&envelope, registry)?;
        if rotation.refuse_from.is_none() {
            rotation.refuse_from = Some(notice.refuse_from);
            folder::save_rotation(self.home, rotation)?;
        }
        folder::save_notice(self.home, &notice.id, &envelope)
    }

    fn draft(&self, rotation: &Rotation, registry: &Registry) -> DeprecationNotice {
        let issued = self.created(registry);
        let grace = if rotation.at_once() { 0 } else { rotation.grace_seconds };
        let refuse_from = rotation.refuse_from.unwrap_or_else(|| later(issued, grace));
        let named = |keys: fn(&crate::Replacement) -> &[trust::PublicKey]| {
            let each = rotation
                .replacements
                .iter()
                .flat_map(|r| keys(r).iter().map(|key| Deprecated { role: r.role, key: key.id() }));
            each.collect::<Vec<_>>()
        };
        let kind = match rotation.kind {
            RotationKind::Scheduled => NoticeKind::Retirement,
            RotationKind::Emergency => NoticeKind::Revocation,
        };
        DeprecationNotice {
            id: rotation.notice(),
            kind,
            keys: named(|r| &r.old),
            replaced_by: named(|r| &r.new),
            issued,
            warn_from: issued.min(refuse_from),
            refuse_from,
            actions: actions(rotation, registry, refuse_from),
            text: words(rotation, refuse_from),
            registry_version: registry.version,
        }
    }

    /// The rotations that have not ended, oldest first.
    pub fn open_rotations(&self) -> Result<Vec<Rotation>, GovernanceError> {
        for emergency in folder::rotations(self.home)?.iter().filter(|r| r.stage.is_open()) {
            self.supersede(emergency)?;
        }
        let mut all = folder::rotations(self.home)?;
        all.retain(|r| r.stage.is_open());
        Ok(all)
    }

    /// The rotation named `id`.
    pub fn rotation(&self, id: &RotationId) -> Result<Option<Rotation>, GovernanceError> {
        folder::rotation(self.home, id)
    }
}

fn actions(rotation: &Rotation, registry: &Registry, before: Timestamp) -> Vec<Action> {
    let mut actions = vec![Action::FetchRegistry { version: registry.version }];
    for change in &rotation.replacements {
        actions.push(Action::UpdatePin { role: change.role, keys: registry.keys(change.role) });
        match change.role {
            KeyRole::PlaybookAuthor => actions.push(Action::ReSign { role: change.role, before }),
            KeyRole::DeviceIssuer if rotation.kind == RotationKind::Emergency => {
                actions.push(Action::ReEnrol { before });
            }
            KeyRole::Session => actions.push(Action::SignInAgain {}),
            _ => {}
        }
    }
    actions
}

fn words(rotation: &Rotation, refuse_from: Timestamp) -> String {
    let roles: Vec<&str> = rotation.replacements.iter().map(|r| r.role.as_str()).collect();
    let roles = roles.join(", ");
    let reason = match rotation.reason.as_str() {
        "" => String::new(),
        reason => format!(" ({reason})"),
    };
    match rotation.kind {
        RotationKind::Scheduled => format!(
            "Keys that sign as {roles} are replaced{reason}. What the old ones signed is taken until {refuse_from}; \
             what lies in a ledger by then goes on counting."
        ),
        RotationKind::Emergency => format!(
            "Keys that signed as {roles} are revoked{reason}. Nothing that they signed counts, whenever it was signed."
        ),
    }
}
