//! The first steps: a platform, a person, a customer, a copy to play with, a device.

use std::{fs, net::TcpListener, path::PathBuf, time::Duration};

use serde_json::{Value, json};

use super::{
    Tour,
    program::{Program, argument, run, sibling},
    progress::{LOGS, Told},
    scratch,
};
use crate::{Failure, answer, api::Api, device, login};

/// How long the platform may take to be ready.
const READY: Duration = Duration::from_secs(30);
/// What the tour's customer is called.
const CUSTOMER: &str = "Tour customer";
/// The plan it is on.
const PLAN: &str = "pay-as-you-go";
/// The most bytes of the device's identity.
const MAX_IDENTITY: u64 = 1024 * 1024;

/// Starts the platform.
pub fn start(tour: &mut Tour) -> Result<Told, Failure> {
    let listen = listen(&tour.identity());
    let arguments = ["--home", argument(&tour.home)?, "--listen", &listen];
    let mut platform = Program::start("echo_os_prime", &arguments, &tour.folder.join(LOGS[0]))?;
    let url = platform.wait_for("ready ", READY, &tour.stop)?;
    tour.link = platform.wait_for("sign in: ", READY, &tour.stop)?;
    tour.platform = Some(platform);
    Ok(Told::new(url))
}

/// Where the device of an earlier tour looks for the platform, when that place is free; else any free port.
fn listen(identity: &Value) -> String {
    answer::text(identity, "/platform")
        .ok()
        .and_then(|url| url.strip_prefix("http://127.0.0.1:"))
        .and_then(|port| port.trim_end_matches('/').parse::<u16>().ok())
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .map_or_else(|| "127.0.0.1:0".to_owned(), |port| format!("127.0.0.1:{port}"))
}

/// Signs in with the link that the platform printed.
pub fn sign_in(tour: &mut Tour) -> Result<Told, Failure> {
    let (base, secret) = login::parts(&tour.link)?;
    let api = Api::sign_in(base, secret, &tour.folder.join("person"))?;
    let me = api.get("/v1/me")?;
    let told = format!("{}, {}", answer::shown(&me, "/name"), answer::shown(&me, "/role"));
    tour.api = Some(api);
    Ok(Told::new(told))
}

/// Makes the customer, or finds the one of an earlier tour.
pub fn customer(tour: &mut Tour) -> Result<Told, Failure> {
    let api = tour.api()?;
    let all = api.list("/v1/customers")?;
    let known =
        all.iter().find(|customer| answer::text(customer, "/name").is_ok_and(|name| name == CUSTOMER));
    let (customer, how) = match known {
        Some(customer) => (customer.clone(), "from an earlier tour"),
        None => (api.post("/v1/customers", &json!({"name": CUSTOMER, "plan": PLAN}))?, "new"),
    };
    let told = format!("{CUSTOMER} on {}, {how}", answer::shown(&customer, "/plan"));
    tour.customer = answer::owned(&customer, "/id")?;
    Ok(Told::new(told))
}

/// Copies this machine's configuration, so that the fix has something to change.
pub fn copy(tour: &mut Tour) -> Result<Told, Failure> {
    if tour.live {
        return Ok(Told::new("left out: the fix is for the machine itself"));
    }
    let root = tour.root();
    if root.exists() {
        fs::remove_dir_all(&root).map_err(|error| {
            Failure::failed(format!("cannot remove the old copy {}: {error}", root.display()))
        })?;
    }
    let copied = scratch::copy("/".as_ref(), &root)?;
    Ok(Told::new(format!(
        "{} files, {} links, {} KiB; {} left out",
        copied.files,
        copied.links,
        copied.bytes.div_ceil(1024),
        copied.left_out
    )))
}

/// Enrols this machine, unless an earlier tour has, and starts its probe.
pub fn enrol(tour: &mut Tour) -> Result<Told, Failure> {
    let how = if let Some(device) = tour.known_device()? {
        tour.device = device;
        "from an earlier tour"
    } else {
        tour.enrol_anew()?;
        "new"
    };
    let home = tour.device_home();
    let root = tour.root();
    let mut arguments = vec!["run", "--home", argument(&home)?, "--pulse-seconds", "2"];
    if tour.live {
        arguments.push("--allow-live-changes");
    } else {
        arguments.extend(["--root", argument(&root)?]);
    }
    tour.probe = Some(Program::start("echo_probe", &arguments, &tour.folder.join(LOGS[1]))?);
    let device = tour.api()?.get(&format!("/v1/devices/{}", tour.device))?;
    Ok(Told::new(format!("{}, {how}", answer::shown(&device, "/name")))
        .with([answer::shown(&device, "/id"), answer::shown(&device, "/did")]))
}

impl Tour {
    /// The copy of the configuration.
    fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    fn device_home(&self) -> PathBuf {
        self.folder.join("device")
    }

    /// What the device knows of itself; nothing before it has enrolled.
    fn identity(&self) -> Value {
        let bytes = durable::read(&self.device_home().join("device.json"), MAX_IDENTITY).ok().flatten();
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or(Value::Null)
    }

    /// The device of an earlier tour, when it still is one of this platform at this address.
    fn known_device(&self) -> Result<Option<String>, Failure> {
        let identity = self.identity();
        let api = self.api()?;
        let here =
            answer::text(&identity, "/platform").is_ok_and(|url| url.trim_end_matches('/') == api.base());
        let Ok(id) = answer::text(&identity, "/device") else { return Ok(None) };
        let known = here
            && api.list("/v1/devices")?.iter().any(|device| {
                answer::text(device, "/id").is_ok_and(|known| known == id)
                    && answer::text(device, "/customer").is_ok_and(|customer| customer == self.customer)
                    && answer::text(device, "/state").is_ok_and(|state| state == "active")
            });
        Ok(known.then(|| id.to_owned()))
    }

    fn enrol_anew(&mut self) -> Result<(), Failure> {
        let token = self.folder.join("enrolment.token");
        let api = self.api()?;
        device::write_token(api, &self.customer, &token)?;
        let mut command = sibling("echo_probe")?;
        command.args(["enroll", "--url", api.base(), "--token-file"]).arg(&token);
        command.arg("--home").arg(self.device_home());
        if !self.identity().is_null() {
            command.arg("--replace");
        }
        let enrolled = run("echo_probe enroll", &mut command);
        // Used or not, nobody needs it any more.
        let _ = fs::remove_file(&token);
        enrolled?;
        self.device = answer::owned(&self.identity(), "/device")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platform_listens_where_its_device_looks_for_it() {
        assert_eq!(listen(&Value::Null), "127.0.0.1:0");
        let busy = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = busy.local_addr().unwrap().port();
        let identity = json!({ "platform": format!("http://127.0.0.1:{port}") });
        assert_eq!(listen(&identity), "127.0.0.1:0");
        drop(busy);
        assert_eq!(listen(&identity), format!("127.0.0.1:{port}"));
    }
}
