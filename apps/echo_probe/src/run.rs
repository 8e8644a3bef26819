//! `echo_probe run`: three threads, one more for the mesh, and a main thread that waits for the word to stop.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc::sync_channel},
    thread,
    time::{Duration, Instant},
};

use device_link::MAX_PULSES_PER_BATCH;
use echo_core::Mint;
use observability::{Bounds, Buffer, Collector};
use playbooks::Runner;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::{Handle, Signals},
};

use crate::{
    address::Address,
    cli,
    execute::Hands,
    failure::Failure,
    home::{self, Home, Identity},
    journal::Journal,
    machine::Machine,
    mesh::{Mesh, Needs},
    notice::{Notices, TRUST},
    pin::{CHAIN, Pin},
    platform::{Member, Platform},
    pulse::{Pulser, Waiting},
    pulse_sender::Sender,
    show,
    stop::Stop,
    work::{Papers, Worker},
};

/// How long work that is under way may take to end once the program is told to stop. What takes longer is cut off,
/// as a power cut would, and is carried on at the next start.
const GRACE: Duration = Duration::from_millis(1_500);
/// The threads' stacks; only what is touched takes memory. Patterns of a policy may nest deeply.
const STACK: usize = 2 * 1024 * 1024;

/// Runs the device until SIGINT or SIGTERM.
pub(crate) fn run(options: &cli::Run) -> Result<(), Failure> {
    let folder = options.home.path()?;
    let machine = Machine::new(options.root.as_deref(), options.allow_live_changes)?;
    let identity = enrolled(&folder)?;
    let home = Arc::new(Home::open(&folder)?);
    let address = Address::parse(&identity.platform, identity.insecure_http).map_err(Failure::of)?;
    if address.is_exposed() {
        tracing::warn!(url = address.as_str(), "plain http to another machine: others can read what is said");
    }
    let mint = Mint::system();
    let key = home.key()?;
    let member = Arc::new(Member::new(
        Platform::new(address),
        identity.device.clone(),
        identity.root,
        key.clone(),
        mint.clone(),
    ));
    let mut worker = worker(&home, &identity, &member, machine, mint.clone())?;
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|e| Failure::Failed(format!("signals cannot be caught: {e}")))?;
    let mesh = options.mesh.then(|| mesh(folder, &worker, options, EndsTheWait(signals.handle())));
    let mesh = mesh.transpose()?;
    worker.mesh = mesh.as_ref().map(|(mesh, _)| Arc::clone(mesh));
    let sender = sender(&home, &member, worker.mesh.clone(), mint.clone())?;
    let (told, taken) = sync_channel(1);
    let pulser = Pulser {
        device: identity.device.clone(),
        waiting: sender.waiting.clone(),
        collector: Collector::new(),
        mint,
        every: Duration::from_secs(options.pulse_seconds.get().into()),
        mesh: worker.mesh.clone(),
        taken: told,
    };

    let stop = Arc::new(Stop::default());
    spawn("work", signals.handle(), &stop, move |stop| worker.run(stop))?;
    spawn("pulse", signals.handle(), &stop, move |stop| pulser.run(stop))?;
    spawn("send", signals.handle(), &stop, move |stop| sender.run(&taken, stop))?;
    show::say(&format!("running as {} for {}", identity.device, member.url()));

    let told = signals.forever().next();
    stop.stop();
    if let Some((mesh, _)) = &mesh {
        mesh.stop();
    }
    if !stop.idle(GRACE) {
        tracing::warn!("work under way is cut off, and is carried on at the next start");
    }
    if let Some((_, thread)) = mesh {
        wait_for(&thread);
    }
    match told {
        Some(_) => Ok(()),
        None => Err(Failure::Failed(
            "a part of the probe ended by itself: see the log, and start it again".to_owned(),
        )),
    }
}

fn enrolled(folder: &Path) -> Result<Identity, Failure> {
    home::identity(folder)?.ok_or_else(|| {
        Failure::Failed(format!(
            "{} holds no enrolled device: run `echo_probe enroll` first, or name the folder with --home",
            folder.display()
        ))
    })
}

/// A good-bye takes a moment; a mesh that hangs is cut off with the program.
fn wait_for(thread: &thread::JoinHandle<()>) {
    let until = Instant::now() + GRACE;
    while !thread.is_finished() && Instant::now() < until {
        thread::sleep(Duration::from_millis(10));
    }
}

fn worker(
    home: &Arc<Home>,
    identity: &Identity,
    member: &Arc<Member>,
    machine: Machine,
    mint: Mint,
) -> Result<Worker, Failure> {
    let pin = Pin::load(home.path(CHAIN), identity.root)?;
    let journal = Journal::open(home.path("work"), mint.now()).map_err(Failure::of)?;
    let runner = Runner::open(&home.path("runs").join(machine.journal_name())).map_err(Failure::of)?;
    let hands = Hands::new(machine, runner, mint.clone());
    match hands.recover() {
        Ok(0) => {}
        Ok(runs) => tracing::warn!(runs, "runs that were cut off have been taken back"),
        Err(why) => tracing::error!(%why, "a run that was cut off could not be taken back"),
    }
    Ok(Worker {
        member: Arc::clone(member),
        device: identity.device.clone(),
        key: home.key()?,
        mint,
        pin,
        journal,
        hands,
        stranded: std::collections::BTreeSet::new(),
        trust_asked: None,
        trust_had: None,
        notices: Notices::load(home.path(TRUST))?,
        notices_asked: None,
        mesh: None,
        papers: Some(Papers { home: Arc::clone(home), identity: identity.clone() }),
        papers_asked: None,
        papers_doubted: false,
    })
}

/// A mesh that cannot start costs the mesh: commands and pulses go on, and bring what it lacks.
fn mesh(
    folder: PathBuf,
    worker: &Worker,
    options: &cli::Run,
    ends: EndsTheWait,
) -> Result<(Arc<Mesh>, thread::JoinHandle<()>), Failure> {
    let (key, mint) = (worker.key.clone(), worker.mint.clone());
    crate::mesh::start(Needs { folder, key, mint, options: options.mesh_options.clone() }, ends)
}

fn sender(
    home: &Arc<Home>,
    member: &Arc<Member>,
    mesh: Option<Arc<Mesh>>,
    mint: Mint,
) -> Result<Sender, Failure> {
    let buffer = Buffer::open(&home.path("pulses"), Bounds::default()).map_err(Failure::of)?;
    for aside in buffer.set_aside() {
        tracing::warn!(?aside, "a damaged file of pulses was set aside");
    }
    Ok(Sender {
        member: Arc::clone(member),
        home: Arc::clone(home),
        is_new: buffer.next_seq() == 1,
        waiting: Waiting::new(buffer),
        mint,
        contact: home::contact(&home.path("."))?,
        most: MAX_PULSES_PER_BATCH,
        mesh,
        key: home.key()?,
    })
}

/// Ends the wait for signals when its thread ends, also by a panic: half a probe must not look alive.
struct EndsTheWait(Handle);

impl Drop for EndsTheWait {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn spawn(
    name: &'static str,
    handle: Handle,
    stop: &Arc<Stop>,
    run: impl FnOnce(&Stop) + Send + 'static,
) -> Result<(), Failure> {
    let stop = Arc::clone(stop);
    let work = move || {
        let _ends = EndsTheWait(handle);
        run(&stop);
    };
    thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK)
        .spawn(work)
        .map(drop)
        .map_err(|e| Failure::Failed(format!("no thread for {name}: {e}")))
}
