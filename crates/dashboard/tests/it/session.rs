//! Signing in, staying signed in, signing out.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};

use crate::{
    device::House,
    visit::{Answer, Browser},
};

fn post(path: &str, cookie: &str, body: &str) -> Request<Body> {
    Request::post(path)
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::COOKIE, cookie)
        .body(Body::from(body.to_owned()))
        .unwrap()
}

/// A link for the operator, and what comes of using it.
async fn sign_in(house: &House, browser: &Browser) -> (String, Answer) {
    let user = house.operator.subject.parse().unwrap();
    let link = house.desk.make_sign_in_link(&house.call(), &user).await.unwrap();
    let body = format!("{{\"secret\":\"{}\"}}", link.secret);
    let answer = browser.send(post("/session", "", &body)).await;
    (body, answer)
}

#[tokio::test]
async fn strangers_are_sent_to_sign_in_and_back() {
    let house = House::found().await;
    let browser = Browser::stranger(&house);
    for path in ["/cases", "/devices", "/findings", "/receipts", "/invoices", "/people", "/cases/x"] {
        let answer = browser.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        assert_eq!(answer.location(), format!("/session/resume?next={path}"));
        let answer = browser.get(answer.location()).await;
        assert_eq!(answer.location(), format!("/sign-in?next={path}"));
    }
    assert_eq!(browser.get("/session/resume?next=//evil.example").await.location(), "/sign-in");
    assert!(browser.page("/sign-in?next=/cases").await.contains("data-next=\"/cases\""));
    assert!(browser.page("/sign-in?next=https://evil.example").await.contains("data-next=\"/\""));
    assert!(browser.page("/trust").await.contains("Fingerprint"), "what anybody may check needs no session");
}

#[tokio::test]
async fn a_link_signs_in_once_and_its_cookies_are_closed_to_scripts() {
    let house = House::found().await;
    let mut browser = Browser::stranger(&house);
    let (body, answer) = sign_in(&house, &browser).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, "{\"signed_in\":true}"));
    for (cookie, rest) in
        answer.cookies().iter().zip(["Path=/; Max-Age=600", "Path=/session; Max-Age=2592000"])
    {
        assert!(cookie.ends_with(&format!("HttpOnly; SameSite=Strict; {rest}")), "{cookie}");
    }
    browser.access = answer.cookie("echo_access");
    browser.page("/cases").await;
    let again = browser.send(post("/session", "", &body)).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    assert!(again.text.contains("used") && again.text.contains("Restart the platform"), "{}", again.text);
    assert!(again.cookies().is_empty());
}

#[tokio::test]
async fn cookies_are_secure_behind_https() {
    let house = House::found().await;
    let browser = Browser::stranger(&house);
    let user = house.operator.subject.parse().unwrap();
    let link = house.desk.make_sign_in_link(&house.call(), &user).await.unwrap();
    let mut request = post("/session", "", &format!("{{\"secret\":\"{}\"}}", link.secret));
    request.headers_mut().insert("x-forwarded-proto", "https".parse().unwrap());
    let answer = browser.send(request).await;
    assert!(answer.cookies().iter().all(|c| c.ends_with("; Secure")), "{:?}", answer.cookies());
}

#[tokio::test]
async fn tabs_that_wake_together_share_one_refresh() {
    let house = House::found().await;
    let browser = Browser::stranger(&house);
    let (_, answer) = sign_in(&house, &browser).await;
    let cookie = format!("echo_refresh={}", answer.cookie("echo_refresh"));
    let resume = || {
        let request = Request::get("/session/resume?next=/cases").header(header::COOKIE, &cookie);
        browser.send(request.body(Body::empty()).unwrap())
    };
    let (first, second) = (resume().await, resume().await);
    assert_eq!((first.location(), second.location()), ("/cases", "/cases"));
    assert_eq!(first.cookie("echo_refresh"), second.cookie("echo_refresh"));
    let next = format!("echo_refresh={}", second.cookie("echo_refresh"));
    let answer = browser.send(post("/session/refresh", &next, "")).await;
    assert_eq!(answer.text, "{\"signed_in\":true}", "the session is still whole");
}

#[tokio::test]
async fn signing_out_ends_every_cookie_of_the_session() {
    let house = House::found().await;
    let mut browser = Browser::stranger(&house);
    let (_, answer) = sign_in(&house, &browser).await;
    browser.access = answer.cookie("echo_access");
    let refresh = format!("echo_refresh={}", answer.cookie("echo_refresh"));
    let cookies = format!("echo_access={}; {refresh}", browser.access);
    let out = browser.send(post("/session/end", &cookies, "")).await;
    assert_eq!((out.status, out.location()), (StatusCode::SEE_OTHER, "/sign-in"));
    assert!(out.cookies().iter().all(|c| c.contains("Max-Age=0")), "{:?}", out.cookies());
    assert_eq!(browser.get("/cases").await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.send(post("/session/refresh", &refresh, "")).await.text, "{\"signed_in\":false}");
}

#[tokio::test]
async fn signing_out_ends_what_a_tab_was_just_given() {
    let house = House::found().await;
    let browser = Browser::stranger(&house);
    let (_, answer) = sign_in(&house, &browser).await;
    let old = format!("echo_refresh={}", answer.cookie("echo_refresh"));
    let renewed = browser.send(post("/session/refresh", &old, "")).await;
    let access = format!("echo_access={}", renewed.cookie("echo_access"));
    browser.send(post("/session/end", &access, "")).await;
    assert_eq!(browser.send(post("/session/refresh", &old, "")).await.text, "{\"signed_in\":false}");
}

#[tokio::test]
async fn another_site_cannot_post_to_the_session() {
    let house = House::found().await;
    let browser = Browser::stranger(&house);
    for path in ["/session", "/session/refresh", "/session/end"] {
        for site in ["cross-site", "same-site", "none"] {
            let mut request = post(path, "", "{\"secret\":\"x\"}");
            request.headers_mut().insert("sec-fetch-site", site.parse().unwrap());
            let answer = browser.send(request).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} from {site}");
            assert!(answer.cookies().is_empty());
        }
    }
}

#[tokio::test]
async fn bodies_that_make_no_sense_are_refused() {
    let house = House::found().await;
    let browser = Browser::stranger(&house);
    let long = format!("{{\"secret\":\"{}\"}}", "x".repeat(5_000));
    for body in ["", "{", "[]", "{\"secret\":1}", "{\"secret\":\"x\",\"more\":1}", "\u{0}", &long] {
        let answer = browser.send(post("/session", "", body)).await;
        assert!(answer.status.is_client_error(), "{body:.40}: {}", answer.status);
    }
}

#[tokio::test]
async fn a_made_up_token_opens_no_page() {
    let house = House::found().await;
    for access in ["a.b.c", "x", "\"; Path=/"] {
        let mut browser = Browser::stranger(&house);
        browser.access = access.to_owned();
        assert_eq!(browser.get("/").await.status, StatusCode::SEE_OTHER, "{access}");
    }
}
