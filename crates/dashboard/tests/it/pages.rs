//! Every page, on an empty home and on a full one.

use axum::http::StatusCode;
use desk::{NewCustomer, OpenCase};

use crate::{device::House, seed, visit::Browser};

const LISTS: [&str; 9] =
    ["/", "/cases", "/devices", "/mesh", "/findings", "/receipts", "/invoices", "/documents", "/trust"];
/// The page that only the operator's people have.
const PEOPLE: &str = "/people";

/// What every page has, whoever looks.
pub fn assert_sound(page: &str, path: &str) {
    assert_eq!(page.matches("<h1").count(), 1, "{path}: one h1");
    assert_eq!(page.matches("<main id=\"main\"").count(), 1, "{path}: one main");
    assert!(page.contains("<nav "), "{path}: a nav");
    assert!(page.contains("<title>"), "{path}: a title");
    for banned in [" style=", " onclick=", "<style", "javascript:", "http://", "<script>"] {
        assert!(!page.contains(banned), "{path} holds {banned}");
    }
}

#[tokio::test]
async fn every_page_of_an_empty_home_says_what_to_do() {
    let house = House::found().await;
    let browser = Browser::operator(&house).await;
    for path in LISTS.into_iter().chain([PEOPLE]) {
        let page = browser.page(path).await;
        assert_sound(&page, path);
        let here = if path == "/" { "class=\"todo\"" } else { "class=\"empty\"" };
        assert!(page.contains(here), "{path}: what to do next");
    }
}

#[tokio::test]
async fn every_page_of_a_full_home_shows_what_there_is() {
    let house = House::found().await;
    let seeded = seed::fill(&house).await;
    let browser = Browser::operator(&house).await;
    for (path, shown) in [
        ("/", &["Waiting for approval", "paid", "Miller&#39;s bakery", "href=\"/people\""][..]),
        ("/cases", &["awaiting approval", "Harbour Clinic", "data-of-form=\"slow-computer\""]),
        ("/cases?state=closed", &["closed", "aria-current=\"true\""]),
        ("/devices", &["workshop", "online", "not heard yet"]),
        ("/findings?state=fixed", &["fixed", "What to do"]),
        ("/receipts", &["data-verify", "remediation.apply"]),
        ("/invoices", &["paid", "Record payment", "data-money=\"EUR\""]),
        ("/trust", &[house.desk.root().to_string().as_str(), "c2sp.org"][..1]),
    ] {
        let page = browser.page(path).await;
        assert_sound(&page, path);
        for words in shown {
            assert!(page.contains(words), "{path} does not show {words}");
        }
    }
    let page = browser.page(&format!("/devices/{}", seeded.device)).await;
    assert_sound(&page, "device");
    assert!(page.contains("did:key:") && page.contains("data-chart=\"cpu\"") && page.contains("bar-of-100"));
}

#[tokio::test]
async fn documents_are_listed_with_their_state_read_and_searched() {
    let house = House::found().await;
    let folder = house.desk.home().join("memory/documents");
    std::fs::create_dir_all(&folder).unwrap();
    let text = b"# Our VPN\n\n<script>alert(1)</script>\n\nThe zebrafish gateway listens on port 51820.\n";
    durable::write(&folder.join("vpn.md"), text, durable::Mode::Private).unwrap();
    house.desk.tidy().await.unwrap();
    for _ in 0..10 {
        house.desk.remember_due().await.unwrap();
    }
    let browser = Browser::operator(&house).await;
    let page = browser.page("/documents").await;
    assert_sound(&page, "/documents");
    assert_eq!(page.matches(">verified</span>").count(), dossier::SHIPPED.len());
    assert!(
        page.contains("href=\"/documents/own/vpn.md\"") && page.contains("href=\"/documents/docs/mesh\"")
    );
    let page = browser.page("/documents/constitution").await;
    assert_sound(&page, "constitution");
    for words in [
        ">verified</span>",
        "<h2 id=\"5-no-model-has-hands\">",
        "href=\"#5-no-model-has-hands\"",
        "its proof",
    ] {
        assert!(page.contains(words), "the constitution does not show {words}");
    }
    let page = browser.page("/documents/sovereignty").await;
    assert!(
        page.contains("href=\"/documents/licences\"") && page.contains("href=\"/documents/docs/erasure\"")
    );
    let page = browser.page("/documents/licences?part=2").await;
    assert!(page.contains("Part 2 of"), "a long document has parts");
    let page = browser.page("/documents/own/vpn.md").await;
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"), "a document is no program");
    let page = browser.page("/documents?search=zebrafish").await;
    assert!(page.contains("Found for") && page.contains("href=\"/documents/own/vpn.md\""));
    let page = browser.page("/documents?search=xylographic").await;
    assert!(page.contains("No document bears on these words"));
}

#[tokio::test]
async fn a_case_shows_its_change_its_proof_and_its_bill() {
    let house = House::found().await;
    let seeded = seed::fill(&house).await;
    let browser = Browser::operator(&house).await;
    let page = browser.page(&format!("/cases/{}", seeded.settled)).await;
    assert_sound(&page, "settled case");
    for words in [
        "<span class=\"line add\">+",
        "<span class=\"line del\">-",
        "What was fixed",
        "Change approved by",
        "data-kind=\"attestation\"",
        "How do I secure SSH",
        "/export\"",
        "Words that decided",
        "/category\"",
    ] {
        assert!(page.contains(words), "the settled case does not show {words}");
    }
    assert!(!page.contains("/approve\""), "a decided change has no buttons");
    let page = browser.page(&format!("/cases/{}", seeded.waiting)).await;
    assert_sound(&page, "waiting case");
    assert!(page.contains("/approve\"") && page.contains("/reject\"") && !page.contains("/close\""));
}

#[tokio::test]
async fn a_customer_sees_their_own_and_no_operator_s_buttons() {
    let house = House::found().await;
    let seeded = seed::fill(&house).await;
    let browser = Browser::customer(&house, &seeded.customer).await;
    for path in LISTS {
        let page = browser.page(path).await;
        assert_sound(&page, path);
        assert!(!page.contains("Harbour Clinic"), "{path} shows another customer");
        for button in ["Record payment", "/people", "Refused content"] {
            assert!(!page.contains(button), "{path} shows {button}");
        }
    }
    let page = browser.page(&format!("/cases/{}", seeded.settled)).await;
    assert!(!page.contains("/category\""), "technicians sort");
    for path in
        [format!("/cases/{}", seeded.waiting), "/cases/case_nonsense".to_owned(), "/devices/x".to_owned()]
    {
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_sound(&answer.text, &path);
    }
}

#[tokio::test]
async fn hostile_names_are_text_and_nothing_else() {
    let house = House::found().await;
    let name = "\"><script>alert(1)</script><img src=x onerror=alert(1)>";
    let new = NewCustomer { name: name.to_owned(), plan: "pay-as-you-go".parse().unwrap() };
    let customer = house.desk.add_customer(&house.call(), new).await.unwrap().customer.id;
    let open = OpenCase {
        customer: Some(customer),
        device: None,
        form: "general-help".to_owned(),
        answers: general(&house, name),
    };
    let case = house.desk.open_case(&house.call(), open).await.unwrap().case.id;
    let browser = Browser::operator(&house).await;
    for path in ["/people", "/cases", "/devices", &format!("/cases/{case}")] {
        let page = browser.page(path).await;
        assert!(page.contains("&#60;script&#62;"), "{path} shows the name");
        for raw in ["<script>alert", "<img src=x"] {
            assert!(!page.contains(raw), "{path} lets {raw} through");
        }
    }
}

/// Every text field of the general form answered with `text`, every choice with its first.
fn general(house: &House, text: &str) -> std::collections::BTreeMap<String, String> {
    let form = &house.desk.content().forms["general-help"];
    form.fields
        .iter()
        .map(|f| {
            let answer = match f.kind.as_str() {
                "text" => text.to_owned(),
                "choice" => f.choices[0].clone(),
                _ => "yes".to_owned(),
            };
            (f.id.clone(), answer)
        })
        .collect()
}

#[tokio::test]
async fn a_state_that_does_not_exist_is_refused_in_the_same_look() {
    let house = House::found().await;
    let browser = Browser::operator(&house).await;
    let answer = browser.get("/cases?state=%22onload=").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_sound(&answer.text, "/cases");
}
