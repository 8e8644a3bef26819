//! Learned triage in the platform: it learns from decided cases, keeps versions, and uses one that is not worse.

use std::sync::{Mutex, MutexGuard, PoisonError};

use access::{Action, Principal};
use agents::{
    Triager,
    triage::{Labels, Learned},
};
use echo_core::{CustomerId, Digest, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope};
use tokio::sync::Mutex as AsyncMutex;

use crate::{
    Call, Desk, DeskError, Event,
    desk::blocking,
    learning_examples::{self as examples, Example, Lesson},
    learning_shelf::{self as shelf, TriageCard, TriageOrigin},
    learning_version::{Draft, VersionRecord},
    work::Work,
};

/// How long after learning it is tried again, in seconds: a day.
const PAUSE_SECONDS: i64 = 24 * 3600;

/// What the desk holds of learned triage.
#[derive(Debug)]
pub(crate) struct LearningRoom {
    triager: Mutex<Triager>,
    /// Why the version in force is not used.
    trouble: Mutex<Option<String>>,
    /// Held while something is learned or put in force.
    pub(crate) busy: AsyncMutex<()>,
}

impl LearningRoom {
    /// A room in which the lexicon alone speaks.
    pub(crate) fn new(triager: Triager) -> Self {
        Self { triager: Mutex::new(triager), trouble: Mutex::default(), busy: AsyncMutex::default() }
    }
}

/// Where learning stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Standing {
    id: String,
    /// The version that speaks first; nothing when the lexicon alone does.
    pub(crate) in_force: Option<u64>,
    /// When it was last tried to learn.
    pub(crate) tried: Option<Timestamp>,
    /// From which examples.
    pub(crate) examples: Option<Digest>,
    /// What came of it.
    pub(crate) said: String,
}

const STANDING: &str = "triage";

impl Record for Standing {
    const KIND: &'static str = "triage standing";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

/// Learned triage as its operator sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TriageLearning {
    /// The version that speaks first; nothing when the lexicon alone does.
    pub in_force: Option<u64>,
    /// Why the version in force is refused, and the lexicon speaks alone.
    pub trouble: Option<String>,
    /// How many cases somebody decided that can be learned from.
    pub examples: usize,
    /// When it was last tried to learn from them.
    pub tried: Option<Timestamp>,
    /// What came of it.
    pub said: String,
    /// The versions that are kept, newest first.
    pub versions: Vec<TriageCard>,
}

/// Which version to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UseTriage {
    /// Which; 0 for the lexicon alone.
    pub version: u64,
}

impl Desk {
    /// The triager in force.
    pub(crate) fn triager(&self) -> Triager {
        unpoisoned(&self.learning().triager).clone()
    }

    /// Why the version in force is refused, if it is.
    pub(crate) fn learning_trouble(&self) -> Option<String> {
        unpoisoned(&self.learning().trouble).clone()
    }

    /// Puts the version in force to work; a damaged or foreign one is refused, and said to be.
    pub(crate) async fn open_learning(&self) -> Result<(), DeskError> {
        let mut tx = self.store().read().await?;
        let version = tx.get::<Standing>(&Scope::All, STANDING).await?.and_then(|standing| standing.in_force);
        let Some(version) = version else {
            self.speak(None);
            return Ok(());
        };
        let record = tx.get::<VersionRecord>(&Scope::All, &VersionRecord::id_of(version)).await?;
        drop(tx);
        let learned = match record {
            Some(record) => self.read_version(record.card).await?,
            None => Err("the database does not know it".to_owned()),
        };
        match learned {
            Ok(learned) => self.speak(Some(learned)),
            Err(why) => {
                let trouble = format!(
                    "version {version} of learned triage is refused, and the lexicon sorts alone: {why}; restore \
                     memory/triage/{version} from your backup, or choose another with `echo_cli triage use`"
                );
                tracing::warn!("{trouble}");
                self.speak(None);
                *unpoisoned(&self.learning().trouble) = Some(trouble);
            }
        }
        Ok(())
    }

    pub(crate) fn speak(&self, learned: Option<Learned>) {
        let mut triager = unpoisoned(&self.learning().triager);
        *triager = triager.taught(learned);
        *unpoisoned(&self.learning().trouble) = None;
    }

    /// Where learned triage stands.
    pub async fn triage_learning(&self, principal: &Principal) -> Result<TriageLearning, DeskError> {
        principal.require(Action::ManageTriage)?;
        self.learning_view().await
    }

    async fn learning_view(&self) -> Result<TriageLearning, DeskError> {
        let examples = self.examples().await?.len();
        let mut tx = self.store().read().await?;
        let standing = tx.get::<Standing>(&Scope::All, STANDING).await?.unwrap_or_default();
        let versions = tx.all::<VersionRecord>(&Scope::All, &Filter::in_state("kept")).await?;
        Ok(TriageLearning {
            in_force: standing.in_force,
            trouble: self.learning_trouble(),
            examples,
            tried: standing.tried,
            said: standing.said,
            versions: versions.into_iter().rev().map(|record| record.card).collect(),
        })
    }

    /// Where it stands now, kept as the answer to this request.
    async fn told(&self, call: &Call) -> Result<TriageLearning, DeskError> {
        let view = self.learning_view().await?;
        self.work(&call.principal.name).await?.finish(call, 200, view).await
    }

    /// Puts a version that is kept to work, or the lexicon alone.
    pub async fn use_triage(&self, call: &Call, chosen: UseTriage) -> Result<TriageLearning, DeskError> {
        call.principal.require(Action::ManageTriage)?;
        let _turn = self.turn()?;
        let version = (chosen.version != 0).then_some(chosen.version);
        let learned = match version {
            None => None,
            Some(version) => Some(self.kept_version(version).await?),
        };
        let mut work = self.work(&call.principal.name).await?;
        let mut standing = work.standing().await?;
        standing.in_force = version;
        let what = version.map_or("the lexicon alone".to_owned(), |version| format!("version {version}"));
        standing.said = format!("{} chose {what}", call.principal.name);
        work.stand(standing).await?;
        work.commit().await?;
        self.speak(learned);
        self.told(call).await
    }

    async fn kept_version(&self, version: u64) -> Result<Learned, DeskError> {
        let mut tx = self.store().read().await?;
        let record = tx
            .get::<VersionRecord>(&Scope::All, &VersionRecord::id_of(version))
            .await?
            .filter(|record| record.kept)
            .ok_or_else(|| DeskError::not_found("version of learned triage", &version.to_string()))?;
        drop(tx);
        self.read_version(record.card).await?.map_err(|why| {
            DeskError::Conflict(format!("version {version} is refused: {why}; choose another one"))
        })
    }

    /// Takes in a model that was trained elsewhere, and puts it to work. Its labels must all be in the set.
    pub async fn install_triage(&self, call: &Call, bytes: Vec<u8>) -> Result<TriageLearning, DeskError> {
        call.principal.require(Action::ManageTriage)?;
        let _turn = self.turn()?;
        if bytes.len() as u64 > shelf::MAX_TRIAGE_MODEL {
            return Err(DeskError::invalid("model", format!("at most {} bytes", shelf::MAX_TRIAGE_MODEL)));
        }
        let found = self.examples().await?;
        let in_force = self.triager();
        let (bytes, learned, figures) = blocking(move || {
            let model =
                triage_model::Model::read(bytes.as_slice()).map_err(|e| DeskError::invalid("model", e))?;
            let names = model.labels().names().to_vec();
            let learned = Learned::new(0, Digest::of(&bytes), model.into(), in_force.labels())
                .map_err(|e| DeskError::invalid("model", e))?;
            let figures = examples::held_back_figures(&found, &in_force.taught(Some(learned)));
            Ok((bytes, names, (figures.cases >= examples::MIN_HELD_BACK).then_some(figures)))
        })
        .await?;
        let draft = Draft {
            bytes,
            labels: learned,
            origin: TriageOrigin::Installed,
            learned_from: 0,
            held_back: figures,
        };
        let said = format!("{} installed it", call.principal.name);
        self.put_in_force(&call.principal.name, draft, |standing| standing.said = said).await?;
        self.told(call).await
    }

    /// Learns from what was decided, now.
    pub async fn learn_triage(&self, call: &Call) -> Result<TriageLearning, DeskError> {
        call.principal.require(Action::ManageTriage)?;
        let _turn = self.turn()?;
        self.learn(&call.principal.name).await?;
        self.told(call).await
    }

    /// Learns when a day is over since the last time and something was decided since.
    pub(crate) async fn learn_when_due(&self) -> Result<(), DeskError> {
        let Ok(_turn) = self.turn() else { return Ok(()) };
        let standing =
            self.store().read().await?.get::<Standing>(&Scope::All, STANDING).await?.unwrap_or_default();
        let since = |tried: Timestamp| self.now().as_second().saturating_sub(tried.as_second());
        if standing.tried.is_some_and(|tried| (0..PAUSE_SECONDS).contains(&since(tried))) {
            return Ok(());
        }
        let found = self.examples().await?;
        if examples::too_few(&found).is_some() || standing.examples == Some(examples::digest(&found)) {
            return Ok(());
        }
        self.learn_from("Echo", found).await
    }

    /// What came of learning the last time.
    pub(crate) async fn learning_said(&self) -> Result<String, DeskError> {
        let standing = self.store().read().await?.get::<Standing>(&Scope::All, STANDING).await?;
        Ok(standing.unwrap_or_default().said)
    }

    async fn learn(&self, actor: &str) -> Result<(), DeskError> {
        let found = self.examples().await?;
        if let Some(why) = examples::too_few(&found) {
            return Err(DeskError::Conflict(format!(
                "there is too little to learn from: {why}; sort cases with `echo_cli case sort`"
            )));
        }
        self.learn_from(actor, found).await
    }

    async fn learn_from(&self, actor: &str, found: Vec<Example>) -> Result<(), DeskError> {
        let digest = examples::digest(&found);
        let in_force = self.triager();
        let learned = blocking(move || Ok(examples::learn(&found, &in_force))).await?;
        let now = self.now();
        let told = |said: String| {
            move |standing: &mut Standing| {
                standing.tried = Some(now);
                standing.examples = Some(digest);
                standing.said = said;
            }
        };
        let refused = match learned {
            Ok(lesson) if lesson.holds() => {
                let said = format!("learned from {} cases: {}", lesson.learned_from, compared(&lesson));
                let draft = Draft {
                    bytes: shelf::bytes_of(&lesson.model)?,
                    labels: lesson.model.labels().names().to_vec(),
                    origin: TriageOrigin::Learned,
                    learned_from: lesson.learned_from,
                    held_back: Some(lesson.new),
                };
                return self.put_in_force(actor, draft, told(said)).await;
            }
            Ok(lesson) => format!("what was learned is no better, so nothing changed: {}", compared(&lesson)),
            Err(why) => format!("nothing was learned: {why}"),
        };
        tracing::info!("learned triage: {refused}");
        let mut work = self.work(actor).await?;
        let mut standing = work.standing().await?;
        told(refused)(&mut standing);
        work.stand(standing).await?;
        work.commit().await
    }

    /// The right to change learned triage; one at a time.
    fn turn(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, DeskError> {
        self.learning().busy.try_lock().map_err(|_| {
            DeskError::Conflict("learned triage is being changed already: try again in a minute".to_owned())
        })
    }

    /// The labels that cases are sorted into.
    pub fn triage_labels(&self) -> &Labels {
        &self.content().labels
    }
}

impl Work<'_> {
    pub(crate) async fn standing(&mut self) -> Result<Standing, DeskError> {
        let known = self.tx.get(&Scope::All, STANDING).await?;
        Ok(known.unwrap_or_default())
    }

    /// Keeps where learning stands, and tells the operator.
    pub(crate) async fn stand(&mut self, mut standing: Standing) -> Result<(), DeskError> {
        let event = Event {
            topic: "triage".to_owned(),
            id: standing.in_force.unwrap_or(0).to_string(),
            what: standing.said.clone(),
            at: self.now,
        };
        self.tell(None, &event).await?;
        if standing.id.is_empty() {
            STANDING.clone_into(&mut standing.id);
            return Ok(self.tx.insert(&standing).await?);
        }
        Ok(self.tx.update(&standing).await?)
    }
}

/// Both on the same cases, in words.
fn compared(lesson: &Lesson) -> String {
    let words = |figures: &examples::TriageFigures| {
        format!(
            "macro-F1 {:.3}, answers {:.0} %, of which {:.1} % right",
            figures.macro_f1,
            figures.answered * 100.0,
            figures.answered_accuracy * 100.0
        )
    };
    format!("on {} held back {}; before {}", lesson.new.cases, words(&lesson.new), words(&lesson.in_force))
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds the lock half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
