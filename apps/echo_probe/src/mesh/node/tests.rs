use std::{sync::atomic::AtomicUsize, time::Duration};

use clap::Parser as _;
use echo_core::{ManualClock, OsEntropy, Timestamp};
use trust::{KeyRole, NodeManifest};

use super::*;
use crate::{
    cli,
    test_house::{House, at},
};

/// An enrolled device's home, with a manifest until this day.
fn enrolled(house: &House, folder: &Path, until: Timestamp) -> (NodeManifest, Envelope) {
    let manifest = NodeManifest { expires: until, ..house.manifest(&house.device_key) };
    let certificate = manifest.certify(&house.key(KeyRole::DeviceIssuer)).unwrap();
    let identity = Identity {
        device: house.device.clone(),
        customer: house.customer.clone(),
        name: "test".to_owned(),
        platform: "http://127.0.0.1:9".to_owned(),
        insecure_http: false,
        root: house.root(),
        manifest: certificate.clone(),
        enrolled: at("2027-01-01"),
    };
    home::save(&folder.join("device.json"), &identity).unwrap();
    durable::write(&folder.join(CHAIN), &house.chain().to_json(), Mode::Private).unwrap();
    (manifest, certificate)
}

fn needs(house: &House, folder: &Path, now: Timestamp) -> Needs {
    let flags = ["--mesh", "--mesh-loopback", "--mesh-no-multicast", "--mesh-listen", "127.0.0.1:0"];
    let cli = cli::Cli::try_parse_from(["echo_probe", "run"].iter().chain(&flags)).unwrap();
    let cli::Command::Run(cli::Run { mesh_options: options, .. }) = cli.command else { panic!() };
    let mint = Mint::new(Arc::new(ManualClock::at(now)), Arc::new(OsEntropy));
    Needs { folder: folder.to_owned(), key: house.device_key.clone(), mint, options }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("it never came: {what}");
}

#[test]
fn an_expired_registry_does_not_keep_the_mesh_from_starting() {
    let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
    enrolled(&house, folder.path(), at("2029-01-01"));
    let options = options(needs(&house, folder.path(), at("2028-06-01"))).unwrap();
    assert_eq!(options.link.manifest.device, house.device);
}

#[test]
fn a_node_whose_manifest_has_expired_starts_by_itself_once_there_is_a_newer_one() {
    let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
    enrolled(&house, folder.path(), at("2027-03-01"));
    let (mesh, thread) = start(needs(&house, folder.path(), at("2027-04-01")), ()).unwrap();
    let off = || match &*mesh.shared.standing() {
        Standing::Off(why) => why.clone(),
        Standing::Runs(_) => panic!("it runs with an expired manifest"),
    };
    eventually("it says why it does not run", || off().contains("expired on 2027-03-01"));
    let (manifest, certificate) = enrolled(&house, folder.path(), at("2027-12-01"));
    mesh.renew(manifest, certificate);
    eventually("it runs", || mesh.shared.daemon().is_some());
    mesh.stop();
    thread.join().unwrap();
}

#[tokio::test]
async fn a_node_that_ends_by_itself_or_breaks_down_is_started_anew_until_it_is_told_to_stop() {
    let (shared, lives) = (Shared::new(), AtomicUsize::new(0));
    let (stopping, stop) = watch::channel(false);
    shared.newer.notify_one();
    let mint = Mint::system();
    let live = live_on(&mint, &shared, stop, |mut stop| {
        let life = lives.fetch_add(1, Ordering::Relaxed);
        if life > 0 {
            shared.newer.notify_one();
        }
        tokio::spawn(async move {
            match life {
                0 => Ok(()),
                1 => panic!("a test"),
                2 => Err(Failure::Failed("no port".to_owned())),
                _ => {
                    let _ = stop.wait_for(|stop| *stop).await;
                    Ok(())
                }
            }
        })
    });
    let told = async {
        while lives.load(Ordering::Relaxed) < 4 {
            tokio::task::yield_now().await;
        }
        let Standing::Off(why) = shared.standing().clone() else { panic!("nothing runs") };
        assert_eq!(why, Failure::Failed("no port".to_owned()).to_string());
        stopping.send_replace(true);
    };
    tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(live, told) }).await.unwrap();
}

#[test]
fn the_platforms_own_gateway_is_used_while_there_is_room() {
    let named =
        |count: usize| (0..count).map(|nth| format!("wss://{nth}.example/v1/mesh/relay")).collect::<Vec<_>>();
    let own = "wss://help.example/v1/mesh/relay".to_owned();
    let used = |named: &[String]| gateways(named.to_vec(), "https://help.example/");
    assert_eq!(used(&named(1)), [named(1), vec![own.clone()]].concat());
    assert_eq!(
        used(&named(MAX_GATEWAYS)),
        named(MAX_GATEWAYS),
        "the fifth would keep the mesh from starting"
    );
    assert_eq!(used(std::slice::from_ref(&own)), [own]);
}
