//! The mesh's page.

use axum::http::StatusCode;
use desk::MeshPathKind;
use echo_core::Mint;
use governance::{DAY_SECONDS, Plan, RotationKind, Wish};
use serde_json::json;
use trust::{KeyRole, Keystore, Unlock};

use crate::{
    crowd::{KINDS, key, many, node, picture},
    device::{Device, House, open},
    pages::assert_sound,
    visit::Browser,
};

#[tokio::test]
async fn a_mesh_that_is_off_says_how_it_is_switched_on() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let page = Browser::operator(&house).await.page("/mesh").await;
    assert_sound(&page, "/mesh");
    assert!(page.contains("echo_os_prime --mesh") && page.contains("echo_probe run --mesh"));
    let page = Browser::customer(&house, &customer).await.page("/mesh").await;
    assert!(page.contains("Your provider can switch it on") && !page.contains("echo_os_prime"));
    house.desk.publish_mesh(picture(Vec::new())).await.unwrap();
    let page = Browser::operator(&house).await.page("/mesh").await;
    assert!(page.contains("no other node has been heard of") && !page.contains("reachable"));
    assert!(page.contains("id=\"matter\"") && !page.contains("<figure"));
    assert!(page.contains("data-renew"), "what it shows grows old without an event");
    house.desk.mesh_is_off();
    let page = Browser::operator(&house).await.page("/mesh").await;
    assert!(page.contains("The mesh is off.") && !page.contains("id=\"matter\""));
}

#[tokio::test]
async fn each_kind_of_way_is_drawn_and_told_in_words() {
    let house = House::found().await;
    let customer = house.customer("Anna's bakery").await;
    let names = ["kasse", "office", "back-room", "laptop"];
    let nodes =
        (1..).zip(names).zip(KINDS).map(|((seed, name), kind)| node(seed, name, Some(&customer), kind));
    house.desk.publish_mesh(picture(nodes.collect())).await.unwrap();
    let page = Browser::operator(&house).await.page("/mesh").await;
    assert_sound(&page, "/mesh");
    for words in [
        "3 of 4 nodes reachable",
        "4 other nodes around it: 1 direct, 1 through a relay, 1 over other nodes, 1 not reached.",
        "<span class=\"chip good\">reachable</span>",
        "<span class=\"chip warn\">not reached</span>",
        "over office",
        "Anna&#39;s bakery</td>",
        "1.5 ms",
        "relay, 1.8 ms",
        "its clock is 2 h 0 min behind",
        "<code>diagnostics.probe</code> <span class=\"num-name\">0.",
        "<code>mesh.test</code></li>",
        "<title>back-room: over office</title>",
    ] {
        assert!(page.contains(words), "the page does not show {words}");
    }
    for (look, lines) in [("direct", 1), ("relayed", 1), ("routed", 1), ("none", 0)] {
        // One more in the key.
        assert_eq!(page.matches(&format!("<line class=\"{look}\"")).count(), lines + 1, "{look}");
    }
    assert_eq!(page.matches("<table class=\"cards mesh-nodes\"").count(), 1);
}

#[tokio::test]
async fn the_doctor_speaks_worst_first_and_shows_what_was_tried() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let gone = Device::enrol(&house, &customer).await;
    house.desk.retire_device(&house.call(), &gone.id).await.unwrap();
    let nodes = vec![
        node(1, "kasse", Some(&customer), MeshPathKind::Relayed),
        node(2, "laptop", Some(&customer), MeshPathKind::None),
        node(3, "office", Some(&customer), MeshPathKind::Direct),
    ];
    house.desk.publish_mesh(picture(nodes)).await.unwrap();
    let page = Browser::technician(&house).await.page("/mesh").await;
    let place = |words: &str| page.find(words).unwrap_or_else(|| panic!("the page does not show {words}"));
    assert!(
        place("<strong>laptop is not reached</strong>")
            < place("<strong>kasse is reached through a relay</strong>")
    );
    assert!(place("chip bad\">problem") < place("chip warn\">note"));
    for words in [
        "the gateway wss://help.example.org/v1/mesh/relay cannot be used",
        "Paths tried to kasse</caption>",
        "<code>gateway</code>",
        "own address to NAT, seen by STUN",
        "works</span> in use",
        "no answer</span>",
        "it was taken out of care &#60;b&#62;",
        ">unsigned</code>",
        "1 node is reached as it should be",
        "version 3 is in force",
        "1 node is let in no more (version 1 of the list)",
        "No key is about to go out of use",
    ] {
        place(words);
    }
    assert!(place(">revoked</code>") < place(">unsigned</code>"), "the newest refusal is first");
    assert_eq!(
        page.matches(&format!("id=\"pairs-{}\"", key(1).short())).count(),
        1,
        "told twice, shown once"
    );
}

#[tokio::test]
async fn of_many_nodes_those_in_trouble_are_drawn() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    house.desk.publish_mesh(picture(many(60, &customer))).await.unwrap();
    let browser = Browser::operator(&house).await;
    let page = browser.page("/mesh").await;
    assert_sound(&page, "/mesh");
    assert_eq!(page.matches("<text class=\"detail\"").count(), 40);
    assert!(page.contains("Drawn are the 40 with the most trouble. 20 more are in the table."));
    for seed in (0..60).filter(|seed| seed % 10 > 6) {
        assert!(
            page.contains(&format!("<title>till-{seed:02}: ")),
            "till-{seed:02} is in trouble and not drawn"
        );
    }
    assert_eq!(page.matches("<tr>\n      <th scope=\"row\"><a").count(), 50);
    let next = page.split("href=\"/mesh?cursor=").nth(1).expect("a next page").split('"').next().unwrap();
    let rest = browser.page(&format!("/mesh?cursor={next}")).await;
    assert_eq!(rest.matches("<tr>\n      <th scope=\"row\"><a").count(), 10);
    assert_eq!(browser.get("/mesh?cursor=x").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_customer_sees_their_own_nodes_and_the_operators_gateways() {
    let house = House::found().await;
    let (anna, ben) = (house.customer("Anna").await, house.customer("Ben").await);
    let mut inner = node(4, "operator-store", None, MeshPathKind::Direct);
    inner.capabilities = vec!["settle".to_owned()];
    let nodes = vec![
        node(1, "annas-till", Some(&anna), MeshPathKind::Direct),
        node(2, "bens-till", Some(&ben), MeshPathKind::Direct),
        node(3, "hub", None, MeshPathKind::Direct),
        inner,
    ];
    Device::enrol(&house, &ben).await;
    house.desk.publish_mesh(picture(nodes)).await.unwrap();
    let page = Browser::customer(&house, &anna).await.page("/mesh").await;
    assert_sound(&page, "/mesh");
    assert!(page.contains("2 of 2 nodes reachable") && page.contains("annas-till") && page.contains(">hub"));
    for hidden in ["bens-till", "operator-store", "What is the matter", "Refused lately", "Revoked", "Ben"] {
        assert!(!page.contains(hidden), "the page shows {hidden}");
    }
    assert!(!page.contains(&key(2).short()) && !page.contains(&key(4).short()), "no key of another either");
}

#[tokio::test]
async fn a_hostile_name_is_text_and_nothing_else() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let name = "\"></title></svg><script>alert(1)</script><img src=x onerror=alert(1)>";
    let nodes =
        KINDS.into_iter().zip(1..).map(|(kind, seed)| node(seed, name, Some(&customer), kind)).collect();
    house.desk.publish_mesh(picture(nodes)).await.unwrap();
    let page = Browser::operator(&house).await.page("/mesh").await;
    assert_sound(&page, "/mesh");
    assert!(page.contains("&#60;script&#62;"));
    for raw in ["<script>alert", "<img src=x", "\"></title>"] {
        assert!(!page.contains(raw), "{raw} gets through");
    }
}

#[tokio::test]
async fn a_report_that_cannot_be_read_takes_nothing_else_away() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let mut state = picture(vec![node(1, "kasse", Some(&customer), MeshPathKind::Direct)]);
    state.doctor = json!({"links": []});
    house.desk.publish_mesh(state).await.unwrap();
    let page = Browser::operator(&house).await.page("/mesh").await;
    assert_sound(&page, "/mesh");
    assert!(page.contains("cannot be read") && page.contains("kasse"));
}

#[tokio::test]
async fn who_has_not_acknowledged_a_notice_is_named() {
    let house = House::found().await;
    let (anna, ben) = (house.customer("Anna").await, house.customer("Ben").await);
    let (annas, bens) = (Device::enrol(&house, &anna).await, Device::enrol(&house, &ben).await);
    house.desk.close().await.unwrap();
    let House { folder, desk, operator } = house;
    drop(desk);
    announce(folder.path());
    let house = House { desk: open(folder.path()).await.desk, folder, operator };
    house.desk.publish_mesh(picture(Vec::new())).await.unwrap();
    let link = |device: &Device| format!("<a href=\"/devices/{}\">workshop</a>", device.id);
    let page = Browser::operator(&house).await.page("/mesh").await;
    assert_sound(&page, "/mesh");
    assert!(page.contains("0 of 2 devices have acknowledged it. Not yet:"), "{page}");
    assert!(page.contains(&link(&annas)) && page.contains(&link(&bens)));
    let page = Browser::customer(&house, &anna).await.page("/mesh").await;
    assert!(page.contains("0 of 1 device has acknowledged it. Not yet:"));
    assert!(page.contains(&link(&annas)) && !page.contains(&link(&bens)));
}

/// Replaces a key of a home that is not open, with a notice of what goes out of use.
fn announce(home: &std::path::Path) {
    let mut keystore = Keystore::open(home, &Unlock::KeyFile).unwrap();
    let mint = Mint::system();
    let mut governor = governance::House::open(home, &mut keystore, &mint).unwrap();
    let plan = Plan {
        kind: RotationKind::Scheduled,
        wishes: vec![Wish::simple(KeyRole::PlaybookAuthor)],
        reason: "test".to_owned(),
        grace_seconds: 30 * DAY_SECONDS,
    };
    let mut rotation = governor.begin(plan).unwrap();
    governor.run(&mut rotation).unwrap();
}
