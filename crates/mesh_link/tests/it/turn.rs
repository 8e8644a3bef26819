//! A STUN and TURN server that others made: coturn.

use std::{
    net::UdpSocket,
    process::{Child, Command, Stdio},
    time::Duration,
};

use mesh::{
    Stream,
    doctor::{CandidateKind, PairState},
};
use mesh_link::TurnServer;
use tokio::time::{Instant, sleep};

use crate::house::{House, PATIENCE, Up, send};

struct Coturn {
    child: Child,
    host: String,
    _home: tempfile::TempDir,
}

impl Coturn {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("turnserver")
            .args([
                "-n",
                "--no-tls",
                "--no-dtls",
                "--no-cli",
                "--lt-cred-mech",
                "--user=echo:secret",
                "--realm=test",
            ])
            // One address a user: a second one is given when the first was given back.
            .args(["--user-quota=1"])
            .args([
                "--listening-ip=127.0.0.1",
                "--relay-ip=127.0.0.1",
                "--allow-loopback-peers",
                "--log-file=stdout",
            ])
            .args([
                format!("--listening-port={port}"),
                format!("--pidfile={}", home.path().join("pid").display()),
            ])
            .arg(format!("--userdb={}", home.path().join("db").display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("coturn's `turnserver` is installed");
        Self { child, host: format!("127.0.0.1:{port}"), _home: home }
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs coturn's `turnserver`: run it with --ignored where that is installed"]
async fn an_address_on_coturn_carries_the_peer_s_checks_and_messages() {
    let (house, coturn) = (House::new(), Coturn::start());
    sleep(Duration::from_secs(1)).await;
    let mut config = house.config(&house.node(31));
    config.stun = vec![coturn.host.clone()];
    config.turn = vec![TurnServer {
        host: coturn.host.clone(),
        username: "echo".to_owned(),
        password: "secret".to_owned(),
    }];
    let (mut a, mut b) = (Up::start(config).await, house.up(&house.node(32)).await);
    a.look_for(&b.place());
    let link = a.link().await;
    b.link().await;
    let until = Instant::now() + PATIENCE;
    loop {
        let works = a
            .endpoint
            .report()
            .peers
            .iter()
            .flat_map(|peer| peer.pairs.clone())
            .any(|pair| pair.local_kind == CandidateKind::Turn && pair.state == PairState::Works);
        if works {
            break;
        }
        assert!(Instant::now() < until, "{:#?}", a.endpoint.report());
        sleep(Duration::from_millis(100)).await;
    }
    send(&a.endpoint, link, Stream::Rpc, b"hello").await;
    assert_eq!(b.message().await.1, b"hello");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs coturn's `turnserver`: run it with --ignored where that is installed"]
async fn an_address_on_coturn_is_given_back_when_the_node_stops() {
    let (house, coturn) = (House::new(), Coturn::start());
    sleep(Duration::from_secs(1)).await;
    for round in 0..2 {
        let mut config = house.config(&house.node(31));
        config.turn = vec![TurnServer {
            host: coturn.host.clone(),
            username: "echo".to_owned(),
            password: "secret".to_owned(),
        }];
        let (mut a, mut b) = (Up::start(config).await, house.up(&house.node(32)).await);
        a.look_for(&b.place());
        a.link().await;
        b.link().await;
        let until = Instant::now() + Duration::from_secs(8);
        let has_one = |up: &Up| {
            let peers = up.endpoint.report().peers;
            peers.iter().flat_map(|peer| &peer.pairs).any(|pair| pair.local_kind == CandidateKind::Turn)
        };
        while !has_one(&a) {
            assert!(Instant::now() < until, "round {round}: {:#?}", a.endpoint.report());
            sleep(Duration::from_millis(100)).await;
        }
        drop((a, b));
        // The server closes it a second later.
        sleep(Duration::from_secs(2)).await;
    }
}
