//! Headers and assets.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};

use crate::{device::House, visit::Browser};

#[tokio::test]
async fn every_answer_keeps_the_page_to_itself() {
    let house = House::found().await;
    let browser = Browser::operator(&house).await;
    for path in ["/", "/sign-in", "/cases/x", "/assets/0/app.js", "/session/resume"] {
        let answer = browser.get(path).await;
        let policy = answer.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store", "{path}");
    }
}

#[tokio::test]
async fn every_asset_that_a_page_or_module_names_is_there_and_may_be_kept() {
    let house = House::found().await;
    let browser = Browser::stranger(&house);
    let page = browser.page("/sign-in").await;
    let base = page.split("src=\"").nth(1).unwrap().split("/paint.js").next().unwrap();
    let mut left = vec![
        "app.js".to_owned(),
        "app.css".into(),
        "mesh.css".into(),
        "sign-in.js".into(),
        "chart.js".into(),
    ];
    left.extend(
        ["icon.svg", "vendor/uplot/uPlot.iife.min.js", "vendor/uplot/uPlot.min.css"].map(str::to_owned),
    );
    let mut seen = Vec::new();
    while let Some(name) = left.pop() {
        if seen.contains(&name) {
            continue;
        }
        let path = format!("{base}/{name}");
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        let tag = answer.headers[header::ETAG].clone();
        let again = Request::get(&path).header(header::IF_NONE_MATCH, tag).body(Body::empty()).unwrap();
        assert_eq!(browser.send(again).await.status, StatusCode::NOT_MODIFIED, "{path}");
        if !name.contains('/') {
            left.extend(
                answer.text.split("\"./").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()),
            );
        }
        seen.push(name);
    }
    assert!(seen.len() > 15, "{seen:?}");
}

#[tokio::test]
async fn other_paths_under_assets_are_not_there() {
    let house = House::found().await;
    let browser = Browser::stranger(&house);
    for path in
        ["/assets/0000000000000000/app.js", "/assets/x/../app.js", "/assets/s/app.js", "/assets//app.js"]
    {
        assert_eq!(browser.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
