//! What the home's own jobs do. Each can be cut off anywhere and done again: it looks first at what there is to do.

use dossier::LogName;
use echo_core::Timestamp;
use store::{Filter, Scope};

use crate::{
    Content, Desk, DeskError, Device, DeviceState, Event, desk::blocking, exception, recall::memory_error,
};

/// From when on the end of a key, an exception or a certificate is spoken of, in seconds: 30 days.
const SOON_SECONDS: i64 = 30 * 24 * 3600;
/// How many turns of remembering one run of the index makes at most.
const TURNS: usize = 200;
/// The most of one thing that a message lists.
const LISTED: usize = 5;

impl Desk {
    /// Bills standing cases whose month is over, and finishes erasures that were cut off.
    pub async fn keep_house(&self) -> Result<String, DeskError> {
        self.bill_standing().await?;
        self.resume_erasures().await;
        Ok("standing cases and erasures were looked at".to_owned())
    }

    /// Forgets answers, events, admissions and remembered texts whose time is over.
    pub async fn forget_old(&self) -> Result<String, DeskError> {
        let (replies, events) = self.forget_answers().await?;
        let chunks = self.memory().expire(self.now()).await.map_err(memory_error)?;
        Ok(format!("forgot {replies} answers, {events} events and {chunks} remembered passages"))
    }

    /// Compares the prompt with its signed template, and marks what the memory holds by older rules.
    pub async fn keep_prompts_clean(&self) -> Result<String, DeskError> {
        self.tidy_memory().await?;
        self.check_prompt().await;
        match self.prompt_trouble() {
            Some(trouble) => Err(DeskError::Home(trouble)),
            None => Ok(format!(
                "the prompt is its signed template; {} passages are kept out of the memory",
                self.quarantined()
            )),
        }
    }

    /// Learns triage when there is something new to learn from.
    pub async fn learn_anew(&self) -> Result<String, DeskError> {
        self.learn_when_due().await?;
        let said = self.learning_said().await?;
        Ok(if said.is_empty() { "there was nothing to learn from yet".to_owned() } else { said })
    }

    /// Remembers all that is due, gives vectors to what has none, and merges the index.
    pub async fn keep_index(&self) -> Result<String, DeskError> {
        self.tidy_memory().await?;
        let mut turns = 0;
        while turns < TURNS && self.sources_due().await? > 0 {
            self.remember_due().await?;
            turns += 1;
        }
        self.memory().compact().await.map_err(memory_error)?;
        Ok(match self.sources_due().await? {
            0 => "everything is in the index".to_owned(),
            left => format!("{left} sources still wait for the index; the next turns take them"),
        })
    }

    /// Gives free pages of both databases back to the disk.
    pub async fn vacuum(&self) -> Result<String, DeskError> {
        let sizes = |desk: &Self| {
            ["echo.db", "memory/memory.db"]
                .map(|file| std::fs::metadata(desk.home().join(file)).map_or(0, |metadata| metadata.len()))
        };
        let before: u64 = sizes(self).iter().sum();
        self.store().scrub().await?;
        self.memory().compact().await.map_err(memory_error)?;
        let after: u64 = sizes(self).iter().sum();
        Ok(format!("the databases had {before} bytes and have {after}"))
    }

    /// Reads everything that must not change behind our back: both ledgers from their first entries, both databases, the
    /// vault's audit, the signed content.
    ///
    /// # Errors
    /// [`DeskError::Home`] with all that is wrong.
    pub async fn check_integrity(&self) -> Result<String, DeskError> {
        let mut wrong = Vec::new();
        let mut entries = 0;
        for name in LogName::ALL {
            let (dir, vkey) = (self.log(name).dir().to_owned(), self.log(name).vkey().to_owned());
            match blocking(move || Ok(ledger::fsck(&dir, &vkey))).await? {
                Ok(report) => entries += report.size,
                Err(error) => wrong.push(format!("the {name} ledger: {error}")),
            }
        }
        wrong.extend(self.store().faults().await?.into_iter().map(|fault| format!("echo.db: {fault}")));
        let faults = self.memory().faults().await.map_err(memory_error)?;
        wrong.extend(faults.into_iter().map(|fault| format!("memory.db: {fault}")));
        wrong.extend(self.vault_trouble().await?.map(|why| format!("the vault: {why}")));
        let files = self.check_content().await?;
        let refused = files.len();
        wrong.extend(files.into_iter().take(LISTED));
        if wrong.is_empty() {
            return Ok(format!(
                "{entries} entries of both ledgers, two databases, the vault's audit and the signed content are whole"
            ));
        }
        if refused > LISTED {
            wrong.push(format!("and {} more files", refused - LISTED));
        }
        Err(DeskError::Home(format!("{}; restore what is named from your backup", wrong.join("; "))))
    }

    /// What of the signed content would not be used at a start that was made now.
    async fn check_content(&self) -> Result<Vec<String>, DeskError> {
        let exceptions = exception::load(self.home(), self.registry(), self.store()).await?;
        let desk = self.clone();
        blocking(move || {
            Ok(match Content::load(desk.home(), desk.registry(), exceptions, desk.now()) {
                Ok(content) => {
                    content.refused.iter().map(|r| format!("{}: {}", r.file.display(), r.reason)).collect()
                }
                Err(error) => vec![error.to_string()],
            })
        })
        .await
    }

    /// Looks for what is about to end: the trust registry, keys that a notice retires, exceptions. What it finds is told,
    /// and makes the jobs run that listen to `key_expiry`.
    pub async fn watch_trust(&self) -> Result<String, DeskError> {
        let now = self.now();
        let mut ends = vec![("the trust registry".to_owned(), self.registry().expires)];
        for notice in governance::believed(self.notices(), self.registry()) {
            if notice.refuse_from > now {
                ends.push((format!("the keys of the notice {}", notice.id), notice.refuse_from));
            }
        }
        let excepted = self.content().excepted.iter();
        ends.extend(excepted.map(|e| (format!("the exception for {}", e.exception.name), e.exception.until)));
        self.tell_of_ends(ends, now).await
    }

    /// Looks for certificates of devices in care that are about to end, which a device that is heard from renews by itself,
    /// and for others that the caller read: what each is, and when it ends.
    pub async fn watch_certificates(&self, others: Vec<(String, Timestamp)>) -> Result<String, DeskError> {
        let now = self.now();
        let mut tx = self.store().read().await?;
        let devices = tx.all::<Device>(&Scope::All, &Filter::default()).await?;
        drop(tx);
        let mut ends = others;
        for device in devices.into_iter().filter(|device| device.state != DeviceState::Revoked) {
            // One by a key that counts no more is the business of the trust watch.
            if let Ok(manifest) = trust::NodeManifest::verify(&device.manifest, self.registry(), now) {
                ends.push((format!("the certificate of {}", device.name), manifest.expires));
            }
        }
        self.tell_of_ends(ends, now).await
    }

    async fn tell_of_ends(
        &self,
        mut ends: Vec<(String, Timestamp)>,
        now: Timestamp,
    ) -> Result<String, DeskError> {
        let looked_at = ends.len();
        ends.sort_by_key(|(_, at)| *at);
        let soon: Vec<String> = ends
            .into_iter()
            .filter(|(_, at)| at.as_second().saturating_sub(now.as_second()) < SOON_SECONDS)
            .map(
                |(what, at)| {
                    if at <= now { format!("{what} ended on {at}") } else { format!("{what} ends on {at}") }
                },
            )
            .collect();
        if soon.is_empty() {
            return Ok(format!("{looked_at} looked at; none ends within 30 days"));
        }
        let mut work = self.work("Echo").await?;
        for what in soon.iter().take(LISTED) {
            let event =
                Event { topic: "expiry".to_owned(), id: "watch".to_owned(), what: what.clone(), at: now };
            work.tell(None, &event).await?;
        }
        work.commit().await?;
        self.wake_schedule();
        let more = soon.len().saturating_sub(LISTED);
        let listed = soon.into_iter().take(LISTED).collect::<Vec<_>>().join("; ");
        Ok(if more > 0 { format!("{listed}; and {more} more") } else { listed })
    }
}
