//! The main flow, from the intake to a paid invoice and a file that proves it.

use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_case_goes_all_the_way_and_every_answer_is_as_described() {
    let World { house, technician, a, .. } = World::build().await;
    let person = &a.person;
    for path in [
        "/v1/overview",
        "/v1/agents",
        "/v1/plans",
        "/v1/intakes",
        "/v1/customers",
        "/v1/devices",
        "/v1/cases?state=closed",
        "/v1/findings?state=fixed",
        "/v1/proofs",
        "/v1/receipts",
        "/v1/invoices",
        "/v1/me",
        "/readyz",
        "/healthz",
    ] {
        let answer = house.get(path, person).await;
        assert_eq!(answer.status, 200, "{path}");
        if let Some(items) =
            serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap_or_default().get("items")
        {
            assert!(!items.as_array().unwrap().is_empty(), "{path} is empty");
        }
    }
    assert_eq!(house.get("/v1/users", &house.admin).await.expect(200)["items"].as_array().unwrap().len(), 4);
    assert_eq!(house.get("/v1/cases", &technician).await.expect(200)["items"].as_array().unwrap().len(), 2);

    let invoice = house.get(&format!("/v1/invoices/{}", a.invoice), person).await.expect(200);
    assert_eq!(invoice["state"], "open");
    let payment = json!({"amount": invoice["invoice"]["total"], "reference": "Statement 14, line 3"});
    let path = format!("/v1/invoices/{}/payments", a.invoice);
    let paid = house.post(&path, &house.admin, &payment).await.expect(201);
    assert_eq!(paid["state"], "paid");
    assert_eq!(house.post(&path, &house.admin, &payment).await.problem(422), "invalid");

    let page = house.get(&format!("/v1/invoices/{}/html", a.invoice), person).await;
    assert!(page.header("content-security-policy").contains("style-src 'sha256-"));
    assert!(String::from_utf8(page.body).unwrap().contains("<style>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_case_is_the_exact_file_that_verifies() {
    let World { house, a, .. } = World::build().await;
    let answer = house.get(&format!("/v1/cases/{}/export", a.case), &a.person).await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-disposition").starts_with("attachment; filename=\"case_"));
    assert_eq!(answer.header("cache-control"), "no-store");
    dossier::verify(&answer.body, house.desk.root()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_come_with_their_proofs() {
    let World { house, a, .. } = World::build().await;
    for (kind, id) in [("receipt", &a.receipt), ("invoice", &a.invoice), ("intake", &a.case)] {
        let view = house.get(&format!("/v1/documents/{kind}/{id}"), &a.person).await.expect(200);
        let document = &view["document"];
        let entry = document["entry"].as_str().unwrap().as_bytes();
        ledger::verify_tlog_proof(document["proof"].as_str().unwrap(), entry, view["vkey"].as_str().unwrap())
            .unwrap();
    }
    assert_eq!(house.get("/v1/documents/secret/x", &a.person).await.problem(404), "not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_of_the_house_are_listed_and_read() {
    let World { house, a, .. } = World::build().await;
    let list = house.get("/v1/documents", &a.person).await.expect(200);
    let constitution = &list["items"][0];
    assert_eq!(
        (constitution["name"].as_str(), &constitution["signed"]["state"]["holds"]),
        (Some("constitution"), &true.into())
    );
    let read = house.get("/v1/documents/constitution", &a.person).await.expect(200);
    assert!(read["text"].as_str().unwrap().starts_with("# The constitution"));
    let page = house.get("/v1/documents/docs%2Fmesh", &a.person).await.expect(200);
    assert_eq!(page["brief"]["origin"], "manual");
    assert_eq!(house.get("/v1/documents/secret", &a.person).await.problem(404), "not-found");
    let found = house.get("/v1/document-search?words=constitution", &a.person).await.expect(200);
    assert!(found["items"].is_array());
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_by_their_cursor() {
    let World { house, technician, .. } = World::build().await;
    let first = house.get("/v1/cases?limit=1", &technician).await.expect(200);
    let next = first["next"].as_str().unwrap();
    let second = house.get(&format!("/v1/cases?limit=1&cursor={next}"), &technician).await.expect(200);
    assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
    assert!(second["next"].is_null());
    for bad in ["limit=0", "limit=201", "limit=x", "cursor=%00", "state=lost", "colour=red"] {
        assert_eq!(house.get(&format!("/v1/cases?{bad}"), &technician).await.problem(400), "query", "{bad}");
    }
}
