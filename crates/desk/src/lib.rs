//! Domain: the desk where cases are handled. The one place that knows the main flow.
//!
//! A case is opened, triaged, diagnosed, scanned, planned, approved, applied, proven, billed, settled, exported:
//! each step is one method of [`Desk`], one unit of work ([`Work`]) and one commit. What the step changes, the
//! answer kept under its idempotency key, the events it tells and the ledger entries it owes become durable
//! together; then the entries are integrated into the ledgers, and only then is the caller answered.
//!
//! The rules of each trade live in their own crates (triage in `agents`, rating in `revenue`, posture in
//! `security`); this crate calls them in order and keeps what comes of it.
//!
//! What may not come in: HTTP, HTML, command lines, SQL.

mod advice;
mod agent;
mod agent_card;
mod agent_key;
mod agent_key_make;
mod agent_spend;
mod backup;
mod call;
mod calls;
mod case;
mod case_flow;
mod case_sort;
mod certificate;
mod change_set;
mod clock;
mod command;
mod content;
mod customer;
mod desk;
mod device;
mod document;
mod enrolment;
mod erasure;
mod erasure_files;
mod erasure_view;
mod erasure_work;
mod error;
mod event;
mod exception;
mod export;
mod federation;
mod finding;
mod follow;
mod grant;
mod health;
mod home;
mod interrupted;
mod invoice;
mod learning;
mod learning_examples;
mod learning_shelf;
mod learning_version;
mod mesh_board;
mod mesh_node;
mod mesh_notice;
mod mesh_pulses;
mod mesh_revocation;
mod mesh_settle;
mod mesh_view;
mod mesh_witness;
mod model_use;
mod network;
mod notice;
mod outbox;
mod overview;
mod prompt;
mod proof;
mod publish;
mod pulse;
mod reading_room;
mod recall;
mod recall_documents;
mod recall_sources;
mod receipt;
mod result;
mod roll;
mod schedule;
mod schedule_ask;
mod schedule_jobs;
mod schedule_work;
mod session;
mod shipped;
mod skill_call;
mod standing;
mod timeline;
mod treasury;
mod user;
mod vault;
mod witness;
mod witness_ask;
mod witness_policy;
mod witness_standing;
mod work;

pub use ::backup::Settings as BackupSettings;
pub use ::witness::{MAX_REQUEST_BYTES as MAX_WITNESS_REQUEST, Refusal};
pub use agent_card::CardSignature;
pub use agent_key::{AgentKey, AgentKeyState, AgentKeyView};
pub use agent_key_make::{KEY_DAYS, MAX_KEY_DAYS, MAX_KEYS, MadeAgentKey, NewAgentKey};
pub use backup::{BackedUp, BroughtBack};
pub use call::{Call, Idempotency};
pub use case::{Case, CaseState, CaseView, OpenCase};
pub use case_sort::{RelatedCase, SortCase, Sorted};
pub use change_set::{ChangeSet, ChangeSetState};
pub use clock::{ClockSet, MAX_AHEAD_SECONDS, MAX_BACK_SECONDS, Noticed, STRAY_SECONDS};
pub use command::{CommandRecord, CommandState};
pub use content::{Content, Excepted, Refused};
pub use customer::{Customer, CustomerView, NewCustomer};
pub use desk::Desk;
pub use device::{Device, DeviceState, DeviceView};
pub use document::{DocumentRecord, DocumentView};
pub use enrolment::{EnrolmentTokenView, NewEnrolment};
pub use erasure_view::{
    ERASURE_PREDICATE, EraseCustomer, Erased, ErasureReason, ErasureState, ErasureView, Stays,
};
pub use error::DeskError;
pub use event::Event;
pub use finding::{Finding, FindingState};
pub use grant::{GrantPrice, GrantRecord, GrantState, NewGrant};
pub use health::Health;
pub use home::{Opened, Options};
pub use invoice::{InvoiceRecord, NewPayment};
pub use learning::{TriageLearning, UseTriage};
pub use learning_examples::{MIN_EXAMPLES, TriageFigures};
pub use learning_shelf::{MAX_TRIAGE_MODEL, TriageCard, TriageOrigin};
pub use learning_version::KEPT_VERSIONS;
pub use mesh_board::{MAX_MESH_NODES, MeshNode, MeshPath, MeshPathKind, MeshState};
pub use mesh_node::OwnNode;
pub use mesh_notice::{NoticeStanding, WaitingDevice};
pub use mesh_pulses::{Replay, ReplayedPulse};
pub use mesh_revocation::MANY_REVOKED_PERCENT;
pub use mesh_settle::{MAX_SETTLED, MeshPapers, MeshSettled};
pub use mesh_view::{MeshDoctor, MeshNodeView, MeshNodes, MeshOffer, visible};
pub use mesh_witness::{FORK_PREDICATE, ForkIncident, NodeWitness};
pub use model_use::{ANSWER_MILLIS, ChatEnded, ModelChat};
pub use network::{Connection, HealthView, Network};
pub use overview::Overview;
pub use proof::Proof;
pub use pulse::PulsesAccepted;
pub use reading_room::{DocumentBrief, DocumentHit, DocumentText, Origin, SignedBrief};
pub use receipt::ReceiptRecord;
pub use result::ResultTaken;
pub use schedule::{BUILTIN_SCHEDULE, ScheduleStep, ScheduleTurn, parse_schedule};
pub use schedule_ask::{JobCondition, JobView, RunView, ScheduleView};
pub use schedule_jobs::{KNOWN_JOBS, KnownJob, known_job};
pub use session::{SignInLink, Tokens};
pub use shipped::ShippedState;
pub use skill_call::{AskSkill, SkillCall, SkillCallState};
pub use store::{Filter, StoredReply};
pub use timeline::{TimelineEntry, TimelineKind};
pub use treasury::{CommitmentRecord, EXPORT_HEADER, MAX_EXPORT_BYTES};
pub use user::{NewUser, User};
pub use vault::{VaultKey, VaultStatus};
pub use witness_ask::{Ask, WitnessAnswer};
pub use witness_policy::{WitnessEdit, WitnessedEdit, WitnessedLog};
pub use witness_standing::{StandingView, WitnessGroup, WitnessView, Witnesses};
pub use work::Work;
