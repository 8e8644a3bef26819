//! Opens the home, serves until a signal, stops cleanly.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, serve::ListenerExt as _};
use desk::{Desk, Opened, Options};
use echo_core::{Mint, Reach};
use rustix::net::sockopt;
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::{
    clock, mesh, network, schedule,
    settings::{MeshSettings, Settings},
    timer,
};

/// Two threads serve hundreds of devices, and each more costs memory.
const THREADS: usize = 2;
/// How long open requests have to end after a signal.
const GRACE: Duration = Duration::from_secs(10);
/// How long a connection may be silent before its other end is asked whether it is there. As much again, and it is shut.
const SILENT: Duration = Duration::from_secs(30);
/// How often it is asked.
const PROBES: u32 = 3;
/// How often telemetry is written and the time of commands is looked at.
const TICK: Duration = Duration::from_secs(5);

/// Runs the platform until SIGINT or SIGTERM.
pub fn run(settings: Settings) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .map_err(|e| format!("cannot start: {e}"))?;
    let served = runtime.block_on(serve(settings));
    // A witness that does not answer must not keep the platform from stopping.
    runtime.shutdown_background();
    served
}

async fn serve(settings: Settings) -> Result<(), String> {
    let (listener, address) = bind(settings.listen).await?;
    // Before the first word is said: whoever reads it may already want the platform to stop.
    let signals = Signals::listen()?;
    let models = settings.models.open(&settings.home, settings.reach)?;
    let options = Options {
        home: settings.home,
        mint: Mint::system(),
        passphrase: settings.passphrase,
        vault_key: settings.vault_key,
        models,
        keep_days: settings.keep_days,
        accept_clock: settings.accept_clock,
    };
    let Opened { desk, sign_in } = Desk::open(options).await.map_err(|e| e.to_string())?;
    let (stop, stopping) = watch::channel(false);
    let reach = settings.reach;
    let looks = look_around(&desk, reach, address, &stopping).await?;
    let mesh = settings.mesh.as_ref().map(|mesh| (mesh, reach));
    let (app, node) = app(&desk, mesh, settings.url, address, &stopping).await?;
    let chores = tokio::spawn(chores(desk.clone(), stopping.clone()));
    let jobs = tokio::spawn(schedule::run(desk.clone(), settings.means, stopping.clone()));
    let timer = tokio::spawn(timer::run(desk.clone(), reach, stopping.clone()));
    let listener = listener.tap_io(|stream| {
        if let Err(error) = prepare(stream) {
            tracing::debug!(%error, "a connection was gone before it began");
        }
    });
    let server = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(stopped(stopping));
    let serving = tokio::spawn(async move { server.await });
    announce(address, &sign_in.secret);
    signals.wait().await;
    stop.send_replace(true);
    match timeout(GRACE, serving).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => tracing::warn!("the server ended with {error}"),
        Ok(Err(error)) => tracing::warn!("the server ended with {error}"),
        Err(_) => tracing::warn!("some requests did not end within {} s", GRACE.as_secs()),
    }
    if let Some(node) = node
        && timeout(GRACE, node).await.is_err()
    {
        tracing::warn!("the mesh did not end within {} s", GRACE.as_secs());
    }
    for task in looks.into_iter().chain([chores, timer]) {
        task.abort();
    }
    if timeout(GRACE, jobs).await.is_err() {
        tracing::warn!(
            "the jobs did not end within {} s: the next start makes their runs again",
            GRACE.as_secs()
        );
    }
    if let Err(error) = timer::commit(&desk).await {
        tracing::warn!("{error}");
    }
    desk.close().await.map_err(|e| e.to_string())
}

/// Says what the network is like before anybody asks, and what is in the way of being reached; then looks at the network and
/// the clock every few seconds.
async fn look_around(
    desk: &Desk,
    reach: Reach,
    address: SocketAddr,
    stopping: &watch::Receiver<bool>,
) -> Result<[JoinHandle<()>; 2], String> {
    if let Some(why) = network::unreachable(address) {
        tracing::warn!("{why}");
    }
    desk.network_is(network::now(reach)).await.map_err(|e| e.to_string())?;
    Ok([
        tokio::spawn(network::watch(desk.clone(), reach, stopping.clone())),
        tokio::spawn(clock::watch(desk.clone(), stopping.clone())),
    ])
}

async fn bind(listen: SocketAddr) -> Result<(TcpListener, SocketAddr), String> {
    let listener = TcpListener::bind(listen).await.map_err(|e| {
        format!("cannot listen on {listen}: {e}; is another platform running? choose a port with --listen")
    })?;
    let address = listener.local_addr().map_err(|e| e.to_string())?;
    if !address.ip().is_loopback() {
        tracing::warn!(
            "listening on {address}, which others can reach, without TLS: put a TLS proxy before it"
        );
    }
    Ok((listener, address))
}

/// A relay's datagrams do not wait for one another (RFC 9293, section 3.7.4), and a device that was cut off or got another
/// address without a word does not hold its connection for ever.
fn prepare(stream: &TcpStream) -> Result<(), rustix::io::Errno> {
    sockopt::set_tcp_nodelay(stream, true)?;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, SILENT)?;
    sockopt::set_tcp_keepintvl(stream, SILENT / PROBES)?;
    sockopt::set_tcp_keepcnt(stream, PROBES)?;
    sockopt::set_tcp_user_timeout(stream, u32::try_from(2 * SILENT.as_millis()).unwrap_or(u32::MAX))
}

/// All that is served, and the node of the mesh where there is one.
async fn app(
    desk: &Desk,
    mesh: Option<(&MeshSettings, Reach)>,
    url: Option<String>,
    address: SocketAddr,
    stopping: &watch::Receiver<bool>,
) -> Result<(Router, Option<JoinHandle<()>>), String> {
    let mut api = control_plane::Options::new(stopping.clone());
    api.guarded = mcp::router(desk.clone())
        .merge(a2a::router(desk.clone(), stopping.clone()))
        .merge(model_api::router(desk.clone()));
    let (mut gateway, mut node) = (Router::new(), None);
    if let Some((settings, reach)) = mesh {
        let mesh = mesh::start(desk, settings, reach, address, stopping.clone()).await?;
        api.metrics = mesh.metrics;
        (gateway, node) = (mesh.router, Some(mesh.node));
    }
    let app = control_plane::router(desk.clone(), api)
        .merge(a2a::card_router(desk.clone(), url))
        .merge(dashboard::router(desk.clone()))
        .merge(gateway)
        .fallback(dashboard::not_found);
    Ok((app, node))
}

/// The two lines that people and programs wait for. The secret stands in the fragment, which browsers do not send.
#[expect(clippy::print_stdout, reason = "this is the program's output")]
fn announce(address: SocketAddr, secret: &str) {
    println!("ready http://{address}/");
    println!("sign in: http://{address}/sign-in#token={secret}");
}

/// Ends when the platform stops, or when whoever could say so is gone.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// SIGINT and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|e| format!("cannot listen for signals: {e}"));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn wait(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// What is to be done at the start and every few seconds; the rest is the schedule's. A failure is told and tried again at the next turn.
async fn chores(desk: Desk, stopping: watch::Receiver<bool>) {
    if let Err(error) = desk.tidy().await {
        tracing::warn!("{error}");
    }
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut end = Box::pin(stopped(stopping));
    loop {
        let done = tokio::select! {
            _ = tick.tick() => desk.tick().await,
            () = &mut end => return,
        };
        if let Err(error) = done {
            tracing::warn!("{error}");
        }
    }
}
