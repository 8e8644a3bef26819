//! A real platform in this process, which can go away and come back on the same port.

use std::{
    net::{Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::Path,
    time::{Duration, Instant},
};

use desk::Desk;
use echo_core::Mint;
use serde_json::{Value, json};
use tokio::{net::TcpSocket, runtime::Runtime, sync::watch};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub struct Platform {
    runtime: Option<Runtime>,
    desk: Desk,
    stop: watch::Sender<bool>,
    pub address: SocketAddr,
    pub root: String,
    token: String,
    customer: String,
}

impl Platform {
    /// Opens the home and serves it on a free port.
    pub fn start(home: &Path) -> Self {
        Self::start_at(home, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Opens the home and serves it at `address`.
    pub fn start_at(home: &Path, address: SocketAddr) -> Self {
        let runtime = Runtime::new().unwrap();
        let options = desk::Options::new(home.to_owned(), Mint::system());
        let opened = runtime.block_on(Desk::open(options)).unwrap();
        let (stop, stopping) = watch::channel(false);
        let _inside = runtime.enter();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let mut options = control_plane::Options::new(stopping);
        // Tests ask far more often than a person does.
        options.limits.per_caller = const { NonZeroU32::new(60_000).unwrap() };
        options.limits.caller_burst = options.limits.per_caller;
        options.limits.per_address = options.limits.per_caller;
        let app = control_plane::router(opened.desk.clone(), options);
        let serve = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>());
        runtime.spawn(async move { serve.await });
        let desk = opened.desk.clone();
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(300)).await;
                desk.tick().await.unwrap();
            }
        });
        let mut platform = Self {
            runtime: Some(runtime),
            root: opened.desk.root().to_string(),
            desk: opened.desk,
            stop,
            address,
            token: String::new(),
            customer: String::new(),
        };
        let tokens = platform.post("/v1/sign-in", &json!({"secret": opened.sign_in.secret}));
        tokens["access_token"].as_str().unwrap().clone_into(&mut platform.token);
        platform
    }

    /// Goes away as a stopped machine does: connections end, what was saved stays.
    pub fn stop(mut self) -> SocketAddr {
        self.stop.send_replace(true);
        let runtime = self.runtime.take().unwrap();
        runtime.block_on(self.desk.close()).unwrap();
        runtime.shutdown_timeout(Duration::from_secs(5));
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn get(&self, path: &str) -> Value {
        self.send("GET", path, None)
    }

    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.send("POST", path, Some(body))
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("{}{path}", self.url());
        let bearer = format!("Bearer {}", self.token);
        let answer = match body {
            Some(body) => agent.post(&url).header("authorization", &bearer).send_json(body),
            None => agent.get(&url).header("authorization", &bearer).call(),
        };
        let mut answer = answer.unwrap();
        let status = answer.status();
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// A one-time token for a device of the one customer.
    pub fn enrolment_token(&mut self) -> String {
        if self.customer.is_empty() {
            let new = json!({"name": "Test customer", "plan": "pay-as-you-go"});
            let customer = self.post("/v1/customers", &new);
            customer["id"].as_str().unwrap().clone_into(&mut self.customer);
        }
        let token = self.post("/v1/enrolment-tokens", &json!({"customer": self.customer}));
        token["token"].as_str().unwrap().to_owned()
    }

    /// Opens a case about a device.
    pub fn open_case(&self, device: &str) -> String {
        let answers = json!({"what_happened": "Somebody guesses passwords over SSH.", "may_scan": "yes"});
        let open = json!({"customer": self.customer, "device": device, "form": "security-concern", "answers": answers});
        let case = self.post("/v1/cases", &open);
        case["case"]["id"].as_str().unwrap().to_owned()
    }

    /// Asks a skill and waits until the device has answered.
    pub fn ask(&self, case: &str, skill: &str) -> Value {
        let call = self.post(&format!("/v1/cases/{case}/calls"), &json!({"skill": skill}));
        self.finished(call["id"].as_str().unwrap())
    }

    /// The call, once it is over.
    pub fn finished(&self, call: &str) -> Value {
        eventually(&format!("call {call}"), || {
            let call = self.get(&format!("/v1/calls/{call}"));
            (call["state"] != "running").then_some(call)
        })
    }
}

/// What `look` finds, looked for until [`PATIENCE`] is over.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what} did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
