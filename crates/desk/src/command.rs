//! Work queued for devices.

use std::time::Duration;

use access::{Action, Principal};
use device_link::{COMMAND_TYPE, Command, Work as DeviceWork};
use echo_core::{CallId, CaseId, CommandId, CustomerId, DeviceId, Id as _, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope};
use trust::{KeyRole, dsse::Envelope};

use crate::{Desk, DeskError, Work, skill_call::SkillCall};

/// How long a device has to begin, in seconds.
const COMMAND_SECONDS: i64 = 3600;
/// The most commands handed out at once.
const MAX_HANDED_OUT: usize = 8;
/// The longest a device waits for a command in one request.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(30);

/// Where a command stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandState {
    /// It waits for the device.
    Queued,
    /// The device answered.
    Done,
    /// The device did not begin in time.
    Expired,
}

/// A piece of work for a device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommandRecord {
    /// Its id.
    pub id: CommandId,
    /// Which skill call it serves.
    pub call: CallId,
    /// In which case.
    pub case: CaseId,
    /// For which device.
    pub device: DeviceId,
    /// Whose.
    pub customer: CustomerId,
    /// Where it stands.
    pub state: CommandState,
    /// Until when the device may begin.
    pub expires: Timestamp,
    /// The signed command.
    pub envelope: Envelope,
    /// The device's signed result, once it is there.
    pub result: Option<Envelope>,
}

impl Record for CommandRecord {
    const KIND: &'static str = "command";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }

    fn parent(&self) -> Option<&str> {
        Some(self.device.as_str())
    }

    fn state(&self) -> &str {
        match self.state {
            CommandState::Queued => "queued",
            CommandState::Done => "done",
            CommandState::Expired => "expired",
        }
    }
}

impl CommandRecord {
    /// The command itself, as it was signed here.
    pub(crate) fn command(&self) -> Result<Command, DeskError> {
        let payload = self.envelope.payload_unchecked().map_err(|e| DeskError::Internal(e.to_string()))?;
        Ok(serde_json::from_slice(&payload)?)
    }
}

impl Desk {
    /// The signed commands that wait for the calling device, oldest first; waits up to `wait` for one.
    pub async fn next_commands(
        &self,
        principal: &Principal,
        wait: Duration,
    ) -> Result<Vec<Envelope>, DeskError> {
        principal.require(Action::TakeCommand)?;
        let device = principal
            .device
            .clone()
            .ok_or_else(|| DeskError::invalid("device", "only devices take commands"))?;
        let deadline = tokio::time::Instant::now() + wait.min(MAX_WAIT);
        let mut changes = self.changes();
        loop {
            changes.borrow_and_update();
            let waiting = self.queued(&device).await?;
            if !waiting.is_empty() {
                return Ok(waiting);
            }
            match tokio::time::timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Ok(Vec::new()),
            }
        }
    }

    async fn queued(&self, device: &DeviceId) -> Result<Vec<Envelope>, DeskError> {
        let mut tx = self.store().read().await?;
        let filter = Filter { parent: Some(device.as_str()), state: Some("queued") };
        let queued = tx.all::<CommandRecord>(&Scope::All, &filter).await?;
        let now = self.mint().now();
        Ok(queued.into_iter().filter(|c| c.expires > now).take(MAX_HANDED_OUT).map(|c| c.envelope).collect())
    }

    /// Ends commands whose time is over and the calls that wait for them. Called now and then.
    pub(crate) async fn expire_commands(&self) -> Result<(), DeskError> {
        let now = self.mint().now();
        let mut tx = self.store().read().await?;
        let queued = tx.all::<CommandRecord>(&Scope::All, &Filter::in_state("queued")).await?;
        drop(tx);
        for command in queued.into_iter().filter(|c| c.expires <= now) {
            let mut work = self.work("Echo").await?;
            let Some(mut command) = work.tx.get::<CommandRecord>(&Scope::All, command.id.as_str()).await?
            else {
                continue;
            };
            if command.state == CommandState::Queued {
                command.state = CommandState::Expired;
                work.tx.update(&command).await?;
                work.fail_call(
                    &command.call,
                    "the device did not answer within an hour: is `echo_probe run` up?",
                )
                .await?;
                work.commit().await?;
            }
        }
        Ok(())
    }
}

impl Work<'_> {
    /// Signs a command and puts it into the device's queue.
    pub(crate) async fn queue_command(
        &mut self,
        call: &SkillCall,
        device: &DeviceId,
        work: DeviceWork,
    ) -> Result<CommandId, DeskError> {
        let command = Command {
            id: self.id(),
            device: device.clone(),
            case: call.case.clone(),
            call: call.id.clone(),
            issued: self.now,
            expires: self.after(COMMAND_SECONDS),
            work,
        };
        let key = self.desk.signer(KeyRole::Operator)?;
        let record = CommandRecord {
            id: command.id.clone(),
            call: call.id.clone(),
            case: call.case.clone(),
            device: device.clone(),
            customer: call.customer.clone(),
            state: CommandState::Queued,
            expires: command.expires,
            envelope: Envelope::sign(COMMAND_TYPE, &command, &[key])?,
            result: None,
        };
        self.tx.insert(&record).await?;
        Ok(command.id)
    }
}
